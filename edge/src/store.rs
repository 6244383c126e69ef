//! Routes, decisions, tokens and session routes in SQLite: what was acknowledged is on the disk.

mod claim;
mod delegations;
mod gather;
mod identity;
mod occupant;
mod private;
mod reserve;
mod room;
mod routes;
mod serving;
mod sessions;
mod tokens;

use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

use jiff::Timestamp;
use mkys_edge_client::{Actor, Audience, Route, RouteSpec};
use sqlx::SqliteConnection;
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};
use uuid::Uuid;

use crate::policy::Denied;
use gather::Writer;
use room::Room;

pub use delegations::Holder;
pub use routes::Changed;
pub use serving::{Place, Serving};
pub use sessions::Lapsed;
pub use tokens::TokenRow;

/// A failure of the database.
#[derive(Debug, strum::EnumCount, thiserror::Error)]
pub enum StoreError {
    /// The file cannot be opened.
    #[error("failed to open {file}")]
    Open {
        /// The file.
        file: PathBuf,
        /// The reason.
        #[source]
        source: sqlx::Error,
    },
    /// SQLite said no.
    #[error("the edge's database does not answer as it should")]
    Database(#[from] sqlx::Error),
    /// Its schema cannot be brought up to date.
    #[error("failed to bring {file} up to date")]
    Migration {
        /// The file.
        file: PathBuf,
        /// The reason.
        #[source]
        source: sqlx::migrate::MigrateError,
    },
    /// NGINX' memory for routes has no room for one more.
    #[error(
        "NGINX' memory for routes is full: its size is `nginx.routes_mib` of the edge's settings"
    )]
    MemoryFull,
    /// NGINX' memory for routes has no room for as many session routes as would be allowed.
    #[error(
        "NGINX' memory for routes has room for {most} session routes, and the delegations would allow {limits}"
    )]
    LimitsFull {
        /// How many all delegations would allow.
        limits: u64,
        /// How many fit.
        most: u64,
    },
    /// The disk is nearly full; only changes that free or keep are taken.
    #[error("the disk of the edge's database is nearly full: {free_mib} MiB are left")]
    DiskFull {
        /// MiB that are left.
        free_mib: u64,
    },
    /// A token has more routes that wait for a decision than it may.
    #[error("{0} routes of this token wait for a decision already: have some decided first")]
    TooManyPending(u64),
    /// Host and path are taken.
    #[error("{host}{path} is taken by a route of {}", whose(.blade.as_deref()))]
    Taken {
        /// Host.
        host: String,
        /// Path.
        path: String,
        /// Whose; `None`: that is not told.
        blade: Option<String>,
    },
    /// A session route cannot be where it is wanted.
    #[error("{host}{path} is taken by {by}")]
    SessionTaken {
        /// Host.
        host: String,
        /// Path.
        path: String,
        /// By what.
        by: String,
    },
    /// No more session routes at once.
    #[error("the delegation allows {0} session routes at once, and there are as many")]
    Limit(u32),
    /// The holder has a delegation of the route.
    #[error("{0:?} has a delegation of this route already")]
    HolderTaken(String),
    /// The delegation has ended meanwhile.
    #[error("the delegation has ended")]
    Ended,
    /// What was wanted does not go with what is there.
    #[error(transparent)]
    Denied(#[from] Denied),
    /// The change could not be committed; the log says why.
    #[error("the edge's database did not take the change")]
    NotWritten,
    /// The name of a token is taken.
    #[error(
        "there is or was a token named {0:?}; a name is not used again, so that the journal stays clear. \
         `mkys-edge token rotate` gives a token that was not revoked another secret"
    )]
    TokenTaken(String),
    /// A row makes no sense.
    #[error("the edge's database holds {0}")]
    Corrupt(String),
}

fn whose(blade: Option<&str>) -> String {
    blade.map_or_else(
        || "another blade".to_owned(),
        |blade| format!("blade {blade:?}"),
    )
}

impl StoreError {
    /// The same, as a token may be told it: whose a place is only if it may see that blade's routes.
    pub(crate) fn told_to(self, actor: &Actor) -> Self {
        match self {
            Self::Taken { host, path, blade } => Self::Taken {
                host,
                path,
                blade: blade.filter(|blade| actor.speaks_for(blade)),
            },
            other => other,
        }
    }
}

/// The database.
#[derive(Clone, Debug)]
pub struct Store {
    pool: SqlitePool,
    writer: Writer,
    room: Room,
    /// SQLite's log beside it.
    log: Arc<Path>,
    edge: Uuid,
}

impl Store {
    /// Opens the database, making it if there is none; its files are the owner's alone.
    ///
    /// # Errors
    ///
    /// When the file cannot be opened or is of a newer version.
    pub async fn open(file: &Path) -> Result<Self, StoreError> {
        let cannot_open = |source| StoreError::Open {
            file: file.to_owned(),
            source,
        };
        private::keep(file).map_err(|error| cannot_open(error.into()))?;
        let options = SqliteConnectOptions::new()
            .filename(file)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            // with WAL only FULL makes each commit survive a loss of power
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(std::time::Duration::from_secs(10))
            .foreign_keys(true);
        let pool = SqlitePoolOptions::new()
            .max_connections(8)
            // with the last connection SQLite removes its log, and with that the room that is kept in it
            .min_connections(1)
            .idle_timeout(None)
            .max_lifetime(None)
            .connect_with(options)
            .await
            .map_err(cannot_open)?;
        let migrated = sqlx::migrate!().run(&pool).await;
        migrated.map_err(|source| StoreError::Migration {
            file: file.to_owned(),
            source,
        })?;
        Ok(Self {
            edge: identity::of(&pool).await?,
            room: Room::beside(file),
            log: private::log(file).into(),
            writer: Writer::start(pool.clone()),
            pool,
        })
    }
}

async fn journal(
    connection: &mut SqliteConnection,
    now: Timestamp,
    actor: &str,
    action: &str,
    route: &Route,
    audience: Option<Audience>,
    detail: &str,
) -> Result<(), StoreError> {
    let RouteSpec {
        blade,
        service,
        host,
        path,
        ..
    } = &route.spec;
    sqlx::query(
        "INSERT INTO journal (at, actor, action, route, audience, detail) VALUES (?, ?, ?, ?, ?, ?)",
    )
    .bind(now.to_string())
    .bind(actor)
    .bind(action)
    .bind(route.id.to_string())
    .bind(audience.map(Audience::as_str))
    .bind(format!("{blade}/{service} at {host}{path} {detail}").trim())
    .execute(&mut *connection)
    .await?;
    Ok(())
}

/// Writes what was done to no route: to a token.
async fn record(
    connection: &mut SqliteConnection,
    now: Timestamp,
    actor: &str,
    action: &str,
    detail: &str,
) -> Result<(), StoreError> {
    sqlx::query("INSERT INTO journal (at, actor, action, detail) VALUES (?, ?, ?, ?)")
        .bind(now.to_string())
        .bind(actor)
        .bind(action)
        .bind(detail)
        .execute(connection)
        .await?;
    Ok(())
}

fn parse<T: FromStr>(what: &str, text: &str) -> Result<T, StoreError> {
    text.parse()
        .map_err(|_| StoreError::Corrupt(format!("{text:?} where {what} should be")))
}

/// A number that is never below zero, such as a count.
fn number(value: i64) -> Result<u64, StoreError> {
    u64::try_from(value)
        .map_err(|_| StoreError::Corrupt(format!("{value} where a count should be")))
}

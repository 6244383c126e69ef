//! Routes, decisions, tokens and session routes in SQLite: what was acknowledged is on the disk.

mod claim;
mod delegations;
mod gather;
mod occupant;
mod private;
mod serving;
mod sessions;
mod tokens;

use std::collections::BTreeMap;
use std::path::Path;
use std::str::FromStr;

use jiff::Timestamp;
use mkys_edge_client::{Access, AccessState, Actor, Audience, Route, RouteSpec, Wish};
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteRow,
    SqliteSynchronous,
};
use sqlx::{Row, SqliteConnection};
use uuid::Uuid;

use gather::Writer;
use sessions::places_below;

pub use delegations::Holder;
pub use serving::{Place, Serving};
pub use sessions::Lapsed;
pub use tokens::TokenRow;

/// A failure of the database.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// SQLite said no.
    #[error("the edge's database does not answer as it should")]
    Database(#[from] sqlx::Error),
    /// Its schema cannot be brought up to date.
    #[error("the edge's database cannot be brought up to date")]
    Migration(#[from] sqlx::migrate::MigrateError),
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
    /// The change could not be committed; the log says why.
    #[error("the edge's database did not take the change")]
    NotWritten,
    /// The name of a token is taken.
    #[error("there is a token named {0:?} already")]
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
}

impl Store {
    /// Opens the database, making it if there is none; its files are the owner's alone.
    ///
    /// # Errors
    ///
    /// When the file cannot be opened or is of a newer version.
    pub async fn open(file: &Path) -> Result<Self, StoreError> {
        private::keep(file).map_err(sqlx::Error::from)?;
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
            .connect_with(options)
            .await?;
        sqlx::migrate!().run(&pool).await?;
        let writer = Writer::start(pool.clone());
        Ok(Self { pool, writer })
    }

    /// All routes, or those of some blades.
    ///
    /// # Errors
    ///
    /// As each function here: [`StoreError`].
    pub async fn routes(&self) -> Result<Vec<Route>, StoreError> {
        let mut accesses: BTreeMap<String, Vec<SqliteRow>> = BTreeMap::new();
        for row in sqlx::query("SELECT * FROM accesses")
            .fetch_all(&self.pool)
            .await?
        {
            accesses.entry(row.try_get("route")?).or_default().push(row);
        }
        let rows = sqlx::query("SELECT * FROM routes ORDER BY host, path").fetch_all(&self.pool);
        let routes = rows.await?.into_iter().map(|row| {
            let id: String = row.try_get("id")?;
            route(&row, &accesses.remove(&id).unwrap_or_default())
        });
        routes.collect()
    }

    /// A route.
    pub async fn route(&self, id: Uuid) -> Result<Option<Route>, StoreError> {
        let id = id.to_string();
        let row = sqlx::query("SELECT * FROM routes WHERE id = ?").bind(&id);
        let Some(row) = row.fetch_optional(&self.pool).await? else {
            return Ok(None);
        };
        let accesses = sqlx::query("SELECT * FROM accesses WHERE route = ?").bind(&id);
        route(&row, &accesses.fetch_all(&self.pool).await?).map(Some)
    }

    /// Writes a new route.
    pub async fn insert(&self, route: &Route, now: Timestamp) -> Result<(), StoreError> {
        let route = route.clone();
        self.writer.write(move |connection| Box::pin(async move {
                let RouteSpec {
                    blade,
                    service,
                    port,
                    host,
                    path,
                    ..
                } = &route.spec;
                let inserted = sqlx::query(
                    "INSERT INTO routes (id, blade, service, port, host, path, requester, created_at) \
                     VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                )
                .bind(route.id.to_string())
                .bind(blade)
                .bind(service)
                .bind(i64::from(*port))
                .bind(host)
                .bind(path)
                .bind(&route.requester)
                .bind(now.to_string())
                .execute(&mut *connection)
                .await;
                taken(connection, inserted, &route, now).await?;
                write_accesses(connection, &route).await?;
                journal(connection, now, &route.requester, "ask", &route, None, "").await
})).await
    }

    /// Writes a changed route. Gives the places where its session routes were served.
    pub async fn update(
        &self,
        route: &Route,
        by: &str,
        now: Timestamp,
    ) -> Result<Vec<Place>, StoreError> {
        let (route, by) = (route.clone(), by.to_owned());
        self.writer.write(move |connection| Box::pin(async move {
                let RouteSpec {
                    blade,
                    service,
                    port,
                    host,
                    path,
                    ..
                } = &route.spec;
                let places = places_below(connection, route.id).await?;
                delegations::end_if_other(connection, &route).await?;
                let updated = sqlx::query(
                    "UPDATE routes SET blade = ?, service = ?, port = ?, host = ?, path = ? WHERE id = ?",
                )
                .bind(blade)
                .bind(service)
                .bind(i64::from(*port))
                .bind(host)
                .bind(path)
                .bind(route.id.to_string())
                .execute(&mut *connection)
                .await;
                taken(connection, updated, &route, now).await?;
                write_accesses(connection, &route).await?;
                journal(connection, now, &by, "change", &route, None, "").await?;
                Ok(places)
})).await
    }

    /// Writes a decision. Gives the places where the route's session routes are.
    pub async fn decide(
        &self,
        route: &Route,
        audience: Audience,
        by: &str,
        now: Timestamp,
    ) -> Result<Vec<Place>, StoreError> {
        let (route, by) = (route.clone(), by.to_owned());
        self.writer
            .write(move |connection| {
                Box::pin(async move {
                    write_accesses(connection, &route).await?;
                    let access = route.decisions.get(&audience);
                    let action = access.map_or("decide", |access| access.state.as_str());
                    let reason = access.and_then(|access| access.reason.as_deref());
                    let (audience, reason) = (Some(audience), reason.unwrap_or_default());
                    journal(connection, now, &by, action, &route, audience, reason).await?;
                    places_below(connection, route.id).await
                })
            })
            .await
    }

    /// Takes a route away, with its delegations. Gives the places where its session routes were served.
    pub async fn delete(
        &self,
        route: &Route,
        by: &str,
        now: Timestamp,
    ) -> Result<Vec<Place>, StoreError> {
        let (route, by) = (route.clone(), by.to_owned());
        self.writer
            .write(move |connection| {
                Box::pin(async move {
                    let places = places_below(connection, route.id).await?;
                    sqlx::query("DELETE FROM routes WHERE id = ?")
                        .bind(route.id.to_string())
                        .execute(&mut *connection)
                        .await?;
                    journal(connection, now, &by, "delete", &route, None, "").await?;
                    Ok(places)
                })
            })
            .await
    }
}

/// Says whose a place is that is not free: another route's, or a session route's.
async fn taken<T>(
    connection: &mut SqliteConnection,
    result: Result<T, sqlx::Error>,
    route: &Route,
    now: Timestamp,
) -> Result<(), StoreError> {
    let RouteSpec { host, path, .. } = &route.spec;
    let is_routes = match result {
        Err(sqlx::Error::Database(error)) if error.is_unique_violation() => true,
        Err(error) => return Err(error.into()),
        Ok(_) => false,
    };
    let query = match is_routes {
        true => "SELECT blade FROM routes WHERE host = ? AND path = ? AND ? IS NOT NULL",
        false => {
            "SELECT r.blade FROM sessions s JOIN delegations d ON d.id = s.delegation \
             JOIN routes r ON r.id = d.route WHERE s.host = ? AND s.path = ? AND s.expires > ?"
        }
    };
    let blade = sqlx::query_scalar::<_, String>(query)
        .bind(host)
        .bind(path)
        .bind(now.as_millisecond())
        .fetch_optional(connection)
        .await?;
    match (is_routes, blade) {
        (false, None) => Ok(()),
        (_, blade) => Err(StoreError::Taken {
            host: host.clone(),
            path: path.clone(),
            blade,
        }),
    }
}

async fn write_accesses(
    connection: &mut SqliteConnection,
    route: &Route,
) -> Result<(), StoreError> {
    let id = route.id.to_string();
    sqlx::query("DELETE FROM accesses WHERE route = ?")
        .bind(&id)
        .execute(&mut *connection)
        .await?;
    for (audience, wish) in &route.spec.access {
        let Some(access) = route.decisions.get(audience) else {
            continue;
        };
        sqlx::query(
            "INSERT INTO accesses (route, audience, enabled, justification, target, state, \
             decided_by, reason, decided_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        )
        .bind(&id)
        .bind(audience.as_str())
        .bind(wish.enabled)
        .bind(&wish.justification)
        .bind(route.spec.targets.get(audience).map(ToString::to_string))
        .bind(access.state.as_str())
        .bind(&access.decided_by)
        .bind(&access.reason)
        .bind(access.decided_at.map(|at| at.to_string()))
        .execute(&mut *connection)
        .await?;
    }
    Ok(())
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

fn parse<T: FromStr>(what: &str, text: &str) -> Result<T, StoreError> {
    text.parse()
        .map_err(|_| StoreError::Corrupt(format!("{text:?} where {what} should be")))
}

fn route(row: &SqliteRow, accesses: &[SqliteRow]) -> Result<Route, StoreError> {
    let id: String = row.try_get("id")?;
    let port: i64 = row.try_get("port")?;
    let mut spec = RouteSpec {
        blade: row.try_get("blade")?,
        service: row.try_get("service")?,
        port: u16::try_from(port).map_err(|_| StoreError::Corrupt(format!("port {port}")))?,
        host: row.try_get("host")?,
        path: row.try_get("path")?,
        targets: BTreeMap::new(),
        access: BTreeMap::new(),
    };
    let mut decisions = BTreeMap::new();
    for access in accesses {
        let audience: String = access.try_get("audience")?;
        let audience = Audience::ALL
            .into_iter()
            .find(|one| one.as_str() == audience);
        let audience = audience.ok_or_else(|| StoreError::Corrupt("an audience".to_owned()))?;
        let wish = Wish {
            enabled: access.try_get("enabled")?,
            justification: access.try_get("justification")?,
        };
        spec.access.insert(audience, wish);
        if let Some(target) = access.try_get::<Option<String>, _>("target")? {
            spec.targets.insert(audience, parse("a target", &target)?);
        }
        let state: String = access.try_get("state")?;
        let decided_at: Option<String> = access.try_get("decided_at")?;
        let decision = Access {
            state: state_of(&state)?,
            decided_by: access.try_get("decided_by")?,
            reason: access.try_get("reason")?,
            decided_at: decided_at.map(|at| parse("a time", &at)).transpose()?,
        };
        decisions.insert(audience, decision);
    }
    Ok(Route {
        id: parse("an id", &id)?,
        spec,
        requester: row.try_get("requester")?,
        decisions,
    })
}

fn state_of(word: &str) -> Result<AccessState, StoreError> {
    let all = [
        AccessState::Pending,
        AccessState::Approved,
        AccessState::Refused,
        AccessState::Withdrawn,
    ];
    let state = all.into_iter().find(|state| state.as_str() == word);
    state.ok_or_else(|| StoreError::Corrupt(format!("state {word:?}")))
}

//! Routes, decisions and tokens in SQLite: what was acknowledged is on the disk.

use std::collections::BTreeMap;
use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;

use jiff::Timestamp;
use mkys_edge_client::{Access, AccessState, Actor, Audience, Role, Route, RouteSpec, Wish};
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteRow,
    SqliteSynchronous,
};
use sqlx::{Row, Sqlite, Transaction};
use tokio::sync::{Mutex, MutexGuard};
use uuid::Uuid;

use crate::token;

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
    #[error("{host}{path} is taken by a route of blade {blade:?}")]
    Taken {
        /// Host.
        host: String,
        /// Path.
        path: String,
        /// Whose.
        blade: String,
    },
    /// The name of a token is taken.
    #[error("there is a token named {0:?} already")]
    TokenTaken(String),
    /// A row makes no sense.
    #[error("the edge's database holds {0}")]
    Corrupt(String),
}

/// The database.
#[derive(Clone, Debug)]
pub struct Store {
    pool: SqlitePool,
    /// Whose turn it is to write. SQLite lets one write at a time and has the others try again after a sleep, up to 100 ms long;
    /// whoever waits here goes on at once.
    turn: Arc<Mutex<()>>,
}

/// A token as it is listed.
#[derive(Clone, Debug)]
pub struct TokenRow {
    /// Whose it is.
    pub actor: Actor,
    /// When it was made.
    pub created_at: String,
    /// When it was revoked, if it was.
    pub revoked_at: Option<String>,
}

impl Store {
    /// Opens the database, making it if there is none.
    ///
    /// # Errors
    ///
    /// When the file cannot be opened or is of a newer version.
    pub async fn open(file: &Path) -> Result<Self, StoreError> {
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
        Ok(Self {
            pool,
            turn: Arc::default(),
        })
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
        let RouteSpec {
            blade,
            service,
            port,
            host,
            path,
            ..
        } = &route.spec;
        let (_turn, mut transaction) = self.begin().await?;
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
        .execute(&mut *transaction)
        .await;
        self.taken(inserted, host, path).await?;
        write_accesses(&mut transaction, route).await?;
        journal(
            &mut transaction,
            now,
            &route.requester,
            "ask",
            route,
            None,
            "",
        )
        .await?;
        Ok(transaction.commit().await?)
    }

    /// Writes a changed route.
    pub async fn update(&self, route: &Route, by: &str, now: Timestamp) -> Result<(), StoreError> {
        let RouteSpec {
            blade,
            service,
            port,
            host,
            path,
            ..
        } = &route.spec;
        let (_turn, mut transaction) = self.begin().await?;
        let updated = sqlx::query(
            "UPDATE routes SET blade = ?, service = ?, port = ?, host = ?, path = ? WHERE id = ?",
        )
        .bind(blade)
        .bind(service)
        .bind(i64::from(*port))
        .bind(host)
        .bind(path)
        .bind(route.id.to_string())
        .execute(&mut *transaction)
        .await;
        self.taken(updated, host, path).await?;
        write_accesses(&mut transaction, route).await?;
        journal(&mut transaction, now, by, "change", route, None, "").await?;
        Ok(transaction.commit().await?)
    }

    /// Writes a decision.
    pub async fn decide(
        &self,
        route: &Route,
        audience: Audience,
        by: &str,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let (_turn, mut transaction) = self.begin().await?;
        write_accesses(&mut transaction, route).await?;
        let access = route.decisions.get(&audience);
        let action = access.map_or("decide", |access| access.state.as_str());
        let reason = access
            .and_then(|access| access.reason.as_deref())
            .unwrap_or_default();
        journal(
            &mut transaction,
            now,
            by,
            action,
            route,
            Some(audience),
            reason,
        )
        .await?;
        Ok(transaction.commit().await?)
    }

    /// Takes a route away.
    pub async fn delete(&self, route: &Route, by: &str, now: Timestamp) -> Result<(), StoreError> {
        let (_turn, mut transaction) = self.begin().await?;
        sqlx::query("DELETE FROM routes WHERE id = ?")
            .bind(route.id.to_string())
            .execute(&mut *transaction)
            .await?;
        journal(&mut transaction, now, by, "delete", route, None, "").await?;
        Ok(transaction.commit().await?)
    }

    /// Begins to write, when it is this one's turn; the turn lasts until what is given first is dropped.
    async fn begin(&self) -> Result<(MutexGuard<'_, ()>, Transaction<'_, Sqlite>), StoreError> {
        let turn = self.turn.lock().await;
        Ok((turn, self.pool.begin().await?))
    }

    async fn taken<T>(
        &self,
        result: Result<T, sqlx::Error>,
        host: &str,
        path: &str,
    ) -> Result<T, StoreError> {
        match result {
            Err(sqlx::Error::Database(error)) if error.is_unique_violation() => {
                let blade = sqlx::query("SELECT blade FROM routes WHERE host = ? AND path = ?")
                    .bind(host)
                    .bind(path)
                    .fetch_optional(&self.pool)
                    .await?;
                let blade = blade
                    .map(|row| row.try_get("blade"))
                    .transpose()?
                    .unwrap_or_default();
                Err(StoreError::Taken {
                    host: host.to_owned(),
                    path: path.to_owned(),
                    blade,
                })
            }
            other => Ok(other?),
        }
    }

    /// Writes a token's hash.
    pub async fn add_token(
        &self,
        actor: &Actor,
        token: &str,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let role = match actor.role {
            Role::Requester => "requester",
            Role::Administrator => "administrator",
        };
        let json = |value: serde_json::Value| value.to_string();
        let added = sqlx::query(
            "INSERT INTO tokens (id, name, role, hash, blades, networks, created_at) \
             VALUES (?, ?, ?, ?, ?, ?, ?)",
        )
        .bind(Uuid::new_v4().to_string())
        .bind(&actor.name)
        .bind(role)
        .bind(token::hash(token))
        .bind(json(serde_json::json!(actor.blades)))
        .bind(json(serde_json::json!(actor.networks)))
        .bind(now.to_string())
        .execute(&self.pool)
        .await;
        match added {
            Err(sqlx::Error::Database(error)) if error.is_unique_violation() => {
                Err(StoreError::TokenTaken(actor.name.clone()))
            }
            other => Ok(other.map(drop)?),
        }
    }

    /// Whose token this is; `None`: nobody's, or it was revoked.
    pub async fn actor(&self, token: &str) -> Result<Option<Actor>, StoreError> {
        let row = sqlx::query("SELECT * FROM tokens WHERE hash = ? AND revoked_at IS NULL")
            .bind(token::hash(token))
            .fetch_optional(&self.pool)
            .await?;
        row.map(|row| token_row(&row).map(|row| row.actor))
            .transpose()
    }

    /// All tokens.
    pub async fn tokens(&self) -> Result<Vec<TokenRow>, StoreError> {
        let rows = sqlx::query("SELECT * FROM tokens ORDER BY name")
            .fetch_all(&self.pool)
            .await?;
        rows.iter().map(token_row).collect()
    }

    /// Revokes a token for good; false when there is none of that name.
    pub async fn revoke_token(&self, name: &str, now: Timestamp) -> Result<bool, StoreError> {
        let revoked = sqlx::query("UPDATE tokens SET revoked_at = ? WHERE name = ?")
            .bind(now.to_string())
            .bind(name)
            .execute(&self.pool)
            .await?;
        Ok(revoked.rows_affected() > 0)
    }
}

async fn write_accesses(
    transaction: &mut Transaction<'_, Sqlite>,
    route: &Route,
) -> Result<(), StoreError> {
    let id = route.id.to_string();
    sqlx::query("DELETE FROM accesses WHERE route = ?")
        .bind(&id)
        .execute(&mut **transaction)
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
        .execute(&mut **transaction)
        .await?;
    }
    Ok(())
}

async fn journal(
    transaction: &mut Transaction<'_, Sqlite>,
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
    .execute(&mut **transaction)
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

fn token_row(row: &SqliteRow) -> Result<TokenRow, StoreError> {
    let role: String = row.try_get("role")?;
    let json = |column: &str| -> Result<String, sqlx::Error> { row.try_get(column) };
    let corrupt = |error: serde_json::Error| StoreError::Corrupt(error.to_string());
    Ok(TokenRow {
        actor: Actor {
            name: row.try_get("name")?,
            role: if role == "administrator" {
                Role::Administrator
            } else {
                Role::Requester
            },
            blades: serde_json::from_str(&json("blades")?).map_err(corrupt)?,
            networks: serde_json::from_str(&json("networks")?).map_err(corrupt)?,
        },
        created_at: row.try_get("created_at")?,
        revoked_at: row.try_get("revoked_at")?,
    })
}

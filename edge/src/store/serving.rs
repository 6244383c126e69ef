//! What is to be served, as one moment of the database has it.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use mkys_edge_client::{Route, Session};
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};
use uuid::Uuid;

use super::routes::readable;
use super::sessions::session;
use super::{Store, StoreError, parse};
use crate::warning::Warning;

/// Where something is served: a route's or a session route's place.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// Host name.
    pub host: String,
    /// Path.
    pub path: String,
}

impl From<&Route> for Place {
    fn from(route: &Route) -> Self {
        Self {
            host: route.spec.host.clone(),
            path: route.spec.path.clone(),
        }
    }
}

/// Routes, and session routes that have not lapsed.
#[derive(Clone, Debug, Default)]
pub struct Serving {
    /// The routes, with those that the session routes are delegated by.
    pub routes: BTreeMap<Uuid, Route>,
    /// Session routes with the route that they are delegated by.
    pub sessions: Vec<(Session, Uuid)>,
    /// How many are in the database and cannot be read; the log says which and why.
    pub unreadable: usize,
}

const SESSIONS: &str =
    "SELECT s.*, d.route FROM sessions s JOIN delegations d ON d.id = s.delegation";

impl Store {
    /// Everything that is to be served.
    pub async fn serving(&self, now: Timestamp) -> Result<Serving, StoreError> {
        let mut moment = self.pool.begin().await?;
        let query = format!("{SESSIONS} WHERE s.expires > ?");
        let sessions = sqlx::query(sqlx::AssertSqlSafe(query)).bind(now.as_millisecond());
        let (sessions, damaged) = with_routes(&sessions.fetch_all(&mut *moment).await?);
        let accesses = sqlx::query("SELECT * FROM accesses");
        let accesses = accesses.fetch_all(&mut *moment).await?;
        let rows = sqlx::query("SELECT * FROM routes");
        let rows = rows.fetch_all(&mut *moment).await?;
        let (routes, unreadable) = by_id(&rows, accesses);
        Ok(Serving {
            routes,
            sessions,
            unreadable: unreadable + damaged,
        })
    }

    /// What is to be served at some places; nothing at those where nothing is.
    pub async fn serving_at(
        &self,
        places: &BTreeSet<Place>,
        now: Timestamp,
    ) -> Result<Serving, StoreError> {
        let places: Vec<_> = places.iter().map(|one| [&one.host, &one.path]).collect();
        let places = serde_json::json!(places).to_string();
        let mut moment = self.pool.begin().await?;
        let query = format!(
            "{SESSIONS} JOIN json_each(?) p ON s.host = p.value ->> 0 AND s.path = p.value ->> 1 \
             WHERE s.expires > ?"
        );
        let sessions = sqlx::query(sqlx::AssertSqlSafe(query))
            .bind(&places)
            .bind(now.as_millisecond());
        let (sessions, damaged) = with_routes(&sessions.fetch_all(&mut *moment).await?);
        let at = "SELECT r.id FROM json_each(?) p \
                  JOIN routes r ON r.host = p.value ->> 0 AND r.path = p.value ->> 1";
        let at: Vec<String> = sqlx::query_scalar(at)
            .bind(&places)
            .fetch_all(&mut *moment)
            .await?;
        let of = sessions.iter().map(|(_, route)| route.to_string());
        let ids: BTreeSet<_> = at.into_iter().chain(of).collect();
        let (routes, unreadable) = some(&mut moment, &ids).await?;
        Ok(Serving {
            routes,
            sessions,
            unreadable: unreadable + damaged,
        })
    }
}

fn with_routes(rows: &[SqliteRow]) -> (Vec<(Session, Uuid)>, usize) {
    let mut unreadable = 0;
    let rows = rows.iter().filter_map(|row| match with_route(row) {
        Ok(session) => Some(session),
        Err(error) => {
            tracing::error!(
                error = &error as &dyn std::error::Error,
                what = "a session route",
                "{}",
                Warning::Damaged
            );
            unreadable += 1;
            None
        }
    });
    (rows.collect(), unreadable)
}

fn with_route(row: &SqliteRow) -> Result<(Session, Uuid), StoreError> {
    let route: String = row.try_get("route")?;
    Ok((session(row)?, parse("a route's id", &route)?))
}

async fn some(
    connection: &mut SqliteConnection,
    ids: &BTreeSet<String>,
) -> Result<(BTreeMap<Uuid, Route>, usize), StoreError> {
    let ids = serde_json::json!(ids).to_string();
    let rows = "SELECT * FROM routes WHERE id IN (SELECT value FROM json_each(?))";
    let rows = sqlx::query(rows).bind(&ids);
    let rows = rows.fetch_all(&mut *connection).await?;
    let accesses = "SELECT * FROM accesses WHERE route IN (SELECT value FROM json_each(?))";
    let accesses = sqlx::query(accesses).bind(&ids);
    Ok(by_id(&rows, accesses.fetch_all(connection).await?))
}

fn by_id(rows: &[SqliteRow], accesses: Vec<SqliteRow>) -> (BTreeMap<Uuid, Route>, usize) {
    let (routes, unreadable) = readable(rows, accesses);
    let routes = routes.into_iter().map(|route| (route.id, route));
    (routes.collect(), unreadable)
}

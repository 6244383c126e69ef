//! Taking a place for a session route: whose it is, and whether there is room.

use jiff::Timestamp;
use mkys_edge_client::Session;
use sqlx::SqliteConnection;

use super::sessions::session;
use super::{Holder, StoreError};

/// Checks that a place is the holder's to take, and clears it of what has lapsed.
pub(super) async fn free(
    connection: &mut SqliteConnection,
    holder: &Holder,
    wanted: &Session,
    now: Timestamp,
) -> Result<(), StoreError> {
    let Session {
        host, path, name, ..
    } = wanted;
    sqlx::query(
        "DELETE FROM sessions WHERE expires <= ? AND ((host = ? AND path = ?) OR (delegation = ? AND name = ?))",
    )
    .bind(now.as_millisecond())
    .bind(host)
    .bind(path)
    .bind(holder.id.to_string())
    .bind(name)
    .execute(&mut *connection)
    .await?;
    // what lies at the place, or at one that has it below itself: it would lose a part of what is its own
    let stem = holder.delegation.prefix.trim_end_matches('/').len();
    let ends = path
        .match_indices('/')
        .map(|(end, _)| end)
        .filter(|end| *end > stem);
    let places: Vec<_> = ends.chain([path.len()]).map(|end| &path[..end]).collect();
    let by: Option<String> = sqlx::query_scalar(
        "SELECT 'a route of blade ' || blade FROM routes \
         WHERE host = ?1 AND path IN (SELECT value FROM json_each(?2)) \
         UNION ALL SELECT 'session route ' || name FROM sessions \
         WHERE host = ?1 AND path IN (SELECT value FROM json_each(?2)) AND expires > ?3 \
         AND (delegation <> ?4 OR (path = ?5 AND name <> ?6)) LIMIT 1",
    )
    .bind(host)
    .bind(serde_json::json!(places).to_string())
    .bind(now.as_millisecond())
    .bind(holder.id.to_string())
    .bind(path)
    .bind(name)
    .fetch_optional(connection)
    .await?;
    match by {
        None => Ok(()),
        Some(by) => Err(StoreError::SessionTaken {
            host: host.clone(),
            path: path.clone(),
            by,
        }),
    }
}

/// The session route that has the name already.
pub(super) async fn before(
    connection: &mut SqliteConnection,
    holder: &Holder,
    name: &str,
) -> Result<Option<Session>, StoreError> {
    let row = sqlx::query("SELECT * FROM sessions WHERE delegation = ? AND name = ?")
        .bind(holder.id.to_string())
        .bind(name)
        .fetch_optional(connection);
    row.await?.as_ref().map(session).transpose()
}

/// Checks that there is room for one more.
pub(super) async fn room(
    connection: &mut SqliteConnection,
    holder: &Holder,
    now: Timestamp,
) -> Result<(), StoreError> {
    let limit = holder.delegation.limit;
    let held: Option<i64> = sqlx::query_scalar("SELECT held FROM delegations WHERE id = ?")
        .bind(holder.id.to_string())
        .fetch_optional(&mut *connection)
        .await?;
    // those that have lapsed count among them: only where these could matter all are looked at
    if held.is_some_and(|held| held < i64::from(limit)) {
        return Ok(());
    }
    let there: i64 =
        sqlx::query_scalar("SELECT count(*) FROM sessions WHERE delegation = ? AND expires > ?")
            .bind(holder.id.to_string())
            .bind(now.as_millisecond())
            .fetch_one(connection)
            .await?;
    match there < i64::from(limit) {
        true => Ok(()),
        false => Err(StoreError::Limit(limit)),
    }
}

/// Writes it, over the one of its name.
pub(super) async fn write(
    connection: &mut SqliteConnection,
    holder: &Holder,
    session: &Session,
) -> Result<(), StoreError> {
    let Session {
        id,
        name,
        host,
        path,
        target,
        ttl_s,
        created_at,
        expires_at,
    } = session;
    let written = sqlx::query(
        "INSERT INTO sessions (id, delegation, name, host, path, target, ttl_s, created, expires) \
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (delegation, name) DO UPDATE \
         SET path = excluded.path, target = excluded.target, ttl_s = excluded.ttl_s, expires = excluded.expires",
    )
    .bind(id.to_string())
    .bind(holder.id.to_string())
    .bind(name)
    .bind(host)
    .bind(path)
    .bind(target.to_string())
    .bind(i64::from(*ttl_s))
    .bind(created_at.as_millisecond())
    .bind(expires_at.as_millisecond())
    .execute(connection)
    .await;
    match written {
        // it was revoked after its token was looked up
        Err(sqlx::Error::Database(error)) if error.is_foreign_key_violation() => {
            Err(StoreError::Ended)
        }
        other => Ok(other.map(drop)?),
    }
}

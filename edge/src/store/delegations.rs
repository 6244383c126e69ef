//! Delegated path prefixes, and whose token is whose.

use jiff::Timestamp;
use mkys_edge_client::{Delegation, Route};
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};
use uuid::Uuid;

use super::routes::there;
use super::sessions::places_below;
use super::{Place, Store, StoreError, journal, parse};
use crate::policy::Denied;
use crate::{lease, token};

/// Who may add session routes: a delegation as the edge finds it by its token.
#[derive(Clone, Debug)]
pub struct Holder {
    /// Id of the delegation; nobody else sees it.
    pub id: Uuid,
    /// The delegation.
    pub delegation: Delegation,
}

impl Store {
    /// Writes what is delegated of a route, with its token's hash. `None`: there is no such route.
    ///
    /// # Errors
    ///
    /// [`StoreError::HolderTaken`]; [`StoreError::LimitsFull`]; [`StoreError::Denied`] when it cannot be delegated so; and as each function here:
    /// [`StoreError`].
    pub async fn delegate(
        &self,
        route: Uuid,
        token: &str,
        delegate: impl FnOnce(&Route) -> Result<Delegation, Denied> + Send + 'static,
    ) -> Result<Option<Delegation>, StoreError> {
        let (hash, room) = (token::hash(token), self.room.clone());
        self.writer.write(move |connection| Box::pin(async move {
                let Some(route) = there(connection, route).await? else {
                    return Ok(None);
                };
                let delegation = delegate(&route)?;
                let added = sqlx::query(
                    "INSERT INTO delegations (id, route, holder, hash, networks, most, created_by, created_at) \
                     VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                )
                .bind(Uuid::new_v4().to_string())
                .bind(delegation.route.to_string())
                .bind(&delegation.holder)
                .bind(hash)
                .bind(serde_json::json!(delegation.networks).to_string())
                .bind(i64::from(delegation.limit))
                .bind(&delegation.created_by)
                .bind(delegation.created_at.to_string())
                .execute(&mut *connection)
                .await;
                match added {
                    Err(sqlx::Error::Database(error)) if error.is_unique_violation() => {
                        return Err(StoreError::HolderTaken(delegation.holder));
                    }
                    other => other?,
                };
                room.check_limits(connection).await?;
                let Delegation {
                    holder,
                    created_by,
                    created_at,
                    ..
                } = &delegation;
                journal(
                    connection,
                    *created_at,
                    created_by,
                    "delegate",
                    &route,
                    None,
                    holder,
                )
                .await?;
                Ok(Some(delegation))
})).await
    }

    /// A route's delegations.
    pub async fn delegations(&self, route: &Route) -> Result<Vec<Delegation>, StoreError> {
        let rows = sqlx::query("SELECT * FROM delegations WHERE route = ? ORDER BY holder")
            .bind(route.id.to_string())
            .fetch_all(&self.pool);
        let rows = rows.await?;
        let delegations = rows.iter().map(|row| delegation(row, route));
        delegations.collect()
    }

    /// Ends a delegation with its session routes. Gives the places where they were served; `None`: there was none.
    pub async fn revoke_delegation(
        &self,
        route: &Route,
        holder: &str,
        by: &str,
        now: Timestamp,
    ) -> Result<Option<Vec<Place>>, StoreError> {
        let (route, holder, by) = (route.clone(), holder.to_owned(), by.to_owned());
        self.writer
            .write(move |connection| {
                Box::pin(async move {
                    let places = places_below(connection, route.id).await?;
                    let revoked =
                        sqlx::query("DELETE FROM delegations WHERE route = ? AND holder = ?")
                            .bind(route.id.to_string())
                            .bind(&holder)
                            .execute(&mut *connection)
                            .await?;
                    if revoked.rows_affected() == 0 {
                        return Ok(None);
                    }
                    journal(connection, now, &by, "revoke", &route, None, &holder).await?;
                    Ok(Some(places))
                })
            })
            .await
    }

    /// Whose token this is; `None`: no holder's, or the delegation has ended.
    pub async fn holder(&self, token: &str) -> Result<Option<Holder>, StoreError> {
        let row = sqlx::query("SELECT * FROM delegations WHERE hash = ?")
            .bind(token::hash(token))
            .fetch_optional(&self.pool);
        let Some(row) = row.await? else {
            return Ok(None);
        };
        let route: String = row.try_get("route")?;
        let Some(route) = self.route(parse("a route's id", &route)?).await? else {
            return Ok(None);
        };
        let id: String = row.try_get("id")?;
        Ok(Some(Holder {
            id: parse("an id", &id)?,
            delegation: delegation(&row, &route)?,
        }))
    }
}

/// Ends a route's delegations when its content is to be another: it is not what was delegated.
pub(super) async fn end_if_other(
    connection: &mut SqliteConnection,
    route: &Route,
) -> Result<(), StoreError> {
    let spec = &route.spec;
    sqlx::query(
        "DELETE FROM delegations WHERE route IN (SELECT id FROM routes WHERE id = ? \
         AND (blade, service, port, host, path) IS NOT (?, ?, ?, ?, ?))",
    )
    .bind(route.id.to_string())
    .bind(&spec.blade)
    .bind(&spec.service)
    .bind(i64::from(spec.port))
    .bind(&spec.host)
    .bind(&spec.path)
    .execute(connection)
    .await?;
    Ok(())
}

fn delegation(row: &SqliteRow, route: &Route) -> Result<Delegation, StoreError> {
    let networks: String = row.try_get("networks")?;
    let limit: i64 = row.try_get("most")?;
    let created_at: String = row.try_get("created_at")?;
    let corrupt = |error: serde_json::Error| StoreError::Corrupt(error.to_string());
    Ok(Delegation {
        route: route.id,
        holder: row.try_get("holder")?,
        host: route.spec.host.clone(),
        prefix: route.spec.path.clone(),
        audiences: lease::open(route),
        networks: serde_json::from_str(&networks).map_err(corrupt)?,
        limit: u32::try_from(limit).map_err(|_| StoreError::Corrupt(format!("limit {limit}")))?,
        created_by: row.try_get("created_by")?,
        created_at: parse("a time", &created_at)?,
    })
}

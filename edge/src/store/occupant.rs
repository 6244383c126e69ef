//! Who has a place, before anybody asks for it.

use jiff::Timestamp;
use mkys_edge_client::Route;

use super::{Store, StoreError, parse};

impl Store {
    /// The route that has a host and path, or that has delegated it to a session route which is there.
    ///
    /// # Errors
    ///
    /// As each function here: [`StoreError`].
    pub async fn occupant(
        &self,
        host: &str,
        path: &str,
        now: Timestamp,
    ) -> Result<Option<Route>, StoreError> {
        let id: Option<String> = sqlx::query_scalar(
            "SELECT id FROM routes WHERE host = ?1 AND path = ?2 \
             UNION ALL SELECT d.route FROM sessions s JOIN delegations d ON d.id = s.delegation \
             WHERE s.host = ?1 AND s.path = ?2 AND s.expires > ?3 LIMIT 1",
        )
        .bind(host)
        .bind(path)
        .bind(now.as_millisecond())
        .fetch_optional(&self.pool)
        .await?;
        match id {
            Some(id) => self.route(parse("an id", &id)?).await,
            None => Ok(None),
        }
    }

    /// The blades that have routes on a host.
    pub async fn blades_on(&self, host: &str) -> Result<Vec<String>, StoreError> {
        let blades = "SELECT DISTINCT blade FROM routes WHERE host = ? ORDER BY blade";
        let blades = sqlx::query_scalar(blades).bind(host);
        Ok(blades.fetch_all(&self.pool).await?)
    }
}

//! The edge's identity, and checks and copies of its database.

use jiff::Timestamp;
use sqlx::sqlite::SqlitePool;
use uuid::Uuid;

use super::{Store, StoreError, parse};

/// Returns the edge's id; makes one in a database that has none.
pub(super) async fn of(pool: &SqlitePool) -> Result<Uuid, StoreError> {
    sqlx::query("INSERT INTO edge (id) SELECT ? WHERE NOT EXISTS (SELECT 1 FROM edge)")
        .bind(Uuid::new_v4().to_string())
        .execute(pool)
        .await?;
    let id: String = sqlx::query_scalar("SELECT id FROM edge")
        .fetch_one(pool)
        .await?;
    parse("an edge's id", &id)
}

impl Store {
    /// The edge's id, which it has for as long as its database.
    pub fn edge(&self) -> Uuid {
        self.edge
    }

    /// Tries whether a change can be written.
    ///
    /// # Errors
    ///
    /// [`StoreError`] that a change would meet.
    pub async fn check(&self, now: Timestamp) -> Result<(), StoreError> {
        self.room.check_disk()?;
        let written = self.writer.write(move |connection| {
            Box::pin(async move {
                sqlx::query("UPDATE edge SET checked = ?")
                    .bind(now.to_string())
                    .execute(connection)
                    .await?;
                Ok(())
            })
        });
        written.await
    }

    /// Sets the memory that NGINX has for routes, in MiB: more than fits is refused from now on.
    pub fn set_memory(&self, mib: u32) {
        self.room.set_memory(mib);
    }

    /// Writes a copy of the database as it is now into a new file.
    ///
    /// # Errors
    ///
    /// When there is such a file, or it cannot be written.
    pub async fn back_up(&self, file: &std::path::Path) -> Result<(), StoreError> {
        let file = file.display().to_string();
        sqlx::query("VACUUM INTO ?")
            .bind(file)
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// Closes the database: all that was written is in its one file then.
    pub async fn close(&self) {
        self.pool.close().await;
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may stop at once")]
mod tests {
    use std::borrow::Cow;

    use sqlx::sqlite::SqliteConnectOptions;

    use super::*;

    #[tokio::test]
    async fn edge_id_lasts_as_its_database() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("edge.sqlite");
        let store = Store::open(&file).await.unwrap();
        let id = store.edge();
        store.check(Timestamp::UNIX_EPOCH).await.unwrap();
        let copy = folder.path().join("copy.sqlite");
        store.back_up(&copy).await.unwrap();
        store.back_up(&copy).await.unwrap_err();
        store.close().await;
        // closing writes the log into the file
        let log = folder.path().join("edge.sqlite-wal");
        assert!(!log.exists());
        assert_eq!(Store::open(&file).await.unwrap().edge(), id);
        assert_eq!(Store::open(&copy).await.unwrap().edge(), id);
        let other = Store::open(&folder.path().join("other.sqlite"))
            .await
            .unwrap();
        assert_ne!(other.edge(), id);
    }

    #[tokio::test]
    async fn earlier_databases_are_migrated() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("edge.sqlite");
        let options = SqliteConnectOptions::new()
            .filename(&file)
            .create_if_missing(true);
        let pool = SqlitePool::connect_with(options).await.unwrap();
        let mut before = sqlx::migrate!();
        let first = before.iter().filter(|one| one.version <= 3).cloned();
        before.migrations = Cow::Owned(first.collect());
        before.run(&pool).await.unwrap();
        let id = Uuid::from_u128(1);
        let rows = format!(
            "INSERT INTO tokens VALUES ('1', 'pipeline', 'requester', x'00', '[\"*\"]', '[]', '2026-01-01T00:00:00Z', NULL); \
             INSERT INTO routes VALUES ('{id}', 'games', 'site', 80, 'games.example.org', '/play', 'pipeline', '2026-01-01T00:00:00Z'); \
             INSERT INTO accesses VALUES ('{id}', 'users', 1, 'why', '198.51.100.20:80', 'approved', 'ada', NULL, NULL); \
             INSERT INTO delegations (id, route, holder, hash, networks, most, created_by, created_at) \
             VALUES ('{id}', '{id}', 'runner', x'01', '[]', 9, 'ada', '2026-01-01T00:00:00Z'); \
             INSERT INTO sessions VALUES ('{id}', '{id}', 'g', 'games.example.org', '/play/g', '10.88.0.5:80', 60, 0, 60000);"
        );
        sqlx::raw_sql(sqlx::AssertSqlSafe(rows))
            .execute(&pool)
            .await
            .unwrap();
        pool.close().await;

        let store = Store::open(&file).await.unwrap();
        assert_eq!(store.tokens().await.unwrap()[0].actor.person, "pipeline");
        let route = store.route(id).await.unwrap().unwrap();
        assert_eq!(route.people, ["pipeline"]);
        let serving = store.serving(Timestamp::UNIX_EPOCH).await.unwrap();
        assert_eq!(
            (
                serving.routes.len(),
                serving.sessions.len(),
                serving.unreadable
            ),
            (1, 1, 0)
        );
        let taken: (i64, i64) = sqlx::query_as("SELECT routes, sessions FROM memory")
            .fetch_one(&store.pool)
            .await
            .unwrap();
        assert_eq!(taken, (512, 512));
    }

    #[tokio::test]
    async fn damaged_rows_are_left_out() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("edge.sqlite"))
            .await
            .unwrap();
        let rows = |number: u128, target: &str| {
            let id = Uuid::from_u128(number);
            format!(
                "INSERT INTO routes (id, blade, service, port, host, path, requester, created_at) \
                 VALUES ('{id}', 'games', 'site', 80, 'h{number}', '/', 'pipeline', ''); \
                 INSERT INTO accesses (route, audience, enabled, justification, target, state) \
                 VALUES ('{id}', 'users', 1, 'why', '{target}', 'approved');"
            )
        };
        let rows =
            rows(1, "198.51.100.20:80") + &rows(2, "nonsense") + &rows(3, "198.51.100.21:80");
        sqlx::raw_sql(sqlx::AssertSqlSafe(rows))
            .execute(&store.pool)
            .await
            .unwrap();
        let serving = store.serving(Timestamp::UNIX_EPOCH).await.unwrap();
        assert_eq!((serving.routes.len(), serving.unreadable), (2, 1));
        assert_eq!(store.routes().await.unwrap().len(), 2);
    }
}

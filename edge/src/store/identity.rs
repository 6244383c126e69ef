//! Which edge this is, and whether its database takes changes.

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

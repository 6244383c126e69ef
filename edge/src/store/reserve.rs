//! Room that the database keeps for itself: what is there can be renewed, withdrawn and deleted also while others have filled the disk.
//!
//! SQLite overwrites its log from the beginning once that is written back, and never makes it shorter while somebody has it open
//! (<https://www.sqlite.org/wal.html#avoiding_excessively_large_wal_files>); pages that are free in the database's file are used before
//! that grows. So both files are made larger than they need be, while there is room.

use sqlx::SqliteConnection;

use super::{Store, StoreError, number};

/// Bytes that are kept in each of the two files. Of the log SQLite uses about 4 MiB before it begins anew.
const KEPT: u64 = 6 * 1024 * 1024;
/// Free pages of the database below which more are made.
const FEW: u64 = 512;

impl Store {
    /// Keeps room in the database's files, where that is not so yet.
    ///
    /// # Errors
    ///
    /// [`StoreError::DiskFull`] when there is none to keep; and as each function here: [`StoreError`].
    pub async fn keep_room(&self) -> Result<(), StoreError> {
        let free: i64 = sqlx::query_scalar("PRAGMA freelist_count")
            .fetch_one(&self.pool)
            .await?;
        let log = std::fs::metadata(&*self.log).map_or(0, |log| log.len());
        if number(free)? >= FEW && log >= KEPT {
            return Ok(());
        }
        self.room.check_disk()?;
        // in two transactions: pages that are freed by the one that made them are never written
        self.writer
            .write(|connection| Box::pin(fill(connection)))
            .await?;
        self.writer
            .write(|connection| Box::pin(empty(connection)))
            .await
    }
}

async fn fill(connection: &mut SqliteConnection) -> Result<(), StoreError> {
    sqlx::query("CREATE TABLE IF NOT EXISTS room (bytes BLOB)")
        .execute(&mut *connection)
        .await?;
    sqlx::query("INSERT INTO room VALUES (zeroblob(?))")
        .bind(i64::try_from(KEPT).unwrap_or(i64::MAX))
        .execute(connection)
        .await?;
    Ok(())
}

async fn empty(connection: &mut SqliteConnection) -> Result<(), StoreError> {
    sqlx::query("DROP TABLE room").execute(connection).await?;
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may stop at once")]
mod tests {
    use jiff::Timestamp;

    use super::*;

    #[tokio::test]
    async fn changes_stay_within_the_kept_room() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("edge.sqlite");
        let store = Store::open(&file).await.unwrap();
        store.keep_room().await.unwrap();
        let sizes = || {
            let size = |path: &std::path::Path| std::fs::metadata(path).unwrap().len();
            [size(&file), size(&store.log)]
        };
        // the first change begins the log anew
        store.check(Timestamp::UNIX_EPOCH).await.unwrap();
        let before = sizes();
        assert!(before.iter().all(|size| *size >= KEPT), "{before:?}");
        for second in 0..3_000 {
            let now = Timestamp::from_second(second).unwrap();
            store.check(now).await.unwrap();
        }
        assert_eq!(sizes(), before);
        // what is kept already is not kept again
        store.keep_room().await.unwrap();
        assert_eq!(sizes(), before);
    }
}

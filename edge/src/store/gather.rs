//! One writer for everybody: changes that wait share one transaction, and with it one wait for the disk.
//!
//! SQLite lets one write at a time, and each commit waits for the disk. What came while the last commit was
//! under way is written together: each change in a savepoint of its own, so that one that fails takes nothing
//! with it, and each is answered only after the commit.

use std::pin::Pin;

use sqlx::sqlite::SqlitePool;
use sqlx::{Connection, SqliteConnection};
use tokio::sync::{mpsc, oneshot};

use super::StoreError;
use crate::warning::Warning;

/// Changes a transaction has at most: the first to come does not wait for all the world.
const MOST: usize = 256;

/// What a change does, on the connection that it is given.
pub(super) type Work<'c, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'c>>;

/// Says what came of a change, to whoever waits. Dropped, it says that nothing was written.
type Answer = Box<dyn FnOnce() + Send>;

/// A change with its answer; true: it is to be kept.
type Job = Box<
    dyn for<'c> FnOnce(
            &'c mut SqliteConnection,
        ) -> Pin<Box<dyn Future<Output = (bool, Answer)> + Send + 'c>>
        + Send,
>;

/// Where changes are handed in. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Writer(mpsc::Sender<Job>);

impl Writer {
    /// Starts the task that writes. It ends with the last writer.
    pub(super) fn start(pool: SqlitePool) -> Self {
        let (sender, mut jobs) = mpsc::channel(4 * MOST);
        tokio::spawn(async move {
            let mut batch = Vec::new();
            while jobs.recv_many(&mut batch, MOST).await > 0 {
                match write(&pool, batch.drain(..)).await {
                    Ok(answers) => answers.into_iter().for_each(|answer| answer()),
                    Err(error) => {
                        tracing::error!(
                            error = &error as &dyn std::error::Error,
                            "{}",
                            Warning::NotWritten
                        );
                    }
                }
            }
        });
        Self(sender)
    }

    /// Does a change, and waits until it is on the disk.
    ///
    /// # Errors
    ///
    /// The change's own, or [`StoreError::NotWritten`].
    pub(super) async fn write<T: Send + 'static>(
        &self,
        work: impl for<'c> FnOnce(&'c mut SqliteConnection) -> Work<'c, T> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (done, answer) = oneshot::channel();
        let job: Job = Box::new(move |connection| {
            Box::pin(async move {
                let result = work(connection).await;
                let keep = result.is_ok();
                // whoever stopped waiting does not mind
                let answer: Answer = Box::new(move || drop(done.send(result)));
                (keep, answer)
            })
        });
        let gone = |_| StoreError::NotWritten;
        self.0.send(job).await.map_err(|_| StoreError::NotWritten)?;
        answer.await.map_err(gone)?
    }
}

/// Does changes in one transaction. An error is one of the transaction: then none of them is written.
///
/// A connection on which a transaction failed is closed: SQLite ends a transaction by itself where the disk is full
/// (<https://www.sqlite.org/lang_transaction.html#response_to_errors_within_a_transaction>), and what the connection counts as open is
/// not any more.
async fn write(
    pool: &SqlitePool,
    jobs: impl Iterator<Item = Job>,
) -> Result<Vec<Answer>, sqlx::Error> {
    let mut connection = pool.acquire().await?;
    let written = write_on(&mut connection, jobs).await;
    if written.is_err() {
        drop(connection.detach());
    }
    written
}

async fn write_on(
    connection: &mut SqliteConnection,
    jobs: impl Iterator<Item = Job>,
) -> Result<Vec<Answer>, sqlx::Error> {
    // the lock from the beginning: one who reads first and then writes may find that somebody else wrote
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
    let mut answers = Vec::new();
    for job in jobs {
        let mut savepoint = transaction.begin().await?;
        let (keep, answer) = job(&mut savepoint).await;
        match keep {
            true => savepoint.commit().await?,
            false => savepoint.rollback().await?,
        }
        answers.push(answer);
    }
    transaction.commit().await?;
    Ok(answers)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may stop at once")]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions};

    use super::*;

    async fn pool(folder: &tempfile::TempDir) -> SqlitePool {
        let options = SqliteConnectOptions::new()
            .filename(folder.path().join("x.sqlite"))
            .create_if_missing(true);
        let pool = SqlitePoolOptions::new()
            .connect_with(options)
            .await
            .unwrap();
        let made = sqlx::query("CREATE TABLE seen (number INTEGER PRIMARY KEY)");
        made.execute(&pool).await.unwrap();
        pool
    }

    async fn insert(writer: &Writer, number: i64) -> Result<(), StoreError> {
        writer
            .write(move |connection| {
                Box::pin(async move {
                    let insert = sqlx::query("INSERT INTO seen VALUES (?)").bind(number);
                    insert.execute(connection).await?;
                    // an odd one fails after it wrote
                    match number % 2 {
                        0 => Ok(()),
                        _ => Err(StoreError::Corrupt(format!("{number}"))),
                    }
                })
            })
            .await
    }

    async fn seen(pool: &SqlitePool) -> Vec<i64> {
        let all = sqlx::query_scalar("SELECT number FROM seen ORDER BY number");
        all.fetch_all(pool).await.unwrap()
    }

    #[tokio::test]
    async fn one_that_fails_takes_nothing_with_it() {
        let folder = tempfile::tempdir().unwrap();
        let pool = pool(&folder).await;
        let writer = Writer::start(pool.clone());
        // handed in before the task runs even once, so that they share a transaction
        let all = [0, 1, 2, 3, 2, 4].map(|number| {
            let writer = writer.clone();
            tokio::spawn(async move { insert(&writer, number).await.is_ok() })
        });
        let mut ended = Vec::new();
        for one in all {
            ended.push(one.await.unwrap());
        }
        assert_eq!(ended, [true, false, true, false, false, true]);
        assert_eq!(seen(&pool).await, [0, 2, 4]);
    }

    #[tokio::test]
    async fn many_share_a_transaction_and_are_answered_after_it() {
        let folder = tempfile::tempdir().unwrap();
        let pool = pool(&folder).await;
        let answered = Arc::new(AtomicUsize::new(0));
        let job = |number: i64| -> Job {
            let answered = answered.clone();
            Box::new(move |connection| {
                Box::pin(async move {
                    let insert = sqlx::query("INSERT INTO seen VALUES (?)").bind(number);
                    let keep = insert.execute(connection).await.is_ok();
                    // nobody before it in the same transaction was told anything yet
                    assert_eq!(answered.load(Ordering::SeqCst), 0);
                    let answer: Answer = Box::new(move || {
                        answered.fetch_add(1, Ordering::SeqCst);
                    });
                    (keep, answer)
                })
            })
        };
        let answers = write(&pool, (0..100).map(job)).await.unwrap();
        assert_eq!(seen(&pool).await.len(), 100);
        answers.into_iter().for_each(|answer| answer());
        assert_eq!(answered.load(Ordering::SeqCst), 100);
    }

    #[tokio::test]
    async fn what_could_not_be_committed_is_not_acknowledged() {
        let folder = tempfile::tempdir().unwrap();
        let pool = pool(&folder).await;
        let writer = Writer::start(pool.clone());
        // the transaction is gone when it is to be committed
        let broken = writer
            .write(|connection| {
                Box::pin(async move {
                    sqlx::query("ROLLBACK").execute(connection).await?;
                    Ok(())
                })
            })
            .await;
        assert!(matches!(broken, Err(StoreError::NotWritten)), "{broken:?}");
        insert(&writer, 2).await.unwrap();
        assert_eq!(seen(&pool).await, [2]);
    }

    #[tokio::test]
    async fn full_disk_leaves_no_broken_connection() {
        let folder = tempfile::tempdir().unwrap();
        let options = SqliteConnectOptions::new()
            .filename(folder.path().join("x.sqlite"))
            .create_if_missing(true)
            // SQLite says "database or disk is full" there, as it does on a full disk, and ends the transaction
            .pragma("max_page_count", "40");
        let pool = SqlitePoolOptions::new()
            .max_connections(2)
            .connect_with(options)
            .await
            .unwrap();
        let made = sqlx::query("CREATE TABLE seen (data BLOB)");
        made.execute(&pool).await.unwrap();
        let writer = Writer::start(pool.clone());
        let insert = async |size: i64| {
            let written = writer.write(move |connection| {
                Box::pin(async move {
                    let insert = sqlx::query("INSERT INTO seen VALUES (zeroblob(?))").bind(size);
                    insert.execute(connection).await?;
                    Ok(())
                })
            });
            written.await
        };
        for _ in 0..5 {
            while insert(20_000).await.is_ok() {}
            // each connection of the pool meets it, more than once
            for _ in 0..6 {
                insert(20_000).await.unwrap_err();
            }
            sqlx::query("DELETE FROM seen")
                .execute(&pool)
                .await
                .unwrap();
            for _ in 0..20 {
                insert(10).await.unwrap();
            }
        }
    }
}

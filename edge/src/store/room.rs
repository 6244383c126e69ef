//! Capacity: NGINX' memory for routes, and the database's disk. What does not fit is refused before it is written, so that one holder's
//! session routes never keep another blade's routes from being served.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use sqlx::SqliteConnection;

use super::{StoreError, number};

/// What the smallest session route takes of the memory, in bytes: an entry for each audience.
const SMALLEST: u64 = 512;
/// The least that stays free on the database's disk, in bytes: for withdrawals, revocations and renewals.
const RESERVE: u64 = 16 * 1024 * 1024;

/// How much room there is. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Room {
    /// Bytes of NGINX' memory for routes.
    memory: Arc<AtomicU64>,
    folder: Arc<PathBuf>,
}

impl Room {
    /// Room beside a database; its memory has no limit until one is known.
    pub(super) fn beside(database: &Path) -> Self {
        let folder = database.parent().unwrap_or(Path::new("/")).to_owned();
        Self {
            memory: Arc::new(AtomicU64::new(u64::MAX)),
            folder: Arc::new(folder),
        }
    }

    pub(super) fn set_memory(&self, mib: u32) {
        let bytes = u64::from(mib) * 1024 * 1024;
        self.memory.store(bytes, Ordering::Relaxed);
    }

    /// What entries can have of the memory: NGINX needs some of it to manage the rest.
    fn usable(&self) -> u64 {
        self.memory.load(Ordering::Relaxed) / 16 * 15
    }

    /// What session routes can have together: the rest is for lasting routes alone.
    fn for_sessions(&self) -> u64 {
        self.usable() / 4 * 3
    }

    /// Checks, after a route was written, that all fit.
    pub(super) async fn check_routes(
        &self,
        connection: &mut SqliteConnection,
    ) -> Result<(), StoreError> {
        let (routes, sessions) = taken(connection).await?;
        self.check_disk()?;
        match routes.saturating_add(sessions) <= self.usable() {
            true => Ok(()),
            false => Err(StoreError::MemoryFull),
        }
    }

    /// Checks, after a session route was written, that all fit.
    pub(super) async fn check_sessions(
        &self,
        connection: &mut SqliteConnection,
    ) -> Result<(), StoreError> {
        let (routes, sessions) = taken(connection).await?;
        self.check_disk()?;
        let fits =
            sessions <= self.for_sessions() && routes.saturating_add(sessions) <= self.usable();
        match fits {
            true => Ok(()),
            false => Err(StoreError::MemoryFull),
        }
    }

    /// Checks, after a delegation was written, that as many session routes as all delegations allow fit if they are small.
    pub(super) async fn check_limits(
        &self,
        connection: &mut SqliteConnection,
    ) -> Result<(), StoreError> {
        let limits = sqlx::query_scalar("SELECT coalesce(sum(most), 0) FROM delegations");
        let limits = number(limits.fetch_one(connection).await?)?;
        let most = self.for_sessions() / SMALLEST;
        self.check_disk()?;
        match limits <= most {
            true => Ok(()),
            false => Err(StoreError::LimitsFull { limits, most }),
        }
    }

    /// Checks that the disk has room for something new.
    pub(super) fn check_disk(&self) -> Result<(), StoreError> {
        let free = rustix::fs::statvfs(&*self.folder)
            .map(|disk| disk.f_bavail.saturating_mul(disk.f_frsize));
        match free {
            Ok(free) if free < RESERVE => Err(StoreError::DiskFull {
                free_mib: free / 1024 / 1024,
            }),
            // one that does not say is asked by writing
            _ => Ok(()),
        }
    }
}

/// Bytes that routes and session routes take of the memory.
async fn taken(connection: &mut SqliteConnection) -> Result<(u64, u64), StoreError> {
    let taken: (i64, i64) = sqlx::query_as("SELECT routes, sessions FROM memory")
        .fetch_one(connection)
        .await?;
    Ok((number(taken.0)?, number(taken.1)?))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may stop at once")]
mod tests {
    use std::collections::BTreeMap;

    use jiff::Timestamp;
    use mkys_edge_client::{AccessState, Audience, Route, RouteSpec, Wish};
    use uuid::Uuid;

    use crate::policy::undecided;
    use crate::store::{Store, StoreError};

    fn route(number: u128, requester: &str) -> Route {
        let wish = Wish {
            enabled: true,
            justification: "games".into(),
            description: String::new(),
        };
        Route {
            id: Uuid::from_u128(number),
            spec: RouteSpec {
                blade: "games".into(),
                service: "site".into(),
                port: 80,
                host: format!("h{number}.example.org"),
                path: "/".into(),
                targets: BTreeMap::new(),
                access: [(Audience::Users, wish)].into(),
            },
            requester: requester.into(),
            people: Vec::new(),
            decisions: [(Audience::Users, undecided(AccessState::Pending))].into(),
        }
    }

    async fn taken(store: &Store) -> i64 {
        let taken = sqlx::query_scalar("SELECT routes FROM memory");
        taken.fetch_one(&store.pool).await.unwrap()
    }

    #[tokio::test]
    async fn routes_beyond_the_memory_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("edge.sqlite"))
            .await
            .unwrap();
        let now = Timestamp::UNIX_EPOCH;
        store.insert(&route(1, "one"), now).await.unwrap();
        assert_eq!(taken(&store).await, 512);
        // a route that moves takes what its new place takes
        let moved = store.change(Uuid::from_u128(1), "one", now, |mut route| {
            route.spec.path = format!("/{}", "a".repeat(400));
            Ok(route)
        });
        moved.await.unwrap();
        assert_eq!(taken(&store).await, 2_048);
        store.room.memory.store(2_500, super::Ordering::Relaxed);
        let refused = store.insert(&route(2, "one"), now).await;
        assert!(
            matches!(refused, Err(StoreError::MemoryFull)),
            "{refused:?}"
        );
        assert_eq!(store.routes().await.unwrap().len(), 1);
        assert_eq!(taken(&store).await, 2_048);
    }

    #[tokio::test]
    async fn pending_routes_of_a_token_are_limited() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("edge.sqlite"))
            .await
            .unwrap();
        let now = Timestamp::UNIX_EPOCH;
        let all = (0..501).map(|number| {
            let (store, route) = (store.clone(), route(number, "one"));
            tokio::spawn(async move { store.insert(&route, now).await.is_ok() })
        });
        let mut taken = 0;
        for one in all.collect::<Vec<_>>() {
            taken += usize::from(one.await.unwrap());
        }
        assert_eq!(taken, 500);
        let refused = store.insert(&route(600, "one"), now).await;
        assert!(
            matches!(refused, Err(StoreError::TooManyPending(500))),
            "{refused:?}"
        );
        store.insert(&route(601, "other"), now).await.unwrap();
    }
}

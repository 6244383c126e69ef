//! Takes away what owners that are gone have left: their rooms, containers that they did not live to start, and the directories of those
//! that were made up for one run and never come back.
//!
//! An owner is gone when nobody listens at its socket. One that comes back in that moment finds no room and makes one: rooms are entered
//! under a lock that all owners of one directory share, and taken away under the same lock alone.

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bollard::models::Network;
use bollard::query_parameters::{ListNetworksOptionsBuilder, RemoveContainerOptionsBuilder};
use rustix::fs::{FlockOperation, flock};
use tokio::net::UnixStream;

use super::client::{AskError, Client, Listed};
use super::{SOCKET, body, lock_file, pending, watch};
use crate::clock;
use crate::spec::Owner;

/// The lock's file. No owner has a dot in its name.
const LOCK: &str = "rooms.lock";
/// How the names of owners begin that were made up for one run.
const MADE_UP: &str = "cli-";
/// Before it is looked again for what only a passing state hindered.
const AGAIN: [Duration; 4] = [
    Duration::from_secs(1),
    Duration::from_secs(3),
    Duration::from_secs(10),
    Duration::ZERO,
];
/// How long a room that is being taken away may take to go.
const TAKEN_AWAY: Duration = Duration::from_secs(30);
/// Between two looks whether it has gone.
const LOOK: Duration = Duration::from_millis(20);
/// How long an owner that ends sees to its own.
const AT_THE_END: Duration = Duration::from_secs(5);
/// How long somebody who listens at an owner's socket may take to answer the call.
const CALL: Duration = Duration::from_secs(1);

fn lock(directory: &Path, operation: FlockOperation) -> io::Result<File> {
    let file = File::options()
        .create(true)
        .append(true)
        .open(directory.join(LOCK))?;
    flock(&file, operation)?;
    Ok(file)
}

/// While it is there, nothing of any owner of the directory is taken away. Waits for those who do.
pub(super) fn taking_lock(directory: &Path) -> io::Result<File> {
    lock(directory, FlockOperation::LockShared)
}

/// While it is there, no room is taken away.
pub(super) async fn entering(directory: &Path) -> io::Result<File> {
    let taken = async {
        loop {
            match lock(directory, FlockOperation::NonBlockingLockShared) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    tokio::time::sleep(LOOK).await;
                }
                taken => return taken,
            }
        }
    };
    let late = |_| io::Error::other("somebody has been taking networks away for too long");
    tokio::time::timeout(TAKEN_AWAY, taken)
        .await
        .map_err(late)?
}

/// Takes away the rooms of owners in a directory that are gone, but for one's own.
pub(super) async fn sweep(docker: &Client, own: &Owner, directory: &Path) {
    for again in AGAIN {
        match try_sweep(docker, own, directory).await {
            Ok(()) => return,
            // whoever starts next tries it as well
            Err(error) => {
                tracing::debug!(%error, "what owners that are gone have left can't be looked for");
            }
        }
        tokio::time::sleep(again).await;
    }
}

async fn try_sweep(docker: &Client, own: &Owner, directory: &Path) -> Result<(), AskError> {
    never_started(docker, own, directory).await?;
    directories(own, directory).await;
    let mut gone: HashMap<Owner, bool> = HashMap::new();
    for (name, owner) in empty(docker, directory).await? {
        if owner == *own {
            continue;
        }
        let is_gone = match gone.get(&owner) {
            Some(is_gone) => *is_gone,
            None => is_gone(&directory.join(owner.as_str()).join(SOCKET)).await,
        };
        if is_gone {
            take_away(docker, directory, &name).await;
        }
        gone.insert(owner, is_gone);
    }
    Ok(())
}

/// Removes containers that were created and never started, of owners that are gone and have not come back within the container's lease.
async fn never_started(docker: &Client, own: &Owner, directory: &Path) -> Result<(), AskError> {
    for container in watch::listed(docker, None).await? {
        let Some(of) = body::created_for(&container, directory) else {
            continue;
        };
        let is_late = clock::now().as_second() - container.created > of.lease_s;
        let socket = directory.join(of.owner.as_str()).join(SOCKET);
        if of.owner == *own || !is_late || !is_gone(&socket).await {
            continue;
        }
        let name = container.name();
        let options = RemoveContainerOptionsBuilder::new().force(true).v(true);
        match docker.remove_container(&name, Some(options.build())).await {
            Ok(()) => tracing::info!(name, "a container that nobody lived to start is removed"),
            Err(error) => tracing::debug!(name, %error, "a container that nobody started is left"),
        }
    }
    Ok(())
}

/// Removes the directories and locks of owners that were made up for one run and are gone.
async fn directories(own: &Owner, directory: &Path) {
    let Ok(entries) = std::fs::read_dir(directory) else {
        return;
    };
    for entry in entries.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let is_made_up = name.starts_with(MADE_UP) && name != own.as_str();
        let Some(owner) = name.parse::<Owner>().ok().filter(|_| is_made_up) else {
            continue;
        };
        if !is_gone(&entry.path().join(SOCKET)).await {
            continue;
        }
        // nobody takes the lock of an owner in the meantime
        let Ok(_alone) = lock(directory, FlockOperation::NonBlockingLockExclusive) else {
            return;
        };
        let is_ones = File::open(lock_file(directory, &owner))
            .is_ok_and(|lock| flock(&lock, FlockOperation::NonBlockingLockExclusive).is_err());
        if !is_ones {
            let _ = std::fs::remove_dir_all(entry.path());
            let _ = std::fs::remove_file(lock_file(directory, &owner));
            pending::clear(directory, &owner);
        }
    }
}

/// The rooms of a directory's owners that no container is in, and whose they are.
async fn empty(docker: &Client, directory: &Path) -> Result<Vec<(String, Owner)>, AskError> {
    let label = body::room_label(directory);
    let filters = HashMap::from([("label".to_owned(), vec![label])]);
    let options = ListNetworksOptionsBuilder::new().filters(&filters).build();
    let rooms = docker.list_networks(Some(options)).await?;
    if rooms.is_empty() {
        return Ok(Vec::new());
    }
    let used: HashSet<String> = watch::listed(docker, None)
        .await?
        .into_iter()
        .flat_map(Listed::networks)
        .collect();
    let rooms = rooms.into_iter().filter_map(of_whom);
    Ok(rooms.filter(|(name, _)| !used.contains(name)).collect())
}

/// Takes a room away, unless somebody enters one. An engine takes none away that a container is in.
async fn take_away(docker: &Client, directory: &Path, name: &str) {
    let Ok(_alone) = lock(directory, FlockOperation::NonBlockingLockExclusive) else {
        return;
    };
    match docker.remove_network(name).await {
        Ok(()) => tracing::info!(name, "a network that nobody needs is taken away"),
        Err(error) => tracing::debug!(name, %error, "a network is left"),
    }
}

/// The networks of an owner that was made up for one run.
#[derive(Clone, Debug)]
pub struct Furniture {
    pub(super) docker: Client,
    pub(super) owner: Owner,
    pub(super) directory: PathBuf,
}

impl Furniture {
    /// Takes away those that no container is in, within a few seconds. Whoever starts next takes away what is left.
    pub async fn take_away(&self) {
        let Self {
            docker,
            owner,
            directory,
        } = self;
        let taken = async {
            for (name, whose) in empty(docker, directory).await? {
                if whose == *owner {
                    take_away(docker, directory, &name).await;
                }
            }
            Ok::<_, AskError>(())
        };
        if let Ok(Err(error)) = tokio::time::timeout(AT_THE_END, taken).await {
            tracing::debug!(%error, "the owner's networks can't be looked for");
        }
    }
}

fn of_whom(room: Network) -> Option<(String, Owner)> {
    let owner = body::owner_of_room(&room.labels?)?;
    Some((room.name?, owner))
}

/// Whether nobody is an owner now. Whatever is not certain counts as somebody.
async fn is_gone(socket: &PathBuf) -> bool {
    match tokio::time::timeout(CALL, UnixStream::connect(socket)).await {
        Ok(Err(error)) => matches!(
            error.kind(),
            io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused
        ),
        _ => false,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may stop at once")]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_owner_is_gone_when_nobody_listens() {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join(SOCKET);
        assert!(is_gone(&socket).await, "it was never there");
        let listener = tokio::net::UnixListener::bind(&socket).unwrap();
        assert!(!is_gone(&socket).await);
        drop(listener);
        assert!(is_gone(&socket).await, "it was killed");
    }

    #[tokio::test]
    async fn nobody_takes_rooms_away_while_one_is_entered() {
        let folder = tempfile::tempdir().unwrap();
        let alone = || lock(folder.path(), FlockOperation::NonBlockingLockExclusive);
        let (first, second) = (entering(folder.path()).await, entering(folder.path()).await);
        drop(first);
        assert!(alone().is_err(), "somebody enters one");
        drop(second);
        let swept = alone().unwrap();
        let entered = tokio::time::timeout(LOOK * 3, entering(folder.path())).await;
        assert!(entered.is_err(), "one is being taken away");
        drop(swept);
        entering(folder.path()).await.unwrap();
    }
}

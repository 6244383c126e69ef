//! Takes away rooms whose owners are gone: an owner that was made up for one run never comes back to its own.
//!
//! An owner is gone when nobody listens at its socket. One that comes back in that moment finds no room and makes one: rooms are entered
//! under a lock that all owners of one directory share, and taken away under the same lock alone.

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bollard::Docker;
use bollard::errors::Error;
use bollard::models::Network;
use bollard::query_parameters::ListNetworksOptionsBuilder;
use rustix::fs::{FlockOperation, flock};
use tokio::net::UnixStream;

use super::{SOCKET, body, watch};
use crate::spec::Owner;

/// The lock's file. No owner has a dot in its name.
const LOCK: &str = "rooms.lock";
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
pub(super) async fn sweep(docker: &Docker, own: &Owner, directory: &Path) {
    if let Err(error) = try_sweep(docker, own, directory).await {
        // whoever starts next tries it again
        tracing::debug!(%error, "networks of owners that are gone can't be looked for");
    }
}

async fn try_sweep(docker: &Docker, own: &Owner, directory: &Path) -> Result<(), Error> {
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

/// The rooms of a directory's owners that no container is in, and whose they are.
async fn empty(docker: &Docker, directory: &Path) -> Result<Vec<(String, Owner)>, Error> {
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
        .flat_map(body::networks)
        .collect();
    let rooms = rooms.into_iter().filter_map(of_whom);
    Ok(rooms.filter(|(name, _)| !used.contains(name)).collect())
}

/// Takes a room away, unless somebody enters one. An engine takes none away that a container is in.
async fn take_away(docker: &Docker, directory: &Path, name: &str) {
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
    pub(super) docker: Docker,
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
            Ok::<_, Error>(())
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

//! Networks that runs are alone in.
//!
//! A run that is reached, or that reaches out, gets a room: a network of its own, with no other run in it and none to be reached from
//! it. Rooms are furniture: the owner's, made when one more is needed than ever before, and used again. So a run makes no network and
//! leaves none, whatever becomes of its owner; an empty room is a few lines in the engine's configuration and no interface. Those of owners
//! that are gone are taken away by whoever starts next ([`super::sweep`]).

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bollard::errors::Error;
use bollard::models::{Ipam, IpamConfig, NetworkCreateRequest};
use ipnet::Ipv4Net;

use super::client::Client;
use super::{body, failure, firewall, triage};
use crate::spec::{Owner, RunName};
use crate::verdict::{Cause, Failure};

/// A room has the engine's address and the run's, and what each network loses.
const PREFIX: u8 = 29;
/// The bit of an address that those of open rooms have: of their numbers, it is the last.
const OPEN: u32 = 1 << (32 - PREFIX);

/// An owner's rooms.
#[derive(Debug)]
pub(super) struct Rooms {
    owner: Owner,
    network: Ipv4Net,
    /// Where its owner's directory is.
    directory: PathBuf,
    taken: Mutex<BTreeMap<u32, Option<RunName>>>,
}

/// Why there is no room.
#[derive(Debug)]
pub(super) enum RoomError {
    /// All are in use, here or by others.
    Full(Failure),
    /// Somebody has been taking rooms away for too long, or nobody can tell.
    Lock(std::io::Error),
    /// This machine can't be kept from a run that is to reach nothing.
    Firewall(std::io::Error),
    /// The engine can't say.
    Engine(Error),
}

impl Rooms {
    pub(super) fn new(owner: Owner, network: Ipv4Net, directory: PathBuf) -> Self {
        let taken = Mutex::default();
        Self {
            owner,
            network,
            directory,
            taken,
        }
    }

    fn taken(&self) -> MutexGuard<'_, BTreeMap<u32, Option<RunName>>> {
        // nothing panics while it is held
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A run that is there already has a room.
    pub(super) fn has(&self, run: &RunName, network: &str) {
        if let Some(number) = number(&self.owner, network) {
            self.taken().insert(number, Some(run.clone()));
        }
    }

    /// A run needs its room no more.
    pub(super) fn leaves(&self, run: &RunName) {
        self.taken().retain(|_, taken| taken.as_ref() != Some(run));
    }

    /// A room for a run: one that is free, made if there is none; gives the network's name.
    pub(super) async fn enter(
        &self,
        docker: &Client,
        run: &RunName,
        is_open: bool,
    ) -> Result<String, RoomError> {
        if !is_open {
            let closed = firewall::close(self.network, OPEN).await;
            closed.map_err(RoomError::Firewall)?;
        }
        loop {
            let Some(number) = self.take(run, is_open) else {
                let words = format!("all networks that fit in {} are in use", self.network);
                return Err(RoomError::Full(failure(Cause::Quota, words)));
            };
            let name = name(&self.owner, number);
            match self.make(docker, &name, self.subnet(number), is_open).await {
                Ok(()) => return Ok(name),
                Err(error) if is_used(&error) => {
                    tracing::debug!(%name, %error, "somebody else has its addresses");
                    self.taken().insert(number, None);
                }
                Err(error) => {
                    self.leaves(run);
                    return Err(RoomError::Engine(error));
                }
            }
        }
    }

    /// Others may have left theirs meanwhile.
    pub(super) fn look_again(&self) {
        self.taken().retain(|_, taken| taken.is_some());
    }

    /// Takes the first free number. Even ones are of rooms that are closed, odd ones of those that are open.
    fn take(&self, run: &RunName, is_open: bool) -> Option<u32> {
        let mut taken = self.taken();
        if let Some((number, _)) = taken.iter().find(|(_, one)| one.as_ref() == Some(run)) {
            return Some(*number);
        }
        let all = 1_u32.checked_shl(u32::from(PREFIX.saturating_sub(self.network.prefix_len())))?;
        let mut numbers = (u32::from(is_open)..all).step_by(2);
        let number = numbers.find(|number| !taken.contains_key(number))?;
        taken.insert(number, Some(run.clone()));
        Some(number)
    }

    fn subnet(&self, number: u32) -> Ipv4Net {
        let first = u32::from(self.network.network());
        let address = Ipv4Addr::from(first + number * (1 << (32 - PREFIX)));
        Ipv4Net::new_assert(address, PREFIX)
    }

    async fn make(
        &self,
        docker: &Client,
        name: &str,
        subnet: Ipv4Net,
        is_open: bool,
    ) -> Result<(), Error> {
        match docker.inspect_network(name, None).await {
            Ok(_) => return Ok(()),
            Err(error) if triage::is_absent(&error) => {}
            Err(error) => return Err(error),
        }
        let config = IpamConfig {
            subnet: Some(subnet.to_string()),
            ..IpamConfig::default()
        };
        // podman keeps open networks apart only when it is told so; Docker always does, and does not know the word
        let isolate = ("isolate".to_owned(), "true".to_owned());
        let request = NetworkCreateRequest {
            name: name.to_owned(),
            driver: Some("bridge".to_owned()),
            internal: Some(!is_open),
            ipam: Some(Ipam {
                config: Some(vec![config]),
                ..Ipam::default()
            }),
            options: is_open.then(|| [isolate].into()),
            labels: Some(body::labels_of_room(&self.owner, &self.directory)),
            ..NetworkCreateRequest::default()
        };
        docker.create_network(request).await.map(drop)
    }
}

fn name(owner: &Owner, number: u32) -> String {
    format!("mkys.{owner}.room-{number}")
}

fn number(owner: &Owner, network: &str) -> Option<u32> {
    let rest = network.strip_prefix(&format!("mkys.{owner}.room-"))?;
    rest.parse().ok()
}

/// Whether the addresses of a room are somebody else's, in the words of Docker and of podman.
fn is_used(error: &Error) -> bool {
    let Error::DockerResponseServerError { message, .. } = error else {
        return false;
    };
    ["overlaps", "already used", "already being used"]
        .iter()
        .any(|words| message.contains(words))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may stop at once")]
mod tests {
    use super::*;

    fn run(name: &str) -> RunName {
        name.parse().unwrap()
    }

    fn rooms(network: &str) -> Rooms {
        let owner = "games".parse().unwrap();
        Rooms::new(owner, network.parse().unwrap(), "/run/mkys-runner".into())
    }

    #[test]
    fn a_room_is_one_runs_until_it_leaves() {
        let rooms = rooms("10.89.0.0/27");
        assert_eq!(rooms.take(&run("a"), false), Some(0));
        assert_eq!(rooms.take(&run("a"), false), Some(0), "asked again");
        assert_eq!(rooms.take(&run("b"), false), Some(2));
        assert_eq!(rooms.take(&run("c"), false), None, "two closed ones fit in");
        assert_eq!(rooms.take(&run("c"), true), Some(1));
        rooms.leaves(&run("a"));
        assert_eq!(rooms.take(&run("d"), false), Some(0));
    }

    #[test]
    fn a_room_that_is_taken_over_is_not_given_again() {
        let owner: Owner = "games".parse().unwrap();
        let rooms = rooms("10.89.0.0/28");
        rooms.has(&run("a"), &name(&owner, 0));
        assert_eq!(rooms.take(&run("b"), false), None);
        rooms.has(&run("x"), "podman");
        rooms.has(&run("y"), "mkys.others.room-1");
        assert_eq!(rooms.take(&run("b"), true), Some(1));
    }

    #[test]
    fn what_others_had_may_be_free_later() {
        let rooms = rooms("10.89.0.0/28");
        rooms.taken().insert(0, None);
        assert_eq!(rooms.take(&run("a"), false), None);
        assert_eq!(rooms.take(&run("b"), true), Some(1));
        rooms.look_again();
        assert_eq!(rooms.take(&run("a"), false), Some(0));
        assert_eq!(rooms.take(&run("c"), true), None, "it is still had");
    }

    #[test]
    fn rooms_lie_beside_each_other() {
        let rooms = rooms("10.89.4.0/22");
        assert_eq!(rooms.subnet(0).to_string(), "10.89.4.0/29");
        assert_eq!(rooms.subnet(33).to_string(), "10.89.5.8/29");
    }
}

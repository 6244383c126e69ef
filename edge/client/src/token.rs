//! What a token may do. The edge decides by it; whoever holds it can know before asking.

use std::net::SocketAddrV4;

use ipnet::Ipv4Net;
use serde::{Deserialize, Serialize};

use crate::reserved::check_reserved;

/// What a token is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Asks for routes of its blades.
    Requester,
    /// Decides on what others ask for.
    Administrator,
}

/// Who is asking.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Actor {
    /// Name of the token.
    pub name: String,
    /// Whose it is: who asked for a route by one token cannot decide on it by another.
    #[serde(default)]
    pub person: String,
    /// What it is for.
    pub role: Role,
    /// The blades it may speak for; `*` is every one.
    pub blades: Vec<String>,
    /// Where its routes may lead.
    pub networks: Vec<Ipv4Net>,
}

impl Actor {
    /// Whether the token may see and change a blade's routes.
    pub fn speaks_for(&self, blade: &str) -> bool {
        self.role == Role::Administrator || self.blades.iter().any(|one| one == "*" || one == blade)
    }

    /// Checks that the token asks for routes.
    ///
    /// # Errors
    ///
    /// One sentence.
    pub fn check_asks(&self) -> Result<(), String> {
        match self.role {
            Role::Requester => Ok(()),
            Role::Administrator => Err(
                "an administrator's token decides; ask for routes with a requester's".to_owned(),
            ),
        }
    }

    /// Checks that the token may speak for a blade.
    ///
    /// # Errors
    ///
    /// One sentence.
    pub fn check_blade(&self, blade: &str) -> Result<(), String> {
        match self.speaks_for(blade) {
            true => Ok(()),
            false => Err(format!(
                "token {:?} does not speak for blade {blade:?}",
                self.name
            )),
        }
    }

    /// Checks that the token's routes may lead to an address.
    ///
    /// # Errors
    ///
    /// One sentence, with the networks they may lead to.
    pub fn check_target(&self, target: SocketAddrV4) -> Result<(), String> {
        if self
            .networks
            .iter()
            .any(|network| network.contains(target.ip()))
        {
            return check_reserved(*target.ip(), &self.networks);
        }
        let networks: Vec<_> = self.networks.iter().map(ToString::to_string).collect();
        Err(format!(
            "{target} lies outside the networks that token {:?} may lead to ({})",
            self.name,
            if networks.is_empty() {
                "none".to_owned()
            } else {
                networks.join(", ")
            }
        ))
    }
}

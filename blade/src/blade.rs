//! A blade that was validated: every name, address and reference in it holds.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use ipnet::Ipv4Net;
use serde::{Deserialize, Serialize};

use crate::definition::{Definition, Quota};
use crate::name::{BladeName, PartName};

/// A validated definition. Made by [`crate::Definition::validate`] alone.
#[derive(Clone, Debug, PartialEq)]
pub struct Blade {
    /// Name of the blade.
    pub name: BladeName,
    /// What it is for.
    pub description: String,
    /// The project to make; `None`: the credential's own.
    pub project: Option<Project>,
    /// Networks.
    pub networks: BTreeMap<PartName, Network>,
    /// Network of the devops audience.
    pub ops_cidr: Ipv4Net,
    /// Servers.
    pub servers: BTreeMap<PartName, Server>,
    /// Services.
    pub services: BTreeMap<PartName, Service>,
    /// What all of this was read from.
    pub(crate) typed: Definition,
}

/// A project to make.
#[derive(Clone, Debug, PartialEq)]
pub struct Project {
    /// Group that administers the blade.
    pub group: String,
    /// Its role on the project.
    pub role: String,
    /// Users of the group; they must exist.
    pub users: BTreeSet<String>,
    /// Limits.
    pub quota: Quota,
}

/// A network with its subnet.
#[derive(Clone, Debug, PartialEq)]
pub struct Network {
    /// Addresses.
    pub cidr: Ipv4Net,
    /// Name servers for DHCP.
    pub dns_nameservers: Vec<std::net::Ipv4Addr>,
}

/// A server.
#[derive(Clone, Debug, PartialEq)]
pub struct Server {
    /// Image, name or id.
    pub image: String,
    /// Flavor, name or id.
    pub flavor: String,
    /// Networks, the default route's first; at least one.
    pub networks: Vec<PartName>,
    /// Key pair.
    pub key_pair: Option<String>,
    /// Run at first boot.
    pub user_data: Option<String>,
    /// Monitoring agents.
    pub probes: BTreeSet<Probe>,
    /// Volumes.
    pub volumes: BTreeMap<PartName, Volume>,
    /// When it counts as ready.
    pub ready: Option<Ready>,
}

/// A volume.
#[derive(Clone, Debug, PartialEq)]
pub struct Volume {
    /// GiB.
    pub size: u32,
    /// Where it is mounted.
    pub mount: Option<String>,
}

/// A server's own sign that it serves.
#[derive(Clone, Debug, PartialEq)]
pub struct Ready {
    /// TCP port on the server itself.
    pub port: u16,
    /// Path and query.
    pub path: String,
    /// Limit, from first boot on.
    pub within: Duration,
}

/// A service.
#[derive(Clone, Debug, PartialEq)]
pub struct Service {
    /// The server that gives it.
    pub server: PartName,
    /// TCP port.
    pub port: u16,
    /// Who may come.
    pub audiences: BTreeSet<Audience>,
}

/// Whom a route is for. Each has its own external network and its own proxy listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Audience {
    /// Visitors, through the portal.
    Users,
    /// Authorised people who update, deploy and watch their blade.
    Devops,
}

/// A monitoring agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Probe {
    /// Prometheus' node exporter.
    Node,
}

impl Audience {
    /// Both of them.
    pub const ALL: [Self; 2] = [Self::Users, Self::Devops];

    /// The word for it in a definition, a template and a URL.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Users => "users",
            Self::Devops => "devops",
        }
    }
}

impl Probe {
    /// The word for it in a definition.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Node => "node",
        }
    }

    /// TCP port that it listens on.
    pub const fn port(self) -> u16 {
        match self {
            Self::Node => 9100,
        }
    }
}

impl Blade {
    /// Audiences that some service of `server` has.
    pub fn audiences_of(&self, server: &PartName) -> BTreeSet<Audience> {
        let of_server = self
            .services
            .values()
            .filter(|service| &service.server == server);
        of_server
            .flat_map(|service| service.audiences.iter().copied())
            .collect()
    }

    /// Whether the devops audience reaches anything here, so that the `ops` network is needed.
    pub fn has_devops(&self) -> bool {
        self.services
            .values()
            .any(|service| service.audiences.contains(&Audience::Devops))
    }

    /// Whether two revisions of the server can stand side by side: not when they would share a
    /// volume.
    pub fn can_stand_twice(&self, server: &PartName) -> bool {
        self.servers
            .get(server)
            .is_some_and(|server| server.volumes.is_empty())
    }
}

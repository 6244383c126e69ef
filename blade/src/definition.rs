//! A blade's definition as a person typed it: plain strings and numbers, nothing checked yet.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Everything one application platform needs, as its administrator writes it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Definition {
    /// Name of the blade, of its project and of its Heat stack.
    pub name: String,
    /// What the blade is for, in a sentence.
    #[serde(default)]
    pub description: Option<String>,
    /// The OpenStack project to make for it. Without it the blade is built in the project of the
    /// credential.
    #[serde(default)]
    pub project: Option<ProjectDefinition>,
    /// Networks by name.
    #[serde(default)]
    pub networks: BTreeMap<String, NetworkDefinition>,
    /// Addresses of the network over which the devops audience comes in, when some service has
    /// that audience. Default `172.31.255.0/24`: it is never interconnected, so every blade may
    /// have the same.
    #[serde(default)]
    pub ops_cidr: Option<String>,
    /// Servers by name.
    #[serde(default)]
    pub servers: BTreeMap<String, ServerDefinition>,
    /// Services by name: what of the blade can be reached from outside, and by whom.
    #[serde(default)]
    pub services: BTreeMap<String, ServiceDefinition>,
}

/// The project of a blade, its group of users, and what they may use.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProjectDefinition {
    /// Name of the group that administers the blade.
    pub group: String,
    /// Role of the group on the project; default `member`.
    #[serde(default)]
    pub role: Option<String>,
    /// Names of existing users to put into the group.
    #[serde(default)]
    pub users: Vec<String>,
    /// Limits; what is left out keeps the cloud's default.
    #[serde(default)]
    pub quota: Quota,
}

/// Limits on what a project may use, by OpenStack's own names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Quota {
    /// Servers.
    pub instances: Option<i64>,
    /// Virtual processors of all servers.
    pub cores: Option<i64>,
    /// Memory of all servers, in MiB.
    pub ram: Option<i64>,
    /// Volumes.
    pub volumes: Option<i64>,
    /// Space of all volumes and snapshots, in GiB.
    pub gigabytes: Option<i64>,
    /// Networks.
    pub networks: Option<i64>,
    /// Ports.
    pub ports: Option<i64>,
    /// Routers.
    pub routers: Option<i64>,
    /// Floating IPs of both external networks.
    pub floating_ips: Option<i64>,
    /// Security groups.
    pub security_groups: Option<i64>,
}

/// A network of a blade with its one IPv4 subnet.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NetworkDefinition {
    /// Addresses, such as `10.20.1.0/24`.
    pub cidr: String,
    /// Name servers that DHCP hands out.
    #[serde(default)]
    pub dns_nameservers: Vec<String>,
}

/// A server of a blade.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServerDefinition {
    /// Image, by name or id.
    pub image: String,
    /// Flavor, by name or id.
    pub flavor: String,
    /// The blade's networks it has a port on; the first one carries its default route.
    pub networks: Vec<String>,
    /// Name of a key pair of the credential's user.
    #[serde(default)]
    pub key_pair: Option<String>,
    /// What the server runs at its first boot: a script, or anything that cloud-init takes.
    #[serde(default)]
    pub user_data: Option<String>,
    /// Monitoring agents to install when the server is built: `node`.
    #[serde(default)]
    pub probes: Vec<String>,
    /// Volumes by name. They outlive the server's revisions.
    #[serde(default)]
    pub volumes: BTreeMap<String, VolumeDefinition>,
    /// When the server counts as ready. Without it: when Nova says ACTIVE.
    #[serde(default)]
    pub ready: Option<ReadyDefinition>,
}

/// A volume of a server.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VolumeDefinition {
    /// Size in GiB.
    pub size: i64,
    /// Directory to mount it at; a blank volume gets an ext4 file system first. Without it the
    /// volume is only attached.
    #[serde(default)]
    pub mount: Option<String>,
}

/// A server's own sign that it serves.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReadyDefinition {
    /// What must answer 200 inside the server, as `:PORT/PATH`.
    pub http: String,
    /// How long it may take from the first boot on, such as `5m`; default `10m`.
    #[serde(default)]
    pub within: Option<String>,
}

/// A port of a server that others may reach, through the edge.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServiceDefinition {
    /// The blade's server that gives it.
    pub server: String,
    /// TCP port.
    pub port: i64,
    /// Who may come: `users`, `devops` or both.
    pub audiences: Vec<String>,
}

impl Definition {
    /// The definition as JSON, without what a template must not show.
    pub(crate) fn without_user_data(&self) -> String {
        let mut shown = self.clone();
        shown
            .servers
            .values_mut()
            .for_each(|server| server.user_data = None);
        serde_json::to_string(&shown).unwrap_or_default()
    }
}

impl Quota {
    /// What a function makes of each limit here and there.
    pub(crate) fn with(
        &self,
        other: &Self,
        make: impl Fn(Option<i64>, Option<i64>) -> Option<i64>,
    ) -> Self {
        Self {
            instances: make(self.instances, other.instances),
            cores: make(self.cores, other.cores),
            ram: make(self.ram, other.ram),
            volumes: make(self.volumes, other.volumes),
            gigabytes: make(self.gigabytes, other.gigabytes),
            networks: make(self.networks, other.networks),
            ports: make(self.ports, other.ports),
            routers: make(self.routers, other.routers),
            floating_ips: make(self.floating_ips, other.floating_ips),
            security_groups: make(self.security_groups, other.security_groups),
        }
    }

    /// These limits, and where one is not set the other's.
    #[must_use]
    pub fn or(&self, other: &Self) -> Self {
        self.with(other, Option::or)
    }

    /// The limits that another quota does not set.
    #[must_use]
    pub fn without(&self, other: &Self) -> Self {
        self.with(other, |limit, other| limit.filter(|_| other.is_none()))
    }

    /// Of the limits that hold, those that this quota speaks of.
    pub fn observed(&self, limits: &Self) -> Self {
        self.with(limits, Option::and)
    }
}

//! Where the lab is: one fixed place a machine, so that every checkout finds the same lab.
//!
//! Names of links, namespaces and addresses are constants: they are how leftovers are recognised.

use std::path::{Path, PathBuf};

/// Where the lab keeps its state, unless [`STATE_VARIABLE`] says otherwise.
pub const STATE: &str = "/var/lib/mkys-lab";
/// The environment variable that moves the state directory.
pub const STATE_VARIABLE: &str = "MKYS_LAB_STATE";
/// Slow builds that outlive the lab: the guest image, the seed.
pub const CACHE: &str = "/var/cache/mkys-lab";
/// Every process of the lab carries this variable, set to the state directory.
pub const MARK_VARIABLE: &str = "MKYS_LAB_CHILD";
/// Every process of the cluster carries this one instead: neither takes the other's away.
pub const CLUSTER_MARK_VARIABLE: &str = "MKYS_CLUSTER_CHILD";

/// Namespace of a visitor outside the cloud, on the users network.
pub const VISITOR: &str = "mkys-visitor";
/// Namespace of an operator outside the cloud, on the devops network.
pub const OPERATOR: &str = "mkys-operator";
/// Namespace of the edge, with a leg in each external network.
pub const EDGE: &str = "mkys-edge";
/// What every link and namespace of the lab's own begins with.
pub const PREFIX: &str = "mkys-";
/// The bridge that carries the tunnels between guests.
pub const TUNNEL: &str = "mkys-tun";
/// The tunnel bridge's address.
pub const TUNNEL_ADDRESS: &str = "169.254.77.1";
/// The node's end of the link between node and edge.
pub const NODE_TO_EDGE: &str = "169.254.78.1";
/// The edge's end of the link between node and edge: its API answers here.
pub const EDGE_TO_NODE: &str = "169.254.78.2";
/// The port of the edge's API.
pub const EDGE_API_PORT: u16 = 8600;
/// Where the cloud's APIs listen.
pub const NODE: &str = "127.0.0.1";
/// The name of the one compute node.
pub const HOSTNAME: &str = "mkys-node";
/// libvirt's name for the node: a machine without firmware tables has none of its own.
pub const HOST_UUID: &str = "6d6b7973-6c61-4b00-8000-6e6f64650001";
/// The lab's one password: `admin` and the people of `cloud.yaml` have it.
pub const PASSWORD: &str = "secret";
/// The cloud's name in [`Place::clouds_yaml`].
pub const CLOUD: &str = "lab";
/// The guest image.
pub const IMAGE: &str = "mkys-tiny";
/// The port of the artefact server, on the node's address in the users network.
pub const ARTEFACTS_PORT: u16 = 8088;

/// The lab's directories.
#[derive(Debug, Clone)]
pub struct Place {
    state: PathBuf,
    cache: PathBuf,
}

impl Place {
    /// The place that the environment names, else the fixed one.
    #[must_use]
    pub fn from_environment() -> Self {
        let state = std::env::var_os(STATE_VARIABLE).map_or_else(|| STATE.into(), PathBuf::from);
        Self::at(state)
    }

    /// A place with its state at the given path.
    #[must_use]
    pub fn at(state: PathBuf) -> Self {
        Self {
            state,
            cache: CACHE.into(),
        }
    }

    /// The state directory: `lab down` removes it.
    #[must_use]
    pub fn state(&self) -> &Path {
        &self.state
    }

    /// What outlives the lab, keyed by version.
    #[must_use]
    pub fn cache(&self) -> &Path {
        &self.cache
    }

    /// Rendered configuration.
    #[must_use]
    pub fn etc(&self) -> PathBuf {
        self.state.join("etc")
    }

    /// Sockets and records of processes.
    #[must_use]
    pub fn run(&self) -> PathBuf {
        self.state.join("run")
    }

    /// Logs: `NAME.out` is what a service printed.
    #[must_use]
    pub fn log(&self) -> PathBuf {
        self.state.join("log")
    }

    /// Keystone's keys.
    #[must_use]
    pub fn keys(&self) -> PathBuf {
        self.state.join("keys")
    }

    /// What was done once: a file for each.
    #[must_use]
    pub fn done(&self) -> PathBuf {
        self.state.join("done")
    }

    /// What the artefact server serves.
    #[must_use]
    pub fn artefacts(&self) -> PathBuf {
        self.state.join("artefacts")
    }

    /// The file that `openstack --os-cloud lab` and the provider read.
    #[must_use]
    pub fn clouds_yaml(&self) -> PathBuf {
        self.state.join("clouds.yaml")
    }

    /// Present when `down --keep` left the state for the next `up`.
    #[must_use]
    pub fn kept(&self) -> PathBuf {
        self.state.join("kept")
    }

    /// Present when the last `up` ended well.
    #[must_use]
    pub fn ready(&self) -> PathBuf {
        self.state.join("ready")
    }
}

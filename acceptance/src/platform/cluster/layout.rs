//! Where the cluster is and what it is called: one place a machine, and names that are how leftovers are recognised.

use std::path::{Path, PathBuf};

/// Where the cluster keeps its state. Short: the paths of its sockets are below it.
pub const STATE: &str = "/var/lib/mkys-cluster";
/// The name of its one node.
pub const NODE: &str = "mkys-cluster-node";
/// The node's address, and the API's: that of the bridge, so that nothing listens on the machine's own.
pub const NODE_ADDRESS: &str = "10.244.0.1";
/// Where pods have their addresses.
pub const PODS: &str = "10.244.0.0/22";
/// Where services have theirs.
pub const SERVICES: &str = "10.96.0.0/16";
/// The resource of its simulated GPUs.
pub const GPU: &str = "nvidia.com/gpu";
/// How many of them there are.
pub const GPUS: u8 = 2;
/// The bridge that pods are on. Not with the lab's prefix: its `down` takes every such link away.
pub const BRIDGE: &str = "mkysk8s0";

pub(super) const API_PORT: u16 = 16443;
pub(super) const ETCD: &str = "127.0.0.1:12379";
/// The cluster's name service would have this one; it has none.
pub(super) const DNS: &str = "10.96.0.10";
/// The first address of services is the API's.
pub(super) const API_SERVICE: &str = "10.96.0.1";
pub(super) const PAUSE: &str = "mkys.local/pause:1";
/// In every hierarchy of control groups.
pub(super) const CONTROL_GROUP: &str = "mkys-cluster";
/// The network, as CNI writes it down.
pub(super) const NETWORK: &str = "mkys-cluster";
/// What the names of our tables of nft begin with.
pub(super) const TABLES: &str = "mkys-cluster-";
pub(super) const NAT: &str = "mkys-cluster-nat";
pub(super) const POLICIES: &str = "mkys-cluster-policies";

/// The cluster's directories.
#[derive(Debug, Clone)]
pub(super) struct Layout {
    state: PathBuf,
}

impl Layout {
    pub(super) fn new(state: &Path) -> Self {
        let state = state.to_owned();
        Self { state }
    }

    pub(super) fn state(&self) -> &Path {
        &self.state
    }

    /// Configuration, as rendered.
    pub(super) fn etc(&self) -> PathBuf {
        self.state.join("etc")
    }

    /// Sockets and records of processes.
    pub(super) fn run(&self) -> PathBuf {
        self.state.join("run")
    }

    /// Keys and certificates.
    pub(super) fn keys(&self) -> PathBuf {
        self.state.join("keys")
    }

    /// A link to the folder of the components.
    pub(super) fn bin(&self) -> PathBuf {
        self.state.join("bin")
    }

    pub(super) fn kubeconfig(&self) -> PathBuf {
        self.state.join("kubeconfig")
    }

    pub(super) fn containerd(&self) -> PathBuf {
        self.run().join("containerd.sock")
    }

    /// What the kernel's settings were.
    pub(super) fn settings(&self) -> PathBuf {
        self.state.join("settings")
    }
}

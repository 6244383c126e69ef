//! An edge on loopback, with an approved route whose path is delegated to whoever is measured.

use std::net::{Ipv4Addr, SocketAddrV4};

use mkys_acceptance::platform::edge::{Edge, wish};
use mkys_acceptance::platform::{cluster, remove_tree};
use mkys_edge_client::{EdgeClient, Settings};

use crate::Bench;

/// The host of the route.
pub(crate) const HOST: &str = "games.bench.test";
/// The delegated path.
pub(crate) const PREFIX: &str = "/play";
/// Where runs have their addresses, and services of this machine.
const NETWORKS: [&str; 3] = ["10.89.0.0/16", cluster::PODS, "127.0.0.0/8"];
const USERS: u16 = 21_180;
const DEVOPS: u16 = 21_181;
const API: u16 = 21_182;

/// The edge; it ends with the measurement.
pub(crate) struct Delegated {
    pub(crate) edge: Edge,
    token: String,
}

impl Delegated {
    /// Starts an edge; its holder may have so many sessions.
    pub(crate) fn start(bench: &Bench, limit: u32) -> anyhow::Result<Self> {
        let folder = bench.folder.join("edge");
        remove_tree(&folder)?;
        let edge = Edge::on_loopback(&folder, [USERS, DEVOPS, API]);
        let mut delegated = Self {
            edge,
            token: String::new(),
        };
        let edge = &delegated.edge;
        edge.start()?;
        // what is at the path itself is not asked for
        let mut wanted = wish("bench", HOST, "127.0.0.1:9", &["users"]);
        wanted["path"] = PREFIX.into();
        let route = edge.ask_for(&wanted, &edge.pipeline()?)?;
        edge.approve(&route, "users")?;
        delegated.token = edge.delegate(&route, "bench", &NETWORKS, limit)?;
        Ok(delegated)
    }

    /// Where players come in.
    pub(crate) fn listener(&self) -> SocketAddrV4 {
        SocketAddrV4::new(Ipv4Addr::LOCALHOST, USERS)
    }

    /// A client of the holder's.
    pub(crate) fn holder(&self) -> anyhow::Result<EdgeClient> {
        Ok(EdgeClient::new(&Settings::new(
            self.edge.url(),
            &*self.token,
        ))?)
    }
}

impl Drop for Delegated {
    fn drop(&mut self) {
        self.edge.stop();
    }
}

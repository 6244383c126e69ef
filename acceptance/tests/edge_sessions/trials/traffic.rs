//! Visitors with a websocket and a download, while something happens.

use std::net::SocketAddr;

use futures_util::future::join_all;

use super::ledger::STAYS;
use crate::edge::{Edge, path};
use crate::script::Visitor;
use crate::service::TICK;
use crate::visitor::Socket;

/// A visitor of one place.
pub(super) struct Traffic {
    socket: Socket,
    download: Visitor,
}

impl Traffic {
    /// A visitor of the session that no round changes.
    pub(super) async fn open(edge: &Edge) -> Self {
        Self::at(edge.users, &path(STAYS)).await
    }

    async fn at(users: SocketAddr, place: &str) -> Self {
        let mut traffic = Self {
            socket: Socket::open(users, place).await,
            download: Visitor::get(users, &format!("{place}/download")).await,
        };
        traffic.goes_on().await;
        traffic
    }

    /// Fails if it was cut.
    pub(super) async fn goes_on(&mut self) {
        assert!(self.socket.echoes().await, "the websocket was cut");
        // more than was under way
        for _ in 0..5 {
            self.download.hears(TICK).await;
        }
    }

    /// Waits until it is cut.
    pub(super) async fn ends(self) {
        self.socket.ends().await;
        self.download.ends().await;
    }
}

/// A visitor of each of some places.
pub(super) async fn open_all(users: SocketAddr, places: &[String]) -> Vec<Traffic> {
    join_all(places.iter().map(|place| Traffic::at(users, place))).await
}

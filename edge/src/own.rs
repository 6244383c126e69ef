//! Addresses of the edge's own machine. A route to them could open the API to visitors, or loop.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV4, UdpSocket};

use ipnet::Ipv4Net;
use mkys_edge_client::is_named;

use crate::settings::Settings;

/// What the edge itself listens on.
#[derive(Clone, Debug, Default)]
pub struct Own {
    sockets: Vec<SocketAddr>,
}

impl Own {
    /// What an edge of these settings listens on.
    pub fn of(settings: &Settings) -> Self {
        let listeners = settings.listeners().into_iter();
        let listeners = listeners.flat_map(|(_, one)| one.listen.iter().chain(&one.redirects));
        Self {
            sockets: listeners.copied().chain([settings.api]).collect(),
        }
    }

    /// Checks that a target is not the edge itself, and its machine only where a network names just that address or loopback.
    ///
    /// # Errors
    ///
    /// One sentence.
    pub fn check(&self, target: SocketAddrV4, networks: &[Ipv4Net]) -> Result<(), String> {
        self.check_with(target, networks, is_local)
    }

    pub(crate) fn check_with(
        &self,
        target: SocketAddrV4,
        networks: &[Ipv4Net],
        is_local: impl Fn(Ipv4Addr) -> bool,
    ) -> Result<(), String> {
        let ip = *target.ip();
        if !is_local(ip) {
            return Ok(());
        }
        let is_target = |socket: &SocketAddr| {
            let address = socket.ip();
            socket.port() == target.port()
                && (address == IpAddr::V4(ip) || address.is_unspecified())
        };
        if self.sockets.iter().any(is_target) {
            return Err(format!("{target} is the edge itself"));
        }
        let alone = Ipv4Net::from(ip);
        match ip.is_loopback() || is_named(ip, networks, alone) {
            true => Ok(()),
            false => Err(format!(
                "{ip} is an address of the edge's own machine, which no network names: {alone} would have to be one"
            )),
        }
    }
}

/// Returns whether an address is local, by binding to it. Where any address can be bound (`net.ipv4.ip_nonlocal_bind`), which a
/// documentation address shows, only loopback is taken for local.
fn is_local(ip: Ipv4Addr) -> bool {
    const DOCUMENTATION: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
    let binds = |ip: Ipv4Addr| UdpSocket::bind((ip, 0)).is_ok();
    ip.is_loopback() || (binds(ip) && !binds(DOCUMENTATION))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_addresses_are_refused() {
        let sockets = ["127.0.0.1:8600", "0.0.0.0:80", "192.0.2.3:443"];
        let own = Own {
            sockets: sockets.map(|socket| socket.parse().unwrap()).into(),
        };
        let local = |ip: Ipv4Addr| ip.is_loopback() || ip == Ipv4Addr::new(192, 0, 2, 3);
        let cases = [
            ("192.0.2.9:80", "192.0.2.0/24", ""),
            ("192.0.2.3:443", "192.0.2.3/32", "is the edge itself"),
            ("192.0.2.3:80", "192.0.2.3/32", "is the edge itself"),
            ("192.0.2.3:8080", "192.0.2.0/24", "the edge's own machine"),
            ("192.0.2.3:8080", "192.0.2.3/32", ""),
            ("127.0.0.1:8600", "127.0.0.0/8", "is the edge itself"),
            ("127.0.0.1:8080", "127.0.0.0/8", ""),
        ];
        for (target, network, expected) in cases {
            let networks = [network.parse().unwrap()];
            let checked = own.check_with(target.parse().unwrap(), &networks, local);
            let error = checked.err().unwrap_or_default();
            assert!(error.contains(expected), "{target}: {error}");
            assert_eq!(error.is_empty(), expected.is_empty(), "{target}: {error}");
        }
    }

    #[test]
    fn local_addresses_are_recognised() {
        assert!(is_local(Ipv4Addr::LOCALHOST));
        // a documentation address
        assert!(!is_local(Ipv4Addr::new(192, 0, 2, 77)));
    }
}

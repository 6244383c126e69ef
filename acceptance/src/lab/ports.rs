//! Who listens on a port, from /proc/net/tcp and tcp6.

use std::fs;
use std::net::Ipv4Addr;

use super::procfs;

/// A listening socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Listener {
    /// `None`: an IPv6 socket that is not the wildcard.
    address: Option<Ipv4Addr>,
    port: u16,
    inode: u64,
}

impl Listener {
    /// Whether it is in the way of a socket on `address` and `port`.
    pub(crate) fn blocks(&self, address: Ipv4Addr, port: u16) -> bool {
        let wild = Ipv4Addr::UNSPECIFIED;
        self.port == port
            && self
                .address
                .is_some_and(|mine| mine == address || mine == wild || address == wild)
    }
}

/// All listening sockets of this network namespace.
pub(crate) fn listeners() -> Vec<Listener> {
    ["/proc/net/tcp", "/proc/net/tcp6"]
        .iter()
        .flat_map(|table| parse(&fs::read_to_string(table).unwrap_or_default()))
        .collect()
}

fn parse(table: &str) -> Vec<Listener> {
    table.lines().skip(1).filter_map(parse_line).collect()
}

fn parse_line(line: &str) -> Option<Listener> {
    const LISTEN: &str = "0A";
    let fields: Vec<&str> = line.split_whitespace().collect();
    if *fields.get(3)? != LISTEN {
        return None;
    }
    let (address, port) = fields.get(1)?.split_once(':')?;
    let address = match address.len() {
        8 => Some(Ipv4Addr::from(
            u32::from_str_radix(address, 16).ok()?.to_le_bytes(),
        )),
        // The IPv6 wildcard takes IPv4 connections too.
        _ if address.bytes().all(|digit| digit == b'0') => Some(Ipv4Addr::UNSPECIFIED),
        _ => None,
    };
    let port = u16::from_str_radix(port, 16).ok()?;
    Some(Listener {
        address,
        port,
        inode: fields.get(9)?.parse().ok()?,
    })
}

/// The process that holds a listening socket: pid and command line.
pub(crate) fn owner(listener: &Listener) -> Option<(i32, String)> {
    let wanted = format!("socket:[{}]", listener.inode);
    procfs::processes().into_iter().find_map(|process| {
        let files = fs::read_dir(format!("/proc/{}/fd", process.pid)).ok()?;
        files
            .flatten()
            .filter_map(|file| fs::read_link(file.path()).ok())
            .any(|target| target.to_str() == Some(&wanted))
            .then(|| (process.pid, process.command.clone()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TCP: &str = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1388 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4711 1 0 100 0 0 10 0
   1: 0100007F:1388 0100007F:9999 01 00000000:00000000 00:00000000 00000000     0        0 4712 1 0 100 0 0 10 0
   2: 00000000:07E8 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4713 1 0 100 0 0 10 0";

    #[test]
    fn only_what_listens_counts() {
        let found = parse(TCP);
        let expected = Listener {
            address: Some(Ipv4Addr::LOCALHOST),
            port: 5000,
            inode: 4711,
        };
        assert_eq!(found[0], expected);
        assert_eq!(found.len(), 2);
    }

    #[test]
    fn a_wildcard_is_in_everybodys_way() {
        let found = parse(TCP);
        let node = Ipv4Addr::new(198, 51, 100, 2);
        for (listener, address, port, blocks) in [
            (found[0], Ipv4Addr::LOCALHOST, 5000, true),
            (found[0], node, 5000, false),
            (found[0], Ipv4Addr::UNSPECIFIED, 5000, true),
            (found[1], node, 2024, true),
            (found[1], node, 2025, false),
        ] {
            assert_eq!(
                listener.blocks(address, port),
                blocks,
                "{listener:?} {address}:{port}"
            );
        }
    }
}

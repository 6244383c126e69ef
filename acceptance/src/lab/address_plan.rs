//! The lab's ranges must not hide anything of the machine's own: a route, an address, a name server.
//!
//! Seen for real: with the users network on a range that the machine used itself, no package could be installed any more.

use std::fs;
use std::net::Ipv4Addr;

use ipnet::Ipv4Net;

use super::external;
use crate::place::PREFIX;
use crate::settings::Settings;

/// Something of the machine's in one of the lab's ranges.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error(
    "the {network} network {range} covers {what}: choose another range with MKYS_LAB_{variable}",
    variable = network.to_uppercase()
)]
pub struct Conflict {
    network: &'static str,
    range: Ipv4Net,
    what: String,
}

/// What the machine uses itself.
#[derive(Debug, Default)]
pub(crate) struct Surroundings {
    routes: String,
    name_servers: String,
}

impl Surroundings {
    pub(crate) fn look() -> Self {
        Self {
            routes: external::run(&["ip", "-4", "route", "show", "table", "all"])
                .unwrap_or_default(),
            name_servers: fs::read_to_string("/etc/resolv.conf").unwrap_or_default(),
        }
    }

    /// The first conflict with the lab's ranges.
    pub(crate) fn check(&self, settings: &Settings) -> Result<(), Conflict> {
        let taken: Vec<_> = self.taken().collect();
        for network in settings.external() {
            for (other, what) in &taken {
                if network.range().contains(other) || other.contains(&network.range()) {
                    let (name, range) = (network.name(), network.range());
                    return Err(Conflict {
                        network: name,
                        range,
                        what: what.clone(),
                    });
                }
            }
        }
        Ok(())
    }

    fn taken(&self) -> impl Iterator<Item = (Ipv4Net, String)> {
        // The lab's own links carry its own ranges.
        let foreign = |line: &&str| !line.contains(&format!("dev {PREFIX}"));
        let routes = self.routes.lines().filter(foreign).flat_map(|line| {
            let words: Vec<&str> = line.split_whitespace().collect();
            let after = |word| {
                words
                    .iter()
                    .skip_while(move |one| **one != word)
                    .nth(1)
                    .copied()
            };
            let first = words.iter().copied().find(|word| parse(word).is_some());
            [
                first
                    .filter(|_| words.first() != Some(&"default"))
                    .map(|to| (to, "the route to")),
                after("via").map(|gateway| (gateway, "the gateway")),
                after("src").map(|address| (address, "the machine's address")),
            ]
        });
        let servers = self.name_servers.lines().filter_map(|line| {
            let (key, address) = line.trim().split_once(char::is_whitespace)?;
            (key == "nameserver").then_some(Some((address.trim(), "the name server")))
        });
        routes
            .chain(servers)
            .flatten()
            .filter_map(|(word, what)| Some((parse(word)?, format!("{what} {word}"))))
    }
}

/// A range, or an address as a range of one. What everything is in tells nothing.
fn parse(word: &str) -> Option<Ipv4Net> {
    let range = word
        .parse()
        .ok()
        .or_else(|| Some(Ipv4Net::from(word.parse::<Ipv4Addr>().ok()?)));
    range.filter(|range| range.prefix_len() > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROUTES: &str = "default via 192.0.2.1 dev eth0
192.0.2.0/24 dev eth0 proto kernel scope link src 192.0.2.2
198.51.100.0/25 dev mkys-users proto kernel scope link src 198.51.100.2
local 127.0.0.0/8 dev lo table local proto kernel scope host src 127.0.0.1
broadcast 192.0.2.255 dev eth0 table local proto kernel scope link src 192.0.2.2";

    #[test]
    fn a_range_that_hides_something_is_refused() {
        let machine = Surroundings {
            routes: ROUTES.into(),
            name_servers: "search x\nnameserver 203.0.113.53\n".into(),
        };
        for (users, expected) in [
            ("198.51.100.0/25", None),
            ("203.0.113.0/25", Some("the name server 203.0.113.53")),
            ("192.0.2.0/25", Some("the gateway 192.0.2.1")),
            ("192.0.2.128/25", Some("the route to 192.0.2.0/24")),
            ("127.0.0.0/25", Some("the route to 127.0.0.0/8")),
        ] {
            let settings = Settings::new(Some(users.into()), None).unwrap();
            let found = machine.check(&settings).err().map(|conflict| conflict.what);
            assert_eq!(found.as_deref(), expected, "{users}");
        }
    }

    #[test]
    fn the_refusal_says_what_to_set() {
        let machine = Surroundings {
            routes: ROUTES.into(),
            name_servers: String::new(),
        };
        let settings = Settings::new(None, Some("192.0.2.0/24".into())).unwrap();
        let said = machine.check(&settings).unwrap_err().to_string();
        assert!(
            said.ends_with("choose another range with MKYS_LAB_DEVOPS"),
            "{said}"
        );
    }
}

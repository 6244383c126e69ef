//! What of a lab is on the machine: processes, namespaces, links, mounts, firewall rules, files. Looks, changes nothing.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use super::external::run;
use super::procfs::{self, Ours, Process};
use crate::place::{PREFIX, Place};

/// What was found; empty when the machine is clean.
#[derive(Debug, Default)]
pub(crate) struct Leftovers {
    pub(crate) processes: Vec<Process>,
    pub(crate) namespaces: Vec<String>,
    pub(crate) links: Vec<String>,
    pub(crate) mounts: Vec<String>,
    /// Firewalls (`iptables`, …) with chains of Neutron's.
    pub(crate) rules: Vec<&'static str>,
    pub(crate) sets: Vec<String>,
}

const FIREWALLS: [&str; 3] = ["iptables", "ip6tables", "ebtables"];
/// Neutron's agents begin the names of their chains so.
const CHAIN: &str = "neutron";

impl Leftovers {
    /// Looks at the machine.
    pub(crate) fn look(place: &Place) -> Self {
        let namespaces: Vec<String> = names("/run/netns")
            .into_iter()
            .filter(|name| is_namespace(name))
            .collect();
        let files: Vec<PathBuf> = paths(&namespaces);
        let links = names("/sys/class/net")
            .into_iter()
            .filter(|name| is_link(name))
            .collect();
        Self {
            processes: Ours::new(place.state(), &files).among(procfs::processes()),
            namespaces,
            links,
            mounts: mounts(
                &fs::read_to_string("/proc/self/mountinfo").unwrap_or_default(),
                place.state(),
            ),
            rules: FIREWALLS
                .into_iter()
                .filter(|firewall| has_chains(firewall))
                .collect(),
            sets: run(&["ipset", "list", "-n"])
                .unwrap_or_default()
                .lines()
                .filter(|name| is_set(name))
                .map(str::to_owned)
                .collect(),
        }
    }

    /// Nothing of a lab is there.
    pub(crate) fn is_empty(&self) -> bool {
        let Self {
            processes,
            namespaces,
            links,
            mounts,
            rules,
            sets,
        } = self;
        processes.is_empty()
            && [namespaces, links, mounts, sets]
                .iter()
                .all(|list| list.is_empty())
            && rules.is_empty()
    }

    /// A line for each thing.
    pub(crate) fn lines(&self) -> Vec<String> {
        let Self {
            processes,
            namespaces,
            links,
            mounts,
            rules,
            sets,
        } = self;
        let processes = processes.iter().map(|one| {
            let command: String = one.command.chars().take(90).collect();
            format!("process {} ({command})", one.pid)
        });
        processes
            .chain(
                namespaces
                    .iter()
                    .map(|name| format!("network namespace {name}")),
            )
            .chain(links.iter().map(|name| format!("link {name}")))
            .chain(mounts.iter().map(|path| format!("mount {path}")))
            .chain(
                rules
                    .iter()
                    .map(|firewall| format!("Neutron's chains in {firewall}")),
            )
            .chain(sets.iter().map(|name| format!("ipset {name}")))
            .collect()
    }
}

impl fmt::Display for Leftovers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            processes,
            namespaces,
            links,
            mounts,
            rules,
            sets,
        } = self;
        write!(
            f,
            "{} processes, {} namespaces, {} links, {} mounts, {} firewalls and sets",
            processes.len(),
            namespaces.len(),
            links.len(),
            mounts.len(),
            rules.len() + sets.len()
        )
    }
}

pub(crate) fn names(folder: &str) -> Vec<String> {
    let Ok(entries) = fs::read_dir(folder) else {
        return Vec::new();
    };
    entries
        .flatten()
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect()
}

fn paths(namespaces: &[String]) -> Vec<PathBuf> {
    namespaces
        .iter()
        .map(|name| Path::new("/run/netns").join(name))
        .collect()
}

fn is_namespace(name: &str) -> bool {
    [PREFIX, "qrouter-", "qdhcp-"]
        .iter()
        .any(|start| name.starts_with(start))
}

/// Ours by their prefix; Neutron's by the forms that it gives them: `tap` and eleven characters of a port's id, `brq` and
/// eleven of a network's, `vxlan-` and a number.
fn is_link(name: &str) -> bool {
    let id = |start: &str| {
        name.strip_prefix(start).is_some_and(|rest| {
            rest.len() == 11 && rest.bytes().all(|b| b == b'-' || b.is_ascii_hexdigit())
        })
    };
    let number = name
        .strip_prefix("vxlan-")
        .is_some_and(|rest| rest.parse::<u32>().is_ok());
    name.starts_with(PREFIX) || id("tap") || id("brq") || number
}

/// Neutron's sets: `NIPv4` or `NIPv6` and part of a security group's id.
fn is_set(name: &str) -> bool {
    name.starts_with("NIPv4") || name.starts_with("NIPv6")
}

/// Mount points below the state directory, the deepest first.
pub(crate) fn mounts(table: &str, state: &Path) -> Vec<String> {
    let mut found: Vec<String> = table
        .lines()
        .filter_map(|line| line.split_whitespace().nth(4))
        .filter(|point| Path::new(point).starts_with(state))
        .map(str::to_owned)
        .collect();
    found.sort_by_key(|point| std::cmp::Reverse(point.len()));
    found
}

fn has_chains(firewall: &str) -> bool {
    run(&[&format!("{firewall}-save")]).is_ok_and(|rules| rules.contains(CHAIN))
}

/// A firewall's rules without Neutron's chains: what `iptables-restore` and its like take.
pub(crate) fn without_chains(rules: &str) -> String {
    let kept = rules.lines().filter(|line| !line.contains(CHAIN));
    kept.flat_map(|line| [line, "\n"]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_ours_are_recognised_and_no_others() {
        for (name, ours) in [
            ("mkys-users", true),
            ("tap0a1b2c3d-4e", true),
            ("brqdeadbeef-01", true),
            ("vxlan-12", true),
            ("tap0", false),
            ("brq", false),
            ("vxlan-calico", false),
            ("eth0", false),
        ] {
            assert_eq!(is_link(name), ours, "{name}");
        }
        assert!(is_namespace("qrouter-1") && is_namespace("mkys-edge") && !is_namespace("cni-1"));
    }

    #[test]
    fn mounts_come_deepest_first() {
        let table = "1 2 0:1 / / rw\n3 1 0:1 / /s/a rw\n4 3 0:1 / /s/a/b rw\n5 1 0:1 / /sa rw";
        assert_eq!(mounts(table, Path::new("/s")), ["/s/a/b", "/s/a"]);
    }

    #[test]
    fn only_neutrons_chains_go() {
        let rules = "*filter\n:INPUT ACCEPT [0:0]\n:neutron-linuxbri-INPUT - [0:0]\n\
                     -A INPUT -j neutron-linuxbri-INPUT\n-A INPUT -p tcp -j DROP\nCOMMIT\n";
        let kept = "*filter\n:INPUT ACCEPT [0:0]\n-A INPUT -p tcp -j DROP\nCOMMIT\n";
        assert_eq!(without_chains(rules), kept);
    }
}

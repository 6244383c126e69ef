//! From a definition as typed to a blade that holds, or to everything that is wrong with it.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::time::Duration;

use ipnet::Ipv4Net;

use crate::blade::{Audience, Blade, Network, Probe, Project, Ready, Server, Service, Volume};
use crate::definition::{
    Definition, NetworkDefinition, ProjectDefinition, Quota, ReadyDefinition, ServerDefinition,
    ServiceDefinition, VolumeDefinition,
};
use crate::name::{BladeName, PartName};
use crate::nearest::nearest;
use crate::problem::{At, Problem};
use crate::user_data;

const OPS_CIDR: &str = "172.31.255.0/24";
const READY_WITHIN: &str = "10m";
const READY_LIMITS: std::ops::RangeInclusive<u64> = 5..=21_600;
const VOLUME_MAX_GIB: i64 = 65_536;

impl Definition {
    /// Checks the whole definition.
    ///
    /// # Errors
    ///
    /// Every problem there is, each with the path of its attribute, in the definition's order.
    pub fn validate(&self) -> Result<Blade, Vec<Problem>> {
        let mut check = Check::default();
        let blade = check.definition(self);
        match blade {
            Some(blade) if check.problems.is_empty() => Ok(blade),
            _ => Err(check.problems),
        }
    }
}

/// Collects problems; each part returns `None` when it has some.
#[derive(Default)]
struct Check {
    problems: Vec<Problem>,
}

impl Check {
    fn problem(&mut self, at: &At, summary: impl Into<String>, detail: impl Into<String>) {
        self.problems.push(Problem::new(at, summary, detail));
    }

    fn definition(&mut self, typed: &Definition) -> Option<Blade> {
        let Definition {
            name,
            description,
            project,
            networks,
            ops_cidr,
            servers,
            services,
        } = typed;
        let root = At::default();
        let at = root.attribute("name");
        let name = BladeName::try_from(name.as_str())
            .map_err(|reason| self.problem(&at, "Invalid blade name", reason))
            .ok();
        let project = match project {
            Some(project) => Some(self.project(project, &root.attribute("project"))?),
            None => None,
        };
        let networks = self.parts(networks, &root.attribute("networks"), Self::network);
        let ops = ops_cidr.as_deref().unwrap_or(OPS_CIDR);
        let ops_cidr = self.cidr(ops, &root.attribute("ops_cidr"));
        self.overlaps(&networks, ops_cidr.filter(|_| has_devops(services)), &root);
        let at = root.attribute("servers");
        let servers = self.parts(servers, &at, |check, server, at| {
            check.server(server, typed, at)
        });
        let at = root.attribute("services");
        let services = self.parts(services, &at, |check, service, at| {
            check.service(service, typed, at)
        });
        self.duplicate_ports(&services, &root);
        Some(Blade {
            name: name?,
            description: description.clone().unwrap_or_default(),
            project,
            networks,
            ops_cidr: ops_cidr?,
            servers,
            services,
            typed: typed.clone(),
        })
    }

    /// Checks the keys and the values of a map of parts, keeping those that hold.
    fn parts<T, U>(
        &mut self,
        typed: &BTreeMap<String, T>,
        at: &At,
        mut part: impl FnMut(&mut Self, &T, &At) -> Option<U>,
    ) -> BTreeMap<PartName, U> {
        let mut valid = BTreeMap::new();
        for (key, value) in typed {
            let at = at.key(key);
            let name = PartName::try_from(key.as_str())
                .map_err(|reason| self.problem(&at, "Invalid name", reason))
                .ok();
            let value = part(self, value, &at);
            if let (Some(name), Some(value)) = (name, value) {
                valid.insert(name, value);
            }
        }
        valid
    }

    fn project(&mut self, typed: &ProjectDefinition, at: &At) -> Option<Project> {
        let ProjectDefinition {
            group,
            role,
            users,
            quota,
        } = typed;
        for (what, value) in [("group", Some(group)), ("role", role.as_ref())] {
            if value.is_some_and(|value| value.trim().is_empty() || value.len() > 64) {
                let detail = format!("Keystone takes 1 to 64 characters for the name of a {what}.");
                self.problem(&at.attribute(what), format!("Invalid {what}"), detail);
            }
        }
        self.quota(quota, &at.attribute("quota"));
        Some(Project {
            group: group.clone(),
            role: role.clone().unwrap_or_else(|| "member".to_owned()),
            users: users.iter().cloned().collect(),
            quota: *quota,
        })
    }

    fn quota(&mut self, quota: &Quota, at: &At) {
        for (name, value) in quota.entries() {
            if value.is_some_and(|value| value < -1) {
                let detail = format!("{name} is a count, or -1 for no limit.");
                self.problem(&at.attribute(name), "Invalid quota", detail);
            }
        }
    }

    fn network(&mut self, typed: &NetworkDefinition, at: &At) -> Option<Network> {
        let NetworkDefinition {
            cidr,
            dns_nameservers,
        } = typed;
        let cidr = self.cidr(cidr, &at.attribute("cidr"));
        let mut servers = Vec::new();
        for (index, address) in dns_nameservers.iter().enumerate() {
            match address.parse::<Ipv4Addr>() {
                Ok(address) => servers.push(address),
                Err(_) => {
                    let at = at.attribute("dns_nameservers").index(index);
                    let detail = format!("{address:?} is not an IPv4 address.");
                    self.problem(&at, "Invalid name server", detail);
                }
            }
        }
        Some(Network {
            cidr: cidr?,
            dns_nameservers: servers,
        })
    }

    fn cidr(&mut self, typed: &str, at: &At) -> Option<Ipv4Net> {
        let Ok(net) = typed.parse::<Ipv4Net>() else {
            let detail = format!("{typed:?} is not an IPv4 network such as 10.20.1.0/24.");
            self.problem(at, "Invalid CIDR", detail);
            return None;
        };
        if net.addr() != net.network() {
            let detail = format!(
                "{typed} has host bits set; the network it lies in is {}.",
                net.trunc()
            );
            self.problem(at, "Invalid CIDR", detail);
            return None;
        }
        if !(8..=28).contains(&net.prefix_len()) {
            let detail = format!(
                "{typed} must have a prefix from /8 to /28: a smaller one leaves no room for the \
                 router, DHCP and two revisions of a server."
            );
            self.problem(at, "Invalid CIDR", detail);
            return None;
        }
        let unusable = net.addr().is_loopback()
            || net.addr().is_multicast()
            || net.addr().is_link_local()
            || net.addr().octets()[0] == 0
            || net.addr().octets()[0] >= 240;
        if unusable {
            let detail = format!("{typed} is not a range that servers can have addresses of.");
            self.problem(at, "Invalid CIDR", detail);
            return None;
        }
        Some(net)
    }

    fn overlaps(
        &mut self,
        networks: &BTreeMap<PartName, Network>,
        ops: Option<Ipv4Net>,
        root: &At,
    ) {
        let mut seen: Vec<(String, Ipv4Net)> = ops
            .map(|cidr| ("the devops network (ops_cidr)".to_owned(), cidr))
            .into_iter()
            .collect();
        for (name, network) in networks {
            let clash = seen
                .iter()
                .find(|(_, cidr)| overlap(*cidr, network.cidr))
                .cloned();
            if let Some((other, cidr)) = clash {
                let at = root
                    .attribute("networks")
                    .key(name.as_ref())
                    .attribute("cidr");
                let detail = format!(
                    "{} overlaps {cidr} of {other}. Networks of one blade are routed to each \
                     other, so each needs a range of its own.",
                    network.cidr
                );
                self.problem(
                    &at,
                    format!("Network {name:?} overlaps another", name = name.as_ref()),
                    detail,
                );
            }
            seen.push((format!("network {:?}", name.as_ref()), network.cidr));
        }
    }

    fn server(&mut self, typed: &ServerDefinition, all: &Definition, at: &At) -> Option<Server> {
        let ServerDefinition {
            image,
            flavor,
            networks,
            key_pair,
            user_data,
            probes,
            volumes,
            ready,
        } = typed;
        for (what, value) in [("image", image), ("flavor", flavor)] {
            if value.trim().is_empty() {
                let at = at.attribute(what);
                self.problem(
                    &at,
                    format!("No {what}"),
                    format!("Name the {what} of the server."),
                );
            }
        }
        let networks = self.server_networks(networks, all, at);
        let probes = self.words(
            probes,
            &at.attribute("probes"),
            "probe",
            &[Probe::Node],
            |probe| probe.as_str(),
        );
        let volumes = self.parts(volumes, &at.attribute("volumes"), Self::volume);
        self.mounts(&volumes, at);
        let ready = match ready {
            Some(ready) => Some(self.ready(ready, &at.attribute("ready"))?),
            None => None,
        };
        let server = Server {
            image: image.clone(),
            flavor: flavor.clone(),
            networks,
            key_pair: key_pair.clone(),
            // an empty text is none
            user_data: user_data.clone().filter(|text| !text.is_empty()),
            probes,
            volumes,
            ready,
        };
        if let Err((summary, detail)) = user_data::check(&server) {
            self.problem(&at.attribute("user_data"), summary, detail);
        }
        Some(server)
    }

    fn server_networks(&mut self, typed: &[String], all: &Definition, at: &At) -> Vec<PartName> {
        let at = at.attribute("networks");
        if typed.is_empty() {
            let detail = "A server needs a port on at least one of the blade's networks.";
            self.problem(&at, "No network", detail);
        }
        let mut names = Vec::new();
        for (index, name) in typed.iter().enumerate() {
            let known = all.networks.contains_key(name);
            match PartName::try_from(name.as_str()) {
                Ok(name) if known && !names.contains(&name) => names.push(name),
                Ok(name) if known => {
                    let detail = format!("{:?} is listed twice.", name.as_ref());
                    self.problem(&at.index(index), "Network listed twice", detail);
                }
                _ if known => {} // reported once, where the network is defined
                _ => {
                    let detail = unknown("network", name, all.networks.keys());
                    self.problem(&at.index(index), "Unknown network", detail);
                }
            }
        }
        names
    }

    fn volume(&mut self, typed: &VolumeDefinition, at: &At) -> Option<Volume> {
        let VolumeDefinition { size, mount } = typed;
        if !(1..=VOLUME_MAX_GIB).contains(size) {
            let detail = format!("{size} GiB is not a size from 1 to {VOLUME_MAX_GIB} GiB.");
            self.problem(&at.attribute("size"), "Invalid volume size", detail);
        }
        if let Some(path) = mount {
            let safe = path
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || matches!(c, '/' | '-' | '_' | '.'));
            let climbs = path.split('/').any(|part| part == ".." || part == ".");
            if !path.starts_with('/') || path == "/" || !safe || climbs {
                let detail = format!(
                    "{path:?} is not an absolute path below / of letters, digits, '-', '_' and '.'."
                );
                self.problem(&at.attribute("mount"), "Invalid mount point", detail);
            }
        }
        Some(Volume {
            size: u32::try_from(*size).unwrap_or(1),
            mount: mount.clone(),
        })
    }

    fn mounts(&mut self, volumes: &BTreeMap<PartName, Volume>, at: &At) {
        let mut seen = BTreeSet::new();
        for (name, volume) in volumes {
            if let Some(mount) = &volume.mount
                && !seen.insert(mount)
            {
                let at = at
                    .attribute("volumes")
                    .key(name.as_ref())
                    .attribute("mount");
                let detail = format!("Another volume of the server is mounted at {mount} already.");
                self.problem(&at, "Mount point used twice", detail);
            }
        }
    }

    fn ready(&mut self, typed: &ReadyDefinition, at: &At) -> Option<Ready> {
        let ReadyDefinition { http, within } = typed;
        let parsed = http.strip_prefix(':').and_then(|rest| {
            let (port, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
            let port = port.parse::<u16>().ok().filter(|port| *port > 0)?;
            let safe = path
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || "/-_.~%?&=+:@".contains(c));
            safe.then(|| (port, if path.is_empty() { "/" } else { path }.to_owned()))
        });
        if parsed.is_none() {
            let detail = format!(
                "{http:?} is not of the form :PORT/PATH with a port from 1 to 65535, such as :80/health."
            );
            self.problem(&at.attribute("http"), "Invalid readiness probe", detail);
        }
        let typed = within.as_deref().unwrap_or(READY_WITHIN);
        let within = typed
            .parse::<jiff::SignedDuration>()
            .ok()
            .and_then(|duration| u64::try_from(duration.as_secs()).ok())
            .filter(|seconds| READY_LIMITS.contains(seconds));
        if within.is_none() {
            let detail =
                format!("{typed:?} is not a duration from 5s to 6h, such as 90s, 5m or 1h30m.");
            self.problem(&at.attribute("within"), "Invalid duration", detail);
        }
        let (port, path) = parsed?;
        Some(Ready {
            port,
            path,
            within: Duration::from_secs(within?),
        })
    }

    fn service(&mut self, typed: &ServiceDefinition, all: &Definition, at: &At) -> Option<Service> {
        let ServiceDefinition {
            server,
            port,
            audiences,
        } = typed;
        let known = all.servers.contains_key(server);
        if !known {
            let detail = unknown("server", server, all.servers.keys());
            self.problem(
                &at.attribute("server"),
                "Service without its server",
                detail,
            );
        }
        let number = u16::try_from(*port).ok().filter(|port| *port > 0);
        if number.is_none() {
            let detail = format!("{port} is not a TCP port, 1 to 65535.");
            self.problem(&at.attribute("port"), "Invalid port", detail);
        }
        let at = at.attribute("audiences");
        if audiences.is_empty() {
            let detail = "Say who may reach the service: users, devops or both.";
            self.problem(&at, "No audience", detail);
        }
        let audiences = self.words(audiences, &at, "audience", &Audience::ALL, |audience| {
            audience.as_str()
        });
        let server = PartName::try_from(server.as_str()).ok().filter(|_| known)?;
        Some(Service {
            server,
            port: number?,
            audiences,
        })
    }

    fn duplicate_ports(&mut self, services: &BTreeMap<PartName, Service>, root: &At) {
        let mut seen: BTreeMap<(&PartName, u16), &PartName> = BTreeMap::new();
        for (name, service) in services {
            if let Some(other) = seen.insert((&service.server, service.port), name) {
                let at = root
                    .attribute("services")
                    .key(name.as_ref())
                    .attribute("port");
                let detail = format!(
                    "Service {:?} is port {} of server {:?} already; give one service both \
                     audiences instead.",
                    other.as_ref(),
                    service.port,
                    service.server.as_ref()
                );
                self.problem(&at, "Port used by two services", detail);
            }
        }
    }

    fn words<T: Copy + Ord>(
        &mut self,
        typed: &[String],
        at: &At,
        what: &str,
        all: &[T],
        word: impl Fn(T) -> &'static str,
    ) -> BTreeSet<T> {
        let mut set = BTreeSet::new();
        for (index, typed) in typed.iter().enumerate() {
            match all.iter().find(|one| word(**one) == typed) {
                Some(one) => {
                    set.insert(*one);
                }
                None => {
                    let words: Vec<_> = all.iter().map(|one| word(*one)).collect();
                    let detail = format!("{typed:?} is none of: {}.", words.join(", "));
                    self.problem(&at.index(index), format!("Unknown {what}"), detail);
                }
            }
        }
        set
    }
}

impl Quota {
    /// Each limit with its OpenStack name.
    pub fn entries(&self) -> [(&'static str, Option<i64>); 10] {
        let Self {
            instances,
            cores,
            ram,
            volumes,
            gigabytes,
            networks,
            ports,
            routers,
            floating_ips,
            security_groups,
        } = *self;
        [
            ("instances", instances),
            ("cores", cores),
            ("ram", ram),
            ("volumes", volumes),
            ("gigabytes", gigabytes),
            ("networks", networks),
            ("ports", ports),
            ("routers", routers),
            ("floating_ips", floating_ips),
            ("security_groups", security_groups),
        ]
    }
}

fn has_devops(services: &BTreeMap<String, ServiceDefinition>) -> bool {
    let devops = Audience::Devops.as_str();
    services
        .values()
        .any(|service| service.audiences.iter().any(|audience| audience == devops))
}

/// Whether two ranges have an address in common.
pub fn overlap(a: Ipv4Net, b: Ipv4Net) -> bool {
    a.contains(&b) || b.contains(&a)
}

fn unknown<'a>(what: &str, name: &str, known: impl Iterator<Item = &'a String>) -> String {
    let mut known = known.map(String::as_str).peekable();
    match known.peek() {
        None => format!("The blade defines no {what}, so there is no {name:?}."),
        Some(_) => {
            let lacks = format!("The blade defines no {what}");
            nearest(&lacks, "it defines", name, known)
        }
    }
}

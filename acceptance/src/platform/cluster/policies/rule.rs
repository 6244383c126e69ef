//! What one policy allows one pod in one direction, as matches of nft.

use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::api::networking::v1::{
    IPBlock, NetworkPolicy, NetworkPolicyPeer, NetworkPolicyPort,
};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::selector::selects;
use super::table::{Member, World, list};

/// Which way a connection goes, as the pod sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Direction {
    Ingress,
    Egress,
}

impl Direction {
    pub(super) const BOTH: [Self; 2] = [Self::Ingress, Self::Egress];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Ingress => "ingress",
            Self::Egress => "egress",
        }
    }

    /// Where the pod's own address stands in a packet.
    pub(super) fn own_side(self) -> &'static str {
        match self {
            Self::Ingress => "daddr",
            Self::Egress => "saddr",
        }
    }

    fn other_side(self) -> &'static str {
        match self {
            Self::Ingress => "saddr",
            Self::Egress => "daddr",
        }
    }

    /// Whether a policy speaks of it. One that doesn't say speaks of what comes in, and of what goes out if it has rules for that.
    pub(super) fn is_of(self, policy: &NetworkPolicy) -> bool {
        let Some(spec) = &policy.spec else {
            return false;
        };
        match (&spec.policy_types, self) {
            (Some(types), Self::Ingress) => types.iter().any(|one| one == "Ingress"),
            (Some(types), Self::Egress) => types.iter().any(|one| one == "Egress"),
            (None, Self::Ingress) => true,
            (None, Self::Egress) => spec.egress.is_some(),
        }
    }
}

/// With whom.
enum Peers<'a> {
    Anyone,
    Block(&'a IPBlock),
    Members(Vec<Member<'a>>),
}

/// The matches of all of a policy's rules; each may be empty, for whatever it is, or ends in a space.
pub(super) fn rules(
    world: &World,
    members: &[Member<'_>],
    policy: &NetworkPolicy,
    own: Member<'_>,
    direction: Direction,
) -> Vec<String> {
    let Some(spec) = &policy.spec else {
        return Vec::new();
    };
    let namespace = policy.metadata.namespace.as_deref();
    let one = |peers: Option<&[NetworkPolicyPeer]>, ports: Option<&[NetworkPolicyPort]>| {
        let peers = match peers {
            None | Some([]) => vec![Peers::Anyone],
            Some(peers) => peers
                .iter()
                .map(|peer| with(world, members, namespace, peer))
                .collect(),
        };
        let of = |peers: &Peers<'_>| matches(peers, ports, members, own, direction);
        peers.iter().flat_map(of).collect::<Vec<_>>()
    };
    match direction {
        Direction::Ingress => {
            let rules = spec.ingress.iter().flatten();
            let each = rules.flat_map(|rule| one(rule.from.as_deref(), rule.ports.as_deref()));
            each.collect()
        }
        Direction::Egress => {
            let rules = spec.egress.iter().flatten();
            let each = rules.flat_map(|rule| one(rule.to.as_deref(), rule.ports.as_deref()));
            each.collect()
        }
    }
}

fn with<'a>(
    world: &World,
    members: &[Member<'a>],
    namespace: Option<&str>,
    peer: &'a NetworkPolicyPeer,
) -> Peers<'a> {
    if let Some(block) = &peer.ip_block {
        return Peers::Block(block);
    }
    let is_meant = |member: &&Member<'_>| {
        let at = member.pod.metadata.namespace.as_deref();
        let in_namespace = match &peer.namespace_selector {
            None => at == namespace,
            wanted => world.namespaces.iter().any(|one| {
                one.metadata.name.as_deref() == at
                    && selects(wanted.as_ref(), one.metadata.labels.as_ref())
            }),
        };
        in_namespace
            && selects(
                peer.pod_selector.as_ref(),
                member.pod.metadata.labels.as_ref(),
            )
    };
    Peers::Members(members.iter().filter(is_meant).copied().collect())
}

fn matches(
    peers: &Peers<'_>,
    ports: Option<&[NetworkPolicyPort]>,
    members: &[Member<'_>],
    own: Member<'_>,
    direction: Direction,
) -> Vec<String> {
    let side = direction.other_side();
    let who = match peers {
        Peers::Anyone => Some(String::new()),
        Peers::Block(block) => self::block(block, side),
        Peers::Members(some) if some.is_empty() => None,
        Peers::Members(some) => {
            let addresses = list(some.iter().map(|one| one.address));
            Some(format!("ip {side} {{ {addresses} }} "))
        }
    };
    let Some(who) = who else {
        return Vec::new();
    };
    let ports = match ports {
        None | Some([]) => return vec![who],
        Some(ports) => ports,
    };
    let mut found = Vec::new();
    for port in ports {
        let protocol = port.protocol.as_deref().unwrap_or("TCP").to_lowercase();
        match (&port.port, direction) {
            (None, _) => found.push(format!("{who}meta l4proto {protocol} ")),
            (Some(IntOrString::Int(first)), _) => {
                let last = port
                    .end_port
                    .map(|last| format!("-{last}"))
                    .unwrap_or_default();
                found.push(format!("{who}{protocol} dport {first}{last} "));
            }
            // a name is the receiver's: its own coming in, each other's going out
            (Some(IntOrString::String(name)), Direction::Ingress) => {
                let numbers = named(own.pod, name, &protocol);
                found.extend(numbers.map(|port| format!("{who}{protocol} dport {port} ")));
            }
            (Some(IntOrString::String(name)), Direction::Egress) => {
                let targets = match peers {
                    Peers::Anyone => members,
                    Peers::Members(some) => some,
                    Peers::Block(_) => &[],
                };
                for target in targets {
                    let address = target.address;
                    let numbers = named(target.pod, name, &protocol);
                    found.extend(
                        numbers.map(|port| format!("ip {side} {address} {protocol} dport {port} ")),
                    );
                }
            }
        }
    }
    found
}

/// `None` for a block of IPv6: nothing of it gets anywhere here.
fn block(block: &IPBlock, side: &str) -> Option<String> {
    let is_ours = |range: &&String| !range.contains(':');
    let range = Some(&block.cidr).filter(is_ours)?;
    let except = block.except.iter().flatten().filter(is_ours);
    // each by itself: a set of nft's takes no ranges that overlap
    let but: String = except
        .map(|other| format!("ip {side} != {other} "))
        .collect();
    Some(format!("ip {side} {range} {but}"))
}

/// The numbers of a pod's ports of a name.
fn named<'a>(pod: &'a Pod, name: &'a str, protocol: &'a str) -> impl Iterator<Item = i32> + 'a {
    let spec = pod.spec.iter();
    // one that starts before the others may stay beside them
    let containers = spec.flat_map(|spec| {
        spec.containers
            .iter()
            .chain(spec.init_containers.iter().flatten())
    });
    containers
        .flat_map(|container| container.ports.iter().flatten())
        .filter(move |port| {
            let other = port.protocol.as_deref().unwrap_or("TCP");
            port.name.as_deref() == Some(name) && other.eq_ignore_ascii_case(protocol)
        })
        .map(|port| port.container_port)
}

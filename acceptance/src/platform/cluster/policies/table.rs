//! From pods, namespaces and network policies to the text of one table of nft. Pure.
//!
//! A chain for each pod and direction that a policy speaks of: what a rule allows returns, the rest is dropped. What comes from the
//! machine itself is not filtered. A pod whose address isn't known yet may not talk yet, else its first second would be without policies.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::sync::Arc;

use k8s_openapi::api::core::v1::{Namespace, Pod};
use k8s_openapi::api::networking::v1::NetworkPolicy;

use super::super::layout::{BRIDGE, POLICIES};
use super::rule::{Direction, rules};
use super::selector::selects;

/// What is known of the cluster.
#[derive(Debug, Default)]
pub(super) struct World {
    pub(super) policies: Vec<Arc<NetworkPolicy>>,
    pub(super) pods: Vec<Arc<Pod>>,
    pub(super) namespaces: Vec<Arc<Namespace>>,
}

/// A pod with an address of its own.
#[derive(Debug, Clone, Copy)]
pub(super) struct Member<'a> {
    pub(super) pod: &'a Pod,
    pub(super) address: Ipv4Addr,
}

impl<'a> Member<'a> {
    /// `None` for one on the machine's network, and for one that ended, whose address is another's next.
    fn of(pod: &'a Pod) -> Option<Self> {
        let status = pod.status.as_ref()?;
        let ended = ["Succeeded", "Failed"];
        let has_ended = status
            .phase
            .as_deref()
            .is_some_and(|phase| ended.contains(&phase));
        let on_machine = pod.spec.as_ref().and_then(|spec| spec.host_network);
        let address = status.pod_ip.as_ref()?.parse().ok()?;
        (!has_ended && on_machine != Some(true)).then_some(Self { pod, address })
    }
}

impl World {
    /// All pods that have addresses, by these.
    pub(super) fn members(&self) -> Vec<Member<'_>> {
        let mut members: Vec<_> = self.pods.iter().filter_map(|pod| Member::of(pod)).collect();
        members.sort_by_key(|member| member.address);
        members
    }

    /// The policies that speak of a pod in a direction; with none of them it is free.
    fn policies_of(&self, member: Member<'_>, direction: Direction) -> Vec<&NetworkPolicy> {
        let mut found: Vec<&NetworkPolicy> = self
            .policies
            .iter()
            .map(AsRef::as_ref)
            .filter(|policy| policy.metadata.namespace == member.pod.metadata.namespace)
            .filter(|policy| direction.is_of(policy))
            .filter(|policy| {
                let spec = policy.spec.as_ref();
                let wanted = spec.and_then(|spec| spec.pod_selector.as_ref());
                selects(wanted, member.pod.metadata.labels.as_ref())
            })
            .collect();
        found.sort_by_key(|policy| policy.metadata.name.clone());
        found
    }
}

/// The table.
pub(super) fn table(world: &World) -> String {
    let members = world.members();
    let mut chains = String::new();
    let mut jumps = [String::new(), String::new()];
    for member in &members {
        for (direction, jumps) in Direction::BOTH.into_iter().zip(&mut jumps) {
            let policies = world.policies_of(*member, direction);
            if policies.is_empty() {
                continue;
            }
            let allowed: BTreeSet<String> = policies
                .iter()
                .flat_map(|policy| rules(world, &members, policy, *member, direction))
                .collect();
            let address = member.address;
            let chain = format!(
                "{}_{}",
                direction.name(),
                address.to_string().replace('.', "_")
            );
            let lines: String = allowed
                .iter()
                .map(|rule| format!("    {rule}return\n"))
                .collect();
            chains += &format!("  chain {chain} {{\n{lines}    counter drop\n  }}\n");
            *jumps += &format!("    ip {} {address} jump {chain}\n", direction.own_side());
        }
    }
    let [ingress, egress] = jumps;
    let known = match members.is_empty() {
        true => String::new(),
        false => format!(
            "    elements = {{ {} }}\n",
            list(members.iter().map(|one| one.address))
        ),
    };
    // pods have addresses of IPv6 on their link alone, which no policy speaks of
    format!(
        "table inet {POLICIES} {{
  set known {{
    type ipv4_addr
{known}  }}
{chains}  chain forward {{
    type filter hook forward priority filter; policy accept;
    iifname != \"{BRIDGE}\" oifname != \"{BRIDGE}\" accept
    meta nfproto ipv6 drop
    ct state established,related accept
    iifname \"{BRIDGE}\" ip saddr != @known drop
    oifname \"{BRIDGE}\" ip daddr != @known drop
{egress}{ingress}  }}
  chain input {{
    type filter hook input priority filter; policy accept;
    iifname != \"{BRIDGE}\" accept
    meta nfproto ipv6 drop
    ct state established,related accept
    ip saddr != @known drop
{egress}  }}
}}
"
    )
}

/// Things as a set of nft's lists them.
pub(super) fn list<T: ToString>(things: impl Iterator<Item = T>) -> String {
    things
        .map(|one| one.to_string())
        .collect::<Vec<_>>()
        .join(", ")
}

#[cfg(test)]
mod tests;

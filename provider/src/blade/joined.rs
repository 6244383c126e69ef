//! What of others hangs on a blade's own networks and routers: a backplane link, a port, a router's leg, a route.
//!
//! Neutron deletes no network and no router with such a thing on it, so Heat would take half of the blade away and then fail.

use std::collections::BTreeSet;

use crate::backplane_link::PORT_PREFIX;
use crate::cloud::services::heat::StackResource;
use crate::cloud::services::network::{self, Port};
use crate::cloud::{CloudError, Session};

/// Something that is joined to a blade.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Joined {
    /// Id of its port; empty: it has none.
    pub(super) port: String,
    /// Id of what the port belongs to; empty: to nothing.
    pub(super) device: String,
    /// What it is, in words.
    pub(super) said: String,
}

/// What others joined to the networks and routers among a stack's resources.
pub(super) async fn things(
    session: &Session,
    resources: &[StackResource],
) -> Result<Vec<Joined>, CloudError> {
    let ours: BTreeSet<_> = resources
        .iter()
        .map(|one| &*one.physical_resource_id)
        .collect();
    let (mut found, mut addresses) = (Vec::new(), BTreeSet::new());
    let mut note = |port: &Port, said: String| {
        addresses.extend(port.fixed_ips.iter().map(|ip| ip.ip_address.clone()));
        found.push(Joined {
            port: port.id.clone(),
            device: port.device_id.clone(),
            said,
        });
    };
    for net in of_kind(resources, "OS::Neutron::Net") {
        for port in network::ports_in(session, net).await? {
            if is_others(&port, &ours) {
                note(&port, said_in_network(&port));
            }
        }
    }
    for router in of_kind(resources, "OS::Neutron::Router") {
        for port in network::ports_of(session, router).await? {
            // the blade's own legs are in its own networks
            if is_leg(&port) && !ours.contains(&*port.network_id) {
                note(&port, said_of_router(&port));
            }
        }
    }
    for id in of_kind(resources, "OS::Neutron::Router") {
        let router = network::router(session, id).await?;
        for route in router.into_iter().flat_map(|router| router.routes) {
            // a link's goes with the link
            if !addresses.contains(&route.nexthop) {
                let (to, over) = (route.destination, route.nexthop);
                found.push(Joined {
                    port: String::new(),
                    device: String::new(),
                    said: format!("the route to {to} over {over} of router {id}"),
                });
            }
        }
    }
    Ok(found)
}

fn of_kind<'a>(resources: &'a [StackResource], kind: &'a str) -> impl Iterator<Item = &'a str> {
    let ids = resources
        .iter()
        .filter(move |one| one.resource_type == kind)
        .map(|one| &*one.physical_resource_id);
    ids.filter(|id| !id.is_empty())
}

/// Whether a port in one of the blade's networks keeps that from being deleted and is somebody else's.
fn is_others(port: &Port, ours: &BTreeSet<&str>) -> bool {
    // what Neutron made for itself, as for DHCP, it takes away by itself
    let is_neutrons = port.device_owner.starts_with("network:") && !is_leg(port);
    !is_neutrons && !ours.contains(&*port.id) && !ours.contains(&*port.device_id)
}

/// Whether a port is a router's leg in a network: plain, distributed or highly available.
fn is_leg(port: &Port) -> bool {
    ["network:router_interface", "network:ha_router_replicated"]
        .iter()
        .any(|owner| port.device_owner.starts_with(owner))
}

fn said_in_network(port: &Port) -> String {
    match port.name.strip_prefix(PORT_PREFIX) {
        Some(blade) => format!(
            "the backplane link of blade {blade:?} ({}): destroy that link first",
            told(port)
        ),
        None if port.device_owner.is_empty() => {
            format!(
                "port {:?} ({}) in one of its networks",
                port.name,
                told(port)
            )
        }
        None => format!(
            "port {:?} ({}) in one of its networks, of {} {}",
            port.name,
            told(port),
            port.device_owner,
            port.device_id
        ),
    }
}

fn said_of_router(port: &Port) -> String {
    match port.name.starts_with(PORT_PREFIX) {
        true => format!(
            "its own link to the backplane ({}): destroy that link first",
            told(port)
        ),
        false => format!(
            "port {:?} ({}), by which its router {} is in network {}",
            port.name,
            told(port),
            port.device_id,
            port.network_id
        ),
    }
}

/// Id and addresses of a port.
fn told(port: &Port) -> String {
    let addresses = port.fixed_ips.iter().map(|ip| &*ip.ip_address);
    let all: Vec<_> = [&*port.id].into_iter().chain(addresses).collect();
    all.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn port(id: &str, device: &str, owner: &str) -> Port {
        Port {
            admin_state_up: None,
            id: id.into(),
            name: String::new(),
            network_id: "network".into(),
            device_id: device.into(),
            device_owner: owner.into(),
            fixed_ips: Vec::new(),
            security_groups: Vec::new(),
        }
    }

    #[test]
    fn what_the_stack_made_and_what_neutron_makes_is_in_nobodys_way() {
        let ours = BTreeSet::from(["network", "router", "server", "port"]);
        let cases = [
            (port("port", "server", "compute:nova"), false),
            (port("leg", "router", "network:router_interface"), false),
            (port("1", "dhcp-agent", "network:dhcp"), false),
            (port("1", "ovnmeta", "network:distributed"), false),
            (port("1", "", ""), true),
            (port("1", "another", "compute:nova"), true),
            (port("1", "another", "network:router_interface"), true),
            (
                port("1", "another", "network:router_interface_distributed"),
                true,
            ),
            (
                port("1", "another", "network:ha_router_replicated_interface"),
                true,
            ),
        ];
        for (port, expected) in cases {
            assert_eq!(is_others(&port, &ours), expected, "{port:?}");
        }
    }

    #[test]
    fn a_link_is_called_one_at_both_its_ends() {
        let mut link = port("1", "theirs", "network:router_interface");
        link.name = format!("{PORT_PREFIX}pnr");
        let devops = "the backplane link of blade \"pnr\" (1): destroy that link first";
        assert_eq!(said_in_network(&link), devops);
        let blade = "its own link to the backplane (1): destroy that link first";
        assert_eq!(said_of_router(&link), blade);
    }
}

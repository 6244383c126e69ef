//! A blade's networks, routers, and the security group that the backplane's rules go into.
//!
//! A router has one gateway. So the devops audience comes in over a network of its own, `ops`, with
//! its own router to the devops external network; the subnet's host routes send the answers for
//! that range back the same way, with nothing to set in the guest.

use ipnet::Ipv4Net;
use serde_json::json;

use super::{Build, get_param, get_resource, output, parameter};
use crate::blade::Audience;
use crate::name::PartName;
use crate::revision::Revision;
use crate::template::{GROUP_TYPE, Resource};

pub(super) const ROUTER: &str = "router_users";
pub(super) const BACKPLANE_GROUP: &str = "backplane_group";

/// Resource names of one network. They carry a digest of the addresses: a subnet cannot move.
pub(super) struct Names {
    pub(super) network: String,
    pub(super) subnet: String,
    pub(super) interface: String,
}

pub(super) fn names(name: &PartName, cidr: Ipv4Net) -> Names {
    let revision = revision(cidr);
    Names {
        network: format!("network_{name}_R{revision}"),
        subnet: format!("subnet_{name}_R{revision}"),
        interface: format!("interface_{name}_R{revision}"),
    }
}

/// Resource names of the network of the devops audience.
pub(super) fn ops_names(cidr: Ipv4Net) -> Names {
    let revision = revision(cidr);
    Names {
        network: format!("ops-network_R{revision}"),
        subnet: format!("ops-subnet_R{revision}"),
        interface: format!("ops-interface_R{revision}"),
    }
}

pub(super) fn revision(cidr: Ipv4Net) -> Revision {
    Revision::of(&json!({ "cidr": cidr }))
}

pub(super) fn build(build: &mut Build<'_>) {
    let external = parameter::external(Audience::Users);
    build.parameter(
        &external,
        "string",
        "External network of the users audience".to_owned(),
    );
    let router = Resource::new(
        "OS::Neutron::Router",
        json!({
            "name": build.title("users"),
            "external_gateway_info": { "network": get_param(&external) },
        }),
    );
    build.resource(ROUTER, router);
    build.output(output::ROUTER, get_resource(ROUTER));
    for (name, network) in &build.blade.networks {
        let names = names(name, network.cidr);
        let title = build.title(name.as_ref());
        build.resource(
            &names.network,
            Resource::new("OS::Neutron::Net", json!({ "name": title })),
        );
        let subnet = Resource::new(
            "OS::Neutron::Subnet",
            json!({
                "name": title,
                "network": get_resource(&names.network),
                "cidr": network.cidr,
                "dns_nameservers": network.dns_nameservers,
            }),
        );
        build.resource(&names.subnet, subnet);
        let interface = Resource::new(
            "OS::Neutron::RouterInterface",
            json!({ "router": get_resource(ROUTER), "subnet": get_resource(&names.subnet) }),
        );
        build.resource(&names.interface, interface);
        build.output(output::network(name), get_resource(&names.network));
        build.output(output::subnet(name), get_resource(&names.subnet));
    }
    let group = Resource::new(
        GROUP_TYPE,
        json!({
            "name": build.title("backplane"),
            "description": "What the backplane may reach; its rules belong to the backplane link",
            "rules": [],
        }),
    );
    build.resource(BACKPLANE_GROUP, group);
    build.output(output::BACKPLANE_GROUP, get_resource(BACKPLANE_GROUP));
    if build.blade.has_devops() {
        ops(build);
    }
}

fn ops(build: &mut Build<'_>) {
    let cidr = build.blade.ops_cidr;
    let names = ops_names(cidr);
    let port_name = format!("ops-router-port_R{}", revision(cidr));
    let mut hosts = cidr.hosts();
    let gateway = hosts.next().unwrap_or(cidr.addr());
    let external = parameter::external(Audience::Devops);
    build.parameter(
        &external,
        "string",
        "External network of the devops audience".to_owned(),
    );
    let what = "Ranges that are answered through the devops network".to_owned();
    build.parameter(parameter::DEVOPS_CIDRS, "comma_delimited_list", what);
    let title = build.title("ops");
    build.resource(
        &names.network,
        Resource::new("OS::Neutron::Net", json!({ "name": title })),
    );
    let subnet = Resource::new(
        "OS::Neutron::Subnet",
        json!({
            "name": title,
            "network": get_resource(&names.network),
            "cidr": cidr,
            // no gateway: the default route stays the first network's
            "gateway_ip": "",
            "dns_nameservers": [],
            "host_routes": {
                "repeat": {
                    "template": { "destination": "%cidr%", "nexthop": gateway },
                    "for_each": { "%cidr%": get_param(parameter::DEVOPS_CIDRS) },
                },
            },
            "allocation_pools": [{
                "start": hosts.next().unwrap_or(gateway),
                "end": hosts.last().unwrap_or(gateway),
            }],
        }),
    );
    build.resource(&names.subnet, subnet);
    let router = Resource::new(
        "OS::Neutron::Router",
        json!({
            "name": build.title("devops"),
            "external_gateway_info": { "network": get_param(&external) },
        }),
    );
    build.resource("router_devops", router);
    // the subnet has no gateway of its own, so the router's address is asked for by a port
    let port = Resource::new(
        "OS::Neutron::Port",
        json!({
            "name": build.title("ops-router"),
            "network": get_resource(&names.network),
            "fixed_ips": [{ "subnet": get_resource(&names.subnet), "ip_address": gateway }],
        }),
    );
    build.resource(&port_name, port);
    let interface = Resource::new(
        "OS::Neutron::RouterInterface",
        json!({ "router": get_resource("router_devops"), "port": get_resource(&port_name) }),
    );
    build.resource(&names.interface, interface);
}

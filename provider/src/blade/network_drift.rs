//! Drift of a blade's networks, subnets, routers and ports: found on refresh, put back before anything else of an update.
//!
//! Heat looks at none of them again while its template stays the same.

use std::collections::{BTreeMap, BTreeSet};

use ipnet::Ipv4Net;
use mkys_blade::{Resource, Template, parameter};
use serde_json::{Map, Value, json};

use super::stack::part;
use crate::cloud::services::heat::{self, Stack};
use crate::cloud::services::network;
use crate::cloud::{CloudError, Session};

/// What differs from the template.
#[derive(Debug, Default, PartialEq)]
pub(super) struct NetworkDrift {
    /// All of it, in words.
    pub(super) said: Vec<String>,
    /// Resources whose things are gone, with those that go with them: Heat has to make others.
    pub(super) gone: BTreeSet<String>,
    repairs: Vec<Repair>,
}

/// What puts a difference right.
#[derive(Debug, PartialEq)]
enum Repair {
    /// Properties of a thing of this kind.
    Change(&'static str, String, Value),
    /// A router's leg in a subnet.
    Join { router: String, subnet: String },
    /// A router's leg that is a port of the template.
    Attach { router: String, port: String },
}

/// What Neutron has in the project.
#[derive(Debug, Default)]
struct Things {
    networks: Vec<Value>,
    subnets: Vec<Value>,
    routers: Vec<Value>,
    ports: Vec<Value>,
}

impl NetworkDrift {
    /// Compares what a stack's template describes with Neutron's things. `stack` is one with its parameters.
    pub(super) async fn look(
        session: &Session,
        project: &str,
        stack: &Stack,
        template: &Template,
    ) -> Result<Self, CloudError> {
        let resources = heat::resources(session, stack).await?;
        let ids = heat::ids(&resources);
        let things = Things {
            networks: network::details(session, "networks", project).await?,
            subnets: network::details(session, "subnets", project).await?,
            routers: network::details(session, "routers", project).await?,
            ports: network::details(session, "ports", project).await?,
        };
        Ok(compare(
            template,
            &ids,
            &stack.visible_parameters(),
            &things,
        ))
    }

    /// Puts right what Neutron can by itself.
    pub(super) async fn repair(&self, session: &Session) -> Result<(), CloudError> {
        for repair in &self.repairs {
            match repair {
                Repair::Change(kind, id, properties) => {
                    network::change(session, kind, id, properties).await?;
                }
                Repair::Join { router, subnet } => {
                    network::join_subnet(session, router, subnet).await?;
                }
                Repair::Attach { router, port } => {
                    network::add_interface(session, router, port).await?;
                }
            }
        }
        Ok(())
    }
}

/// What a property of a thing should be, and how it is told where it is not.
struct Expected {
    property: &'static str,
    value: Value,
    said: String,
}

fn compare(
    template: &Template,
    ids: &BTreeMap<&str, &str>,
    parameters: &BTreeMap<String, String>,
    things: &Things,
) -> NetworkDrift {
    let mut drift = NetworkDrift::default();
    for (name, resource) in &template.resources {
        let Some(id) = ids.get(name.as_str()) else {
            continue; // what never came to be is Heat's to make
        };
        let what = part(name);
        let (kind, all, expected) = match resource.kind.as_str() {
            "OS::Neutron::Net" => ("network", &things.networks, enabled(&what)),
            "OS::Neutron::Subnet" => (
                "subnet",
                &things.subnets,
                subnet(&what, resource, parameters),
            ),
            "OS::Neutron::Router" => (
                "router",
                &things.routers,
                router(&what, resource, parameters),
            ),
            // one that is gone is told by the way to its server
            "OS::Neutron::Port" => ("port", &things.ports, port(&what)),
            "OS::Neutron::RouterInterface" => {
                leg(&mut drift, &what, resource, ids, things);
                continue;
            }
            _ => continue,
        };
        match all.iter().find(|thing| thing["id"] == *id) {
            Some(thing) => differences(&mut drift, kind, id, thing, expected),
            None if kind != "port" => {
                drift.said.push(format!("{what} is gone"));
                drift.gone.extend(dependents(template, name));
            }
            None => {}
        }
    }
    // Neutron gives a router no leg in a subnet that has lost its gateway
    drift
        .repairs
        .sort_by_key(|repair| !matches!(repair, Repair::Change(..)));
    // what is made anew needs no repair
    let gone: BTreeSet<_> = drift
        .gone
        .iter()
        .filter_map(|name| ids.get(name.as_str()))
        .collect();
    drift.repairs.retain(|repair| match repair {
        Repair::Change(_, id, _) => !gone.contains(&id.as_str()),
        Repair::Join { router, subnet } => ![router, subnet]
            .iter()
            .any(|id| gone.contains(&id.as_str())),
        Repair::Attach { router, port } => {
            ![router, port].iter().any(|id| gone.contains(&id.as_str()))
        }
    });
    drift
}

fn differences(
    drift: &mut NetworkDrift,
    kind: &'static str,
    id: &str,
    thing: &Value,
    expected: Vec<Expected>,
) {
    let mut repair = Map::new();
    for Expected {
        property,
        value,
        said,
    } in expected
    {
        let seen = match property {
            "external_gateway_info" => json!({ "network_id": thing[property]["network_id"] }),
            _ => thing[property].clone(),
        };
        if thing.get(property).is_some() && seen != value {
            drift.said.push(said);
            repair.insert(property.to_owned(), value);
        }
    }
    if !repair.is_empty() {
        let repair = Value::Object(repair);
        drift
            .repairs
            .push(Repair::Change(kind, id.to_owned(), repair));
    }
}

fn enabled(what: &str) -> Vec<Expected> {
    vec![Expected {
        property: "admin_state_up",
        value: json!(true),
        said: format!("{what} is disabled"),
    }]
}

fn port(what: &str) -> Vec<Expected> {
    let mut expected = enabled(what);
    expected.push(Expected {
        property: "allowed_address_pairs",
        value: json!([]),
        said: format!("{what} may use other addresses (allowed_address_pairs)"),
    });
    expected
}

fn router(what: &str, resource: &Resource, parameters: &BTreeMap<String, String>) -> Vec<Expected> {
    let mut expected = enabled(what);
    let gateway = resource.properties.get("external_gateway_info");
    let parameter = gateway.and_then(|one| one["network"]["get_param"].as_str());
    if let Some(network) = parameter.and_then(|name| parameters.get(name)) {
        expected.push(Expected {
            property: "external_gateway_info",
            value: json!({ "network_id": network }),
            said: format!("{what} has lost its gateway, or has another"),
        });
    }
    expected
}

fn subnet(what: &str, resource: &Resource, parameters: &BTreeMap<String, String>) -> Vec<Expected> {
    let property = |name: &str| resource.properties.get(name);
    let cidr = property("cidr").and_then(Value::as_str).unwrap_or_default();
    let first = cidr
        .parse::<Ipv4Net>()
        .ok()
        .and_then(|cidr| cidr.hosts().next());
    let gateway = match property("gateway_ip").and_then(Value::as_str) {
        Some("") => Value::Null,
        Some(address) => json!(address),
        None => json!(first),
    };
    let servers = property("dns_nameservers").cloned().unwrap_or(json!([]));
    let routes = property("host_routes").map_or_else(Vec::new, |routes| {
        let nexthop = &routes["repeat"]["template"]["nexthop"];
        let cidrs = parameters
            .get(parameter::DEVOPS_CIDRS)
            .map_or("", String::as_str);
        let cidrs = cidrs.split(',').filter(|cidr| !cidr.is_empty());
        cidrs
            .map(|cidr| json!({ "destination": cidr.trim(), "nexthop": nexthop }))
            .collect()
    });
    vec![
        Expected {
            property: "enable_dhcp",
            value: json!(true),
            said: format!("{what} gives out no addresses by DHCP"),
        },
        Expected {
            property: "gateway_ip",
            value: gateway,
            said: format!("{what} has lost its gateway, or has another"),
        },
        Expected {
            property: "dns_nameservers",
            value: servers,
            said: format!("{what} gives out other name servers"),
        },
        Expected {
            property: "host_routes",
            value: json!(routes),
            said: format!("{what} gives out other routes"),
        },
    ]
}

/// A router's leg: by subnet, or by a port of the template.
fn leg(
    drift: &mut NetworkDrift,
    what: &str,
    resource: &Resource,
    ids: &BTreeMap<&str, &str>,
    things: &Things,
) {
    let id_of = |property: &str| {
        let name = resource.properties.get(property)?["get_resource"].as_str()?;
        ids.get(name).copied()
    };
    let Some(router) = id_of("router") else {
        return;
    };
    let legs = || {
        things
            .ports
            .iter()
            .filter(|port| port["device_id"] == router)
    };
    let (stands, repair) = match (id_of("subnet"), id_of("port")) {
        (Some(subnet), _) => {
            let has = |port: &Value| {
                let addresses = port["fixed_ips"].as_array();
                addresses.is_some_and(|all| all.iter().any(|one| one["subnet_id"] == subnet))
            };
            let repair = Repair::Join {
                router: router.to_owned(),
                subnet: subnet.to_owned(),
            };
            (legs().any(has), repair)
        }
        (None, Some(port)) => {
            let repair = Repair::Attach {
                router: router.to_owned(),
                port: port.to_owned(),
            };
            (legs().any(|leg| leg["id"] == port), repair)
        }
        (None, None) => return,
    };
    if !stands {
        drift
            .said
            .push(format!("{what}: the router has no leg in it"));
        drift.repairs.push(repair);
    }
}

/// A resource, and all that refer to it and can't stand without it.
fn dependents(template: &Template, gone: &str) -> BTreeSet<String> {
    let mut all = BTreeSet::from([gone.to_owned()]);
    loop {
        let before = all.len();
        for (name, resource) in &template.resources {
            let fixed: &[&str] = match resource.kind.as_str() {
                "OS::Neutron::Subnet" => &["network"],
                "OS::Neutron::RouterInterface" => &["router", "subnet", "port"],
                _ => &[],
            };
            let refers = fixed.iter().any(|property| {
                let value = resource.properties.get(*property);
                let target = value.and_then(|value| value["get_resource"].as_str());
                target.is_some_and(|target| all.contains(target))
            });
            if refers {
                all.insert(name.clone());
            }
        }
        if all.len() == before {
            return all;
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may stop at once")]
mod tests {
    use super::*;

    /// What differs once `change` was made to the things of a blade as its template has it.
    fn after(change: impl FnOnce(&mut Things)) -> NetworkDrift {
        let template = json!({ "heat_template_version": "2018-08-31", "resources": {
            "network_front_R1": { "type": "OS::Neutron::Net", "properties": { "name": "b-front" } },
            "subnet_front_R1": { "type": "OS::Neutron::Subnet", "properties": {
                "network": { "get_resource": "network_front_R1" }, "cidr": "10.1.0.0/24", "dns_nameservers": ["192.0.2.53"],
            } },
            "router_users": { "type": "OS::Neutron::Router", "properties": {
                "external_gateway_info": { "network": { "get_param": "external_users" } },
            } },
            "interface_front_R1": { "type": "OS::Neutron::RouterInterface", "properties": {
                "router": { "get_resource": "router_users" }, "subnet": { "get_resource": "subnet_front_R1" },
            } },
            "port-front_web_R2": { "type": "OS::Neutron::Port" },
        } });
        let template: Template = serde_json::from_value(template).unwrap();
        let ids = BTreeMap::from([
            ("network_front_R1", "n"),
            ("subnet_front_R1", "s"),
            ("router_users", "r"),
            ("interface_front_R1", "r:subnet_id=s"),
            ("port-front_web_R2", "p"),
        ]);
        let parameters = BTreeMap::from([("external_users".to_owned(), "x".to_owned())]);
        let mut things = Things {
            networks: vec![json!({ "id": "n", "admin_state_up": true })],
            subnets: vec![
                json!({ "id": "s", "enable_dhcp": true, "gateway_ip": "10.1.0.1",
                "dns_nameservers": ["192.0.2.53"], "host_routes": [] }),
            ],
            routers: vec![json!({ "id": "r", "admin_state_up": true,
                "external_gateway_info": { "network_id": "x", "enable_snat": true } })],
            ports: vec![
                json!({ "id": "p", "admin_state_up": true, "allowed_address_pairs": [] }),
                json!({ "id": "l", "device_id": "r", "fixed_ips": [{ "subnet_id": "s" }] }),
            ],
        };
        change(&mut things);
        compare(&template, &ids, &parameters, &things)
    }

    #[test]
    fn unchanged_networks_are_no_drift() {
        assert_eq!(after(|_| {}), NetworkDrift::default());
    }

    #[test]
    fn each_change_is_named_and_repaired() {
        type Change = fn(&mut Things);
        let cases: [(Change, &str, Repair); 10] = [
            (
                |all| all.networks[0]["admin_state_up"] = json!(false),
                "network \"front\" (network) is disabled",
                Repair::Change("network", "n".into(), json!({ "admin_state_up": true })),
            ),
            (
                |all| all.subnets[0]["enable_dhcp"] = json!(false),
                "network \"front\" (subnet) gives out no addresses by DHCP",
                Repair::Change("subnet", "s".into(), json!({ "enable_dhcp": true })),
            ),
            (
                |all| all.subnets[0]["gateway_ip"] = Value::Null,
                "network \"front\" (subnet) has lost its gateway, or has another",
                Repair::Change("subnet", "s".into(), json!({ "gateway_ip": "10.1.0.1" })),
            ),
            (
                |all| all.subnets[0]["dns_nameservers"] = json!([]),
                "network \"front\" (subnet) gives out other name servers",
                Repair::Change(
                    "subnet",
                    "s".into(),
                    json!({ "dns_nameservers": ["192.0.2.53"] }),
                ),
            ),
            (
                |all| {
                    all.subnets[0]["host_routes"] =
                        json!([{ "destination": "0.0.0.0/0", "nexthop": "10.1.0.9" }])
                },
                "network \"front\" (subnet) gives out other routes",
                Repair::Change("subnet", "s".into(), json!({ "host_routes": [] })),
            ),
            (
                |all| all.routers[0]["admin_state_up"] = json!(false),
                "router for users is disabled",
                Repair::Change("router", "r".into(), json!({ "admin_state_up": true })),
            ),
            (
                |all| all.routers[0]["external_gateway_info"] = Value::Null,
                "router for users has lost its gateway, or has another",
                Repair::Change(
                    "router",
                    "r".into(),
                    json!({ "external_gateway_info": { "network_id": "x" } }),
                ),
            ),
            (
                |all| drop(all.ports.remove(1)),
                "network \"front\" (interface): the router has no leg in it",
                Repair::Join {
                    router: "r".into(),
                    subnet: "s".into(),
                },
            ),
            (
                |all| all.ports[0]["admin_state_up"] = json!(false),
                "port of server \"web\" on network \"front\" is disabled",
                Repair::Change("port", "p".into(), json!({ "admin_state_up": true })),
            ),
            (
                |all| {
                    all.ports[0]["allowed_address_pairs"] = json!([{ "ip_address": "0.0.0.0/0" }])
                },
                "port of server \"web\" on network \"front\" may use other addresses (allowed_address_pairs)",
                Repair::Change("port", "p".into(), json!({ "allowed_address_pairs": [] })),
            ),
        ];
        for (change, said, repair) in cases {
            let drift = after(change);
            assert_eq!(drift.said, [said]);
            assert_eq!(drift.repairs, [repair], "{said}");
            assert!(drift.gone.is_empty(), "{said}");
        }
    }

    #[test]
    fn subnet_gets_its_gateway_before_the_router_gets_its_leg() {
        let drift = after(|all| {
            all.subnets[0]["gateway_ip"] = Value::Null;
            all.ports.remove(1);
        });
        let gateway = json!({ "gateway_ip": "10.1.0.1" });
        let gateway = Repair::Change("subnet", "s".into(), gateway);
        let leg = Repair::Join {
            router: "r".into(),
            subnet: "s".into(),
        };
        assert_eq!(drift.repairs, [gateway, leg]);
    }

    #[test]
    fn lost_router_takes_its_legs_with_it() {
        let drift = after(|all| {
            all.routers.clear();
            all.ports.remove(1);
        });
        assert!(
            drift.said.contains(&"router for users is gone".to_owned()),
            "{:?}",
            drift.said
        );
        let gone = ["interface_front_R1", "router_users"].map(str::to_owned);
        assert_eq!(drift.gone, BTreeSet::from(gone));
        assert!(drift.repairs.is_empty(), "{:?}", drift.repairs);
    }
}

//! Drift of the ways to a blade's servers: their ports, the security groups of these, the floating IPs.
//!
//! Heat looks at none of them again while its template stays the same.

use std::collections::{BTreeMap, BTreeSet};

use mkys_blade::{Revision, Template};
use serde_json::Value;

use crate::cloud::services::heat::{self, Stack};
use crate::cloud::services::network::{self, FloatingIp, Port};
use crate::cloud::{CloudError, Session};

/// What differs from the template.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Ways {
    /// All of it, in words.
    pub(super) said: Vec<String>,
    /// Resources of ports that are gone: the revision of the server that had it is lost.
    cut_off: BTreeSet<String>,
    /// Resources of floating IPs that are gone: Heat has to make others.
    pub(super) gone: Vec<String>,
    /// Floating IPs that lead elsewhere, and the port that each should lead to.
    moved: Vec<(String, String)>,
    /// Ports that have other security groups, and those that each should have.
    regrouped: Vec<(String, Vec<String>)>,
}

impl Ways {
    /// Resources of floating IPs that are gone, as a set.
    pub(super) fn gone_set(&self) -> BTreeSet<String> {
        self.gone.iter().cloned().collect()
    }

    /// Whether a server's revision has lost a port.
    pub(super) fn is_cut_off(&self, server: &str, revision: &Revision) -> bool {
        let end = format!("_{server}_R{revision}");
        self.cut_off.iter().any(|port| port.ends_with(&end))
    }
}

/// Looks at the ways that a stack's template describes.
pub(super) async fn look(
    session: &Session,
    project: &str,
    stack: &Stack,
    template: &Template,
) -> Result<Ways, CloudError> {
    let resources = heat::resources(session, stack).await?;
    let ids = heat::ids(&resources);
    let ports = network::owned_ports(session, project).await?;
    let floating = network::floating_ips(session, project).await?;
    Ok(compare(template, &ids, &ports, &floating))
}

/// Puts back what Neutron can by itself.
pub(super) async fn repair(
    session: &Session,
    project: &str,
    stack: &Stack,
    template: &Template,
) -> Result<(), CloudError> {
    let ways = look(session, project, stack, template).await?;
    for (port, groups) in &ways.regrouped {
        network::set_groups(session, port, groups).await?;
    }
    for (address, port) in &ways.moved {
        network::lead(session, address, port).await?;
    }
    Ok(())
}

fn compare(
    template: &Template,
    ids: &BTreeMap<&str, &str>,
    ports: &[Port],
    floating: &[FloatingIp],
) -> Ways {
    let mut ways = Ways::default();
    let id_of = |value: Option<&Value>| ids.get(value?.get("get_resource")?.as_str()?).copied();
    for (name, resource) in &template.resources {
        let property = |name: &str| resource.properties.get(name);
        // what never came to be is Heat's to make
        let id = ids.get(name.as_str()).copied();
        let words: Vec<_> = name.split('_').collect();
        let (kind, server) = match words[..] {
            [kind, server, ..] => (kind, server),
            _ => continue,
        };
        match resource.kind.as_str() {
            "OS::Neutron::Port" if kind.starts_with("port-") || kind == "ops-port" => {
                let Some(id) = id else { continue };
                let network = kind.strip_prefix("port-").unwrap_or("ops");
                let Some(port) = ports.iter().find(|port| port.id == id) else {
                    let lost =
                        format!("server {server:?} has lost its port on network {network:?}");
                    ways.said.push(lost);
                    ways.cut_off.insert(name.clone());
                    continue;
                };
                let groups = property("security_groups").and_then(Value::as_array);
                let groups = groups.into_iter().flatten().map(|one| id_of(Some(one)));
                let Some(wanted) = groups.collect::<Option<BTreeSet<_>>>() else {
                    continue;
                };
                let seen: BTreeSet<_> = port.security_groups.iter().map(String::as_str).collect();
                if seen != wanted {
                    ways.said.push(format!(
                        "the port of server {server:?} on network {network:?} has other security groups"
                    ));
                    let wanted = wanted.into_iter().map(str::to_owned).collect();
                    ways.regrouped.push((port.id.clone(), wanted));
                }
            }
            "OS::Neutron::FloatingIP" => {
                let audience = kind.strip_prefix("floating-ip-").unwrap_or(kind);
                if id.is_some_and(|id| floating.iter().all(|one| one.id != id)) {
                    let lost =
                        format!("the floating IP of server {server:?} for {audience} is gone");
                    ways.said.push(lost);
                    ways.gone.push(name.clone());
                }
            }
            "OS::Neutron::FloatingIPAssociation" => {
                let (address, port) =
                    (id_of(property("floatingip_id")), id_of(property("port_id")));
                let (Some(address), Some(port)) = (address, port) else {
                    continue;
                };
                let stands = ports.iter().any(|one| one.id == port);
                let found = floating.iter().find(|one| one.id == address);
                if let Some(found) = found.filter(|one| stands && one.port.as_deref() != Some(port))
                {
                    let address = &found.address;
                    let where_to = found.port.as_deref().map_or("nowhere", |_| "elsewhere");
                    ways.said.push(format!(
                        "floating IP {address} of server {server:?} leads {where_to}"
                    ));
                    ways.moved.push((found.id.clone(), port.to_owned()));
                }
            }
            _ => {}
        }
    }
    ways
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may stop at once")]
mod tests {
    use serde_json::json;

    use super::*;

    fn ways(ports: Value, floating: Value) -> Ways {
        let template = json!({ "heat_template_version": "2018-08-31", "resources": {
            "port-front_web_R1": { "type": "OS::Neutron::Port", "properties": {
                "security_groups": [{ "get_resource": "group_web_R2" }, { "get_resource": "backplane_group" }],
            } },
            "ops-router-port_R3": { "type": "OS::Neutron::Port" },
            "floating-ip-users_web": { "type": "OS::Neutron::FloatingIP" },
            "association-users_web": { "type": "OS::Neutron::FloatingIPAssociation", "properties": {
                "floatingip_id": { "get_resource": "floating-ip-users_web" },
                "port_id": { "get_resource": "port-front_web_R1" },
            } },
        } });
        let template: Template = serde_json::from_value(template).unwrap();
        let ids = BTreeMap::from([
            ("port-front_web_R1", "p"),
            ("group_web_R2", "g"),
            ("backplane_group", "b"),
            ("ops-router-port_R3", "r"),
            ("floating-ip-users_web", "f"),
            ("association-users_web", "f:p"),
        ]);
        let ports: Vec<Port> = serde_json::from_value(ports).unwrap();
        let floating: Vec<FloatingIp> = serde_json::from_value(floating).unwrap();
        compare(&template, &ids, &ports, &floating)
    }

    fn port(groups: &[&str]) -> Value {
        json!([{ "id": "p", "security_groups": groups }])
    }

    fn floating(port: Option<&str>) -> Value {
        json!([{ "id": "f", "floating_ip_address": "198.51.100.9", "port_id": port, "status": "ACTIVE" }])
    }

    #[test]
    fn a_way_as_the_template_has_it_is_none_to_speak_of() {
        assert_eq!(
            ways(port(&["b", "g"]), floating(Some("p"))),
            Ways::default()
        );
    }

    #[test]
    fn what_others_changed_is_told_with_what_puts_it_back() {
        let open = ways(port(&["b", "default"]), floating(Some("p")));
        let said = "the port of server \"web\" on network \"front\" has other security groups";
        assert_eq!(open.said, [said]);
        let wanted = vec!["b".to_owned(), "g".to_owned()];
        assert_eq!(open.regrouped, [("p".to_owned(), wanted)]);

        for (port, words) in [(None, "nowhere"), (Some("other"), "elsewhere")] {
            let away = ways(self::port(&["g", "b"]), floating(port));
            let said = format!("floating IP 198.51.100.9 of server \"web\" leads {words}");
            assert_eq!(away.said, [said]);
            assert_eq!(away.moved, [("f".to_owned(), "p".to_owned())]);
        }

        let gone = ways(port(&["g", "b"]), json!([]));
        assert_eq!(
            gone.said,
            ["the floating IP of server \"web\" for users is gone"]
        );
        assert_eq!(gone.gone, ["floating-ip-users_web"]);

        let cut_off = ways(json!([]), floating(None));
        assert_eq!(
            cut_off.said,
            ["server \"web\" has lost its port on network \"front\""]
        );
        assert!(cut_off.moved.is_empty());
        let is_cut_off = |revision: &str| cut_off.is_cut_off("web", &revision.to_owned().into());
        assert!(is_cut_off("1") && !is_cut_off("2"));
    }
}

//! What Heat left behind: things that it made for a blade and lost before it wrote down their ids, because it died meanwhile.
//!
//! They are told by two signs at once: they are in the project that was made for this blade alone, and have the very name and kind that
//! its template gives.

use std::collections::BTreeSet;

use mkys_blade::{Compiled, SERVER_TYPE};
use serde_json::Value;

use super::waiting::{GaveUp, Patience};
use crate::cloud::Session;
use crate::cloud::services::{compute, network};

/// The names that a blade's template gives, with the kind of each.
#[derive(Debug, Default)]
pub(super) struct Names(BTreeSet<(&'static str, String)>);

impl Names {
    /// Those of a compiled definition.
    pub(super) fn of(compiled: &Compiled) -> Self {
        let resources = compiled.template.resources.values();
        let names = resources.filter_map(|one| {
            let kind = match one.kind.as_str() {
                "OS::Neutron::Net" => "network",
                "OS::Neutron::Subnet" => "subnet",
                "OS::Neutron::Router" => "router",
                "OS::Neutron::Port" => "port",
                "OS::Neutron::SecurityGroup" => "security group",
                SERVER_TYPE => "server",
                _ => return None,
            };
            let name = one.properties.get("name").and_then(Value::as_str)?;
            Some((kind, name.to_owned()))
        });
        Self(names.collect())
    }

    /// Whether a thing of this kind and name is one that the template describes.
    pub(super) fn has(&self, kind: &str, name: &str) -> bool {
        self.0
            .iter()
            .any(|(other, known)| *other == kind && known == name)
    }
}

/// Takes away what Heat left in a blade's own project: servers first, then legs, routers, ports, networks and groups.
pub(super) async fn take_away(
    session: &Session,
    project: &str,
    names: &Names,
    mut patience: Patience<'_>,
) -> Result<(), GaveUp> {
    let mut servers = BTreeSet::new();
    for server in compute::servers(session).await? {
        if names.has("server", &server.name) {
            compute::delete(session, &server.id).await?;
            servers.insert(server.id);
        }
    }
    while !servers.is_empty() {
        let now = compute::servers(session).await?;
        servers.retain(|id| now.iter().any(|one| one.id == *id));
        if !servers.is_empty() {
            let still = || format!("Nova still deletes {} servers", servers.len());
            patience.pause(still).await?;
        }
    }
    for router in network::owned(session, "routers", project).await? {
        if !names.has("router", &router.name) {
            continue;
        }
        for leg in network::ports_of(session, &router.id).await? {
            if leg.device_owner.starts_with("network:router_interface") {
                network::remove_interface(session, &router.id, &leg.id).await?;
            }
        }
        network::delete(session, "routers", &router.id).await?;
    }
    for port in network::owned_ports(session, project).await? {
        if names.has("port", &port.name) {
            network::delete_port(session, &port.id).await?;
        }
    }
    for (kind, word) in [
        ("networks", "network"),
        ("security-groups", "security group"),
    ] {
        for thing in network::owned(session, kind, project).await? {
            if names.has(word, &thing.name) {
                network::delete(session, kind, &thing.id).await?;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may stop at once")]
mod tests {
    use mkys_blade::{Definition, Generations, Settings};
    use serde_json::json;

    use super::*;

    #[test]
    fn only_names_of_the_template_are_leftovers() {
        let definition: Definition = serde_json::from_value(json!({
            "name": "r4",
            "networks": { "front": { "cidr": "10.1.0.0/24" } },
            "servers": { "web": { "image": "i", "flavor": "f", "networks": ["front"] } },
            "services": { "ssh": { "server": "web", "port": 22, "audiences": ["devops"] } },
        }))
        .unwrap();
        let compiled = definition
            .validate()
            .unwrap()
            .compile(&Settings::default(), &Generations::new());
        let names = Names::of(&compiled);
        for (kind, name, expected) in [
            ("router", "r4-devops", true),
            ("port", "r4-ops-router", true),
            ("server", "r4-web", true),
            ("security group", "r4-backplane", true),
            ("router", "r4-web", false),
            ("router", "mine", false),
            ("port", "", false),
        ] {
            assert_eq!(names.has(kind, name), expected, "{kind} {name}");
        }
    }
}

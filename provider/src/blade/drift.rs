//! What others changed on the cloud: found on refresh, repaired by the next apply.

use std::collections::{BTreeMap, BTreeSet};

use mkys_blade::Template;
use serde_json::Value;

use crate::cloud::services::heat::{self, Stack};
use crate::cloud::services::network::{self, Rule};
use crate::cloud::{CloudError, Session};

/// A rule of a security group, as a template and as Neutron have it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Allowed {
    protocol: String,
    port: Option<u16>,
    from: String,
}

impl Allowed {
    fn of_template(rule: &Value) -> Option<Self> {
        let port = rule.get("port_range_min").and_then(Value::as_u64);
        Some(Self {
            protocol: rule.get("protocol")?.as_str()?.to_owned(),
            port: port.and_then(|port| u16::try_from(port).ok()),
            from: rule.get("remote_ip_prefix")?.as_str()?.to_owned(),
        })
    }

    fn of_neutron(rule: &Rule) -> Self {
        Self {
            protocol: rule
                .protocol
                .clone()
                .unwrap_or_else(|| "any protocol".to_owned()),
            port: rule.port_range_min,
            from: rule
                .remote_ip_prefix
                .clone()
                .unwrap_or_else(|| "anywhere".to_owned()),
        }
    }

    fn said(&self) -> String {
        let port = self
            .port
            .map_or_else(String::new, |port| format!(" {port}"));
        format!("{}{port} from {}", self.protocol, self.from)
    }
}

/// Differences between a group's template and its rules in Neutron.
struct GroupDrift {
    server: String,
    group: String,
    missing: BTreeSet<Allowed>,
    surplus: Vec<Rule>,
}

/// What of a blade's security groups is not as its template has it, in words.
pub(super) async fn observe(
    session: &Session,
    stack: &Stack,
    template: &Template,
) -> Result<Vec<String>, CloudError> {
    let mut said = Vec::new();
    for drift in groups(session, stack, template).await? {
        let server = &drift.server;
        said.extend(drift.missing.iter().map(|rule| {
            format!(
                "security group of server {server:?}: the rule for {} is missing",
                rule.said()
            )
        }));
        said.extend(drift.surplus.iter().map(|rule| {
            let rule = Allowed::of_neutron(rule).said();
            format!("security group of server {server:?}: somebody added a rule for {rule}")
        }));
    }
    Ok(said)
}

/// Puts the rules back. Heat would not: its template has not changed.
pub(super) async fn repair(
    session: &Session,
    stack: &Stack,
    template: &Template,
) -> Result<(), CloudError> {
    for drift in groups(session, stack, template).await? {
        for Allowed {
            protocol,
            port,
            from,
        } in &drift.missing
        {
            let allowed = network::allow(session, &drift.group, protocol, *port, from, "").await;
            match allowed {
                Err(error) if error.is_conflict() => {} // Heat was quicker
                other => drop(other?),
            }
        }
        for rule in &drift.surplus {
            network::delete_rule(session, &rule.id).await?;
        }
    }
    Ok(())
}

async fn groups(
    session: &Session,
    stack: &Stack,
    template: &Template,
) -> Result<Vec<GroupDrift>, CloudError> {
    let resources = heat::resources(session, stack).await?;
    let ids: BTreeMap<_, _> = resources
        .iter()
        .map(|one| {
            (
                one.resource_name.as_str(),
                one.physical_resource_id.as_str(),
            )
        })
        .collect();
    let mut found = Vec::new();
    for (name, resource) in &template.resources {
        let Some(server) = name.strip_prefix("group_") else {
            continue;
        };
        let server = server
            .rsplit_once("_R")
            .map_or(server, |(server, _)| server);
        let Some(group) = ids.get(name.as_str()).filter(|id| !id.is_empty()) else {
            continue;
        };
        let rules = resource.properties.get("rules").and_then(Value::as_array);
        let wanted: BTreeSet<_> = rules
            .into_iter()
            .flatten()
            .filter_map(Allowed::of_template)
            .collect();
        let there: Vec<_> = network::rules(session, group)
            .await?
            .into_iter()
            .filter(|rule| rule.direction == "ingress")
            .collect();
        let seen: BTreeSet<_> = there.iter().map(Allowed::of_neutron).collect();
        let drift = GroupDrift {
            server: server.to_owned(),
            group: (*group).to_owned(),
            missing: wanted.difference(&seen).cloned().collect(),
            surplus: there
                .into_iter()
                .filter(|rule| !wanted.contains(&Allowed::of_neutron(rule)))
                .collect(),
        };
        if !drift.missing.is_empty() || !drift.surplus.is_empty() {
            found.push(drift);
        }
    }
    Ok(found)
}

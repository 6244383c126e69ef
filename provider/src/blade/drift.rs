//! Drift of a blade's security groups: found on refresh, repaired by the next apply.
//!
//! A rule is compared whole: one that is wider by a port range, a group or an IP version is another rule.

use std::collections::{BTreeMap, BTreeSet};

use mkys_blade::Template;
use mkys_plugin::{Diagnostic, Diagnostics};
use serde_json::Value;

use crate::cloud::services::heat::{self, Stack};
use crate::cloud::services::network::{self, Rule};
use crate::cloud::{CloudError, Session};

/// A rule of a security group, as a template and as Neutron have it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Allowed {
    is_egress: bool,
    ethertype: String,
    protocol: Option<String>,
    ports: Option<(u16, u16)>,
    /// CIDR, or the id of a group; `None`: anywhere.
    peer: Option<String>,
}

impl Allowed {
    fn of_template(rule: &Value) -> Option<Self> {
        let port = |name| {
            rule.get(name)
                .and_then(Value::as_u64)
                .and_then(|port| u16::try_from(port).ok())
        };
        Some(Self {
            is_egress: false,
            ethertype: "IPv4".to_owned(),
            protocol: Some(rule.get("protocol")?.as_str()?.to_owned()),
            ports: port("port_range_min").zip(port("port_range_max")),
            peer: Some(rule.get("remote_ip_prefix")?.as_str()?.to_owned()),
        })
    }

    /// What Neutron gives each new group, and Heat leaves in place where a template has no rules for egress.
    fn out(ethertype: &str) -> Self {
        Self {
            is_egress: true,
            ethertype: ethertype.to_owned(),
            protocol: None,
            ports: None,
            peer: None,
        }
    }

    fn of_neutron(rule: &Rule) -> Self {
        let group = rule
            .remote_group_id
            .as_ref()
            .map(|id| format!("group {id}"));
        Self {
            is_egress: rule.direction == "egress",
            ethertype: rule.ethertype.clone().unwrap_or_else(|| "IPv4".to_owned()),
            protocol: rule.protocol.clone(),
            ports: rule.port_range_min.zip(rule.port_range_max),
            peer: rule.remote_ip_prefix.clone().or(group),
        }
    }

    fn said(&self) -> String {
        let protocol = self.protocol.as_deref().unwrap_or("any protocol");
        let ports = match self.ports {
            None => String::new(),
            Some((first, last)) if first == last => format!(" {first}"),
            Some((first, last)) => format!(" {first}-{last}"),
        };
        let version = if self.ethertype == "IPv4" {
            ""
        } else {
            " over IPv6"
        };
        let peer = self.peer.as_deref().unwrap_or("anywhere");
        let direction = if self.is_egress { "to" } else { "from" };
        format!("{protocol}{ports}{version} {direction} {peer}")
    }
}

/// Differences between a group's template and its rules in Neutron.
struct GroupDrift {
    server: String,
    group: String,
    missing: BTreeSet<Allowed>,
    surplus: Vec<Rule>,
}

impl GroupDrift {
    fn between(server: &str, group: &str, wanted: &BTreeSet<Allowed>, there: Vec<Rule>) -> Self {
        let seen: BTreeSet<_> = there.iter().map(Allowed::of_neutron).collect();
        let is_surplus = |rule: &Rule| !wanted.contains(&Allowed::of_neutron(rule));
        Self {
            server: server.to_owned(),
            group: group.to_owned(),
            missing: wanted.difference(&seen).cloned().collect(),
            surplus: there.into_iter().filter(is_surplus).collect(),
        }
    }

    fn said(&self) -> Vec<String> {
        let server = &self.server;
        let missing = self.missing.iter().map(|rule| {
            let rule = rule.said();
            format!("security group of server {server:?}: the rule for {rule} is missing")
        });
        let surplus = self.surplus.iter().map(|rule| {
            let rule = Allowed::of_neutron(rule).said();
            format!("security group of server {server:?}: somebody added a rule for {rule}")
        });
        missing.chain(surplus).collect()
    }
}

/// Names what of a blade's security groups is not as its template has it.
pub(super) async fn observe(
    session: &Session,
    stack: &Stack,
    template: &Template,
) -> Result<Vec<String>, CloudError> {
    let drift = groups(session, stack, template).await?;
    Ok(drift.iter().flat_map(GroupDrift::said).collect())
}

/// Takes away the rules that others added. Before Heat is asked: it can't replace a group's rules while one of them is another project's,
/// which only a cloud's administrator may delete; `own` is the credential's own session.
pub(super) async fn take_surplus_away(
    own: &Session,
    session: &Session,
    stack: &Stack,
    template: &Template,
) -> Result<(), Diagnostics> {
    for drift in groups(session, stack, template).await? {
        for rule in &drift.surplus {
            let deleted = match network::delete_rule(session, &rule.id).await {
                Err(error) if error.is_forbidden() => network::delete_rule(own, &rule.id).await,
                other => other,
            };
            match deleted {
                Err(error) if error.is_forbidden() => {
                    return Err(not_ours(&drift, rule, &error).into());
                }
                other => other?,
            }
        }
    }
    Ok(())
}

fn not_ours(drift: &GroupDrift, rule: &Rule, error: &CloudError) -> Diagnostic {
    let project = rule.project_id.as_deref().unwrap_or("another project");
    let (server, allowed) = (&drift.server, Allowed::of_neutron(rule).said());
    let detail = format!(
        "{}\nProject {project} made the rule, and Neutron lets no other delete it. Nothing else of the blade was changed. Next: have a member of \
         that project, or an administrator, run `openstack security group rule delete {}`, and apply again.",
        error.told(),
        rule.id
    );
    let summary = format!("A rule of another project opens server {server:?} to {allowed}");
    Diagnostic::error(summary, detail)
}

/// Puts rules back that are missing. Heat would not: its template has not changed.
pub(super) async fn repair(
    session: &Session,
    stack: &Stack,
    template: &Template,
) -> Result<(), CloudError> {
    for drift in groups(session, stack, template).await? {
        let group = &drift.group;
        for rule in &drift.missing {
            let made = match rule.is_egress {
                true => network::allow_out(session, group, &rule.ethertype).await,
                false => {
                    let protocol = rule.protocol.as_deref().unwrap_or_default();
                    let (port, from) = (rule.ports.map(|(first, _)| first), rule.peer.as_deref());
                    network::allow(session, group, protocol, port, from.unwrap_or_default(), "")
                        .await
                }
            };
            match made {
                Err(error) if error.is_conflict() => {} // Heat was quicker
                other => drop(other?),
            }
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
        let rules = rules.into_iter().flatten().filter_map(Allowed::of_template);
        let wanted = rules.chain(["IPv4", "IPv6"].map(Allowed::out)).collect();
        let there = network::rules(session, group).await?;
        let drift = GroupDrift::between(server, group, &wanted, there);
        if !drift.missing.is_empty() || !drift.surplus.is_empty() {
            found.push(drift);
        }
    }
    Ok(found)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may stop at once")]
mod tests {
    use serde_json::json;

    use super::*;

    fn said(rules: Value) -> Vec<String> {
        let site = json!({ "protocol": "tcp", "port_range_min": 82, "port_range_max": 82, "remote_ip_prefix": "198.51.100.3/32" });
        let wanted = [
            Allowed::of_template(&site).unwrap(),
            Allowed::out("IPv4"),
            Allowed::out("IPv6"),
        ];
        let there: Vec<Rule> = serde_json::from_value(rules).unwrap();
        GroupDrift::between("web", "g", &BTreeSet::from(wanted), there).said()
    }

    /// The rules as the template has them, with this one in place of the site's.
    fn with(site: Value) -> Value {
        let out = |ethertype: &str| json!({ "id": ethertype, "direction": "egress", "ethertype": ethertype });
        json!([site, out("IPv4"), out("IPv6")])
    }

    fn site() -> Value {
        json!({ "id": "1", "direction": "ingress", "ethertype": "IPv4", "protocol": "tcp", "port_range_min": 82,
            "port_range_max": 82, "remote_ip_prefix": "198.51.100.3/32" })
    }

    #[test]
    fn unchanged_rules_are_no_drift() {
        assert_eq!(said(with(site())), [""; 0]);
    }

    #[test]
    fn changed_rule_is_missing_and_surplus() {
        let missing =
            "security group of server \"web\": the rule for tcp 82 from 198.51.100.3/32 is missing";
        for (key, value, added) in [
            (
                "port_range_max",
                json!(65535),
                "tcp 82-65535 from 198.51.100.3/32",
            ),
            (
                "remote_ip_prefix",
                json!("0.0.0.0/0"),
                "tcp 82 from 0.0.0.0/0",
            ),
            ("remote_ip_prefix", Value::Null, "tcp 82 from anywhere"),
            (
                "protocol",
                Value::Null,
                "any protocol 82 from 198.51.100.3/32",
            ),
            (
                "ethertype",
                json!("IPv6"),
                "tcp 82 over IPv6 from 198.51.100.3/32",
            ),
        ] {
            let mut rule = site();
            rule[key] = value;
            let added =
                format!("security group of server \"web\": somebody added a rule for {added}");
            assert_eq!(said(with(rule)), [missing, &added], "{key}");
        }
    }

    #[test]
    fn rule_for_a_group_is_surplus() {
        let mut rules = with(site());
        let mut other = site();
        other["remote_ip_prefix"] = Value::Null;
        other["remote_group_id"] = json!("default");
        rules.as_array_mut().unwrap().push(other);
        assert_eq!(
            said(rules),
            [
                "security group of server \"web\": somebody added a rule for tcp 82 from group default"
            ]
        );
    }

    #[test]
    fn missing_egress_is_drift() {
        let rules = json!([site()]);
        let missing = |version: &str| {
            format!(
                "security group of server \"web\": the rule for any protocol{version} to anywhere is missing"
            )
        };
        assert_eq!(said(rules), [missing(""), missing(" over IPv6")]);
    }
}

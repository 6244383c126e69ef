//! Policies as people write them, and the table that they become.

use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::*;

fn object<T: DeserializeOwned>(value: Value) -> Arc<T> {
    Arc::new(serde_json::from_value(value).unwrap())
}

fn pod(namespace: &str, name: &str, address: &str, more: Value) -> Arc<Pod> {
    let mut pod = json!({
        "metadata": {"namespace": namespace, "name": name, "labels": {"app": name}},
        "spec": {"containers": [{"name": "only", "ports": [{"name": "web", "containerPort": 8080}]}]},
        "status": {"phase": "Running", "podIP": address},
    });
    for (part, fields) in more.as_object().unwrap() {
        for (key, value) in fields.as_object().unwrap() {
            pod[part][key] = value.clone();
        }
    }
    object(pod)
}

fn policy(name: &str, spec: Value) -> Arc<NetworkPolicy> {
    object(json!({"metadata": {"namespace": "runs", "name": name}, "spec": spec}))
}

fn world(policies: Vec<Arc<NetworkPolicy>>) -> World {
    let namespace =
        |name: &str| object(json!({"metadata": {"name": name, "labels": {"of": name}}}));
    World {
        policies,
        pods: vec![
            pod("runs", "a", "10.244.0.5", json!({})),
            pod("runs", "b", "10.244.0.6", json!({})),
            pod("other", "c", "10.244.0.7", json!({})),
            pod(
                "runs",
                "ended",
                "10.244.0.8",
                json!({"status": {"phase": "Succeeded"}}),
            ),
            pod(
                "runs",
                "machine",
                "10.244.0.1",
                json!({"spec": {"hostNetwork": true}}),
            ),
            object(
                json!({"metadata": {"namespace": "runs", "name": "young"}, "status": {"phase": "Pending"}}),
            ),
        ],
        namespaces: vec![namespace("runs"), namespace("other")],
    }
}

/// The rules of the chain of a pod's in a direction; `None` when it is free.
fn allowed(world: &World, chain: &str) -> Option<Vec<String>> {
    let text = table(world);
    let lines = text.split(&format!("chain {chain} {{\n")).nth(1)?;
    let rules = lines.lines().take_while(|line| line.trim() != "}");
    Some(rules.map(|line| line.trim().to_owned()).collect())
}

#[test]
fn a_world_without_policies_knows_its_pods_alone() {
    insta::assert_snapshot!(table(&world(Vec::new())));
}

#[test]
fn policies_become_chains() {
    let deny = policy(
        "deny",
        json!({"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}),
    );
    let allow = policy(
        "allow",
        json!({
            "podSelector": {"matchLabels": {"app": "a"}},
            "policyTypes": ["Ingress", "Egress"],
            "ingress": [{"from": [{"podSelector": {"matchLabels": {"app": "b"}}}], "ports": [{"port": "web"}]}],
            "egress": [{"to": [{"ipBlock": {"cidr": "0.0.0.0/0", "except": ["10.0.0.0/8", "192.0.2.0/24"]}}],
                        "ports": [{"port": 1000, "endPort": 2000, "protocol": "UDP"}]}],
        }),
    );
    insta::assert_snapshot!(table(&world(vec![deny, allow])));
}

#[test]
fn rules_read_as_people_mean_them() {
    let b = json!({"podSelector": {"matchLabels": {"app": "b"}}});
    let other = json!({"namespaceSelector": {"matchLabels": {"of": "other"}}});
    for (rule, expected) in [
        // nobody named is everybody
        (json!({}), vec!["return"]),
        (json!({"from": []}), vec!["return"]),
        (json!({"from": [b]}), vec!["ip saddr { 10.244.0.6 } return"]),
        (
            json!({"from": [other]}),
            vec!["ip saddr { 10.244.0.7 } return"],
        ),
        // both in one: pods of those labels, there
        (
            json!({"from": [{"podSelector": {"matchLabels": {"app": "b"}}, "namespaceSelector": {"matchLabels": {"of": "other"}}}]}),
            vec![],
        ),
        (
            json!({"from": [{"podSelector": {"matchExpressions": [{"key": "app", "operator": "NotIn", "values": ["a"]}]}}]}),
            vec!["ip saddr { 10.244.0.6 } return"],
        ),
        // two in a list: either
        (
            json!({"from": [b, other]}),
            vec![
                "ip saddr { 10.244.0.6 } return",
                "ip saddr { 10.244.0.7 } return",
            ],
        ),
        (
            json!({"from": [{"podSelector": {"matchLabels": {"app": "nobody"}}}]}),
            vec![],
        ),
        (
            json!({"from": [{"ipBlock": {"cidr": "2001:db8::/32"}}]}),
            vec![],
        ),
        (
            json!({"ports": [{"protocol": "UDP"}]}),
            vec!["meta l4proto udp return"],
        ),
        (
            json!({"ports": [{"port": 80}, {"port": 53, "protocol": "UDP"}]}),
            vec!["tcp dport 80 return", "udp dport 53 return"],
        ),
        (
            json!({"ports": [{"port": "web"}]}),
            vec!["tcp dport 8080 return"],
        ),
        (json!({"ports": [{"port": "unknown"}]}), vec![]),
    ] {
        let one = policy(
            "one",
            json!({"podSelector": {"matchLabels": {"app": "a"}}, "ingress": [rule]}),
        );
        let mut expected: Vec<_> = expected.into_iter().map(str::to_owned).collect();
        expected.push("counter drop".to_owned());
        let world = world(vec![one]);
        assert_eq!(
            allowed(&world, "ingress_10_244_0_5"),
            Some(expected),
            "{rule}"
        );
        assert_eq!(allowed(&world, "egress_10_244_0_5"), None, "{rule}");
        assert_eq!(allowed(&world, "ingress_10_244_0_6"), None, "{rule}");
    }
}

#[test]
fn a_port_of_a_name_is_the_receivers() {
    let out = |to: Value| {
        let rule = json!({"to": to, "ports": [{"port": "web"}]});
        let one = policy(
            "one",
            json!({"podSelector": {"matchLabels": {"app": "a"}}, "policyTypes": ["Egress"], "egress": [rule]}),
        );
        let rules = allowed(&world(vec![one]), "egress_10_244_0_5").unwrap();
        rules.len() - 1
    };
    assert_eq!(out(json!([])), 3);
    assert_eq!(
        out(json!([{"podSelector": {"matchLabels": {"app": "b"}}}])),
        1
    );
    assert_eq!(out(json!([{"ipBlock": {"cidr": "0.0.0.0/0"}}])), 0);
}

#[test]
fn a_policy_is_of_its_namespace_alone() {
    let deny = policy("deny", json!({"podSelector": {}}));
    let world = world(vec![deny]);
    assert!(allowed(&world, "ingress_10_244_0_5").is_some());
    assert!(allowed(&world, "ingress_10_244_0_7").is_none());
}

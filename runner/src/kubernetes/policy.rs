//! Network policies: who reaches runs, and what they reach. They are furniture: the namespace's, made before the first run. Pure.

use std::collections::BTreeMap;

use ipnet::IpNet;
use k8s_openapi::api::networking::v1::{
    IPBlock, NetworkPolicy, NetworkPolicyEgressRule, NetworkPolicyIngressRule, NetworkPolicyPeer,
    NetworkPolicySpec,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta};

use super::names;

const INGRESS: &str = "Ingress";
const OUTWARD: &str = "Egress";

/// A namespace's policies, the same for all owners: nothing reaches a run and it reaches nothing; a session is reached from its edge; a
/// run that may reach out does.
pub(super) fn policies(edge: &[IpNet]) -> Vec<NetworkPolicy> {
    let closed = policy("mkys-runs-closed".to_owned(), &[], |spec| {
        spec.policy_types = Some(vec![INGRESS.to_owned(), OUTWARD.to_owned()]);
    });
    let egress = policy(
        "mkys-runs-egress".to_owned(),
        &[(names::EGRESS, "yes")],
        |spec| {
            spec.policy_types = Some(vec![OUTWARD.to_owned()]);
            spec.egress = Some(vec![NetworkPolicyEgressRule::default()]);
        },
    );
    // a rule without peers is one for all of them
    let sessions = (!edge.is_empty()).then(|| sessions(edge));
    [closed, egress].into_iter().chain(sessions).collect()
}

fn sessions(edge: &[IpNet]) -> NetworkPolicy {
    let word = names::edge(edge);
    let selects = [(names::KIND, names::SESSION), (names::EDGE, word.as_str())];
    let from = edge.iter().map(|network| NetworkPolicyPeer {
        ip_block: Some(IPBlock {
            cidr: network.to_string(),
            except: None,
        }),
        ..NetworkPolicyPeer::default()
    });
    let edge_alone = NetworkPolicyIngressRule {
        from: Some(from.collect()),
        ports: None,
    };
    policy(format!("mkys-sessions-{word}"), &selects, |spec| {
        spec.policy_types = Some(vec![INGRESS.to_owned()]);
        spec.ingress = Some(vec![edge_alone]);
    })
}

fn policy(
    name: String,
    selects: &[(&str, &str)],
    rules: impl FnOnce(&mut NetworkPolicySpec),
) -> NetworkPolicy {
    let selects = selects.iter().copied().chain([names::MANAGED_BY]);
    let selects: BTreeMap<_, _> = selects
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .collect();
    let (key, value) = names::MANAGED_BY;
    let mut spec = NetworkPolicySpec {
        pod_selector: Some(LabelSelector {
            match_labels: Some(selects),
            match_expressions: None,
        }),
        ..NetworkPolicySpec::default()
    };
    rules(&mut spec);
    NetworkPolicy {
        metadata: ObjectMeta {
            name: Some(name),
            labels: Some([(key.to_owned(), value.to_owned())].into()),
            ..ObjectMeta::default()
        },
        spec: Some(spec),
    }
}

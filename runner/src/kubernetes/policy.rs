//! Network policies: who reaches runs, and what they reach. They are furniture: an owner's, made before its first run. Pure.

use std::collections::BTreeMap;

use ipnet::IpNet;
use k8s_openapi::api::networking::v1::{
    IPBlock, NetworkPolicy, NetworkPolicyEgressRule, NetworkPolicyIngressRule, NetworkPolicyPeer,
    NetworkPolicySpec,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta};

use super::names;
use crate::spec::Owner;

const INGRESS: &str = "Ingress";
const OUTWARD: &str = "Egress";

/// An owner's policies: nothing reaches its runs and they reach nothing; sessions are reached from the edge; runs that may reach out do.
pub(super) fn policies(owner: &Owner, edge: &[IpNet]) -> [NetworkPolicy; 3] {
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
    // a rule without peers is one for all of them
    let ingress = (!edge.is_empty()).then(|| vec![edge_alone]);
    [
        policy(owner, "closed", &[], |spec| {
            spec.policy_types = Some(vec![INGRESS.to_owned(), OUTWARD.to_owned()]);
        }),
        policy(
            owner,
            "sessions",
            &[(names::KIND, names::SESSION)],
            |spec| {
                spec.policy_types = Some(vec![INGRESS.to_owned()]);
                spec.ingress = ingress;
            },
        ),
        policy(owner, "egress", &[(names::EGRESS, "yes")], |spec| {
            spec.policy_types = Some(vec![OUTWARD.to_owned()]);
            spec.egress = Some(vec![NetworkPolicyEgressRule::default()]);
        }),
    ]
}

fn policy(
    owner: &Owner,
    what: &str,
    selects: &[(&str, &str)],
    rules: impl FnOnce(&mut NetworkPolicySpec),
) -> NetworkPolicy {
    let selects = selects
        .iter()
        .copied()
        .chain([(names::OWNER, owner.as_str())]);
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
            name: Some(format!("mkys-{owner}-{what}")),
            labels: Some([(key.to_owned(), value.to_owned())].into()),
            ..ObjectMeta::default()
        },
        spec: Some(spec),
    }
}

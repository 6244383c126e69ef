//! Whether a component answers: one real request, no waiting.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use k8s_openapi::api::core::v1::Node;

use super::api;
use super::component::Probe;
use crate::lab::external;

const PATIENCE: Duration = Duration::from_secs(5);

/// Asks once.
pub(super) fn answers(kubeconfig: &Path, probe: &Probe) -> bool {
    match probe {
        Probe::Http(address) => http(address),
        Probe::Https(address) => api::answers(kubeconfig, address),
        Probe::Command(words) => {
            let words: Vec<_> = words.iter().map(String::as_str).collect();
            external::succeeds(&words)
        }
        Probe::Node(has) => api::node(kubeconfig).is_some_and(|node| gives(&node, has)),
    }
}

fn http(address: &str) -> bool {
    let config = ureq::Agent::config_builder().timeout_global(Some(PATIENCE));
    let agent: ureq::Agent = config.build().into();
    agent.get(address).call().is_ok()
}

fn gives(node: &Node, has: &BTreeMap<String, String>) -> bool {
    let status = node.status.as_ref();
    let mut conditions = status
        .and_then(|status| status.conditions.as_ref())
        .into_iter()
        .flatten();
    let is_ready = conditions.any(|one| one.type_ == "Ready" && one.status == "True");
    let gives = status.and_then(|status| status.allocatable.as_ref());
    let has_all = has.iter().all(|(resource, count)| {
        let given = gives.and_then(|gives| gives.get(resource));
        given.is_some_and(|given| given.0 == *count)
    });
    is_ready && has_all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_is_ready_when_it_says_so_and_has_what_is_wanted() {
        let node = |ready: &str, gpus: &str| -> Node {
            serde_json::from_value(serde_json::json!({"metadata": {}, "status": {
                "conditions": [{"type": "Ready", "status": ready}], "allocatable": {"gpu": gpus},
            }}))
            .unwrap()
        };
        let two = BTreeMap::from([("gpu".to_owned(), "2".to_owned())]);
        for (node, has, expected) in [
            (node("True", "2"), &two, true),
            (node("True", "0"), &two, false),
            (node("False", "2"), &two, false),
            (node("True", "0"), &BTreeMap::new(), true),
            (Node::default(), &BTreeMap::new(), false),
        ] {
            assert_eq!(gives(&node, has), expected, "{node:?}");
        }
    }
}

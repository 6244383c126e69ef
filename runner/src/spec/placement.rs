//! Where on a cluster a run may be put, and in which order.

use std::borrow::Cow;
use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::SpecError;

/// Where a run is put by Kubernetes. A container engine has one machine and no queue, and takes no notice of it.
#[derive(
    Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema, bon::Builder,
)]
#[serde(deny_unknown_fields, default)]
pub struct Placement {
    /// The Kueue queue (`LocalQueue`) that it waits in for its turn.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[builder(into)]
    pub queue: Option<String>,
    /// The priority class.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[builder(into)]
    pub priority_class: Option<String>,
    /// The runtime class, such as one that keeps runs apart by virtual machines.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[builder(into)]
    pub runtime_class: Option<String>,
    /// Labels that its node has, such as the model of its GPUs.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    #[builder(default)]
    pub node_selector: BTreeMap<String, String>,
    /// Taints that its node may have.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[builder(default)]
    pub tolerations: Vec<Toleration>,
}

/// A taint that a run's node may have.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema, bon::Builder)]
#[serde(deny_unknown_fields)]
pub struct Toleration {
    /// The taint's key.
    #[builder(into)]
    pub key: String,
    /// The taint's value; any, if there is none.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[builder(into)]
    pub value: Option<String>,
}

impl Placement {
    pub(super) fn check(&self) -> Result<(), SpecError> {
        let Self {
            queue,
            priority_class,
            runtime_class,
            node_selector,
            tolerations,
        } = self;
        let fault = |field: &str, value: &str, what: &str| SpecError {
            field: Cow::Owned(format!("container.placement.{field}")),
            reason: Cow::Owned(format!("{value:?} is no {what}")),
        };
        let names = [
            ("queue", queue),
            ("priority_class", priority_class),
            ("runtime_class", runtime_class),
        ];
        for (field, name) in names {
            if let Some(name) = name.as_deref().filter(|name| !is_name(name)) {
                return Err(fault(field, name, "name of Kubernetes'"));
            }
        }
        let taints = tolerations
            .iter()
            .map(|one| ("tolerations", &one.key, one.value.as_ref()));
        let labels = node_selector
            .iter()
            .map(|(key, value)| ("node_selector", key, Some(value)));
        for (field, key, value) in labels.chain(taints) {
            if !is_key(key) {
                return Err(fault(field, key, "key of a label or a taint"));
            }
            if let Some(value) = value.filter(|value| !value.is_empty() && !is_word(value)) {
                return Err(fault(field, value, "value of a label or a taint"));
            }
        }
        Ok(())
    }
}

/// The name of an object: parts of lower-case letters, digits and hyphens between dots.
fn is_name(name: &str) -> bool {
    let is_part = |part: &str| {
        let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        !part.is_empty()
            && part.chars().all(inner)
            && !part.starts_with('-')
            && !part.ends_with('-')
    };
    name.len() <= 253 && name.split('.').all(is_part)
}

/// A word, after a prefix that is a name where there is one.
fn is_key(key: &str) -> bool {
    match key.split_once('/') {
        Some((prefix, word)) => is_name(prefix) && is_word(word),
        None => is_word(key),
    }
}

fn is_word(word: &str) -> bool {
    let inner = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    let ends = |c: char| c.is_ascii_alphanumeric();
    word.len() <= 63 && word.chars().all(inner) && word.starts_with(ends) && word.ends_with(ends)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may stop at once")]
mod tests {
    use super::*;

    fn placement(json: &str) -> Result<(), String> {
        let placement: Placement = serde_json::from_str(json).unwrap();
        placement.check().map_err(|error| error.to_string())
    }

    #[test]
    fn what_kubernetes_would_refuse_is_refused() {
        let good = r#"{"queue": "gpu", "node_selector": {"nvidia.com/gpu.product": "H100"}, "tolerations": [{"key": "gpu"}]}"#;
        assert_eq!(placement(good), Ok(()));
        let table = [
            (
                r#"{"queue": "GPU queue"}"#,
                "container.placement.queue: \"GPU queue\" is no name of Kubernetes'",
            ),
            (
                r#"{"node_selector": {"a/b/c": "x"}}"#,
                "container.placement.node_selector: \"a/b/c\" is no key of a label or a taint",
            ),
            (
                r#"{"tolerations": [{"key": "gpu", "value": "-"}]}"#,
                "container.placement.tolerations: \"-\" is no value of a label or a taint",
            ),
        ];
        for (json, reason) in table {
            assert_eq!(placement(json).unwrap_err(), reason);
        }
    }
}

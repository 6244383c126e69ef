//! Whom a selector of labels means.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use kube::core::{Selector, SelectorExt as _};

/// Whether labels are of those that are meant. No selector means all; one that can't be read means nobody.
pub(super) fn selects(
    selector: Option<&LabelSelector>,
    labels: Option<&BTreeMap<String, String>>,
) -> bool {
    let none = BTreeMap::new();
    selector.is_none_or(|selector| {
        Selector::try_from(selector.clone())
            .is_ok_and(|selector| selector.matches(labels.unwrap_or(&none)))
    })
}

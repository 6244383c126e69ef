//! The attributes' own checks, on every value that is set and known.

use std::collections::BTreeMap;

use super::align::objects;
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::path::{Path, Step};
use crate::schema::{Attribute, Shape};
use crate::value::Value;

/// Runs the attributes' own checks on a configuration.
pub(crate) fn check(attributes: &BTreeMap<String, Attribute>, config: &Value) -> Diagnostics {
    let mut found = Diagnostics::new();
    walk(attributes, config, &[], true, &mut found);
    found
}

fn walk(
    attributes: &BTreeMap<String, Attribute>,
    object: &Value,
    within: &[Step],
    has_address: bool,
    found: &mut Diagnostics,
) {
    let Value::Map(object) = object else { return };
    for (name, attribute) in attributes {
        let Some(value) = object
            .get(name)
            .filter(|value| !value.is_null() && !value.is_unknown())
        else {
            continue;
        };
        let mut steps = within.to_vec();
        // Elements of a set have no address in the protocol: what is within is reported at the set.
        if has_address {
            steps.push(Step::Attribute(name.clone()));
        }
        for check in &attribute.behaviour.checks {
            if let Err(reason) = check(value) {
                let path: Path = steps.iter().cloned().collect();
                let summary = format!("Invalid value for {name}");
                found.push(Diagnostic::error(summary, reason).at(path));
            }
        }
        let Shape::Nested(nesting, nested) = &attribute.shape else {
            continue;
        };
        let mut value = value.clone();
        for (place, object) in objects(*nesting, &mut value) {
            let mut steps = steps.clone();
            steps.extend(place.step());
            let has_address = has_address && !place.is_in_set();
            let object = Value::Map(std::mem::take(object));
            walk(&nested.attributes, &object, &steps, has_address, found);
        }
    }
}

//! Write-only attributes: never in a plan or a state.

use std::collections::BTreeMap;

use super::align::{Object, objects};
use crate::path::{Path, Step};
use crate::schema::{Attribute, Shape};
use crate::value::Value;

/// Takes the values of write-only attributes out.
pub(crate) fn without_write_only(attributes: &BTreeMap<String, Attribute>, value: &mut Value) {
    if let Value::Map(object) = value {
        visit(attributes, object, &[], &mut |_, value| {
            *value = Value::Null
        });
    }
}

/// The write-only attributes that a configuration sets.
pub(crate) fn given_write_only(
    attributes: &BTreeMap<String, Attribute>,
    config: &Value,
) -> Vec<Path> {
    let mut found = Vec::new();
    if let Value::Map(object) = config {
        visit(attributes, &mut object.clone(), &[], &mut |path, value| {
            if !value.is_null() {
                found.push(path);
            }
        });
    }
    found
}

fn visit(
    attributes: &BTreeMap<String, Attribute>,
    object: &mut Object,
    within: &[Step],
    seen: &mut dyn FnMut(Path, &mut Value),
) {
    for (name, attribute) in attributes {
        let Some(value) = object.get_mut(name) else {
            continue;
        };
        let mut steps = within.to_vec();
        steps.push(Step::Attribute(name.clone()));
        if attribute.write_only {
            seen(steps.into_iter().collect(), value);
        } else if let Shape::Nested(nesting, nested) = &attribute.shape {
            for (place, object) in objects(*nesting, value) {
                let mut steps = steps.clone();
                steps.extend(place.step());
                visit(&nested.attributes, object, &steps, seen);
            }
        }
    }
}

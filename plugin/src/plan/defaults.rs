//! Defaults, where the person wrote nothing.

use std::collections::BTreeMap;

use super::align::{Object, objects};
use crate::schema::{Attribute, Shape};
use crate::value::Value;

/// Fills in defaults. `value` is what was made of `config` so far.
pub(crate) fn with_defaults(
    attributes: &BTreeMap<String, Attribute>,
    mut value: Value,
    config: &Value,
) -> Value {
    if let (Value::Map(object), Value::Map(config)) = (&mut value, config) {
        fill(attributes, object, config);
    }
    value
}

fn fill(attributes: &BTreeMap<String, Attribute>, object: &mut Object, config: &Object) {
    for (name, attribute) in attributes {
        let written = config.get(name).unwrap_or(&Value::Null);
        let value = object.entry(name.clone()).or_default();
        let mut by_default = None;
        if written.is_null() {
            // Without a default the CLI has put what the state says there, and it stays.
            let Some(default) = &attribute.behaviour.default else {
                continue;
            };
            *value = default.clone();
            by_default = Some(default);
        }
        let Shape::Nested(nesting, nested) = &attribute.shape else {
            continue;
        };
        let written = by_default.unwrap_or(written);
        let empty = Object::new();
        for (place, object) in objects(*nesting, value) {
            let config = place.find(nested, object, written).unwrap_or(&empty);
            fill(&nested.attributes, object, config);
        }
    }
}

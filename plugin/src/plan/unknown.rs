//! What comes during apply only: everything that the provider computes, save what is said to stay as it is in state.

use std::collections::BTreeMap;

use super::align::{Object, objects};
use crate::schema::{Attribute, Shape};
use crate::value::Value;

pub(super) fn mark(
    attributes: &BTreeMap<String, Attribute>,
    planned: &mut Value,
    config: &Value,
    prior: &Value,
) {
    let empty = Object::new();
    let prior = if let Value::Map(prior) = prior {
        prior
    } else {
        &empty
    };
    if let (Value::Map(planned), Value::Map(config)) = (planned, config) {
        mark_object(attributes, planned, config, prior);
    }
}

fn mark_object(
    attributes: &BTreeMap<String, Attribute>,
    planned: &mut Object,
    config: &Object,
    prior: &Object,
) {
    let empty = Object::new();
    for (name, attribute) in attributes {
        let written = config.get(name).unwrap_or(&Value::Null);
        let before = prior.get(name).unwrap_or(&Value::Null);
        let value = planned.entry(name.clone()).or_default();
        let nested = if let Shape::Nested(nesting, nested) = &attribute.shape {
            Some((*nesting, nested))
        } else {
            None
        };
        if written.is_null() && attribute.behaviour.default.is_none() {
            if attribute.computed {
                // What can't change in place does not: else every change would replace the resource.
                let behaviour = &attribute.behaviour;
                let stays = behaviour.use_state_for_unknown || behaviour.replace.is_some();
                // A null in state says nothing: the attribute may be younger than the state.
                let stays = stays && !before.is_null();
                *value = if stays {
                    before.clone()
                } else {
                    Value::Unknown
                };
            }
            continue;
        }
        let Some((nesting, nested)) = nested else {
            continue;
        };
        // In an object that is there by default nothing is written.
        for (place, object) in objects(nesting, value) {
            let config = place.find(nested, object, written).unwrap_or(&empty);
            let prior = place.find(nested, object, before).unwrap_or(&empty);
            mark_object(&nested.attributes, object, config, prior);
        }
    }
}

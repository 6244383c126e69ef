//! Which changes replace the resource.

use std::collections::BTreeMap;

use super::align::{Object, objects};
use crate::path::{Path, Step};
use crate::schema::{Attribute, Shape};
use crate::value::{Value, same};

/// The attributes whose change replaces the resource. Nothing is replaced when it is created or destroyed.
pub(crate) fn replacements(
    attributes: &BTreeMap<String, Attribute>,
    prior: &Value,
    planned: &Value,
) -> Vec<Path> {
    let mut found = Vec::new();
    if let (Value::Map(prior), Value::Map(planned)) = (prior, planned) {
        // The walk over objects is written for changing them; a copy is cheap beside a second walk.
        collect(attributes, prior, &mut planned.clone(), &[], &mut found);
    }
    found
}

fn collect(
    attributes: &BTreeMap<String, Attribute>,
    prior: &Object,
    planned: &mut Object,
    within: &[Step],
    found: &mut Vec<Path>,
) {
    for (name, attribute) in attributes {
        let before = prior.get(name).unwrap_or(&Value::Null);
        let value = planned.entry(name.clone()).or_default();
        if same(before, value, &attribute.value_type()) {
            continue;
        }
        let mut steps = within.to_vec();
        steps.push(Step::Attribute(name.clone()));
        if attribute
            .behaviour
            .replace
            .as_ref()
            .is_some_and(|judge| judge(before, value))
        {
            found.push(steps.iter().cloned().collect());
        }
        let Shape::Nested(nesting, nested) = &attribute.shape else {
            continue;
        };
        for (place, object) in objects(*nesting, value) {
            // An element that comes or goes replaces nothing; one of a set that changed is another element.
            let Some(prior) = place.find(nested, object, before) else {
                continue;
            };
            let mut steps = steps.clone();
            steps.extend(place.step());
            collect(&nested.attributes, prior, object, &steps, found);
        }
    }
}

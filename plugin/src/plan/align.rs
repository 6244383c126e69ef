//! Which object in configuration or state belongs to which planned object: by key, by place, and in a set by what the
//! person wrote, as nothing else is known of its elements.

use std::collections::BTreeMap;

use crate::path::Step;
use crate::schema::{Attribute, Nested, Nesting};
use crate::value::{Value, same};

pub(super) type Object = BTreeMap<String, Value>;

/// Where in a nested attribute an object is.
#[derive(Clone, Debug)]
pub(super) enum Place {
    /// It is all there is.
    Only,
    Key(String),
    Index(usize),
    /// In a set, whose elements have no address.
    Element,
}

/// The objects in a nested attribute's value.
pub(super) fn objects(nesting: Nesting, value: &mut Value) -> Vec<(Place, &mut Object)> {
    let placed: Vec<(Place, &mut Value)> = match (nesting, value) {
        (Nesting::Single, value) => vec![(Place::Only, value)],
        (Nesting::Map, Value::Map(items)) => items
            .iter_mut()
            .map(|(key, item)| (Place::Key(key.clone()), item))
            .collect(),
        (Nesting::List, Value::List(items)) => (0..).map(Place::Index).zip(items).collect(),
        (Nesting::Set, Value::List(items)) => items
            .iter_mut()
            .map(|item| (Place::Element, item))
            .collect(),
        _ => Vec::new(),
    };
    let object = |(place, value)| match value {
        &mut Value::Map(ref mut object) => Some((place, object)),
        _ => None,
    };
    placed.into_iter().filter_map(object).collect()
}

impl Place {
    /// The counterpart of an object in another value of the same attribute.
    pub(super) fn find<'v>(
        &self,
        nested: &Nested,
        object: &Object,
        other: &'v Value,
    ) -> Option<&'v Object> {
        let found = match (self, other) {
            (Self::Only, value) => Some(value),
            (Self::Key(key), Value::Map(items)) => items.get(key),
            (Self::Index(index), Value::List(items)) => items.get(*index),
            (Self::Element, Value::List(items)) => items
                .iter()
                .find(|item| matches!(item, Value::Map(other) if alike(nested, object, other))),
            _ => None,
        };
        match found {
            Some(Value::Map(object)) => Some(object),
            _ => None,
        }
    }

    /// True if it has no address.
    pub(super) fn is_in_set(&self) -> bool {
        matches!(self, Self::Element)
    }

    /// The step from the attribute to the object.
    pub(super) fn step(&self) -> Option<Step> {
        match self {
            Self::Only | Self::Element => None,
            Self::Key(key) => Some(Step::Key(key.clone())),
            Self::Index(index) => Some(Step::Index(i64::try_from(*index).unwrap_or(i64::MAX))),
        }
    }
}

/// True if two elements of a set agree in everything that the person alone sets.
fn alike(nested: &Nested, one: &Object, two: &Object) -> bool {
    let own = |(_, attribute): &(&String, &Attribute)| !attribute.computed && !attribute.write_only;
    nested
        .attributes
        .iter()
        .filter(own)
        .all(|(name, attribute)| {
            let null = Value::Null;
            let (one, two) = (
                one.get(name).unwrap_or(&null),
                two.get(name).unwrap_or(&null),
            );
            same(one, two, &attribute.value_type())
        })
}

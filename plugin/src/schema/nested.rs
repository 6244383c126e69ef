//! The attributes of the objects that a nested attribute holds.

use std::collections::BTreeMap;

use super::{Attribute, Type};

/// How a nested attribute holds its objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nesting {
    /// One object.
    Single,
    /// Objects in order.
    List,
    /// Objects without order.
    Set,
    /// Objects by key: addresses that stay. Prefer it.
    Map,
}

/// The attributes of the objects that a nested attribute holds.
#[derive(Clone, Debug, Default)]
pub struct Nested {
    pub(crate) attributes: BTreeMap<String, Attribute>,
}

impl Nested {
    /// No attribute yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an attribute.
    #[must_use]
    pub fn attribute(mut self, name: impl Into<String>, attribute: Attribute) -> Self {
        self.attributes.insert(name.into(), attribute);
        self
    }

    /// The type of one object.
    pub fn object_type(&self) -> Type {
        object_type(&self.attributes)
    }
}

pub(super) fn object_type(attributes: &BTreeMap<String, Attribute>) -> Type {
    Type::object(
        attributes
            .iter()
            .map(|(name, attribute)| (name.clone(), attribute.value_type())),
    )
}

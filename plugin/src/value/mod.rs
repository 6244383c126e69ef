//! A value of any type, as it travels between the CLI and a model. Resource code sees models; only for a dynamic attribute a
//! model has a `Value` itself.

mod compare;
mod de;
pub(crate) mod json;
mod model;
pub(crate) mod msgpack;
mod number;
mod ser;
mod serde_error;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

pub(crate) use compare::{same, with_types_of};
pub(crate) use de::from_value;
pub use number::{Number, NumberError};
pub(crate) use ser::to_value;
pub use serde_error::ModelError;

use crate::schema::Type;

/// A value of any type. What tells a list from a set or a map from an object is the [`Type`] beside it.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Value {
    /// Not set.
    #[default]
    Null,
    /// Comes during apply only.
    Unknown,
    /// True or false.
    Bool(bool),
    /// A number of any size and precision.
    Number(Number),
    /// Text.
    String(String),
    /// The elements of a list, set or tuple.
    List(Vec<Value>),
    /// The elements of a map or the attributes of an object.
    Map(BTreeMap<String, Value>),
    /// The value of a dynamic attribute with the type that it came with.
    Typed(Box<(Type, Value)>),
}

impl Value {
    /// True if it is not set.
    pub fn is_null(&self) -> bool {
        match self {
            Self::Null => true,
            Self::Typed(typed) => typed.1.is_null(),
            _ => false,
        }
    }

    /// True if it comes during apply only.
    pub fn is_unknown(&self) -> bool {
        match self {
            Self::Unknown => true,
            Self::Typed(typed) => typed.1.is_unknown(),
            _ => false,
        }
    }

    /// True if neither it nor anything in it is unknown.
    pub fn is_wholly_known(&self) -> bool {
        match self {
            Self::Unknown => false,
            Self::List(items) => items.iter().all(Self::is_wholly_known),
            Self::Map(items) => items.values().all(Self::is_wholly_known),
            Self::Typed(typed) => typed.1.is_wholly_known(),
            Self::Null | Self::Bool(_) | Self::Number(_) | Self::String(_) => true,
        }
    }

    /// The type that it has when nobody says which: what configuration would make of it.
    pub(crate) fn natural_type(&self) -> Type {
        match self {
            Self::Null | Self::Unknown => Type::Dynamic,
            Self::Bool(_) => Type::Bool,
            Self::Number(_) => Type::Number,
            Self::String(_) => Type::String,
            Self::List(items) => Type::Tuple(items.iter().map(Self::natural_type).collect()),
            Self::Map(items) => Type::object(
                items
                    .iter()
                    .map(|(name, item)| (name.clone(), item.natural_type())),
            ),
            Self::Typed(typed) => typed.0.clone(),
        }
    }

    /// What it is, for messages.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Null => "nothing",
            Self::Unknown => "something unknown",
            Self::Bool(_) => "a boolean",
            Self::Number(_) => "a number",
            Self::String(_) => "text",
            Self::List(_) => "a list",
            Self::Map(_) => "a map",
            Self::Typed(typed) => typed.1.kind(),
        }
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<i64> for Value {
    fn from(value: i64) -> Self {
        Self::Number(value.into())
    }
}

impl From<f64> for Value {
    /// What is no number becomes null.
    fn from(value: f64) -> Self {
        Number::from_f64(value).map_or(Self::Null, Self::Number)
    }
}

impl From<Number> for Value {
    fn from(value: Number) -> Self {
        Self::Number(value)
    }
}

impl From<&str> for Value {
    fn from(value: &str) -> Self {
        Self::String(value.to_owned())
    }
}

impl From<String> for Value {
    fn from(value: String) -> Self {
        Self::String(value)
    }
}

impl<V: Into<Value>> From<Vec<V>> for Value {
    fn from(items: Vec<V>) -> Self {
        Self::List(items.into_iter().map(Into::into).collect())
    }
}

impl<V: Into<Value>> From<BTreeMap<String, V>> for Value {
    fn from(items: BTreeMap<String, V>) -> Self {
        Self::Map(
            items
                .into_iter()
                .map(|(key, value)| (key, value.into()))
                .collect(),
        )
    }
}

impl<V: Into<Value>> From<Option<V>> for Value {
    fn from(value: Option<V>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

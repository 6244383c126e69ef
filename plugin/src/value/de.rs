//! From a value to a model: a deserializer that knows unknown, and says where something does not fit.

use serde::de::value::{MapDeserializer, SeqDeserializer, StringDeserializer};
use serde::de::{
    DeserializeOwned, DeserializeSeed, Deserializer, EnumAccess, Error, IntoDeserializer,
    MapAccess, SeqAccess, Unexpected, VariantAccess, Visitor,
};
use serde::forward_to_deserialize_any;

use super::model::VALUE;
use super::number::NUMBER;
use super::{ModelError, Number, Value};
use crate::attr::MAYBE_UNKNOWN;
use crate::path::Step;

/// Reads a model from a value.
pub(crate) fn from_value<T: DeserializeOwned>(value: Value) -> Result<T, ModelError> {
    T::deserialize(value)
}

const NOT_KNOWN: &str = "the value is not known yet, but the provider needs it here";

impl<'de> IntoDeserializer<'de, ModelError> for Value {
    type Deserializer = Self;
    fn into_deserializer(self) -> Self {
        self
    }
}

fn visit_number<'de, V: Visitor<'de>>(number: &Number, visitor: V) -> Result<V::Value, ModelError> {
    if let Some(integer) = number.as_i64() {
        visitor.visit_i64(integer)
    } else if let Some(integer) = number.as_u64() {
        visitor.visit_u64(integer)
    } else {
        visitor.visit_f64(number.as_f64())
    }
}

impl<'de> Deserializer<'de> for Value {
    type Error = ModelError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ModelError> {
        match self {
            Self::Null => visitor.visit_unit(),
            Self::Unknown => Err(ModelError::new(NOT_KNOWN)),
            Self::Bool(value) => visitor.visit_bool(value),
            Self::Number(number) => visit_number(&number, visitor),
            Self::String(text) => visitor.visit_string(text),
            Self::List(items) => visitor.visit_seq(Items {
                items: items.into_iter(),
                next: 0,
            }),
            Self::Map(items) => visitor.visit_map(Entries {
                entries: items.into_iter(),
                pending: None,
                is_object: true,
            }),
            Self::Typed(typed) => typed.1.deserialize_any(visitor),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ModelError> {
        if self.is_null() {
            visitor.visit_none()
        } else {
            visitor.visit_some(self)
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, ModelError> {
        match self {
            Self::Unknown if name == MAYBE_UNKNOWN || name == VALUE => visitor.visit_unit(),
            Self::Number(number) if name == VALUE => visitor.visit_string(number.to_string()),
            // As text: nothing is rounded.
            Self::Number(number) if name == NUMBER => {
                visitor.visit_newtype_struct(Self::String(number.to_string()))
            }
            Self::Typed(typed) => typed.1.deserialize_newtype_struct(name, visitor),
            other => visitor.visit_newtype_struct(other),
        }
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ModelError> {
        match self {
            Self::Map(items) => visitor.visit_map(Entries {
                entries: items.into_iter(),
                pending: None,
                is_object: false,
            }),
            Self::Typed(typed) => typed.1.deserialize_map(visitor),
            other => other.deserialize_any(visitor),
        }
    }

    /// An object that is not known is one of which no attribute is: an entry of a map, say, has no [`Attr`](crate::Attr) of its own.
    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ModelError> {
        match self {
            Self::Unknown => {
                let unknown = fields
                    .iter()
                    .map(|field| ((*field).to_owned(), Self::Unknown));
                Self::Map(unknown.collect()).deserialize_any(visitor)
            }
            Self::Typed(typed) => typed.1.deserialize_struct(name, fields, visitor),
            other => other.deserialize_any(visitor),
        }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ModelError> {
        match self {
            Self::String(text) => visitor.visit_enum(Variant {
                name: text,
                content: None,
            }),
            Self::Map(items) if items.len() == 1 => {
                let mut items = items.into_iter();
                let (name, content) = items.next().unwrap_or_default();
                visitor.visit_enum(Variant {
                    name,
                    content: Some(content),
                })
            }
            Self::Typed(typed) => typed.1.deserialize_enum(_name, _variants, visitor),
            Self::Unknown => Err(ModelError::new(NOT_KNOWN)),
            _ => Err(ModelError::invalid_type(
                Unexpected::Other("this"),
                &"one of the variants",
            )),
        }
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ModelError> {
        visitor.visit_unit()
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit
        unit_struct seq tuple tuple_struct identifier
    }
}

struct Items {
    items: std::vec::IntoIter<Value>,
    next: i64,
}

impl<'de> SeqAccess<'de> for Items {
    type Error = ModelError;
    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, ModelError> {
        let Some(item) = self.items.next() else {
            return Ok(None);
        };
        let index = self.next;
        self.next += 1;
        seed.deserialize(item)
            .map(Some)
            .map_err(|error| error.within(Step::Index(index)))
    }
    fn size_hint(&self) -> Option<usize> {
        Some(self.items.len())
    }
}

/// The entries of a map or the attributes of an object: the model's type tells which, and the path needs to know.
struct Entries {
    entries: std::collections::btree_map::IntoIter<String, Value>,
    pending: Option<(String, Value)>,
    is_object: bool,
}

impl<'de> MapAccess<'de> for Entries {
    type Error = ModelError;
    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, ModelError> {
        let Some((key, value)) = self.entries.next() else {
            return Ok(None);
        };
        let deserializer: StringDeserializer<ModelError> = key.clone().into_deserializer();
        self.pending = Some((key, value));
        seed.deserialize(deserializer).map(Some)
    }
    fn next_value_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<S::Value, ModelError> {
        let (key, value) = self.pending.take().unwrap_or_default();
        let is_object = self.is_object;
        seed.deserialize(value).map_err(|error| {
            error.within(if is_object {
                Step::Attribute(key)
            } else {
                Step::Key(key)
            })
        })
    }
}

/// An enum in a model: text for a variant without content, else an object with one attribute.
struct Variant {
    name: String,
    content: Option<Value>,
}

impl<'de> EnumAccess<'de> for Variant {
    type Error = ModelError;
    type Variant = Content;
    fn variant_seed<V: DeserializeSeed<'de>>(
        self,
        seed: V,
    ) -> Result<(V::Value, Content), ModelError> {
        let name: StringDeserializer<ModelError> = self.name.into_deserializer();
        Ok((seed.deserialize(name)?, Content(self.content)))
    }
}

struct Content(Option<Value>);

impl<'de> VariantAccess<'de> for Content {
    type Error = ModelError;
    fn unit_variant(self) -> Result<(), ModelError> {
        match self.0 {
            None | Some(Value::Null) => Ok(()),
            Some(_) => Err(ModelError::new("this variant has no content")),
        }
    }
    fn newtype_variant_seed<T: DeserializeSeed<'de>>(
        self,
        seed: T,
    ) -> Result<T::Value, ModelError> {
        seed.deserialize(self.0.unwrap_or_default())
    }
    fn tuple_variant<V: Visitor<'de>>(
        self,
        _len: usize,
        visitor: V,
    ) -> Result<V::Value, ModelError> {
        match self.0 {
            Some(Value::List(items)) => visitor.visit_seq(SeqDeserializer::new(items.into_iter())),
            _ => Err(ModelError::new("this variant needs a list")),
        }
    }
    fn struct_variant<V: Visitor<'de>>(
        self,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ModelError> {
        match self.0 {
            Some(Value::Map(items)) => visitor.visit_map(MapDeserializer::new(items.into_iter())),
            _ => Err(ModelError::new("this variant needs an object")),
        }
    }
}

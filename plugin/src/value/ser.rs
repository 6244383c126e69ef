//! From a model to a value.

mod compound;

use std::collections::BTreeMap;

use serde::ser::{Error, Serialize, Serializer};

use self::compound::{Entries, Sequence};

use super::number::NUMBER;
use super::{ModelError, Number, Value};
use crate::attr::UNKNOWN;

/// Writes a model as a value.
pub(crate) fn to_value(model: &(impl Serialize + ?Sized)) -> Result<Value, ModelError> {
    model.serialize(ToValue)
}

struct ToValue;

fn variant(name: &str, content: Value) -> Value {
    Value::Map(BTreeMap::from([(name.to_owned(), content)]))
}

impl Serializer for ToValue {
    type Ok = Value;
    type Error = ModelError;
    type SerializeSeq = Sequence;
    type SerializeTuple = Sequence;
    type SerializeTupleStruct = Sequence;
    type SerializeTupleVariant = Sequence;
    type SerializeMap = Entries;
    type SerializeStruct = Entries;
    type SerializeStructVariant = Entries;

    fn serialize_bool(self, value: bool) -> Result<Value, ModelError> {
        Ok(Value::Bool(value))
    }
    fn serialize_i8(self, value: i8) -> Result<Value, ModelError> {
        self.serialize_i64(value.into())
    }
    fn serialize_i16(self, value: i16) -> Result<Value, ModelError> {
        self.serialize_i64(value.into())
    }
    fn serialize_i32(self, value: i32) -> Result<Value, ModelError> {
        self.serialize_i64(value.into())
    }
    fn serialize_i64(self, value: i64) -> Result<Value, ModelError> {
        Ok(Value::Number(value.into()))
    }
    fn serialize_u8(self, value: u8) -> Result<Value, ModelError> {
        self.serialize_u64(value.into())
    }
    fn serialize_u16(self, value: u16) -> Result<Value, ModelError> {
        self.serialize_u64(value.into())
    }
    fn serialize_u32(self, value: u32) -> Result<Value, ModelError> {
        self.serialize_u64(value.into())
    }
    fn serialize_u64(self, value: u64) -> Result<Value, ModelError> {
        Ok(Value::Number(value.into()))
    }
    fn serialize_f32(self, value: f32) -> Result<Value, ModelError> {
        // By way of its text: 0.1 stays 0.1.
        Number::parse(&value.to_string())
            .map(Value::Number)
            .map_err(ModelError::custom)
    }
    fn serialize_f64(self, value: f64) -> Result<Value, ModelError> {
        Number::from_f64(value)
            .map(Value::Number)
            .ok_or_else(|| ModelError::new("a number must be finite"))
    }
    fn serialize_char(self, value: char) -> Result<Value, ModelError> {
        Ok(Value::String(value.to_string()))
    }
    fn serialize_str(self, value: &str) -> Result<Value, ModelError> {
        Ok(value.into())
    }
    fn serialize_bytes(self, _value: &[u8]) -> Result<Value, ModelError> {
        Err(ModelError::new(
            "bytes have no counterpart in configuration: use text",
        ))
    }
    fn serialize_none(self) -> Result<Value, ModelError> {
        Ok(Value::Null)
    }
    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<Value, ModelError> {
        value.serialize(self)
    }
    fn serialize_unit(self) -> Result<Value, ModelError> {
        Ok(Value::Null)
    }
    fn serialize_unit_struct(self, name: &'static str) -> Result<Value, ModelError> {
        Ok(if name == UNKNOWN {
            Value::Unknown
        } else {
            Value::Null
        })
    }
    fn serialize_unit_variant(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
    ) -> Result<Value, ModelError> {
        Ok(variant.into())
    }
    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        value: &T,
    ) -> Result<Value, ModelError> {
        match value.serialize(self)? {
            Value::String(text) if name == NUMBER => Number::parse(&text)
                .map(Value::Number)
                .map_err(ModelError::custom),
            value => Ok(value),
        }
    }
    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _name: &'static str,
        _index: u32,
        name: &'static str,
        value: &T,
    ) -> Result<Value, ModelError> {
        Ok(variant(name, value.serialize(self)?))
    }
    fn serialize_seq(self, len: Option<usize>) -> Result<Sequence, ModelError> {
        Ok(Sequence {
            items: Vec::with_capacity(len.unwrap_or(0)),
            variant: None,
        })
    }
    fn serialize_tuple(self, len: usize) -> Result<Sequence, ModelError> {
        self.serialize_seq(Some(len))
    }
    fn serialize_tuple_struct(self, _: &'static str, len: usize) -> Result<Sequence, ModelError> {
        self.serialize_seq(Some(len))
    }
    fn serialize_tuple_variant(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
        len: usize,
    ) -> Result<Sequence, ModelError> {
        Ok(Sequence {
            items: Vec::with_capacity(len),
            variant: Some(variant),
        })
    }
    fn serialize_map(self, _len: Option<usize>) -> Result<Entries, ModelError> {
        Ok(Entries {
            entries: BTreeMap::new(),
            key: None,
            variant: None,
        })
    }
    fn serialize_struct(self, _: &'static str, len: usize) -> Result<Entries, ModelError> {
        self.serialize_map(Some(len))
    }
    fn serialize_struct_variant(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
        _len: usize,
    ) -> Result<Entries, ModelError> {
        Ok(Entries {
            entries: BTreeMap::new(),
            key: None,
            variant: Some(variant),
        })
    }
}

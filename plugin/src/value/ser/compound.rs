//! Lists, maps and objects on the way from a model to a value, with the place where something does not fit.

use std::collections::BTreeMap;

use serde::ser::{
    Serialize, SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant, SerializeTuple,
    SerializeTupleStruct, SerializeTupleVariant,
};

use super::super::{ModelError, Value};
use super::{to_value, variant};
use crate::path::Step;

pub(super) struct Sequence {
    pub(super) items: Vec<Value>,
    pub(super) variant: Option<&'static str>,
}

impl Sequence {
    fn push<T: Serialize + ?Sized>(&mut self, item: &T) -> Result<(), ModelError> {
        let index = i64::try_from(self.items.len()).unwrap_or(i64::MAX);
        self.items
            .push(to_value(item).map_err(|error| error.within(Step::Index(index)))?);
        Ok(())
    }
    fn finish(self) -> Result<Value, ModelError> {
        let list = Value::List(self.items);
        Ok(match self.variant {
            Some(name) => variant(name, list),
            None => list,
        })
    }
}

impl SerializeSeq for Sequence {
    type Ok = Value;
    type Error = ModelError;
    fn serialize_element<T: Serialize + ?Sized>(&mut self, item: &T) -> Result<(), ModelError> {
        self.push(item)
    }
    fn end(self) -> Result<Value, ModelError> {
        self.finish()
    }
}

impl SerializeTuple for Sequence {
    type Ok = Value;
    type Error = ModelError;
    fn serialize_element<T: Serialize + ?Sized>(&mut self, item: &T) -> Result<(), ModelError> {
        self.push(item)
    }
    fn end(self) -> Result<Value, ModelError> {
        self.finish()
    }
}

impl SerializeTupleStruct for Sequence {
    type Ok = Value;
    type Error = ModelError;
    fn serialize_field<T: Serialize + ?Sized>(&mut self, item: &T) -> Result<(), ModelError> {
        self.push(item)
    }
    fn end(self) -> Result<Value, ModelError> {
        self.finish()
    }
}

impl SerializeTupleVariant for Sequence {
    type Ok = Value;
    type Error = ModelError;
    fn serialize_field<T: Serialize + ?Sized>(&mut self, item: &T) -> Result<(), ModelError> {
        self.push(item)
    }
    fn end(self) -> Result<Value, ModelError> {
        self.finish()
    }
}

pub(super) struct Entries {
    pub(super) entries: BTreeMap<String, Value>,
    pub(super) key: Option<String>,
    pub(super) variant: Option<&'static str>,
}

impl Entries {
    fn insert<T: Serialize + ?Sized>(&mut self, name: &str, value: &T) -> Result<(), ModelError> {
        let value =
            to_value(value).map_err(|error| error.within(Step::Attribute(name.to_owned())))?;
        self.entries.insert(name.to_owned(), value);
        Ok(())
    }
    fn finish(self) -> Result<Value, ModelError> {
        let map = Value::Map(self.entries);
        Ok(match self.variant {
            Some(name) => variant(name, map),
            None => map,
        })
    }
}

impl SerializeMap for Entries {
    type Ok = Value;
    type Error = ModelError;
    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), ModelError> {
        self.key = Some(match to_value(key)? {
            Value::String(key) => key,
            Value::Number(number) => number.to_string(),
            Value::Bool(value) => value.to_string(),
            _ => return Err(ModelError::new("the key of a map must be text")),
        });
        Ok(())
    }
    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), ModelError> {
        let key = self.key.take().unwrap_or_default();
        let value = to_value(value).map_err(|error| error.within(Step::Key(key.clone())))?;
        self.entries.insert(key, value);
        Ok(())
    }
    fn end(self) -> Result<Value, ModelError> {
        self.finish()
    }
}

impl SerializeStruct for Entries {
    type Ok = Value;
    type Error = ModelError;
    fn serialize_field<T: Serialize + ?Sized>(
        &mut self,
        name: &'static str,
        value: &T,
    ) -> Result<(), ModelError> {
        self.insert(name, value)
    }
    fn end(self) -> Result<Value, ModelError> {
        self.finish()
    }
}

impl SerializeStructVariant for Entries {
    type Ok = Value;
    type Error = ModelError;
    fn serialize_field<T: Serialize + ?Sized>(
        &mut self,
        name: &'static str,
        value: &T,
    ) -> Result<(), ModelError> {
        self.insert(name, value)
    }
    fn end(self) -> Result<Value, ModelError> {
        self.finish()
    }
}

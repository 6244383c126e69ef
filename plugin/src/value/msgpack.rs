//! Values as msgpack, the way the CLI writes them: the type is known to both sides, unknown is an extension, and a
//! dynamic value is a pair of its type and itself.

use std::collections::BTreeMap;

use rmp::Marker;
use rmp::encode as write;

use super::number::Wire;
use super::{ModelError, Number, Value};
use crate::path::Step;
use crate::schema::Type;

/// What the CLI writes for a plain unknown: an extension of type 0 and one byte.
const PLAIN_UNKNOWN: [u8; 3] = [0xd4, 0, 0];

/// Writes a value of this type.
pub(crate) fn encode(value: &Value, ty: &Type) -> Result<Vec<u8>, ModelError> {
    let mut out = Vec::new();
    encode_into(&mut out, value, ty)?;
    Ok(out)
}

fn lengthy(length: usize) -> Result<u32, ModelError> {
    u32::try_from(length).map_err(|_| ModelError::new("too long"))
}

// Writing to memory does not fail; the library's signature says it could.
fn written<T, E: std::fmt::Display>(result: Result<T, E>) -> Result<(), ModelError> {
    result
        .map(|_| ())
        .map_err(|error| ModelError::new(error.to_string()))
}

fn encode_into(out: &mut Vec<u8>, value: &Value, ty: &Type) -> Result<(), ModelError> {
    match (value, ty) {
        (Value::Null, _) => written(write::write_nil(out)),
        (Value::Unknown, _) => {
            out.extend_from_slice(&PLAIN_UNKNOWN);
            Ok(())
        }
        (Value::Typed(typed), Type::Dynamic) => encode_dynamic(out, &typed.1, &typed.0),
        (Value::Typed(typed), _) => encode_into(out, &typed.1, ty),
        (value, Type::Dynamic) => encode_dynamic(out, value, &value.natural_type()),
        (Value::Bool(flag), Type::Bool) => written(write::write_bool(out, *flag)),
        (Value::Number(number), Type::Number) => match number.wire() {
            Wire::Integer(integer) => written(write::write_sint(out, integer)),
            Wire::Float(float) => written(write::write_f64(out, float)),
            Wire::Text(text) => written(write::write_str(out, text)),
        },
        (Value::String(text), Type::String) => written(write::write_str(out, text)),
        (Value::List(items), Type::List(element) | Type::Set(element)) => {
            written(write::write_array_len(out, lengthy(items.len())?))?;
            for (index, item) in (0..).zip(items) {
                encode_into(out, item, element).map_err(|e| e.within(Step::Index(index)))?;
            }
            Ok(())
        }
        (Value::List(items), Type::Tuple(types)) if items.len() == types.len() => {
            written(write::write_array_len(out, lengthy(items.len())?))?;
            for (index, (item, ty)) in (0..).zip(items.iter().zip(types)) {
                encode_into(out, item, ty).map_err(|e| e.within(Step::Index(index)))?;
            }
            Ok(())
        }
        (Value::Map(items), Type::Map(element)) => {
            written(write::write_map_len(out, lengthy(items.len())?))?;
            for (key, item) in items {
                written(write::write_str(out, key))?;
                encode_into(out, item, element).map_err(|e| e.within(Step::Key(key.clone())))?;
            }
            Ok(())
        }
        (Value::Map(items), Type::Object(attributes)) => encode_object(out, items, attributes),
        (value, ty) => Err(ModelError::new(format!(
            "{} where {} belongs",
            value.kind(),
            ty.kind()
        ))),
    }
}

fn encode_object(
    out: &mut Vec<u8>,
    items: &BTreeMap<String, Value>,
    attributes: &BTreeMap<String, Type>,
) -> Result<(), ModelError> {
    if let Some(stranger) = items.keys().find(|name| !attributes.contains_key(*name)) {
        return Err(ModelError::new("the schema has no such attribute")
            .within(Step::Attribute(stranger.clone())));
    }
    written(write::write_map_len(out, lengthy(attributes.len())?))?;
    for (name, ty) in attributes {
        let within = |error: ModelError| error.within(Step::Attribute(name.clone()));
        let Some(item) = items.get(name) else {
            return Err(within(ModelError::new(
                "the model has no field for this attribute",
            )));
        };
        written(write::write_str(out, name))?;
        encode_into(out, item, ty).map_err(within)?;
    }
    Ok(())
}

fn encode_dynamic(out: &mut Vec<u8>, value: &Value, ty: &Type) -> Result<(), ModelError> {
    let json = ty.to_json().to_string();
    written(write::write_array_len(out, 2))?;
    written(write::write_bin(out, json.as_bytes()))?;
    encode_into(out, value, ty)
}

/// Reads a value of this type.
pub(crate) fn decode(bytes: &[u8], ty: &Type) -> Result<Value, ModelError> {
    let mut input = bytes;
    let value = decode_from(&mut input, ty)?;
    if input.is_empty() {
        Ok(value)
    } else {
        Err(ModelError::new("bytes are left over"))
    }
}

fn cut<'a>(input: &mut &'a [u8], length: usize) -> Result<&'a [u8], ModelError> {
    let (head, tail) = input
        .split_at_checked(length)
        .ok_or_else(|| ModelError::new("the value is cut off"))?;
    *input = tail;
    Ok(head)
}

fn big_endian(input: &mut &[u8], length: usize) -> Result<u64, ModelError> {
    Ok(cut(input, length)?
        .iter()
        .fold(0, |sum, byte| sum << 8 | u64::from(*byte)))
}

fn length(input: &mut &[u8], bytes: usize) -> Result<usize, ModelError> {
    usize::try_from(big_endian(input, bytes)?).map_err(|_| ModelError::new("too long"))
}

/// The head of an item; what follows is as long as it says.
enum Head {
    Nil,
    Extension(usize),
    Bool(bool),
    Integer(i64),
    Unsigned(u64),
    Float(f64),
    Text(usize),
    Array(usize),
    Map(usize),
}

fn head(input: &mut &[u8]) -> Result<Head, ModelError> {
    let marker = Marker::from_u8(cut(input, 1)?.first().copied().unwrap_or(0xc0));
    Ok(match marker {
        Marker::Null => Head::Nil,
        Marker::True => Head::Bool(true),
        Marker::False => Head::Bool(false),
        Marker::FixPos(value) => Head::Integer(value.into()),
        Marker::FixNeg(value) => Head::Integer(value.into()),
        Marker::U8 => Head::Unsigned(big_endian(input, 1)?),
        Marker::U16 => Head::Unsigned(big_endian(input, 2)?),
        Marker::U32 => Head::Unsigned(big_endian(input, 4)?),
        Marker::U64 => Head::Unsigned(big_endian(input, 8)?),
        // The casts keep the bits: the sign is in them.
        Marker::I8 => Head::Integer((big_endian(input, 1)? as u8 as i8).into()),
        Marker::I16 => Head::Integer((big_endian(input, 2)? as u16 as i16).into()),
        Marker::I32 => Head::Integer((big_endian(input, 4)? as u32 as i32).into()),
        Marker::I64 => Head::Integer(big_endian(input, 8)? as i64),
        Marker::F32 => Head::Float(f32::from_bits(big_endian(input, 4)? as u32).into()),
        Marker::F64 => Head::Float(f64::from_bits(big_endian(input, 8)?)),
        Marker::FixStr(length) => Head::Text(length.into()),
        Marker::Str8 | Marker::Bin8 => Head::Text(length(input, 1)?),
        Marker::Str16 | Marker::Bin16 => Head::Text(length(input, 2)?),
        Marker::Str32 | Marker::Bin32 => Head::Text(length(input, 4)?),
        Marker::FixArray(length) => Head::Array(length.into()),
        Marker::Array16 => Head::Array(length(input, 2)?),
        Marker::Array32 => Head::Array(length(input, 4)?),
        Marker::FixMap(length) => Head::Map(length.into()),
        Marker::Map16 => Head::Map(length(input, 2)?),
        Marker::Map32 => Head::Map(length(input, 4)?),
        // An extension's type is one byte before its content.
        Marker::FixExt1 => Head::Extension(2),
        Marker::FixExt2 => Head::Extension(3),
        Marker::FixExt4 => Head::Extension(5),
        Marker::FixExt8 => Head::Extension(9),
        Marker::FixExt16 => Head::Extension(17),
        Marker::Ext8 => Head::Extension(length(input, 1)? + 1),
        Marker::Ext16 => Head::Extension(length(input, 2)? + 1),
        Marker::Ext32 => Head::Extension(length(input, 4)?.saturating_add(1)),
        Marker::Reserved => return Err(ModelError::new("a byte that msgpack does not use")),
    })
}

fn text(input: &mut &[u8], length: usize) -> Result<String, ModelError> {
    String::from_utf8(cut(input, length)?.to_vec())
        .map_err(|_| ModelError::new("text that is not UTF-8"))
}

fn key(input: &mut &[u8]) -> Result<String, ModelError> {
    match head(input)? {
        Head::Text(length) => text(input, length),
        _ => Err(ModelError::new("a key that is not text")),
    }
}

fn finite(float: f64) -> Result<Value, ModelError> {
    Number::exactly(float)
        .map(Value::Number)
        .ok_or_else(|| ModelError::new("a number must be finite"))
}

fn decode_from(input: &mut &[u8], ty: &Type) -> Result<Value, ModelError> {
    Ok(match (head(input)?, ty) {
        (Head::Nil, _) => Value::Null,
        // What the CLI knows about an unknown value (not null, a prefix, ...) is of no use here.
        (Head::Extension(length), _) => {
            cut(input, length)?;
            Value::Unknown
        }
        (Head::Array(2), Type::Dynamic) => {
            let json = serde_json::from_str(&key(input)?)
                .map_err(|error| ModelError::new(format!("not a type: {error}")))?;
            let ty = Type::from_json(&json).map_err(|error| ModelError::new(error.to_string()))?;
            // Else a value could nest without end.
            if ty == Type::Dynamic {
                return Err(ModelError::new("a dynamic value whose type is dynamic"));
            }
            let value = decode_from(input, &ty)?;
            Value::Typed(Box::new((ty, value)))
        }
        (Head::Bool(flag), Type::Bool) => Value::Bool(flag),
        (Head::Integer(integer), Type::Number) => Value::Number(integer.into()),
        (Head::Unsigned(integer), Type::Number) => Value::Number(integer.into()),
        (Head::Float(float), Type::Number) => finite(float)?,
        (Head::Text(length), Type::Number) => Value::Number(
            Number::parse(&text(input, length)?)
                .map_err(|error| ModelError::new(error.to_string()))?,
        ),
        (Head::Text(length), Type::String) => Value::String(text(input, length)?),
        (Head::Array(length), Type::List(element) | Type::Set(element)) => {
            let mut items = Vec::new();
            for index in 0..length {
                let index = i64::try_from(index).unwrap_or(i64::MAX);
                items.push(decode_from(input, element).map_err(|e| e.within(Step::Index(index)))?);
            }
            Value::List(items)
        }
        (Head::Array(length), Type::Tuple(types)) if length == types.len() => {
            let mut items = Vec::new();
            for (index, ty) in (0..).zip(types) {
                items.push(decode_from(input, ty).map_err(|e| e.within(Step::Index(index)))?);
            }
            Value::List(items)
        }
        (Head::Map(length), Type::Map(element)) => {
            let mut items = BTreeMap::new();
            for _ in 0..length {
                let key = key(input)?;
                let item =
                    decode_from(input, element).map_err(|e| e.within(Step::Key(key.clone())))?;
                items.insert(key, item);
            }
            Value::Map(items)
        }
        (Head::Map(length), Type::Object(attributes)) => {
            let mut items = BTreeMap::new();
            for _ in 0..length {
                let name = key(input)?;
                let within = |error: ModelError| error.within(Step::Attribute(name.clone()));
                let ty = attributes
                    .get(&name)
                    .ok_or_else(|| within(ModelError::new("the schema has no such attribute")))?;
                items.insert(name.clone(), decode_from(input, ty).map_err(within)?);
            }
            for name in attributes.keys() {
                items.entry(name.clone()).or_default();
            }
            Value::Map(items)
        }
        (_, ty) => {
            return Err(ModelError::new(format!(
                "something else where {} belongs",
                ty.kind()
            )));
        }
    })
}

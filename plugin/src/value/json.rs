//! Values as JSON: how state is stored. What the schema does not know is dropped and what is missing is null, so that state
//! of an older provider with the same schema version can be read.

use std::collections::BTreeMap;

use serde_json::value::RawValue;

use super::{ModelError, Number, Value};
use crate::path::Step;
use crate::schema::Type;

/// Reads a value of this type. Numbers are read from their text: nothing is rounded.
pub(crate) fn decode(json: &[u8], ty: &Type) -> Result<Value, ModelError> {
    let raw: &RawValue = serde_json::from_slice(json).map_err(not_json)?;
    decode_raw(raw, ty)
}

// By value because `map_err` gives it so.
#[allow(clippy::needless_pass_by_value)]
fn not_json(error: serde_json::Error) -> ModelError {
    ModelError::new(error.to_string())
}

fn parse<'a, T: serde::Deserialize<'a>>(raw: &'a RawValue, ty: &Type) -> Result<T, ModelError> {
    serde_json::from_str(raw.get())
        .map_err(|error| ModelError::new(format!("{error} where {} belongs", ty.kind())))
}

fn decode_raw(raw: &RawValue, ty: &Type) -> Result<Value, ModelError> {
    let text = raw.get();
    if text == "null" {
        return Ok(Value::Null);
    }
    Ok(match ty {
        // Some old CLIs wrote numbers and booleans as text, and all of them read both.
        Type::Bool if text.starts_with('"') => match parse::<String>(raw, ty)?.as_str() {
            "true" | "1" => Value::Bool(true),
            "false" | "0" => Value::Bool(false),
            other => {
                return Err(ModelError::new(format!(
                    "{other:?} where a boolean belongs"
                )));
            }
        },
        Type::Bool => Value::Bool(parse(raw, ty)?),
        Type::Number => {
            let text = if text.starts_with('"') {
                parse(raw, ty)?
            } else {
                text.to_owned()
            };
            Number::parse(&text)
                .map(Value::Number)
                .map_err(|e| ModelError::new(e.to_string()))?
        }
        Type::String if text.starts_with('"') => Value::String(parse(raw, ty)?),
        // Numbers and booleans become text as they are written.
        Type::String if !text.starts_with(['[', '{']) => Value::String(text.to_owned()),
        Type::String => return Err(ModelError::new("something else where text belongs")),
        Type::Dynamic => decode_dynamic(raw)?,
        Type::List(element) | Type::Set(element) => {
            let items: Vec<&RawValue> = parse(raw, ty)?;
            Value::List(indexed(&items, |_| Some(element))?)
        }
        Type::Tuple(types) => {
            let items: Vec<&RawValue> = parse(raw, ty)?;
            Value::List(indexed(&items, |index| types.get(index))?)
        }
        Type::Map(element) => {
            let items: BTreeMap<String, &RawValue> = parse(raw, ty)?;
            let mut values = BTreeMap::new();
            for (key, item) in items {
                let value =
                    decode_raw(item, element).map_err(|e| e.within(Step::Key(key.clone())))?;
                values.insert(key, value);
            }
            Value::Map(values)
        }
        Type::Object(attributes) => {
            let items: BTreeMap<String, &RawValue> = parse(raw, ty)?;
            let mut values = BTreeMap::new();
            for (name, ty) in attributes {
                let value = match items.get(name) {
                    Some(item) => decode_raw(item, ty)
                        .map_err(|error| error.within(Step::Attribute(name.clone())))?,
                    None => Value::Null,
                };
                values.insert(name.clone(), value);
            }
            Value::Map(values)
        }
    })
}

fn indexed<'t>(
    items: &[&RawValue],
    ty: impl Fn(usize) -> Option<&'t Type>,
) -> Result<Vec<Value>, ModelError> {
    let mut values = Vec::with_capacity(items.len());
    for (index, item) in items.iter().enumerate() {
        let within =
            |e: ModelError| e.within(Step::Index(i64::try_from(index).unwrap_or(i64::MAX)));
        let ty =
            ty(index).ok_or_else(|| within(ModelError::new("more elements than the type has")))?;
        values.push(decode_raw(item, ty).map_err(within)?);
    }
    Ok(values)
}

/// Dynamic values are stored beside their type.
fn decode_dynamic(raw: &RawValue) -> Result<Value, ModelError> {
    #[derive(serde::Deserialize)]
    struct Pair<'a> {
        r#type: serde_json::Value,
        #[serde(borrow)]
        value: &'a RawValue,
    }
    let pair: Pair<'_> = parse(raw, &Type::Dynamic)?;
    let ty = Type::from_json(&pair.r#type).map_err(|error| ModelError::new(error.to_string()))?;
    let value = decode_raw(pair.value, &ty)?;
    Ok(Value::Typed(Box::new((ty, value))))
}

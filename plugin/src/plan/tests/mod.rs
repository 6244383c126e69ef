//! Tests of plans: a schema with everything, and values of it written as JSON.

mod proposals;
mod rules;

use serde_json::json;

use crate::schema::{Attribute, Nested, Schema, Type};
use crate::value::Value;

/// JSON with `"?"` for unknown.
pub(super) fn value(json: &serde_json::Value) -> Value {
    match json {
        serde_json::Value::Null => Value::Null,
        serde_json::Value::Bool(flag) => (*flag).into(),
        serde_json::Value::Number(number) => number.as_i64().unwrap().into(),
        serde_json::Value::String(text) if text == "?" => Value::Unknown,
        serde_json::Value::String(text) => text.as_str().into(),
        serde_json::Value::Array(items) => Value::List(items.iter().map(value).collect()),
        serde_json::Value::Object(items) => Value::Map(
            items
                .iter()
                .map(|(name, item)| (name.clone(), value(item)))
                .collect(),
        ),
    }
}

fn element() -> Nested {
    Nested::new()
        .attribute("key", Attribute::string().required())
        .attribute("size", Attribute::int64().default(20))
        .attribute(
            "address",
            Attribute::string().computed().use_state_for_unknown(),
        )
        .attribute("serial", Attribute::int64().computed())
        .attribute(
            "zone",
            Attribute::string().optional().computed().requires_replace(),
        )
}

pub(super) fn schema() -> Schema {
    Schema::new()
        .attribute("name", Attribute::string().required().requires_replace())
        .attribute("text", Attribute::string().optional())
        .attribute("flag", Attribute::bool().default(true))
        .attribute("id", Attribute::string().computed().use_state_for_unknown())
        .attribute("serial", Attribute::int64().computed())
        .attribute("by_key", Attribute::nested_map(element()).optional())
        .attribute("in_order", Attribute::nested_list(element()).optional())
        .attribute("in_set", Attribute::nested_set(element()).optional())
        .attribute("tags", Attribute::set(Type::String).optional())
        .attribute("only", Attribute::nested(element()).optional())
}

/// An object of the schema: what isn't given is null.
pub(super) fn object(given: serde_json::Value) -> Value {
    let Value::Map(given) = value(&given) else {
        unreachable!()
    };
    let null = schema()
        .attributes
        .keys()
        .map(|name| (name.clone(), Value::Null))
        .collect();
    let Value::Map(mut all) = Value::Map(null) else {
        unreachable!()
    };
    all.extend(given);
    Value::Map(all)
}

/// The element in configuration, and as it is in state.
pub(super) fn written(key: &str) -> serde_json::Value {
    json!({ "key": key, "size": null, "address": null, "serial": null, "zone": null })
}

pub(super) fn made(key: &str) -> serde_json::Value {
    json!({ "key": key, "size": 20, "address": format!("{key}.example"), "serial": 1, "zone": "a" })
}

pub(super) fn changed(key: &str) -> serde_json::Value {
    json!({ "key": key, "size": 20, "address": format!("{key}.example"), "serial": "?", "zone": "a" })
}

pub(super) fn new(key: &str) -> serde_json::Value {
    json!({ "key": key, "size": 20, "address": "?", "serial": "?", "zone": "?" })
}

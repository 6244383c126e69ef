//! Tables of plans: what the schema alone makes of configuration, state, and the CLI's merge of both.

use serde_json::json;

use super::{check, given_write_only, propose, replacements, with_defaults, without_write_only};
use crate::schema::{Attribute, Nested, Schema, Type};
use crate::value::{Value, from_value, same};

/// JSON with `"?"` for unknown.
fn value(json: &serde_json::Value) -> Value {
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

fn schema() -> Schema {
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
fn object(given: serde_json::Value) -> Value {
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
fn written(key: &str) -> serde_json::Value {
    json!({ "key": key, "size": null, "address": null, "serial": null, "zone": null })
}

fn made(key: &str) -> serde_json::Value {
    json!({ "key": key, "size": 20, "address": format!("{key}.example"), "serial": 1, "zone": "a" })
}

fn changed(key: &str) -> serde_json::Value {
    json!({ "key": key, "size": 20, "address": format!("{key}.example"), "serial": "?", "zone": "a" })
}

fn new(key: &str) -> serde_json::Value {
    json!({ "key": key, "size": 20, "address": "?", "serial": "?", "zone": "?" })
}

#[track_caller]
fn expect(
    what: &str,
    config: serde_json::Value,
    prior: Option<serde_json::Value>,
    proposed: serde_json::Value,
    planned: serde_json::Value,
) {
    let (schema, ty) = (schema(), schema().object_type());
    let prior = prior.map_or(Value::Null, object);
    let found = propose(&schema, &ty, &object(config), &prior, object(proposed));
    let planned = object(planned);
    assert!(
        same(&found, &planned, &ty),
        "{what}:\n{found:#?}\nis not\n{planned:#?}"
    );
}

#[test]
fn creating() {
    expect(
        "what is computed is unknown, what has a default has it",
        json!({ "name": "n" }),
        None,
        json!({ "name": "n" }),
        json!({ "name": "n", "flag": true, "id": "?", "serial": "?" }),
    );
    expect(
        "the person's word is the last",
        json!({ "name": "n", "flag": false, "text": "?" }),
        None,
        json!({ "name": "n", "flag": false, "text": "?" }),
        json!({ "name": "n", "flag": false, "text": "?", "id": "?", "serial": "?" }),
    );
    for kind in ["in_order", "in_set"] {
        expect(
            kind,
            json!({ "name": "n", kind: [written("a"), written("b")] }),
            None,
            json!({ "name": "n", kind: [written("a"), written("b")] }),
            json!({ "name": "n", "flag": true, "id": "?", "serial": "?", kind: [new("a"), new("b")] }),
        );
    }
    expect(
        "one object",
        json!({ "name": "n", "only": written("a") }),
        None,
        json!({ "name": "n", "only": written("a") }),
        json!({ "name": "n", "flag": true, "id": "?", "serial": "?", "only": new("a") }),
    );
    expect(
        "a whole map that is not known",
        json!({ "name": "n", "by_key": "?" }),
        None,
        json!({ "name": "n", "by_key": "?" }),
        json!({ "name": "n", "flag": true, "id": "?", "serial": "?", "by_key": "?" }),
    );
}

#[test]
fn changing() {
    let prior = json!({ "name": "n", "flag": true, "id": "i", "serial": 1, "tags": ["a", "b"],
        "by_key": { "a": made("a") }, "in_set": [made("a"), made("b")], "in_order": [made("a")] });
    let config = json!({ "name": "n", "tags": ["b", "a"],
        "by_key": { "a": written("a") }, "in_set": [written("b"), written("a")], "in_order": [written("a")] });
    expect(
        "nothing differs, nothing becomes unknown",
        config.clone(),
        Some(prior.clone()),
        prior.clone(),
        prior.clone(),
    );

    let with = |of: &serde_json::Value, name: &str, is: serde_json::Value| {
        let mut of = of.clone();
        of[name] = is;
        of
    };
    let all_changed = json!({ "name": "n", "flag": true, "id": "i", "serial": "?", "tags": ["a", "b"],
        "by_key": { "a": changed("a") }, "in_set": [changed("a"), changed("b")], "in_order": [changed("a")] });
    expect(
        "one attribute differs: what stays stays, the rest is unknown",
        with(&config, "text", json!("t")),
        Some(prior.clone()),
        with(&prior, "text", json!("t")),
        with(&all_changed, "text", json!("t")),
    );
    expect(
        "a default comes back",
        config.clone(),
        Some(with(&prior, "flag", json!(false))),
        with(&prior, "flag", json!(false)),
        all_changed.clone(),
    );
    expect(
        "an element comes",
        with(
            &config,
            "by_key",
            json!({ "a": written("a"), "b": written("b") }),
        ),
        Some(prior.clone()),
        with(
            &prior,
            "by_key",
            json!({ "a": made("a"), "b": written("b") }),
        ),
        with(
            &all_changed,
            "by_key",
            json!({ "a": changed("a"), "b": new("b") }),
        ),
    );
    expect(
        "an element of a set goes",
        with(&config, "in_set", json!([written("b")])),
        Some(prior.clone()),
        with(&prior, "in_set", json!([made("b")])),
        with(&all_changed, "in_set", json!([changed("b")])),
    );
    expect(
        "null in state is no value to stay",
        with(&config, "text", json!("t")),
        Some(with(&prior, "id", json!(null))),
        with(&with(&prior, "id", json!(null)), "text", json!("t")),
        with(&with(&all_changed, "text", json!("t")), "id", json!("?")),
    );
}

#[test]
fn replacing() {
    let prior = json!({ "name": "n", "by_key": { "a": made("a") }, "in_set": [made("a")] });
    let table: [(&str, serde_json::Value, &[&str]); 6] = [
        ("nothing", prior.clone(), &[]),
        (
            "a name",
            json!({ "name": "m", "by_key": { "a": made("a") }, "in_set": [made("a")] }),
            &["name"],
        ),
        (
            "a name that is not known",
            json!({ "name": "?", "by_key": { "a": made("a") }, "in_set": [made("a")] }),
            &["name"],
        ),
        (
            "within an element",
            json!({ "name": "n", "by_key": { "a": new("a") }, "in_set": [made("a")] }),
            &["by_key[\"a\"].zone"],
        ),
        (
            "an element that comes",
            json!({ "name": "n", "by_key": { "a": made("a"), "b": new("b") }, "in_set": [made("a")] }),
            &[],
        ),
        (
            "an element that goes",
            json!({ "name": "n", "by_key": {}, "in_set": [] }),
            &[],
        ),
    ];
    for (what, planned, paths) in table {
        let found = replacements(
            &schema().attributes,
            &object(prior.clone()),
            &object(planned),
        );
        let found: Vec<String> = found.iter().map(ToString::to_string).collect();
        assert_eq!(found, paths, "{what}");
    }
    assert_eq!(
        replacements(&schema().attributes, &Value::Null, &object(json!({}))),
        []
    );
    assert_eq!(
        replacements(&schema().attributes, &object(json!({})), &Value::Null),
        []
    );
}

#[test]
fn conditions_of_replacing_see_typed_values() {
    let attribute = Attribute::int64()
        .optional()
        .requires_replace_if(|prior: &i64, planned: &i64| planned < prior);
    let schema = Schema::new().attribute("size", attribute);
    for (prior, planned, replaces) in [
        (json!(1), json!(2), false),
        (json!(2), json!(1), true),
        (json!(2), json!("?"), true),
        (json!(2), json!(2), false),
    ] {
        let object = |size: &serde_json::Value| value(&json!({ "size": size }));
        let found = replacements(&schema.attributes, &object(&prior), &object(&planned));
        assert_eq!(!found.is_empty(), replaces, "{prior} to {planned}");
    }
}

#[test]
fn checks_run_on_what_is_known_and_name_the_place() {
    let port = Attribute::int64().validate(|port: &i64| match port {
        1..=65535 => Ok(()),
        _ => Err("no port".to_owned()),
    });
    let inner = Nested::new().attribute("port", port.required());
    let schema = Schema::new()
        .attribute("by_key", Attribute::nested_map(inner.clone()).optional())
        .attribute("in_order", Attribute::nested_list(inner.clone()).optional())
        .attribute("in_set", Attribute::nested_set(inner).optional())
        .attribute(
            "words",
            Attribute::list(Type::String)
                .optional()
                .validate(|words: &Vec<String>| {
                    if words.is_empty() {
                        Err("no words".to_owned())
                    } else {
                        Ok(())
                    }
                }),
        );
    let table: [(serde_json::Value, &[&str]); 7] = [
        (json!({ "by_key": { "a": { "port": 1 } } }), &[]),
        (
            json!({ "by_key": { "a": { "port": 0 } } }),
            &["by_key[\"a\"].port: Invalid value for port: no port"],
        ),
        (
            json!({ "in_order": [{ "port": 1 }, { "port": 0 }] }),
            &["in_order[1].port: Invalid value for port: no port"],
        ),
        (
            json!({ "in_set": [{ "port": 0 }] }),
            &["in_set: Invalid value for port: no port"],
        ),
        (
            json!({ "by_key": { "a": { "port": "?" } }, "in_order": "?" }),
            &[],
        ),
        (
            json!({ "words": [] }),
            &["words: Invalid value for words: no words"],
        ),
        // Not known in part: later.
        (json!({ "words": ["?"] }), &[]),
    ];
    for (config, expected) in table {
        let found: Vec<String> = check(&schema.attributes, &value(&config))
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(found, expected, "{config}");
    }
}

#[test]
fn write_only_values_are_taken_out_at_any_depth() {
    let inner = Nested::new()
        .attribute("user", Attribute::string().required())
        .attribute("password", Attribute::string().optional().write_only());
    let schema = Schema::new()
        .attribute("token", Attribute::string().optional().write_only())
        .attribute("users", Attribute::nested_map(inner).optional());
    let config = json!({ "token": "t", "users": { "a": { "user": "u", "password": "p" } } });
    let given = given_write_only(&schema.attributes, &value(&config));
    let given: Vec<String> = given.iter().map(ToString::to_string).collect();
    assert_eq!(given, ["token", "users[\"a\"].password"]);
    let mut taken = value(&config);
    without_write_only(&schema.attributes, &mut taken);
    let left = json!({ "token": null, "users": { "a": { "user": "u", "password": null } } });
    assert_eq!(taken, value(&left));
}

#[test]
fn a_default_object_gets_its_own_defaults() {
    let inner = Nested::new()
        .attribute("mode", Attribute::string().default("fast"))
        .attribute("size", Attribute::int64().optional());
    let empty = Value::Map(std::collections::BTreeMap::new());
    let schema = Schema::new().attribute("settings", Attribute::nested(inner).default(empty));
    let config = value(&json!({ "settings": null }));
    let filled = with_defaults(&schema.attributes, config.clone(), &config);
    let expected = json!({ "settings": { "mode": "fast", "size": null } });
    assert_eq!(from_value::<serde_json::Value>(filled).unwrap(), expected);
}

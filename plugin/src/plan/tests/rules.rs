//! The rules one by one: what replaces, what is checked, what is taken out, what is filled in.

use serde_json::json;

use super::super::{check, given_write_only, replacements, with_defaults, without_write_only};
use super::{made, new, object, schema, value};
use crate::schema::{Attribute, Nested, Schema, Type};
use crate::value::{Value, from_value};

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

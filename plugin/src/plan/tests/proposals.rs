//! What the schema alone makes of configuration, state, and the CLI's merge of both.

use serde_json::json;

use super::super::propose;
use super::{changed, made, new, object, schema, written};
use crate::value::{Value, same};

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

    let mut otherwise = prior.clone();
    otherwise["tags"] = json!(["b", "a"]);
    otherwise["in_set"] = json!([made("b"), made("a")]);
    expect(
        "another order of a set is no difference",
        config.clone(),
        Some(prior.clone()),
        otherwise,
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

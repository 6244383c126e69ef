//! Tables of the codecs: numbers, unknowns, models, and what does not fit.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::super::{Number, Value, from_value, json, msgpack, to_value};
use crate::Attr;
use crate::schema::Type;

#[test]
fn numbers_are_compared_by_what_they_are() {
    let exact = |float| Number::exactly(float).unwrap();
    let parse = |text| Number::parse(text).unwrap();
    let table = [
        (parse("1.50"), parse("1.5"), true),
        (parse("15e-1"), parse("1.5"), true),
        (exact(0.5), parse("0.5"), true),
        (exact(0.1), parse("0.1"), false),
        (exact(5.0), parse("5"), true),
        (exact(2f64.powi(70)), parse("1180591620717411303424"), true),
        (parse("-0.0"), parse("0"), true),
        (
            parse("123456789012345678901234567890.5"),
            parse("123456789012345678901234567890"),
            false,
        ),
    ];
    for (one, two, equal) in table {
        assert_eq!(one == two, equal, "{one} and {two}");
    }
    for wrong in [
        "",
        ".",
        "1.",
        ".5",
        "1e",
        "1e9999999",
        "0x1",
        "NaN",
        "inf",
        "1_000",
    ] {
        assert!(Number::parse(wrong).is_err(), "{wrong:?}");
    }
}

#[test]
fn a_person_s_fraction_stays_what_it_is() {
    let value: Value = from_value(Number::parse("0.1").unwrap().into()).unwrap();
    let float: f64 = from_value(value).unwrap();
    assert_eq!(
        to_value(&float).unwrap(),
        Value::Number(Number::parse("0.1").unwrap())
    );
}

#[test]
fn an_unknown_with_refinements_is_unknown() {
    // Extension 12 with the refinement "not null" (1: false), as the CLI writes it.
    for bytes in [
        &[0xd4, 0, 0][..],
        &[0xc7, 3, 12, 0x81, 1, 0xc2],
        &[0xd5, 12, 0x81, 1],
    ] {
        assert_eq!(
            msgpack::decode(bytes, &Type::String).unwrap(),
            Value::Unknown,
            "{bytes:?}"
        );
        assert_eq!(
            msgpack::decode(bytes, &Type::Dynamic).unwrap(),
            Value::Unknown,
            "{bytes:?}"
        );
    }
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Server {
    image: Attr<String>,
    size: Option<i64>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Model {
    name: String,
    servers: Attr<BTreeMap<String, Server>>,
    ports: Vec<u16>,
}

fn object(items: &[(&str, Value)]) -> Value {
    Value::Map(
        items
            .iter()
            .map(|(name, v)| ((*name).to_owned(), v.clone()))
            .collect(),
    )
}

fn model(image: Value, size: Value, port: Value) -> Value {
    let web = object(&[("image", image), ("size", size)]);
    let ports = Value::List(vec![Value::from(1), port]);
    object(&[
        ("name", "n".into()),
        ("servers", object(&[("web", web)])),
        ("ports", ports),
    ])
}

#[test]
fn a_model_holds_null_unknown_and_known() {
    for (image, attr) in [
        (Value::Null, Attr::Null),
        (Value::Unknown, Attr::Unknown),
        (Value::from("x"), Attr::from("x")),
    ] {
        let value = model(image, Value::Null, 2.into());
        let read: Model = from_value(value.clone()).unwrap();
        assert_eq!(read.servers.known().unwrap()["web"].image, attr);
        assert_eq!(to_value(&read).unwrap(), value);
        // In JSON null and unknown are one, and a field may be missing.
        let json = serde_json::to_string(&read).unwrap();
        let again: Model = serde_json::from_str(&json).unwrap();
        assert_eq!(
            again.servers.known().unwrap()["web"].image.known(),
            attr.known()
        );
    }
    assert_eq!(
        serde_json::from_str::<Server>("{}").unwrap().image,
        Attr::Null
    );
}

#[test]
fn of_an_object_that_is_not_known_no_attribute_is() {
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Port {
        number: Attr<u16>,
        name: Attr<String>,
    }
    let value = object(&[("http", Value::Unknown)]);
    let read: BTreeMap<String, Port> = from_value(value).unwrap();
    let unknown = Port {
        number: Attr::Unknown,
        name: Attr::Unknown,
    };
    assert_eq!(read["http"], unknown);
    let list: Vec<Port> = from_value(Value::List(vec![Value::Unknown])).unwrap();
    assert_eq!(list, [unknown]);
}

#[test]
fn what_does_not_fit_a_model_is_named() {
    let table = [
        (
            model(1.into(), Value::Null, 1.into()),
            "servers[\"web\"].image: invalid type",
        ),
        (
            model(Value::Null, "x".into(), 1.into()),
            "servers[\"web\"].size: invalid type",
        ),
        (
            model(Value::Null, Value::Unknown, 1.into()),
            "servers[\"web\"].size: the value is not known yet",
        ),
        (
            model(Value::Null, Value::Null, 70_000.into()),
            "ports[1]: invalid value",
        ),
        (Value::Unknown, "name: the value is not known yet"),
    ];
    for (value, message) in table {
        let error = from_value::<Model>(value).unwrap_err().to_string();
        assert!(error.starts_with(message), "{error}");
    }
}

#[test]
fn what_does_not_fit_a_schema_is_named() {
    let server = Type::object([("image", Type::String)]);
    let ty = Type::object([
        ("servers", Type::map(server)),
        ("ports", Type::list(Type::Number)),
    ]);
    let value = |server: Value, port: Value| {
        object(&[
            ("servers", object(&[("web", server)])),
            ("ports", Value::List(vec![port])),
        ])
    };
    let image = |image: Value| object(&[("image", image)]);
    let table = [
        (
            value(image(1.into()), 1.into()),
            "servers[\"web\"].image: a number where text belongs",
        ),
        (
            value(object(&[]), 1.into()),
            "servers[\"web\"].image: the model has no field for this attribute",
        ),
        (
            value(image(Value::Null), true.into()),
            "ports[0]: a boolean where a number belongs",
        ),
        (
            object(&[("extra", true.into())]),
            "extra: the schema has no such attribute",
        ),
    ];
    for (value, message) in table {
        assert_eq!(
            msgpack::encode(&value, &ty).unwrap_err().to_string(),
            message
        );
    }
    let stored = br#"{"servers":{"web":{"image":[]}},"ports":[1]}"#;
    let error = json::decode(stored, &ty).unwrap_err().to_string();
    assert_eq!(
        error,
        "servers[\"web\"].image: something else where text belongs"
    );
}

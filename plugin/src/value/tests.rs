//! Properties and tables of the codecs: nothing is lost, nothing is rounded, and what does not fit is named.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde::{Deserialize, Serialize};

use super::{Number, Value, from_value, json, msgpack, same, to_value, with_types_of};
use crate::Attr;
use crate::schema::Type;

fn types() -> impl Strategy<Value = Type> {
    let leaf = prop_oneof![Just(Type::Bool), Just(Type::Number), Just(Type::String)];
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            inner.clone().prop_map(Type::list),
            inner.clone().prop_map(Type::set),
            inner.clone().prop_map(Type::map),
            prop::collection::vec(inner.clone(), 0..3).prop_map(Type::Tuple),
            prop::collection::btree_map("[a-z]{1,4}", inner, 0..4).prop_map(Type::Object),
        ]
    })
}

fn numbers() -> impl Strategy<Value = Number> {
    prop_oneof![
        any::<i64>().prop_map(Number::from),
        any::<u64>().prop_map(Number::from),
        any::<f64>().prop_filter_map("finite", Number::exactly),
        any::<f64>().prop_filter_map("finite", Number::from_f64),
        "-?[0-9]{1,40}(\\.[0-9]{1,40})?".prop_map(|text| Number::parse(&text).unwrap()),
    ]
}

/// Values of a type, some of them null or unknown.
fn values(ty: &Type, unknown: bool) -> BoxedStrategy<Value> {
    let known = match ty {
        Type::Bool => any::<bool>().prop_map(Value::Bool).boxed(),
        Type::Number => numbers().prop_map(Value::Number).boxed(),
        Type::String => ".{0,300}".prop_map(Value::String).boxed(),
        Type::List(element) | Type::Set(element) => {
            prop::collection::vec(values(element, unknown), 0..20)
                .prop_map(Value::List)
                .boxed()
        }
        Type::Map(element) => {
            prop::collection::btree_map(".{0,5}", values(element, unknown), 0..20)
                .prop_map(Value::Map)
                .boxed()
        }
        Type::Tuple(types) => {
            let parts: Vec<_> = types.iter().map(|ty| values(ty, unknown)).collect();
            parts.prop_map(Value::List).boxed()
        }
        Type::Object(attributes) => {
            let names: Vec<String> = attributes.keys().cloned().collect();
            let parts: Vec<_> = attributes.values().map(|ty| values(ty, unknown)).collect();
            parts
                .prop_map(move |v| Value::Map(names.iter().cloned().zip(v).collect()))
                .boxed()
        }
        Type::Dynamic => types()
            .prop_flat_map(move |ty| {
                values(&ty, unknown).prop_map(move |v| Value::Typed(Box::new((ty.clone(), v))))
            })
            .boxed(),
    };
    let open = if unknown { Value::Unknown } else { Value::Null };
    prop_oneof![8 => known, 1 => Just(Value::Null), 1 => Just(open)].boxed()
}

fn typed_values(unknown: bool) -> impl Strategy<Value = (Type, Value)> {
    prop_oneof![9 => types(), 1 => Just(Type::Dynamic)]
        .prop_flat_map(move |ty| (Just(ty.clone()), values(&ty, unknown)))
}

/// A value as the CLI stores it.
fn stored(value: &Value) -> String {
    match value {
        Value::Null | Value::Unknown => "null".to_owned(),
        Value::Bool(flag) => flag.to_string(),
        Value::Number(number) => number.to_string(),
        Value::String(text) => serde_json::to_string(text).unwrap(),
        Value::List(items) => {
            format!(
                "[{}]",
                items.iter().map(stored).collect::<Vec<_>>().join(",")
            )
        }
        Value::Map(items) => {
            let pair = |(key, v)| format!("{}:{}", serde_json::to_string(key).unwrap(), stored(v));
            format!(
                "{{{}}}",
                items.iter().map(pair).collect::<Vec<_>>().join(",")
            )
        }
        Value::Typed(typed) => {
            format!(
                "{{\"type\":{},\"value\":{}}}",
                typed.0.to_json(),
                stored(&typed.1)
            )
        }
    }
}

proptest! {
    #[test]
    fn msgpack_loses_nothing((ty, value) in typed_values(true)) {
        let bytes = msgpack::encode(&value, &ty).unwrap();
        prop_assert_eq!(msgpack::decode(&bytes, &ty).unwrap(), value);
    }

    #[test]
    fn json_loses_nothing((ty, value) in typed_values(false)) {
        prop_assert_eq!(json::decode(stored(&value).as_bytes(), &ty).unwrap(), value);
    }

    #[test]
    fn a_value_that_goes_through_a_model_is_the_same((ty, value) in typed_values(true)) {
        let model: Value = from_value(value.clone()).unwrap();
        let back = with_types_of(to_value(&model).unwrap(), &value);
        prop_assert!(same(&back, &value, &ty), "{:?}", back);
        let bytes = msgpack::encode(&back, &ty).unwrap();
        prop_assert_eq!(msgpack::decode(&bytes, &ty).unwrap(), value);
    }

    #[test]
    fn whatever_comes_is_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200), ty in types()) {
        let _ = msgpack::decode(&bytes, &ty);
        let _ = msgpack::decode(&bytes, &Type::Dynamic);
        let _ = json::decode(&bytes, &ty);
    }

    #[test]
    fn types_go_through_json(ty in types()) {
        prop_assert_eq!(Type::from_json(&ty.to_json()).unwrap(), ty);
    }

    #[test]
    fn a_float_means_what_a_person_writes(float in any::<f64>().prop_filter("finite", |f| f.is_finite())) {
        let number = Number::from_f64(float).unwrap();
        prop_assert_eq!(number.as_f64(), float);
        // Large whole numbers are the float itself, whose digits say more than a person wrote.
        if float.fract() != 0.0 || float.abs() < 9e15 {
            prop_assert_eq!(number, Number::parse(&format!("{float}")).unwrap());
        }
    }
}

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
        (Value::Unknown, "the value is not known yet"),
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

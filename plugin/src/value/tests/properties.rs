//! Properties of the codecs: nothing is lost and nothing is rounded.

use super::super::{Number, Value, from_value, json, msgpack, same, to_value, with_types_of};
use crate::schema::Type;
use proptest::prelude::*;

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

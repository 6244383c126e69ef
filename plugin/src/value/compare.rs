//! Whether two values of one type are the same: sets know no order. And what a trip through a model loses, given back.

use super::Value;
use crate::schema::Type;

/// True if the values are the same; unknown is the same as unknown.
pub(crate) fn same(one: &Value, two: &Value, ty: &Type) -> bool {
    match (one, two, ty) {
        (Value::Typed(one), Value::Typed(two), _) if one.0 == two.0 => same(&one.1, &two.1, &one.0),
        (Value::Typed(_), Value::Typed(_), _) => false,
        // What came back from a model has lost its type.
        (Value::Typed(typed), other, _) | (other, Value::Typed(typed), _) => {
            same(&typed.1, other, &typed.0)
        }
        (Value::List(one), Value::List(two), Type::Set(element)) => {
            let mut left: Vec<&Value> = two.iter().collect();
            one.len() == two.len()
                && one.iter().all(|item| {
                    let found = left.iter().position(|other| same(item, other, element));
                    found.map(|position| left.swap_remove(position)).is_some()
                })
        }
        (Value::List(one), Value::List(two), Type::List(element)) => {
            one.len() == two.len()
                && one
                    .iter()
                    .zip(two)
                    .all(|(one, two)| same(one, two, element))
        }
        (Value::List(one), Value::List(two), Type::Tuple(types)) => {
            one.len() == two.len()
                && one
                    .iter()
                    .zip(two)
                    .zip(types)
                    .all(|((one, two), ty)| same(one, two, ty))
        }
        (Value::Map(one), Value::Map(two), Type::Map(element)) => {
            one.len() == two.len()
                && one
                    .iter()
                    .all(|(key, one)| two.get(key).is_some_and(|two| same(one, two, element)))
        }
        (Value::Map(one), Value::Map(two), Type::Object(attributes)) => {
            attributes.iter().all(|(name, ty)| {
                let null = Value::Null;
                same(
                    one.get(name).unwrap_or(&null),
                    two.get(name).unwrap_or(&null),
                    ty,
                )
            })
        }
        (one, two, _) => one == two,
    }
}

/// Gives dynamic values that went through a model unchanged the type back with which they came: a model holds no types,
/// and the CLI takes a map of numbers for another thing than an object of numbers.
pub(crate) fn with_types_of(value: Value, reference: &Value) -> Value {
    match (value, reference) {
        (value @ Value::Typed(_), _) => value,
        (value, Value::Typed(typed)) if same(&value, &typed.1, &typed.0) => reference.clone(),
        (Value::Map(mut items), Value::Map(references)) => {
            for (name, item) in &mut items {
                if let Some(reference) = references.get(name) {
                    *item = with_types_of(std::mem::take(item), reference);
                }
            }
            Value::Map(items)
        }
        (Value::List(items), Value::List(references)) => {
            let mut references = references.iter();
            let typed = |item| match references.next() {
                Some(reference) => with_types_of(item, reference),
                None => item,
            };
            Value::List(items.into_iter().map(typed).collect())
        }
        (value, _) => value,
    }
}

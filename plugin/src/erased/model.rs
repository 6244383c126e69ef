//! Between values and models, with diagnostics that name the attribute.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::path::{Path, Step};
use crate::schema::Type;
use crate::value::{ModelError, Value, from_value, to_value, with_types_of};

/// What is told when a value and a type do not fit each other.
pub(crate) fn misfit(what: &str, error: &ModelError) -> Diagnostics {
    let diagnostic = Diagnostic::error(format!("Cannot read {what}"), error.message());
    let path = error.path();
    if path.is_whole() {
        diagnostic
    } else {
        diagnostic.at(path)
    }
    .into()
}

/// Reads a model; `what` says of what: "the configuration".
pub(super) fn read<T: DeserializeOwned>(what: &str, value: Value) -> Result<T, Diagnostics> {
    from_value(value).map_err(|error| misfit(what, &error))
}

/// Reads a model if there is one.
pub(super) fn read_some<T: DeserializeOwned>(
    what: &str,
    value: &Value,
) -> Result<Option<T>, Diagnostics> {
    if value.is_null() {
        Ok(None)
    } else {
        read(what, value.clone()).map(Some)
    }
}

/// Writes a model; dynamic values that did not change since one of `references` keep their type.
pub(super) fn write(
    what: &str,
    model: &impl Serialize,
    references: &[&Value],
) -> Result<Value, Diagnostics> {
    let value = to_value(model).map_err(|error| misfit(what, &error))?;
    Ok(references
        .iter()
        .fold(value, |value, reference| with_types_of(value, reference)))
}

/// Makes what is unknown null, and says where it was.
pub(super) fn scrub(value: &mut Value, ty: &Type) -> Vec<Path> {
    let mut found = Vec::new();
    scrub_within(value, ty, &mut Vec::new(), &mut found);
    found
}

fn scrub_within(value: &mut Value, ty: &Type, steps: &mut Vec<Step>, found: &mut Vec<Path>) {
    let mut inner = |item: &mut Value, ty: &Type, step: Step| {
        steps.push(step);
        scrub_within(item, ty, steps, found);
        steps.pop();
    };
    match (value, ty) {
        (Value::List(items), Type::List(element) | Type::Set(element)) => {
            (0..)
                .zip(items)
                .for_each(|(index, item)| inner(item, element, Step::Index(index)));
        }
        (Value::List(items), Type::Tuple(types)) => {
            let items = (0..).zip(items.iter_mut().zip(types));
            items.for_each(|(index, (item, ty))| inner(item, ty, Step::Index(index)));
        }
        (Value::Map(items), Type::Map(element)) => {
            items
                .iter_mut()
                .for_each(|(key, item)| inner(item, element, Step::Key(key.clone())));
        }
        (Value::Map(items), Type::Object(attributes)) => {
            for (name, ty) in attributes {
                if let Some(item) = items.get_mut(name) {
                    inner(item, ty, Step::Attribute(name.clone()));
                }
            }
        }
        (Value::Typed(typed), _) => {
            let (ty, value) = &mut **typed;
            scrub_within(value, ty, steps, found);
        }
        (value, Type::Dynamic) if !value.is_unknown() => {
            let ty = value.natural_type();
            if ty != Type::Dynamic {
                scrub_within(value, &ty, steps, found);
            }
        }
        (value, _) => {
            if value.is_unknown() {
                *value = Value::Null;
                found.push(steps.iter().cloned().collect());
            }
        }
    }
}

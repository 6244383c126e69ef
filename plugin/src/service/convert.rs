//! Between this crate's types and the protocol's messages.

use crate::context::ClientCapabilities;
use crate::diagnostic::{Diagnostic, Diagnostics, Severity};
use crate::erased::misfit;
use crate::path::{Path, Step};
use crate::protocol::tfplugin6 as wire;
use crate::schema::Type;
use crate::value::{Value, json, msgpack};

use wire::attribute_path::step::Selector;

/// Reads a value; nothing is null.
pub(super) fn value(
    what: &str,
    message: Option<wire::DynamicValue>,
    ty: &Type,
) -> Result<Value, Diagnostics> {
    let Some(message) = message else {
        return Ok(Value::Null);
    };
    let value = match (message.msgpack.as_slice(), message.json.as_slice()) {
        ([], []) => Ok(Value::Null),
        ([], text) => json::decode(text, ty),
        (bytes, _) => msgpack::decode(bytes, ty),
    };
    value.map_err(|error| misfit(what, &error))
}

/// Writes a value. One that does not fit its schema is reported and null.
pub(super) fn message(
    what: &str,
    value: &Value,
    ty: &Type,
    diagnostics: &mut Diagnostics,
) -> Option<wire::DynamicValue> {
    let msgpack = msgpack::encode(value, ty).or_else(|error| {
        diagnostics.extend(misfit(what, &error));
        msgpack::encode(&Value::Null, ty)
    });
    Some(wire::DynamicValue {
        msgpack: msgpack.ok()?,
        json: Vec::new(),
    })
}

pub(super) fn path(path: Path) -> wire::AttributePath {
    let step = |step: &Step| wire::attribute_path::Step {
        selector: Some(match step {
            Step::Attribute(name) => Selector::AttributeName(name.clone()),
            Step::Key(key) => Selector::ElementKeyString(key.clone()),
            Step::Index(index) => Selector::ElementKeyInt(*index),
        }),
    };
    wire::AttributePath {
        steps: path.steps().iter().map(step).collect(),
    }
}

pub(super) fn diagnostics(diagnostics: Diagnostics) -> Vec<wire::Diagnostic> {
    diagnostics.into_iter().map(diagnostic).collect()
}

/// The CLIs find the line of an attribute at the top, but of a nested one only that of the whole resource. So the address ends
/// at the top, where the line is at least near, and the text has the rest.
fn diagnostic(diagnostic: Diagnostic) -> wire::Diagnostic {
    let Diagnostic {
        severity,
        summary,
        detail,
        path: at,
    } = diagnostic;
    let severity = match severity {
        Severity::Error => wire::diagnostic::Severity::Error,
        Severity::Warning => wire::diagnostic::Severity::Warning,
    };
    let at = at.unwrap_or_default();
    let detail = match at.steps() {
        [] | [_] => detail,
        _ if detail.is_empty() => format!("At {at}."),
        _ => format!("At {at}: {detail}"),
    };
    let attribute = at.steps().first().map(|step| path(step.clone().into()));
    wire::Diagnostic {
        severity: severity.into(),
        summary,
        detail,
        attribute,
    }
}

pub(super) fn capabilities(message: Option<wire::ClientCapabilities>) -> ClientCapabilities {
    let wire::ClientCapabilities {
        deferral_allowed,
        write_only_attributes_allowed,
    } = message.unwrap_or_default();
    ClientCapabilities {
        deferral_allowed,
        write_only_attributes_allowed,
    }
}

//! What can go wrong between us and the cloud, with the cloud's own reason.

use reqwest::{Method, StatusCode};
use serde_json::Value;

use super::call::Service;
use super::config::ConfigError;

/// What leads a person to the cause of an error. It stands as the error's source, because that is what a diagnostic shows below its
/// title.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Hint(pub(super) String);

/// A failure of a call.
#[derive(Debug, thiserror::Error)]
pub enum CloudError {
    /// Nobody said which cloud, or not completely.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// No answer came.
    #[error("{} at {url} cannot be reached: {why}", service.name())]
    Unreachable {
        /// The service asked.
        service: Service,
        /// Its address.
        url: String,
        /// Why not, in the system's words.
        why: String,
        /// Where the address came from.
        #[source]
        hint: Hint,
    },
    /// Keystone does not accept the credential.
    #[error("The cloud refuses the credentials")]
    Credential {
        /// Keystone's own words, and where the credential came from.
        #[source]
        hint: Hint,
    },
    /// Something answers where Keystone should, and not as Keystone does.
    #[error("No Keystone answers at {url}: {status}")]
    NotKeystone {
        /// The address.
        url: String,
        /// HTTP status.
        status: StatusCode,
        /// Where the address came from.
        #[source]
        hint: Hint,
    },
    /// The cloud has no such service.
    #[error(
        "the cloud's catalogue has no {} ({}) for region {region}; it has: {available}",
        service.name(),
        service.types().first().unwrap_or(&"")
    )]
    NoService {
        /// The missing one.
        service: Service,
        /// The region looked in.
        region: String,
        /// What is there.
        available: String,
    },
    /// The service said no.
    #[error("{} answers {} to {method} {path}: {reason}", service.name(), status.as_u16())]
    Refused {
        /// The service.
        service: Service,
        /// What was asked.
        method: Method,
        /// Of what.
        path: String,
        /// HTTP status.
        status: StatusCode,
        /// The service's own words.
        reason: String,
    },
    /// The answer makes no sense.
    #[error("{} answers {method} {path} with something unexpected: {what}", service.name())]
    Unexpected {
        /// The service.
        service: Service,
        /// What was asked.
        method: Method,
        /// Of what.
        path: String,
        /// What is wrong with it.
        what: String,
    },
}

impl CloudError {
    /// Whether the thing asked for is not there.
    pub fn is_not_found(&self) -> bool {
        self.status() == Some(StatusCode::NOT_FOUND)
    }

    /// Whether what was asked for is there already, or in somebody's way.
    pub fn is_conflict(&self) -> bool {
        self.status() == Some(StatusCode::CONFLICT)
    }

    /// Whether the caller lacks the right.
    pub fn is_forbidden(&self) -> bool {
        self.status() == Some(StatusCode::FORBIDDEN)
    }

    /// The whole of it, for a place within a text of ours.
    pub(crate) fn told(&self) -> String {
        use std::error::Error;
        match self.source() {
            Some(hint) => format!("{self}. {hint}"),
            None => self.to_string(),
        }
    }

    fn status(&self) -> Option<StatusCode> {
        match self {
            Self::Refused { status, .. } => Some(*status),
            _ => None,
        }
    }
}

/// Makes "not there" an ordinary answer.
pub(crate) fn found<T>(result: Result<T, CloudError>) -> Result<Option<T>, CloudError> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.is_not_found() => Ok(None),
        Err(error) => Err(error),
    }
}

/// The service's own words in the body of a refusal. Each service wraps them differently:
/// Keystone and Heat in `error`, Neutron in `NeutronError`, Nova and Cinder in `badRequest`,
/// `forbidden`, …, Glance in an HTML page.
pub(crate) fn reason(body: &str) -> String {
    let words = serde_json::from_str::<Value>(body)
        .ok()
        .and_then(|value| message(&value));
    let words = words.unwrap_or_else(|| strip_tags(body));
    let words = words.split_whitespace().collect::<Vec<_>>().join(" ");
    match words.char_indices().nth(2_000) {
        Some((end, _)) => format!("{}…", &words[..end]),
        None if words.is_empty() => "no reason given".to_owned(),
        None => words,
    }
}

fn message(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Object(map) => {
            let direct = ["message", "detail"].iter().find_map(|key| map.get(*key));
            match direct {
                Some(Value::String(text)) => Some(text.clone()),
                _ => map
                    .values()
                    .find(|value| value.is_object())
                    .and_then(message),
            }
        }
        _ => None,
    }
}

fn strip_tags(text: &str) -> String {
    let mut plain = String::new();
    let mut inside = false;
    for character in text.chars() {
        match character {
            '<' => inside = true,
            '>' => {
                inside = false;
                plain.push(' ');
            }
            other if !inside => plain.push(other),
            _ => {}
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_services_own_words_are_found() {
        let cases = [
            (
                r#"{"error":{"code":401,"message":"Unauthorized.","title":"x"}}"#,
                "Unauthorized.",
            ),
            (
                r#"{"badRequest":{"code":400,"message":"Invalid flavor."}}"#,
                "Invalid flavor.",
            ),
            (
                r#"{"NeutronError":{"type":"X","message":"Gateway is in use.","detail":""}}"#,
                "Gateway is in use.",
            ),
            (
                r#"{"explanation":"The server…","code":400,"error":{"message":"Property error","traceback":null,"type":"StackValidationFailed"},"title":"Bad Request"}"#,
                "Property error",
            ),
            (
                "<html><body><h1>404</h1> no\n such image</body></html>",
                "404 no such image",
            ),
            ("", "no reason given"),
        ];
        for (body, expected) in cases {
            assert_eq!(reason(body), expected);
        }
    }
}

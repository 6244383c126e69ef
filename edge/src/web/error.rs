//! Failures as answers: a status, one sentence, and the field that is to blame.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use mkys_edge_client::Refusal;

use crate::activity::UsesError;
use crate::policy::Denied;
use crate::publish::PublishError;
use crate::store::StoreError;

/// Why a request was not done.
#[derive(Debug)]
pub enum Failure {
    /// No token that is known.
    NoToken,
    /// No such route, or none that the token may see.
    NotFound,
    /// Not allowed, not right, or not now.
    Denied(Denied),
    /// Not JSON of the right shape.
    Malformed(String),
    /// The database.
    Store(StoreError),
    /// Written, but not served yet.
    Publish(PublishError),
    /// What is used is not known.
    Uses(UsesError),
    /// No token can be made.
    NoRandom(getrandom::Error),
}

impl From<UsesError> for Failure {
    fn from(error: UsesError) -> Self {
        Self::Uses(error)
    }
}

impl From<Denied> for Failure {
    fn from(denied: Denied) -> Self {
        Self::Denied(denied)
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Denied(denied) => Self::Denied(denied),
            error => Self::Store(error),
        }
    }
}

impl From<PublishError> for Failure {
    fn from(error: PublishError) -> Self {
        Self::Publish(error)
    }
}

impl Failure {
    /// Status, sentence, field.
    pub(super) fn parts(self) -> (StatusCode, Refusal) {
        let plain = |error: &str| Refusal {
            error: error.to_owned(),
            field: None,
        };
        let conflict = |field: &str, error: &StoreError| {
            let refusal = Refusal {
                error: error.to_string(),
                field: Some(field.to_owned()),
            };
            (StatusCode::CONFLICT, refusal)
        };
        match self {
            Self::NoToken => (
                StatusCode::UNAUTHORIZED,
                plain("no token, or one that is not known or revoked"),
            ),
            Self::NotFound => (StatusCode::NOT_FOUND, plain("there is no such route")),
            Self::Denied(Denied::Invalid(refusal)) => (StatusCode::UNPROCESSABLE_ENTITY, refusal),
            Self::Denied(Denied::Forbidden(refusal)) => (StatusCode::FORBIDDEN, refusal),
            Self::Denied(Denied::Conflict(refusal)) => (StatusCode::CONFLICT, refusal),
            Self::Malformed(error) => (StatusCode::BAD_REQUEST, plain(&error)),
            Self::Store(error @ StoreError::Taken { .. }) => conflict("path", &error),
            Self::Store(error @ StoreError::SessionTaken { .. }) => conflict("path", &error),
            Self::Store(error @ StoreError::Limit(_)) => conflict("limit", &error),
            Self::Store(error @ StoreError::HolderTaken(_)) => conflict("holder", &error),
            Self::Store(StoreError::Ended) => Self::NoToken.parts(),
            Self::Store(error) => {
                tracing::error!(error = &error as &dyn std::error::Error, "the database");
                (StatusCode::INTERNAL_SERVER_ERROR, plain(&error.to_string()))
            }
            Self::Publish(error) => {
                let error = format!("it is written and will be served once NGINX answers: {error}");
                (StatusCode::SERVICE_UNAVAILABLE, plain(&error))
            }
            Self::Uses(error) => (StatusCode::SERVICE_UNAVAILABLE, plain(&error.to_string())),
            Self::NoRandom(error) => {
                tracing::error!(%error, "no random bytes");
                (
                    StatusCode::INTERNAL_SERVER_ERROR,
                    plain("the edge has no random bytes for a token"),
                )
            }
        }
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let (status, refusal) = self.parts();
        (status, Json(refusal)).into_response()
    }
}

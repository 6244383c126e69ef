//! Failures as answers: a status, one sentence, and the field that is to blame.

use axum::Json;
use axum::http::header::WWW_AUTHENTICATE;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use mkys_edge_client::{NO_SUCH_ROUTE, Refusal};

use crate::activity::UsesError;
use crate::policy::Denied;
use crate::publish::PublishError;
use crate::store::StoreError;
use crate::warning::Warning;

/// Why a request was not done.
#[derive(Debug, strum::EnumCount)]
pub enum Failure {
    /// No token that is known.
    NoToken,
    /// No such route, or none that the token may see.
    NotFound,
    /// No such call.
    NoSuchCall,
    /// A call by another method.
    NoSuchMethod,
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
    pub(crate) fn parts(self) -> (StatusCode, Refusal) {
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
            Self::NotFound => (StatusCode::NOT_FOUND, plain(NO_SUCH_ROUTE)),
            // in other words than those of a route that is gone
            Self::NoSuchCall => (StatusCode::NOT_FOUND, plain("the API has no such call")),
            Self::NoSuchMethod => (
                StatusCode::METHOD_NOT_ALLOWED,
                plain("the API has no such method for this"),
            ),
            Self::Denied(Denied::Invalid(refusal)) => (StatusCode::UNPROCESSABLE_ENTITY, refusal),
            Self::Denied(Denied::Forbidden(refusal)) => (StatusCode::FORBIDDEN, refusal),
            Self::Denied(Denied::Conflict(refusal)) => (StatusCode::CONFLICT, refusal),
            Self::Malformed(error) => (StatusCode::BAD_REQUEST, plain(&error)),
            Self::Store(error @ StoreError::Taken { .. }) => conflict("path", &error),
            Self::Store(error @ StoreError::SessionTaken { .. }) => conflict("path", &error),
            Self::Store(error @ StoreError::Limit(_)) => conflict("limit", &error),
            Self::Store(error @ StoreError::HolderTaken(_)) => conflict("holder", &error),
            Self::Store(error @ StoreError::LimitsFull { .. }) => conflict("limit", &error),
            Self::Store(error @ StoreError::TooManyPending(_)) => conflict("access", &error),
            Self::Store(error @ (StoreError::MemoryFull | StoreError::DiskFull { .. })) => {
                tracing::warn!(%error, "{}", Warning::NoRoom);
                (StatusCode::INSUFFICIENT_STORAGE, plain(&error.to_string()))
            }
            Self::Store(StoreError::Ended) => Self::NoToken.parts(),
            Self::Store(error) => {
                tracing::error!(
                    error = &error as &dyn std::error::Error,
                    "{}",
                    Warning::Database
                );
                (StatusCode::INTERNAL_SERVER_ERROR, plain(&error.to_string()))
            }
            Self::Publish(error @ PublishError::Full) => {
                let error = format!("it is written, and cannot be served: {error}");
                (StatusCode::INSUFFICIENT_STORAGE, plain(&error))
            }
            Self::Publish(error) => {
                let error = format!("it is written and will be served once NGINX answers: {error}");
                (StatusCode::SERVICE_UNAVAILABLE, plain(&error))
            }
            Self::Uses(error) => (StatusCode::SERVICE_UNAVAILABLE, plain(&error.to_string())),
            Self::NoRandom(error) => {
                tracing::error!(%error, "{}", Warning::NoRandom);
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
        let mut response = (status, Json(refusal)).into_response();
        if status == StatusCode::UNAUTHORIZED {
            let scheme = HeaderValue::from_static("Bearer");
            response.headers_mut().insert(WWW_AUTHENTICATE, scheme);
        }
        response
    }
}

//! What can go wrong between a client and the edge.

use serde::{Deserialize, Serialize};

/// The edge's refusal, as it goes over the wire.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// One sentence for the person who asked.
    pub error: String,
    /// The field of the request that is to blame, such as `path` or `targets.users`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
}

/// A failure of a call to the edge.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EdgeError {
    /// The client cannot be made from these settings.
    #[error("the edge client cannot use {what}: {reason}")]
    Settings {
        /// The setting.
        what: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// No answer came.
    #[error("the edge at {url} cannot be reached")]
    Unreachable {
        /// Its address.
        url: String,
        /// Why not.
        #[source]
        source: reqwest::Error,
    },
    /// The edge does not know the token.
    #[error("the edge at {url} does not accept the token: {reason}")]
    Token {
        /// Its address.
        url: String,
        /// Its own words.
        reason: String,
    },
    /// The token has no right to this.
    #[error("the edge refuses it to this token: {}", refusal.error)]
    Forbidden {
        /// Its own words.
        refusal: Refusal,
    },
    /// Something answers, and not in the words of an edge.
    #[error("no mkys-edge answers at {url}: {answer}")]
    NotAnEdge {
        /// The address.
        url: String,
        /// What answers there.
        answer: String,
    },
    /// There is no such route.
    #[error("the edge has no route {id}")]
    NotFound {
        /// Its id, or a session route's name.
        id: String,
        /// The edge that says so; none where it is of a version that does not say which it is.
        edge: Option<uuid::Uuid>,
    },
    /// Somebody else has the host and path, or the state does not allow it.
    #[error("the edge says no: {}", refusal.error)]
    Conflict {
        /// Its own words.
        refusal: Refusal,
    },
    /// The request is not right.
    #[error("the edge cannot take it: {}", refusal.error)]
    Invalid {
        /// Its own words.
        refusal: Refusal,
    },
    /// Anything else.
    #[error("the edge at {url} answers {status}: {reason}")]
    Unexpected {
        /// Its address.
        url: String,
        /// HTTP status.
        status: u16,
        /// Its own words.
        reason: String,
    },
}

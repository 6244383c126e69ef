//! Who uses the session routes: NGINX counts, this asks it.

use std::collections::HashMap;
use std::path::PathBuf;
use std::time::Duration;

use mkys_edge_client::{Session, SessionStatus};
use serde::Deserialize;
use serde_json::json;
use uuid::Uuid;

use crate::lease;

/// How long NGINX may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// NGINX does not say who uses what.
#[derive(Debug, thiserror::Error)]
#[error("NGINX does not say who uses the session routes: {0}")]
pub struct UsesError(String);

/// Asks NGINX. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Uses(reqwest::Client);

/// What NGINX knows.
#[derive(Debug, Deserialize)]
struct Known {
    now: f64,
    started: f64,
    /// By id: open connections, and when something last passed.
    of: HashMap<Uuid, Use>,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
struct Use {
    connections: u64,
    #[serde(default)]
    last: Option<f64>,
}

impl Uses {
    /// Asks on NGINX' control socket.
    ///
    /// # Errors
    ///
    /// When the client cannot be made.
    pub fn new(socket: PathBuf) -> Result<Self, UsesError> {
        let http = reqwest::Client::builder()
            .unix_socket(socket)
            .timeout(PATIENCE)
            .build();
        http.map(Self).map_err(|error| UsesError(error.to_string()))
    }

    /// Session routes with their use, in one question.
    ///
    /// # Errors
    ///
    /// When NGINX does not answer.
    pub async fn of(&self, sessions: Vec<Session>) -> Result<Vec<SessionStatus>, UsesError> {
        if sessions.is_empty() {
            return Ok(Vec::new());
        }
        let failed = |error: reqwest::Error| UsesError(error.without_url().to_string());
        let ids: Vec<_> = sessions.iter().map(|session| session.id).collect();
        let asked = self
            .0
            .put("http://nginx/uses")
            .json(&json!({ "ids": ids }))
            .send()
            .await
            .and_then(reqwest::Response::error_for_status);
        let known: Known = asked.map_err(failed)?.json().await.map_err(failed)?;
        let with = |session: Session| {
            let Use { connections, last } = known.of.get(&session.id).copied().unwrap_or_default();
            SessionStatus {
                connections,
                idle_s: lease::idle_s(last, session.created_at, known.started, known.now),
                session,
            }
        };
        Ok(sessions.into_iter().map(with).collect())
    }
}

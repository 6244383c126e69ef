//! Who uses the session routes: NGINX counts, this asks it.

use std::collections::HashMap;
use std::path::PathBuf;
use std::time::Duration;

use mkys_edge_client::{Session, SessionStatus};
use serde::Deserialize;
use serde_json::json;
use uuid::Uuid;

use crate::clock::Clock;
use crate::lease;

/// How long NGINX may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// NGINX does not say who uses what.
#[derive(Debug, thiserror::Error)]
#[error("NGINX does not say who uses the session routes: {0}")]
pub struct UsesError(pub(crate) String);

/// Asks NGINX. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Uses {
    http: reqwest::Client,
    clock: Clock,
}

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
    pub fn new(socket: PathBuf, clock: Clock) -> Result<Self, UsesError> {
        let http = reqwest::Client::builder()
            .unix_socket(socket)
            // one that is kept ends with its worker
            .pool_max_idle_per_host(0)
            .timeout(PATIENCE)
            .build();
        http.map(|http| Self { http, clock })
            .map_err(|error| UsesError(error.to_string()))
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
        let known = match self.ask(&ids).await {
            Ok(known) => known,
            // the worker that was asked may have ended
            Err(_) => self.ask(&ids).await.map_err(failed)?,
        };
        let now = self.clock.now();
        let with = |session: Session| {
            let age_s = now.duration_since(session.created_at).as_secs_f64();
            let Use { connections, last } = known.of.get(&session.id).copied().unwrap_or_default();
            SessionStatus {
                connections,
                idle_s: lease::idle_s(last, age_s, known.started, known.now),
                session,
            }
        };
        Ok(sessions.into_iter().map(with).collect())
    }

    async fn ask(&self, ids: &[Uuid]) -> Result<Known, reqwest::Error> {
        let asked = self.http.put("http://nginx/uses");
        let answer = asked.json(&json!({ "ids": ids })).send().await?;
        answer.error_for_status()?.json().await
    }
}

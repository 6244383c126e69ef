//! The health endpoint, for monitoring. It needs no token, so the database is tried at most once in a few seconds.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use tokio::sync::Mutex;

use super::App;

/// How long what was found of the database holds.
const HOLDS: Duration = Duration::from_secs(5);
/// How long the database may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// What was found of the database last.
#[derive(Clone, Debug, Default)]
pub(super) struct Checks(Arc<Mutex<Option<Check>>>);

#[derive(Debug)]
struct Check {
    at: Instant,
    found: Result<(), String>,
}

pub(super) fn router() -> Router<App> {
    Router::new().route("/v1/health", get(health))
}

/// 200 while NGINX answers, knows all routes, and the database takes changes; else 503 with what does not.
async fn health(State(app): State<App>) -> (StatusCode, String) {
    let faults = app.health.faults(database(&app).await);
    match faults.0.is_empty() {
        true => (StatusCode::OK, "ok\n".to_owned()),
        false => (StatusCode::SERVICE_UNAVAILABLE, faults.to_string()),
    }
}

async fn database(app: &App) -> Result<(), String> {
    let mut last = app.checks.0.lock().await;
    if let Some(check) = &*last
        && check.at.elapsed() < HOLDS
    {
        return check.found.clone();
    }
    let tried = tokio::time::timeout(PATIENCE, app.store.check(jiff::Timestamp::now()));
    let found = match tried.await {
        Ok(found) => found.map_err(|error| error.to_string()),
        Err(_) => Err(format!("it takes no change in {} s", PATIENCE.as_secs())),
    };
    *last = Some(Check {
        at: Instant::now(),
        found: found.clone(),
    });
    found
}

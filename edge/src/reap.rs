//! Deletes the session routes that have lapsed, and sees to it that the database keeps its room. NGINX stopped serving them by itself; this
//! frees their rows and what NGINX remembers of them.

use std::time::Duration;

use crate::clock::Clock;
use crate::publish::Publisher;
use crate::store::Store;
use crate::warning::Warning;

/// How often. A row that has lapsed is not seen by anybody, so nothing waits for this.
const PERIOD: Duration = Duration::from_secs(5);

/// Does so for good.
pub async fn run(store: Store, publisher: Publisher, clock: Clock) {
    let mut period = tokio::time::interval(PERIOD);
    loop {
        period.tick().await;
        // a full disk is told by health
        if let Err(error) = store.keep_room().await {
            tracing::debug!(error = &error as &dyn std::error::Error, "no room is kept");
        }
        match store.reap_sessions(clock.now()).await {
            Ok(lapsed) => {
                if !lapsed.ids.is_empty() {
                    tracing::info!(sessions = lapsed.ids.len(), "lapsed");
                }
                // when NGINX does not answer now, it is told everything once it does
                let _ = publisher.forget(lapsed).await;
            }
            Err(error) => {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "{}",
                    Warning::NotReaped
                );
            }
        }
    }
}

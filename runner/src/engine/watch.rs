//! What the engine says of the owner's containers: one stream of events for all of them.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use bollard::Docker;
use bollard::errors::Error;
use bollard::models::EventMessage;
use bollard::query_parameters::{EventsOptionsBuilder, ListContainersOptionsBuilder};
use futures_util::StreamExt;

use super::body::{self, Found};
use super::hub::Hub;
use crate::spec::{Owner, RunName};
use crate::state::Observation;

/// Before events are asked for again, after the engine went away.
const PAUSE: Duration = Duration::from_millis(500);

/// The owner's containers whose runs can be told.
pub(super) async fn containers(docker: &Docker, owner: &Owner) -> Result<Vec<Found>, Error> {
    let filters = HashMap::from([("label".to_owned(), vec![body::owner_label(owner)])]);
    let options = ListContainersOptionsBuilder::new()
        .all(true)
        .filters(&filters)
        .build();
    let listed = docker.list_containers(Some(options)).await?;
    Ok(listed.into_iter().filter_map(body::found).collect())
}

/// Follows the engine for as long as it is let. An engine that is away says nothing of any run; once it is back, it is asked which
/// containers are there.
pub(super) async fn events(docker: Docker, owner: Owner, hub: Arc<Hub>) {
    let label = body::owner_label(&owner);
    loop {
        let filters = HashMap::from([
            ("type".to_owned(), vec!["container".to_owned()]),
            ("label".to_owned(), vec![label.clone()]),
        ]);
        let options = EventsOptionsBuilder::new().filters(&filters).build();
        let mut events = docker.events(Some(options));
        // what went by unseen, now that the next will be seen
        if let Err(error) = look(&docker, &owner, &hub).await {
            tracing::debug!(%error, "the engine does not list its containers");
        }
        while let Some(event) = events.next().await {
            match event {
                Ok(event) => happened(&owner, &hub, event),
                Err(error) => {
                    tracing::debug!(%error, "the engine's events are over");
                    break;
                }
            }
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// A run whose first process was connected, and whose container is not there, is missing.
async fn look(docker: &Docker, owner: &Owner, hub: &Hub) -> Result<(), Error> {
    let alive = hub.alive();
    if alive.is_empty() {
        return Ok(());
    }
    let there: HashSet<RunName> = containers(docker, owner)
        .await?
        .into_iter()
        .map(|found| found.plan.name)
        .collect();
    for run in alive.iter().filter(|run| !there.contains(*run)) {
        let words = "its container was not there when the engine could be asked again".to_owned();
        hub.missing(run, Observation::Missing { words });
    }
    Ok(())
}

fn happened(owner: &Owner, hub: &Hub, event: EventMessage) {
    let ended = matches!(
        event.action.as_deref(),
        Some("die" | "died" | "remove" | "destroy")
    );
    let Some(attributes) = event
        .actor
        .and_then(|actor| actor.attributes)
        .filter(|_| ended)
    else {
        return;
    };
    let Some(run) = attributes
        .get("name")
        .and_then(|name| body::run_of(owner, name))
    else {
        return;
    };
    let code = attributes
        .get("exitCode")
        .or_else(|| attributes.get("containerExitCode"));
    let code = code.map(|code| format!(", with exit code {code}"));
    let words = format!(
        "its container ended{} before it was said how its command ended",
        code.unwrap_or_default()
    );
    hub.missing(&run, Observation::Missing { words });
}

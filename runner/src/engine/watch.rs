//! What the engine says of the owner's containers: one stream of events for all of them.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use bollard::models::EventMessage;
use bollard::query_parameters::{EventsOptionsBuilder, LogsOptionsBuilder};
use futures_util::StreamExt;
use futures_util::stream::{self, BoxStream};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::body::{self, Found};
use super::client::{AskError, Client, Listed};
use super::hub::Hub;
use super::triage;
use crate::executor::ExecutorError;
use crate::log::{LogLine, LogPlace, MISSING, Reading};
use crate::spec::{Owner, RunName};
use crate::state::Observation;

/// Before events are asked for again, after the engine went away.
const PAUSE: Duration = Duration::from_millis(500);

/// A container that is over.
#[derive(Debug)]
struct Over {
    at: Instant,
    run: RunName,
    container: String,
    words: String,
}

/// How long what was said before a container's end may take to be read.
const READ_FIRST: Duration = Duration::from_secs(1);

/// The containers of an owner, or of all owners.
pub(super) async fn listed(
    docker: &Client,
    owner: Option<&Owner>,
) -> Result<Vec<Listed>, AskError> {
    docker.list(&body::owner_label(owner)).await
}

/// The owner's containers whose runs can be told.
pub(super) async fn containers(docker: &Client, owner: &Owner) -> Result<Vec<Found>, AskError> {
    let listed = listed(docker, Some(owner)).await?;
    Ok(listed.into_iter().filter_map(body::found).collect())
}

/// Which part of a log is read.
#[derive(Clone, Copy, Debug)]
pub(super) enum Part {
    /// What was written after a place, or all of it; and with `follow` what is written from now on.
    After {
        from: Option<LogPlace>,
        follow: bool,
    },
    /// The last lines.
    Last(usize),
}

/// What a container wrote after a place in its log.
pub(super) fn logs(
    docker: &Client,
    executor: String,
    container: String,
    part: Part,
) -> BoxStream<'static, Result<LogLine, ExecutorError>> {
    let (from, follow, tail) = match part {
        Part::After { from, follow } => (from, follow, "all".to_owned()),
        Part::Last(lines) => (None, false, lines.to_string()),
    };
    let since = Reading::since(from).map_or(0, |since| {
        i32::try_from(since.as_second()).unwrap_or(i32::MAX)
    });
    let options = LogsOptionsBuilder::new()
        .follow(follow)
        .stdout(true)
        .stderr(true)
        .timestamps(true)
        .since(since)
        .tail(&tail)
        .build();
    let mut reading = Reading::from(from);
    let parts = docker.logs(&container, Some(options));
    // after the last there is what never became a line
    let parts = parts.map(Some).chain(stream::iter([None]));
    let lines = parts.map(move |part| match part {
        Some(Ok(part)) => triage::log_part(&mut reading, &part)
            .into_iter()
            .map(Ok)
            .collect(),
        Some(Err(source)) => vec![Err(ExecutorError {
            executor: executor.clone(),
            action: format!("give the log of {container}"),
            source: source.into(),
        })],
        // a live log may be cut off anywhere: what is not whole is read again from its place
        None if follow => Vec::new(),
        None => {
            let mut rest: Vec<_> = reading.rest().into_iter().map(Ok).collect();
            if reading.has_lost() {
                rest.push(Err(ExecutorError {
                    executor: executor.clone(),
                    action: format!("give all of the log of {container}"),
                    source: MISSING.into(),
                }));
            }
            rest
        }
    });
    lines.flat_map(stream::iter).boxed()
}

/// Follows the engine for as long as it is let. An engine that is away says nothing of any run; once it is back, it is asked which
/// containers are there.
pub(super) async fn events(docker: Client, owner: Owner, hub: Arc<Hub>) {
    let label = body::owner_label(Some(&owner));
    let (told, overs) = mpsc::unbounded_channel();
    // it ends with this
    let mut late = JoinSet::new();
    late.spawn(tell_late(Arc::clone(&hub), overs));
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
                // the other end goes with this
                Ok(event) => drop(happened(&owner, event).map(|over| told.send(over))),
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
async fn look(docker: &Client, owner: &Owner, hub: &Hub) -> Result<(), AskError> {
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

/// What an event says of the end of a container.
fn happened(owner: &Owner, event: EventMessage) -> Option<Over> {
    let ended = matches!(
        event.action.as_deref(),
        Some("die" | "died" | "remove" | "destroy")
    );
    let actor = event.actor.filter(|_| ended)?;
    let (container, attributes) = (actor.id?, actor.attributes?);
    let run = body::run_of(owner, attributes.get("name")?)?;
    let code = attributes
        .get("exitCode")
        .or_else(|| attributes.get("containerExitCode"));
    let code = code.map(|code| format!(", with exit code {code}"));
    let words = format!(
        "its container ended{} before it was said how its command ended",
        code.unwrap_or_default()
    );
    Some(Over {
        at: Instant::now(),
        run,
        container,
        words,
    })
}

/// Tells of containers that are over, in order, once what their first processes said before had its time to be read: an owner that was held
/// up may come to both at once.
async fn tell_late(hub: Arc<Hub>, mut overs: mpsc::UnboundedReceiver<Over>) {
    while let Some(over) = overs.recv().await {
        let Over {
            at,
            run,
            container,
            words,
        } = over;
        tokio::time::sleep_until(at + READ_FIRST).await;
        hub.over(&run, &container, Observation::Missing { words });
    }
}

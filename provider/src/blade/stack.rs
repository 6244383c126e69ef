//! A blade's Heat stack: starting its changes, waiting for them, and saying why one failed.

use std::collections::BTreeSet;

use mkys_blade::BACKPLANE_GROUP;
use mkys_plugin::Context;
use tokio::time::Instant;

use super::waiting::{GaveUp, Patience};
use crate::cloud::services::heat::{self, Event, Stack};
use crate::cloud::services::network;
use crate::cloud::{CloudError, Session};

/// Mark of a blade's stack.
pub(super) const MARK: &str = "mkys-blade";
/// Marks of one that is not whole yet.
pub(super) const MARKS_CREATING: &str = "mkys-blade,mkys-creating";
/// The second of them.
const CREATING: &str = "mkys-creating";
/// Mark of the backplane's security group in a blade that is whole. To take [`CREATING`] from the stack instead would be an update of
/// the whole stack, which takes Heat seconds; the next update does it.
const WHOLE: &str = "mkys-whole";

/// Marks a blade as whole; `stack` with its outputs.
pub(super) async fn set_whole(session: &Session, stack: &Stack) -> Result<(), CloudError> {
    match stack.output(BACKPLANE_GROUP) {
        Some(group) => network::tag_group(session, group, WHOLE).await,
        None => Ok(()),
    }
}

/// Whether a stack is that of a blade whose creation was interrupted.
pub(super) async fn is_unfinished(session: &Session, stack: &Stack) -> Result<bool, CloudError> {
    if !stack.has_tag(CREATING) {
        return Ok(false);
    }
    let stack = heat::outputs(session, stack).await?;
    match stack
        .as_ref()
        .and_then(|stack| stack.output(BACKPLANE_GROUP))
    {
        Some(group) => Ok(!network::group_has_tag(session, group, WHOLE).await?),
        None => Ok(true),
    }
}

/// What has the name of a blade's stack.
#[derive(Debug)]
pub(super) enum Named {
    /// Nothing.
    Nothing,
    /// The blade's stack.
    Blades(Stack),
    /// Another stack: it is neither changed nor deleted.
    Others(Stack),
}

impl Named {
    /// Looks which it is. `id` is what the state knows of the blade's stack; in a project that was made for the blade (`is_made`) our
    /// mark will do as well, as an update that built the stack again may have been killed.
    pub(super) async fn find(
        session: &Session,
        name: &str,
        id: Option<&str>,
        is_made: bool,
    ) -> Result<Self, CloudError> {
        Ok(match heat::stack(session, name).await? {
            None => Self::Nothing,
            Some(stack) if id == Some(&*stack.id) || (is_made && stack.has_tag(MARK)) => {
                Self::Blades(stack)
            }
            Some(stack) => Self::Others(stack),
        })
    }

    /// The blade's stack; `None`: it is gone.
    pub(super) fn blades(self) -> Option<Stack> {
        match self {
            Self::Blades(stack) => Some(stack),
            Self::Nothing | Self::Others(_) => None,
        }
    }
}

/// What is said of another stack that has the name of the blade's, which is gone.
pub(super) fn said_of_other(stack: &Stack) -> String {
    let (name, id) = (&stack.stack_name, &stack.id);
    format!(
        "Stack {id}, which has the name {name:?} now, is not the one that the state knows, and is left alone."
    )
}

/// How a change of a stack ended.
#[derive(Debug)]
pub(super) enum Ended {
    /// As wanted; the stack with its outputs.
    Complete(Stack),
    /// Not as wanted; the stack as it is now, and Heat's reasons.
    Failed { stack: Stack, reasons: Vec<String> },
    /// The stack is gone.
    Gone,
}

/// The newest event, to tell what comes later from what came before.
pub(super) async fn newest_event(session: &Session, stack: &Stack) -> Result<String, CloudError> {
    let events = heat::events(session, stack).await?;
    Ok(events
        .first()
        .map(|event| event.id.clone())
        .unwrap_or_default())
}

/// Waits until Heat is done with a stack. `since` is the newest event before the change.
pub(super) async fn settled(
    session: &Session,
    stack: &Stack,
    since: &str,
    deadline: Instant,
    cx: &Context,
) -> Result<Ended, GaveUp> {
    let mut patience = Patience::new(deadline, cx);
    let mut status = String::new();
    loop {
        let Some(now) = heat::status(session, stack).await? else {
            return Ok(Ended::Gone);
        };
        if now.stack_status != status {
            tracing::info!(stack = now.stack_name, status = now.stack_status, "Heat");
            status.clone_from(&now.stack_status);
        }
        if !now.is_busy() {
            return ended(session, now, since).await;
        }
        patience
            .pause(|| format!("Heat still says {status}"))
            .await?;
    }
}

async fn ended(session: &Session, now: Stack, since: &str) -> Result<Ended, GaveUp> {
    match now.stack_status.as_str() {
        "CREATE_COMPLETE" | "UPDATE_COMPLETE" | "CHECK_COMPLETE" | "RESUME_COMPLETE" => {
            let stack = heat::outputs(session, &now).await?;
            Ok(stack.map_or(Ended::Gone, Ended::Complete))
        }
        "DELETE_COMPLETE" => Ok(Ended::Gone),
        _ => {
            let events = heat::events(session, &now).await?;
            let mut reasons = reasons(&now.stack_name, &events, since);
            if reasons.is_empty() {
                reasons.extend(now.stack_status_reason.clone());
            }
            Ok(Ended::Failed {
                stack: now,
                reasons,
            })
        }
    }
}

/// What failed, in the words of the service that refused, the first failure first.
fn reasons(stack: &str, events: &[Event], since: &str) -> Vec<String> {
    let new = events.iter().take_while(|event| event.id != since);
    let failed: Vec<_> = new
        .filter(|event| event.resource_status.ends_with("_FAILED") && event.resource_name != stack)
        .collect();
    let mut seen = BTreeSet::new();
    let mut reasons = Vec::new();
    for event in failed.into_iter().rev() {
        let reason = event
            .resource_status_reason
            .as_deref()
            .unwrap_or("no reason given");
        // what Heat stopped because something else had failed
        if reason.contains("aborted") || reason.contains("Stack CREATE cancelled") {
            continue;
        }
        let said = format!("{}: {}", part(&event.resource_name), plain(reason));
        if seen.insert(said.clone()) {
            reasons.push(said);
        }
    }
    reasons
}

/// The part of the blade that a resource belongs to, in the definition's words.
pub(super) fn part(resource: &str) -> String {
    let mut words = resource.split('_');
    let (kind, name) = (
        words.next().unwrap_or_default(),
        words.next().unwrap_or_default(),
    );
    match kind {
        "server" => format!("server {name:?}"),
        "ready" | "handle" => format!("server {name:?} did not become ready"),
        "network" | "subnet" | "interface" => format!("network {name:?} ({kind})"),
        "router" => format!("router for {name}"),
        "ops-network" | "ops-subnet" | "ops-interface" | "ops-router-port" => {
            format!("network for devops ({kind})")
        }
        "group" => format!("security group of server {name:?}"),
        _ => match kind.split_once('-') {
            Some(("port", network)) => format!("port of server {name:?} on network {network:?}"),
            Some(("volume", volume)) => format!("volume {volume:?} of server {name:?}"),
            Some(("attachment", volume)) => {
                format!("attaching volume {volume:?} to server {name:?}")
            }
            Some(("floating", _)) | Some(("association", _)) => {
                format!("floating IP of server {name:?}")
            }
            _ => resource.to_owned(),
        },
    }
}

/// Heat's reason without its own class and path in front: `WaitConditionFailure:
/// resources.ready_web_R1: …`.
fn plain(reason: &str) -> &str {
    let rest = match reason.split_once(": ") {
        Some((class, rest)) if class.chars().all(char::is_alphanumeric) => rest,
        _ => reason,
    };
    match rest.split_once(": ") {
        Some((path, rest)) if path.starts_with("resources.") => rest,
        _ => rest,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(id: &str, name: &str, status: &str, reason: &str) -> Event {
        Event {
            id: id.into(),
            resource_name: name.into(),
            resource_status: status.into(),
            resource_status_reason: Some(reason.into()),
        }
    }

    #[test]
    fn the_cause_is_told_in_the_definitions_words_and_what_only_followed_is_not() {
        let events = [
            event(
                "5",
                "automathon",
                "UPDATE_FAILED",
                "Resource CREATE failed: …",
            ),
            event(
                "4",
                "port-front_db_R1",
                "CREATE_FAILED",
                "CREATE aborted (Task create …)",
            ),
            event(
                "3",
                "ready_web_R12345678",
                "CREATE_FAILED",
                "WaitConditionFailure: resources.ready_web_R12345678: http://127.0.0.1:80/ did not \
                 answer 200 within 30 s of the boot: ",
            ),
            event(
                "2",
                "server_web_R12345678",
                "CREATE_IN_PROGRESS",
                "state changed",
            ),
            event(
                "1",
                "server_old_R1",
                "CREATE_FAILED",
                "from an update before",
            ),
        ];
        let expected = "server \"web\" did not become ready: http://127.0.0.1:80/ did not answer \
                        200 within 30 s of the boot: ";
        assert_eq!(reasons("automathon", &events, "1"), [expected]);
    }

    #[test]
    fn novas_own_reason_stays_whole() {
        let reason = "ResourceInError: resources.server_web_R1: Went to status ERROR due to \
                      \"Message: No valid host was found. , Code: 500\"";
        assert!(plain(reason).starts_with("Went to status ERROR due to \"Message: No valid host"));
        assert_eq!(part("volume-data_db"), "volume \"data\" of server \"db\"");
    }
}

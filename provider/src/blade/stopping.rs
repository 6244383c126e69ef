//! Stops servers whose volumes are about to be taken from them, and starts those that do not run and stay.
//!
//! Nova takes a disk from a running server only with its guest's help. A guest that is stuck, such as a new version that crashed, gives none:
//! Nova gives up after some minutes, and Heat waits for the volume until its own limit, an hour by default. From a stopped server a disk is
//! taken at once, and its file system was left in order where the guest still could.

use std::collections::BTreeSet;

use mkys_blade::ATTACHMENT_TYPE;

use super::waiting::{GaveUp, Patience};
use crate::cloud::services::compute;
use crate::cloud::services::heat::{self, Stack, StackResource};
use crate::cloud::{CloudError, Session};

/// Ids of the servers of a stack of which an attachment goes.
pub(super) async fn losing_volumes(
    session: &Session,
    stack: &Stack,
    goes: impl Fn(&str) -> bool,
) -> Result<BTreeSet<String>, CloudError> {
    let resources = match heat::resources(session, stack).await {
        Err(error) if error.is_not_found() => return Ok(BTreeSet::new()),
        other => other?,
    };
    let losing = losing(&resources, goes).into_iter();
    Ok(losing.map(str::to_owned).collect())
}

/// Stops servers: by the power button, and without it once Nova's patience is over. One that is paused, suspended or shelved is woken first:
/// Nova stops none of them, and takes no disk from one.
pub(super) async fn stop(
    session: &Session,
    ids: &BTreeSet<String>,
    mut patience: Patience<'_>,
) -> Result<(), GaveUp> {
    for id in ids {
        wake(session, id, patience).await?;
        match compute::stop(session, id).await {
            Ok(()) => tracing::info!(server = id, "stopping it before its volumes are taken away"),
            // gone, or stopped already
            Err(error) if error.is_not_found() || error.is_conflict() => {}
            Err(error) => return Err(error.into()),
        }
    }
    for id in ids {
        while let Some(status) = status(session, id).await? {
            match status.as_str() {
                "SHUTOFF" | "ERROR" | "DELETED" | "SOFT_DELETED" => break,
                _ => {
                    let still = || format!("server {id} does not stop: Nova says {status}");
                    patience.pause(still).await?;
                }
            }
        }
    }
    Ok(())
}

/// What takes a server out of a state in which somebody put it; `None`: it is in no such state.
fn way_out(status: &str) -> Option<&'static str> {
    Some(match status {
        "SHUTOFF" => "os-start",
        "PAUSED" => "unpause",
        "SUSPENDED" => "resume",
        "SHELVED" | "SHELVED_OFFLOADED" => "unshelve",
        "RESCUE" => "unrescue",
        _ => return None,
    })
}

/// How a server's state is told where it is not one in which a server serves.
pub(super) fn told(status: &str) -> Option<&'static str> {
    Some(match status {
        "SHUTOFF" => "is stopped",
        "PAUSED" => "is paused",
        "SUSPENDED" => "is suspended",
        "SHELVED" | "SHELVED_OFFLOADED" => "is shelved",
        "RESCUE" => "runs its rescue image",
        _ => return None,
    })
}

/// Lets a server run again that is paused, suspended, shelved or rescued; not one that is stopped.
pub(super) async fn wake(
    session: &Session,
    id: &str,
    patience: Patience<'_>,
) -> Result<(), GaveUp> {
    match status(session, id).await?.as_deref() {
        Some("SHUTOFF") | None => Ok(()),
        Some(_) => start_again(session, id, patience).await,
    }
}

/// Lets a server run again that was stopped, paused, suspended, shelved or rescued, and stays.
pub(super) async fn start_again(
    session: &Session,
    id: &str,
    mut patience: Patience<'_>,
) -> Result<(), GaveUp> {
    let before = status(session, id).await?.unwrap_or_default();
    let Some(action) = way_out(&before) else {
        return Ok(());
    };
    match compute::act(session, id, action).await {
        // another one was quicker, or it is gone
        Err(error) if error.is_conflict() || error.is_not_found() => return Ok(()),
        other => other?,
    }
    while status(session, id).await?.as_ref() == Some(&before) {
        let still =
            || format!("server {id} stays {before} although Nova took the request to {action} it");
        patience.pause(still).await?;
    }
    Ok(())
}

/// Nova's status of a server; `None`: it is gone.
async fn status(session: &Session, id: &str) -> Result<Option<String>, CloudError> {
    let server = compute::server(session, id).await?;
    Ok(server.map(|server| server.status))
}

/// Ids of the servers that lose an attachment. The names of what belongs to one server end alike.
fn losing(resources: &[StackResource], goes: impl Fn(&str) -> bool) -> BTreeSet<&str> {
    let attachments = resources
        .iter()
        .filter(|one| one.resource_type == ATTACHMENT_TYPE && goes(&one.resource_name));
    let servers = attachments.filter_map(|one| {
        let (_, revision) = one.resource_name.split_once('_')?;
        let name = format!("server_{revision}");
        resources.iter().find(|one| one.resource_name == name)
    });
    servers
        .map(|server| server.physical_resource_id.as_str())
        .filter(|id| !id.is_empty())
        .collect()
}

#[cfg(test)]
mod tests {
    use mkys_blade::SERVER_TYPE;

    use super::*;

    #[test]
    fn a_server_is_stopped_only_where_it_loses_a_volume() {
        let one = |name: &str, kind: &str, id: &str| StackResource {
            resource_name: name.into(),
            resource_type: kind.into(),
            physical_resource_id: id.into(),
            resource_status: String::new(),
        };
        let resources = [
            one("server_data_R1", SERVER_TYPE, "old"),
            one("attachment-store_data_R1", ATTACHMENT_TYPE, "a1"),
            one("server_data_R2", SERVER_TYPE, "new"),
            one("attachment-store_data_R2", ATTACHMENT_TYPE, "a2"),
            one("server_web_R1", SERVER_TYPE, "web"),
            one("server_late_R1", SERVER_TYPE, ""),
            one("attachment-store_late_R1", ATTACHMENT_TYPE, ""),
        ];
        let all: Vec<_> = losing(&resources, |_| true).into_iter().collect();
        assert_eq!(all, ["new", "old"]);
        let goes = |name: &str| name.ends_with("_R2");
        let some: Vec<_> = losing(&resources, goes).into_iter().collect();
        assert_eq!(some, ["new"]);
    }
}

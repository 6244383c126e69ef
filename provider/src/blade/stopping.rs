//! Stopping servers whose volumes are about to be taken from them, and starting those that are stopped and stay.
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

/// Stops the servers of a stack of which an attachment goes: by the power button, and without it once Nova's patience is over.
pub(super) async fn before_detaching(
    session: &Session,
    stack: &Stack,
    goes: impl Fn(&str) -> bool,
    mut patience: Patience<'_>,
) -> Result<(), GaveUp> {
    let resources = match heat::resources(session, stack).await {
        Err(error) if error.is_not_found() => return Ok(()),
        other => other?,
    };
    let mut stopping = Vec::new();
    for id in losing(&resources, goes) {
        if accepted(compute::stop(session, id).await)? {
            tracing::info!(server = id, "stopping it before its volumes are taken away");
            stopping.push(id);
        }
    }
    for id in stopping {
        while compute::server(session, id)
            .await?
            .is_some_and(|server| server.status == "ACTIVE")
        {
            patience
                .pause(|| format!("server {id} does not stop"))
                .await?;
        }
    }
    Ok(())
}

/// Starts a server again that was stopped and stays after all.
pub(super) async fn start_again(
    session: &Session,
    id: &str,
    mut patience: Patience<'_>,
) -> Result<(), GaveUp> {
    let status = async || {
        let server = compute::server(session, id).await?;
        Ok::<_, CloudError>(server.map(|server| server.status).unwrap_or_default())
    };
    if status().await? != "SHUTOFF" || !accepted(compute::start(session, id).await)? {
        return Ok(());
    }
    while status().await? == "SHUTOFF" {
        patience
            .pause(|| format!("server {id} does not start"))
            .await?;
    }
    Ok(())
}

/// Whether Nova does it. A server in another state, or in none any more, has nothing to be stopped or started.
fn accepted(answer: Result<(), CloudError>) -> Result<bool, CloudError> {
    match answer {
        Err(error) if error.is_conflict() || error.is_not_found() => Ok(false),
        other => other.map(|()| true),
    }
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

//! What is not the blade's and in the way of its end: a destroy refuses while there is some.

use std::collections::BTreeSet;

use mkys_blade::volume_metadata;

use super::leftovers::Names;
use super::state::Id;
use super::{joined, snapshots};
use crate::cloud::services::heat::{self, Stack};
use crate::cloud::services::volume::{self, Volume};
use crate::cloud::services::{catalogue, compute, network};
use crate::cloud::{CloudError, Service, Session};

/// What others joined to the stack's networks and routers, in words.
pub(super) async fn joined(
    session: &Session,
    stack: Option<&Stack>,
) -> Result<Vec<String>, CloudError> {
    let Some(stack) = stack else {
        return Ok(Vec::new());
    };
    let resources = heat::resources(session, stack).await?;
    let joined = joined::things(session, &resources).await?;
    Ok(joined.into_iter().map(|one| one.said).collect())
}

/// Everything in the project that the blade's stack did not make, and what others joined to it, in words.
pub(super) async fn things(
    session: &Session,
    id: &Id,
    stack: Option<&Stack>,
    names: &Names,
) -> Result<Vec<String>, CloudError> {
    let project = &id.project;
    let mut seen = Vec::new();
    let mut note = |kind: &str, id: &str, name: &str| {
        seen.push((kind.to_owned(), id.to_owned(), name.to_owned()));
    };
    for server in compute::servers(session).await? {
        note("server", &server.id, &server.name);
    }
    // they would outlive the project, and belong to nobody
    for image in catalogue::images_of(session, project).await? {
        note("image", &image.id, &image.name);
    }
    let mut taken = Vec::new();
    let mut ours = BTreeSet::new();
    if session.require(&[Service::Volume]).await.is_ok() {
        for volume in volume::volumes(session).await? {
            note("volume", &volume.id, &volume.name);
        }
        // Heat lets go of volumes, and they are deleted after it
        let details = volume::details(session).await?;
        let blade = |one: &Volume| one.metadata.get(volume_metadata::BLADE) == Some(&id.name);
        ours.extend(details.into_iter().filter(blade).map(|one| one.id));
        for backup in volume::backups(session).await? {
            note("backup", &backup.id, &backup.name);
        }
        taken = volume::snapshots(session).await?;
        for one in &taken {
            note("snapshot", &one.id, one.name.as_deref().unwrap_or_default());
        }
    }
    for (kind, what) in [
        ("networks", "network"),
        ("subnets", "subnet"),
        ("routers", "router"),
        ("floatingips", "floating IP"),
        ("security-groups", "security group"),
    ] {
        for thing in network::owned(session, kind, project).await? {
            // Neutron makes that one by itself; it goes with the project
            if !(kind == "security-groups" && thing.name == "default") {
                note(what, &thing.id, &thing.name);
            }
        }
    }
    for port in network::owned_ports(session, project).await? {
        // the others go with their router, network or server, which are listed above
        if port.device_owner.is_empty() {
            note("port", &port.id, &port.name);
        }
    }
    // the stack's own list last: what it makes meanwhile is in it then
    let mut joined = Vec::new();
    if let Some(stack) = stack {
        let resources = heat::resources(session, stack).await?;
        joined = joined::things(session, &resources).await?;
        ours.extend(resources.into_iter().map(|one| one.physical_resource_id));
        // our mark alone is no proof: it is only ours on a volume of ours
        let of_volumes = taken.into_iter().filter(|one| {
            snapshots::is_marked(one, &stack.stack_name) && ours.contains(&one.volume_id)
        });
        let of_volumes: Vec<_> = of_volumes.map(|one| one.id).collect();
        ours.extend(of_volumes);
    }
    // Heat may have died between making a thing and writing down its id
    let (left, seen): (Vec<_>, Vec<_>) = seen
        .into_iter()
        .filter(|(_, id, _)| !ours.contains(id))
        .partition(|(kind, _, name)| names.has(kind, name));
    let is_left = |id: &str| left.iter().any(|(_, left, _)| left == id);
    let said = seen.iter().map(|(kind, id, name)| match name.as_str() {
        "" => format!("{kind} ({id})"),
        name => format!("{kind} {name:?} ({id})"),
    });
    let mut found: Vec<_> = said.collect();
    let named = |id: &str| seen.iter().any(|(_, seen, _)| seen == id);
    joined.retain(|one| {
        !named(&one.port) && !named(&one.device) && !is_left(&one.port) && !is_left(&one.device)
    });
    found.extend(joined.into_iter().map(|one| one.said));
    for other in heat::stacks(session).await? {
        if stack.is_none_or(|stack| stack.id != other.id) {
            found.push(format!("stack {:?} ({})", other.stack_name, other.id));
        }
    }
    Ok(found)
}

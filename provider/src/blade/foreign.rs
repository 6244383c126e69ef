//! What lives in a blade's project and is not the blade's: a destroy refuses while there is some.

use std::collections::BTreeSet;

use super::snapshots;
use crate::cloud::services::heat::{self, Stack};
use crate::cloud::services::{compute, network, volume};
use crate::cloud::{CloudError, Service, Session};

/// Everything in the project that the blade's stack did not make, in words.
pub(super) async fn things(
    session: &Session,
    project: &str,
    stack: Option<&Stack>,
) -> Result<Vec<String>, CloudError> {
    let mut seen = Vec::new();
    let mut note = |kind: &str, id: &str, name: &str| {
        seen.push((kind.to_owned(), id.to_owned(), name.to_owned()));
    };
    for server in compute::servers(session).await? {
        note("server", &server.id, &server.name);
    }
    let mut taken = Vec::new();
    if session.require(&[Service::Volume]).await.is_ok() {
        for volume in volume::volumes(session).await? {
            note("volume", &volume.id, &volume.name);
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
    let mut ours = BTreeSet::new();
    if let Some(stack) = stack {
        let resources = heat::resources(session, stack).await?;
        ours.extend(resources.into_iter().map(|one| one.physical_resource_id));
        // our mark alone is no proof: it is only ours on a volume of ours
        let of_volumes = taken.into_iter().filter(|one| {
            snapshots::is_marked(one, &stack.stack_name) && ours.contains(&one.volume_id)
        });
        let of_volumes: Vec<_> = of_volumes.map(|one| one.id).collect();
        ours.extend(of_volumes);
    }
    seen.retain(|(_, id, _)| !ours.contains(id));
    let said = seen.iter().map(|(kind, id, name)| match name.as_str() {
        "" => format!("{kind} ({id})"),
        name => format!("{kind} {name:?} ({id})"),
    });
    let mut found: Vec<_> = said.collect();
    for other in heat::stacks(session).await? {
        if stack.is_none_or(|stack| stack.id != other.id) {
            found.push(format!("stack {:?} ({})", other.stack_name, other.id));
        }
    }
    Ok(found)
}

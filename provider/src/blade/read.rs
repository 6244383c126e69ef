//! Looking at a blade as it is now.

use std::collections::{BTreeMap, BTreeSet};

use mkys_blade::{Blade as Definition, Project};
use mkys_plugin::{Attr, Context, Diagnostic, Diagnostics, Slot};

use super::create::valid;
use super::model::{Model, ProjectModel, QuotaModel};
use super::network_drift::NetworkDrift;
use super::scope::{self, Scope};
use super::stack::{self, Named, said_of_other};
use super::state::{Id, Private, known_map, revisions_of};
use super::volume_drift::VolumeDrift;
use super::{Blade, drift, project, snapshots, stopping, unplanned, ways_in};
use crate::cloud::Session;
use crate::cloud::services::compute;
use crate::cloud::services::heat::{self, Stack};

impl Blade {
    pub(super) async fn read_blade(
        &self,
        mut model: Model,
        mut private: Private,
        slot: &Slot<Self>,
        cx: &Context,
    ) -> Result<(), Diagnostics> {
        let cloud = self.platform.configured()?.cloud()?;
        let Some(Ok(id)) = model.id.as_str().map(str::parse::<Id>) else {
            slot.remove();
            return Ok(());
        };
        self.names.note(&id.to_string());
        let wanted = valid(&model)?;
        let own = cloud.own();
        let is_made = wanted.project.is_some();
        let Some(Scope { session, project }) = scope::open(cloud, &id, is_made, &private).await?
        else {
            self.names.forget(&id);
            slot.remove();
            return Ok(());
        };
        private.cloud = own.identity().await?.cloud().map(str::to_owned);
        let mut unfinished = project.as_ref().is_some_and(project::is_unfinished);
        if let (Some(project), Some(stated)) = (project, &wanted.project) {
            let said = project.description.unwrap_or_default();
            if said != project::description(&wanted) {
                model.description = Attr::Known(said);
            }
            let seen = project::observe(&own, &id.project, stated).await?;
            set_project(&mut model, stated, &seen);
        }
        let named = Named::find(&session, &id.name, model.stack_id.as_str(), is_made).await?;
        if let Named::Others(other) = &named {
            let summary = format!("The stack of blade {} is gone", id.name);
            cx.warn(Diagnostic::warning(summary, said_of_other(other)));
        }
        match named.blades() {
            None if !is_made => {
                self.names.forget(&id);
                slot.remove();
                return Ok(());
            }
            None => {
                // the project stands, so there is something to destroy; an apply builds the rest
                model.stack_id = Attr::Null;
                model.endpoints = Attr::Known(BTreeMap::new());
                model.server_ids = known_map::<String>([]);
                model.network_ids = known_map::<String>([]);
                model.revisions = known_map::<String>([]);
                model.drift = Attr::Known(vec!["the blade's stack is gone".into()]);
            }
            Some(stack) => {
                observe(&session, &wanted, &id, &stack, &mut model, &mut private).await?;
                unfinished |= !is_made && stack::is_unfinished(&session, &stack).await?;
            }
        }
        if unfinished && let Some(drift) = model.drift.known_mut() {
            drift.push("it is still marked as unfinished".into());
        }
        slot.save(model, private);
        Ok(())
    }
}

async fn observe(
    session: &Session,
    wanted: &Definition,
    id: &Id,
    stack: &Stack,
    model: &mut Model,
    private: &mut Private,
) -> Result<(), Diagnostics> {
    model.set_outputs(wanted, &id.project, stack);
    let mut drift = Vec::new();
    if stack.is_busy() {
        // what is under way is looked at when it has ended: an apply waits for that
        let status = &stack.stack_status;
        drift.push(format!(
            "Heat is still at work on the stack ({status}): an earlier change goes on"
        ));
        model.drift = Attr::Known(drift.into_iter().map(Attr::from).collect());
        return Ok(());
    }
    if stack.stack_status.starts_with("SUSPEND_") {
        drift.push("the stack is suspended".to_owned());
    }
    let template = heat::template(session, stack).await?;
    let mut revisions = revisions_of(&template);
    private.revisions.clone_from(&revisions);
    private.volumes = Private::volumes_of(wanted);
    for (server, revision) in template.server_revisions() {
        if revisions
            .get(server)
            .is_some_and(|serving| *serving != revision)
        {
            drift.push(format!(
                "an update that was cut off left revision {revision} of server {server:?} beside the one that serves"
            ));
        }
    }
    drift.extend(drift::observe(session, stack, &template).await?);
    let networks = NetworkDrift::look(session, &id.project, stack, &template).await?;
    drift.extend(networks.said.iter().cloned());
    let ways = ways_in::look(session, &id.project, stack, &template).await?;
    drift.extend(ways.said.iter().cloned());
    for resource in &ways.gone {
        model.forget_address(wanted, resource);
    }
    let volumes = VolumeDrift::look(session, stack, &template).await?;
    drift.extend(volumes.said.iter().cloned());
    if template.volumes().next().is_some() {
        let open = snapshots::open(session, &stack.stack_name).await?;
        drift.extend(
            open.iter()
                .map(|id| format!("an update that was cut off left snapshot {id} of a volume")),
        );
    }
    for (server, volume, size) in &volumes.sizes {
        model.set_volume_size(server, volume, *size);
    }
    let gone: BTreeSet<_> = [&ways.gone_set(), &networks.gone, &volumes.gone]
        .into_iter()
        .flatten()
        .cloned()
        .collect();
    let mut lost_revisions = BTreeMap::new();
    let ids = model.server_ids.known().cloned().unwrap_or_default();
    for (name, revision) in revisions.clone() {
        let server = match ids.get(&name).and_then(|id| id.as_str()) {
            Some(id) => compute::server(session, id).await?,
            None => None,
        };
        let lost = match server {
            None => Some(format!("server {name:?} is gone")),
            Some(server) => match server.status.as_str() {
                "ERROR" | "DELETED" | "SOFT_DELETED" => {
                    let why = server.fault.map(|fault| fault.message).unwrap_or_default();
                    Some(format!(
                        "server {name:?} is in status {}: {why}",
                        server.status
                    ))
                }
                status => {
                    let told = stopping::told(status);
                    drift.extend(told.map(|told| format!("server {name:?} {told}")));
                    None
                }
            },
        };
        let bereft = volumes.bereft.contains(&name);
        if lost.is_some() || bereft || ways.is_cut_off(&name, &revision) {
            drift.extend(lost);
            revisions.remove(&name);
            lost_revisions.insert(name, revision);
        }
    }
    let is_lost = |resource: &str| {
        let mut lost = lost_revisions.iter();
        lost.any(|(name, revision)| resource.ends_with(&format!("_{name}_R{revision}")))
    };
    let misjudged = unplanned::misjudged(session, stack, &template, &gone).await?;
    drift.extend(
        misjudged
            .into_iter()
            .filter(|one| !is_lost(&one.resource))
            .map(|one| one.said),
    );
    if let Some(ids) = model.server_ids.known_mut() {
        ids.retain(|name, _| revisions.contains_key(name));
    }
    model.revisions = known_map(
        revisions
            .iter()
            .map(|(name, revision)| (name.clone(), revision.as_str())),
    );
    model.template = template.to_yaml().ok().into();
    model.drift = Attr::Known(drift.into_iter().map(Attr::from).collect());
    Ok(())
}

/// Shows what differs from the definition, and leaves what does not as it was written.
fn set_project(model: &mut Model, stated: &Project, seen: &Project) {
    let Some(ProjectModel {
        role, users, quota, ..
    }) = model.project.known_mut()
    else {
        return;
    };
    if seen.role != stated.role {
        *role = Some(seen.role.clone())
            .filter(|role| !role.is_empty())
            .into();
    }
    if seen.users != stated.users {
        *users = Attr::Known(
            seen.users
                .iter()
                .map(|name| Attr::from(name.as_str()))
                .collect(),
        );
    }
    if seen.quota != stated.quota {
        *quota = Attr::Known(QuotaModel::of(&seen.quota));
    }
}

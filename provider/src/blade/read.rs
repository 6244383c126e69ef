//! Looking at a blade as it is now.

use mkys_blade::{Blade as Definition, Project};
use mkys_plugin::{Attr, Context, Diagnostic, Diagnostics, Slot};

use super::create::valid;
use super::model::{Model, ProjectModel, QuotaModel};
use super::stack::{self, Named, said_of_other};
use super::state::{Id, Private, known_map, revisions_of};
use super::{Blade, drift, project, ways_in};
use crate::cloud::Session;
use crate::cloud::services::heat::{self, Stack};
use crate::cloud::services::{compute, keystone};

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
        let wanted = valid(&model)?;
        let own = cloud.own();
        let mut unfinished = false;
        let session = match &wanted.project {
            Some(stated) => {
                let Some(project) = keystone::project(&own, &id.project).await? else {
                    slot.remove();
                    return Ok(());
                };
                unfinished = project::is_unfinished(&project);
                let said = project.description.unwrap_or_default();
                if said != project::description(&wanted) {
                    model.description = Attr::Known(said);
                }
                let seen = project::observe(&own, &id.project, stated).await?;
                set_project(&mut model, stated, &seen);
                project::enter(&own, &id.project).await?;
                cloud.project(&id.project)
            }
            None => own,
        };
        let is_made = wanted.project.is_some();
        let named = Named::find(&session, &id.name, model.stack_id.as_str(), is_made).await?;
        if let Named::Others(other) = &named {
            let summary = format!("The stack of blade {} is gone", id.name);
            cx.warn(Diagnostic::warning(summary, said_of_other(other)));
        }
        match named.blades() {
            None if !is_made => {
                slot.remove();
                return Ok(());
            }
            None => {
                // the project stands, so there is something to destroy; an apply builds the rest
                model.stack_id = Attr::Null;
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
    if stack.is_busy() {
        return Ok(()); // what is under way is looked at when it has ended
    }
    let template = heat::template(session, stack).await?;
    let mut revisions = revisions_of(&template);
    private.revisions.clone_from(&revisions);
    private.volumes = Private::volumes_of(wanted);
    let mut drift = drift::observe(session, stack, &template).await?;
    let ways = ways_in::look(session, &id.project, stack, &template).await?;
    drift.extend(ways.said.iter().cloned());
    for resource in &ways.gone {
        model.forget_address(wanted, resource);
    }
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
                "SHUTOFF" => {
                    drift.push(format!("server {name:?} is stopped"));
                    None
                }
                _ => None,
            },
        };
        if lost.is_some() || ways.is_cut_off(&name, &revision) {
            drift.extend(lost);
            revisions.remove(&name);
        }
    }
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

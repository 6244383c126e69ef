//! Taking over a blade that exists, from the cloud alone: its stack carries its definition, Nova
//! the user data.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use mkys_blade::{Compiled, Definition, PartName, parameter};
use mkys_plugin::{Diagnostic, Diagnostics, Slot};

use super::model::Model;
use super::state::{Id, Private, known_map, revisions_of};
use super::{Blade, project, stack};
use crate::cloud::services::heat::{self, Stack};
use crate::cloud::services::{compute, keystone};
use crate::cloud::{Cloud, Session};

/// A blade that stands, as its stack tells of it.
#[derive(Debug)]
pub(crate) struct Standing {
    pub(crate) id: Id,
    pub(crate) stack: Stack,
    /// Without the servers' user data, which no stack tells.
    pub(crate) definition: Definition,
    session: Session,
}

/// Finds a blade by its id, or by its name: that of the project made for it, or in the credential's own.
pub(crate) async fn find(cloud: &Cloud, given: &str) -> Result<Standing, Diagnostics> {
    let own = cloud.own();
    let id = match given.parse::<Id>() {
        Ok(id) => id,
        Err(_) => {
            let made = keystone::project_by_name(&own, given, "default")
                .await
                .ok()
                .flatten();
            let made = made.filter(|one| one.tags.iter().any(|tag| tag == project::MARK));
            let project = match made {
                Some(project) => project.id,
                None => own.identity().await?.project.unwrap_or_default().id,
            };
            Id {
                project,
                name: given.to_owned(),
            }
        }
    };
    let in_own = own
        .identity()
        .await?
        .project
        .is_some_and(|one| one.id == id.project);
    let session = if in_own {
        own.clone()
    } else {
        project::enter(&own, &id.project).await?;
        cloud.project(&id.project)
    };
    let missing = |detail: String| {
        Diagnostics::from(Diagnostic::error(
            format!("There is no blade {given:?}"),
            detail,
        ))
    };
    let stack = heat::stack(&session, &id.name).await?;
    let stack = stack
        .filter(|stack| stack.has_tag(stack::MARK))
        .ok_or_else(|| {
            missing(format!(
                "Project {} has no stack {:?} with the mark {:?}. Give the blade's name, or \
                 PROJECT_ID/NAME.",
                id.project,
                id.name,
                stack::MARK
            ))
        })?;
    let text = stack
        .output(Compiled::DEFINITION_OUTPUT)
        .unwrap_or_default();
    let definition = serde_json::from_str(text).map_err(|error| {
        missing(format!(
            "Stack {} carries no definition of a blade: {error}.",
            stack.id
        ))
    })?;
    Ok(Standing {
        id,
        stack,
        definition,
        session,
    })
}

impl Blade {
    pub(super) async fn import_blade(
        &self,
        given: String,
        slot: &Slot<Self>,
    ) -> Result<(), Diagnostics> {
        let cloud = self.platform.configured()?.cloud()?;
        let own = cloud.own();
        let Standing {
            id,
            stack: found,
            mut definition,
            session,
        } = find(cloud, &given).await?;
        let template = heat::template(&session, &found).await?;
        let wanted = super::definition::validated(&definition)?;
        let mut model = Model::default();
        model.set_outputs(&wanted, &id.project, &found);
        let ids = model.server_ids.known().cloned().unwrap_or_default();
        for (name, server) in &mut definition.servers {
            let Some(id) = ids.get(name).and_then(|id| id.as_str()) else {
                continue;
            };
            // the credential's own session: seeing user data takes more than a member's rights
            let data = compute::user_data(&own, id).await.ok().flatten();
            let data = data.and_then(|data| BASE64_STANDARD.decode(data).ok());
            let data = data.and_then(|data| String::from_utf8(data).ok());
            server.user_data = data
                .as_deref()
                .and_then(mkys_blade::own_text)
                .map(str::to_owned);
        }
        model.set_definition(&definition);
        let revisions = revisions_of(&template);
        model.revisions = known_map(
            revisions
                .iter()
                .map(|(name, one)| (name.clone(), one.as_str())),
        );
        // what Heat does not show it keeps by itself; user data is known as far as Nova showed it
        let mut parameters = found.visible_parameters();
        for (name, revision) in &revisions {
            let server = definition.servers.get(name);
            let text = server.and_then(|server| server.user_data.clone());
            if let (Some(text), Ok(part)) = (text, PartName::try_from(name.as_str())) {
                parameters.insert(parameter::user_data(&part, revision), text);
            }
        }
        let private = Private {
            parameters,
            revisions,
            volumes: Private::volumes_of(&wanted),
            previous: None,
            cloud: own.identity().await?.cloud().map(str::to_owned),
        };
        slot.save(model, private);
        Ok(())
    }
}

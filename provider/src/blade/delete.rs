//! Taking a blade away: the stack first, then its project, and nothing that it did not make.

use std::time::Duration;

use mkys_plugin::{Attr, Context, Diagnostic, Diagnostics, Slot};
use tokio::time::Instant;

use super::create::valid;
use super::model::Model;
use super::plan::{self, Operation};
use super::stack::{self, Ended, Named, said_of_other};
use super::state::Id;
use super::waiting::Patience;
use super::{Blade, asking, foreign, project, snapshots};
use crate::cloud::services::heat::Stack;
use crate::cloud::services::keystone;
use crate::cloud::{CloudError, Session};

/// How often is looked again whether a thing belongs to a stack that is being built.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

impl Blade {
    pub(super) async fn delete_blade(
        &self,
        prior: Model,
        slot: &Slot<Self>,
        cx: &Context,
    ) -> Result<(), Diagnostics> {
        let cloud = self.platform.configured()?.cloud()?;
        let deadline = Instant::now() + plan::timeout(&prior, Operation::Delete)?;
        let Some(Ok(id)) = prior.id.as_str().map(str::parse::<Id>) else {
            return Ok(());
        };
        let wanted = valid(&prior)?;
        let own = cloud.own();
        let session = match &wanted.project {
            Some(_) => {
                if keystone::project(&own, &id.project).await?.is_none() {
                    return Ok(());
                }
                project::enter(&own, &id.project).await?;
                cloud.project(&id.project)
            }
            None => own.clone(),
        };
        let is_made = wanted.project.is_some();
        let known = prior.stack_id.as_str();
        let named = Named::find(&session, &id.name, known, is_made).await?;
        if let Named::Others(other) = &named {
            let summary = format!("The stack of blade {} is gone", id.name);
            cx.warn(Diagnostic::warning(summary, said_of_other(other)));
        }
        let mut stack = named.blades();
        let mut found = in_the_way(&session, &id, is_made, stack.as_ref()).await?;
        // what Heat is just making is in its list a moment later
        while !found.is_empty()
            && stack.as_ref().is_some_and(Stack::is_busy)
            && Instant::now() < deadline
            && !cx.is_cancelled()
        {
            tokio::time::sleep(LOOK_AGAIN).await;
            let named = Named::find(&session, &id.name, known, is_made).await?;
            stack = named.blades();
            found = in_the_way(&session, &id, is_made, stack.as_ref()).await?;
        }
        if !found.is_empty() {
            let where_from = match is_made {
                true => format!(
                    "Its project {} holds, or its networks and routers are joined to,",
                    id.project
                ),
                false => "Its networks and routers are joined to".to_owned(),
            };
            let detail = format!(
                "{where_from} what the blade did not make:\n- {}\nNothing was deleted. Move these \
                 away or delete them, then destroy the blade again.",
                found.join("\n- ")
            );
            let summary = format!("Blade {} is not destroyed", id.name);
            return Err(Diagnostic::error(summary, detail).into());
        }
        if let Some(stack) = stack {
            snapshots::clear(&session, &stack, |_| true, Patience::new(deadline, cx)).await?;
            remove_stack(&session, &stack, &id, deadline, cx).await?;
            let mut model = prior.clone();
            model.stack_id = Attr::Null;
            slot.save_model(model);
        }
        if let Some(stated) = &wanted.project {
            let stays = project::remove(&own, &id.project, Some(&stated.group)).await?;
            stays.into_iter().for_each(|warning| cx.warn(warning));
        }
        Ok(())
    }
}

/// What Heat or Keystone would stumble over half-way. A project that was not made for the blade may hold other things.
async fn in_the_way(
    session: &Session,
    id: &Id,
    is_made: bool,
    stack: Option<&Stack>,
) -> Result<Vec<String>, CloudError> {
    match is_made {
        true => foreign::things(session, &id.project, stack).await,
        false => foreign::joined(session, stack).await,
    }
}

async fn remove_stack(
    session: &Session,
    stack: &Stack,
    id: &Id,
    deadline: Instant,
    cx: &Context,
) -> Result<(), Diagnostics> {
    let doing = format!("destroying blade {}", id.name);
    let next = "Apply or destroy again to go on.";
    // Heat now and then trips over its own order; what it says the second time is meant
    for last in [false, true] {
        let since = stack::newest_event(session, stack).await?;
        let ended = asking::deleted(session, stack, &since, deadline, cx).await;
        match ended.map_err(|gave_up| gave_up.diagnostics(&doing, next))? {
            Ended::Gone => return Ok(()),
            Ended::Failed { reasons, .. } if last => {
                let detail = format!("{}\n{next}", reasons.join("\n"));
                let summary = format!("Blade {} could not be destroyed", id.name);
                return Err(Diagnostic::error(summary, detail).into());
            }
            Ended::Failed { .. } | Ended::Complete(_) => {}
        }
    }
    Err(Diagnostics::error(
        format!("Blade {} could not be destroyed", id.name),
        next,
    ))
}

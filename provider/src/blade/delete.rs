//! Taking a blade away: the stack first, then its project, and nothing that it did not make.

use mkys_plugin::{Attr, Context, Diagnostic, Diagnostics, Slot};
use tokio::time::Instant;

use super::create::valid;
use super::leftovers::Names;
use super::model::Model;
use super::plan::{self, Operation};
use super::scope::{self, Scope};
use super::stack::{self, Ended, Named, said_of_other};
use super::state::{Id, Private};
use super::waiting::Patience;
use super::{Blade, asking, foreign, leftovers, project, snapshots, volume_drift};
use crate::cloud::services::heat::Stack;
use crate::cloud::{CloudError, Session};

const NEXT: &str = "Apply or destroy again to go on.";

impl Blade {
    pub(super) async fn delete_blade(
        &self,
        prior: Model,
        private: Private,
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
        let is_made = wanted.project.is_some();
        let Some(Scope { session, .. }) = scope::open(cloud, &id, is_made, &private).await? else {
            return Ok(());
        };
        let known = prior.stack_id.as_str();
        let named = Named::find(&session, &id.name, known, is_made).await?;
        if let Named::Others(other) = &named {
            let summary = format!("The stack of blade {} is gone", id.name);
            cx.warn(Diagnostic::warning(summary, said_of_other(other)));
        }
        let stack = named.blades();
        let settings = self.platform.configured()?.settings.known().cloned();
        let compiled = plan::compile(
            &settings.unwrap_or_default(),
            &wanted,
            &private,
            Some(&prior),
        );
        let names = match is_made {
            true => Names::of(&compiled),
            false => Names::default(),
        };
        let found = in_the_way(&session, &id, is_made, stack.as_ref(), &names).await?;
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
            let leftovers = is_made.then_some(&names);
            remove_stack(&session, &stack, &id, leftovers, deadline, cx).await?;
            let doing = format!("deleting the volumes of blade {}", id.name);
            volume_drift::delete_released(&session, &stack.id, None, Patience::new(deadline, cx))
                .await
                .map_err(|gave_up| gave_up.diagnostics(&doing, NEXT))?;
            let mut model = prior.clone();
            model.stack_id = Attr::Null;
            slot.save_model(model);
        }
        if let Some(stated) = &wanted.project {
            let doing = format!("taking away what Heat left of blade {}", id.name);
            leftovers::take_away(&session, &id.project, &names, Patience::new(deadline, cx))
                .await
                .map_err(|gave_up| gave_up.diagnostics(&doing, NEXT))?;
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
    names: &Names,
) -> Result<Vec<String>, CloudError> {
    match is_made {
        true => foreign::things(session, id, stack, names).await,
        false => foreign::joined(session, stack).await,
    }
}

async fn remove_stack(
    session: &Session,
    stack: &Stack,
    id: &Id,
    names: Option<&Names>,
    deadline: Instant,
    cx: &Context,
) -> Result<(), Diagnostics> {
    let doing = format!("destroying blade {}", id.name);
    // Heat now and then trips over its own order; what it says the second time is meant
    for last in [false, true] {
        let since = stack::newest_event(session, stack).await?;
        let ended = asking::deleted(session, stack, &since, deadline, cx).await;
        match ended.map_err(|gave_up| gave_up.diagnostics(&doing, NEXT))? {
            Ended::Gone => return Ok(()),
            Ended::Failed { reasons, .. } if last => {
                let detail = format!("{}\n{NEXT}", reasons.join("\n"));
                let summary = format!("Blade {} could not be destroyed", id.name);
                return Err(Diagnostic::error(summary, detail).into());
            }
            // in its way may be what it made and does not know
            Ended::Failed { .. } | Ended::Complete(_) => {
                if let Some(names) = names {
                    let patience = Patience::new(deadline, cx);
                    let taken = leftovers::take_away(session, &id.project, names, patience).await;
                    taken.map_err(|gave_up| gave_up.diagnostics(&doing, NEXT))?;
                }
            }
        }
    }
    Err(Diagnostics::error(
        format!("Blade {} could not be destroyed", id.name),
        NEXT,
    ))
}

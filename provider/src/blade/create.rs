//! Making a blade: Keystone's part by its own API, then the stack inside the project.
//!
//! What is made is saved before anything else happens, and carries a mark until the blade is whole:
//! if no state was written (SIGKILL), the next create finds the mark and goes on where this one
//! stopped. If it fails, what it made is taken away again.

use std::collections::{BTreeMap, BTreeSet};

use mkys_blade::{Blade as Definition, Compiled};
use mkys_plugin::{Context, Diagnostic, Diagnostics, Slot};
use tokio::time::Instant;
use uuid::Uuid;

use super::model::Model;
use super::plan::{self, Operation};
use super::resolve::{self, Resolved};
use super::run::{self, Run};
use super::stack::{self, Ended};
use super::state::{Id, Private, revisions_of};
use super::waiting::{GaveUp, Patience};
use super::{Blade, advice, asking, leading, project, volume_drift, watch};
use crate::cloud::Session;
use crate::cloud::services::heat::{self, Stack, Wanted};
use crate::platform::Configured;

/// A creation under way.
struct Creation<'a> {
    run: Run,
    configured: &'a Configured,
    wanted: Definition,
    compiled: Compiled,
    slot: &'a Slot<Blade>,
    cx: &'a Context,
    deadline: Instant,
}

impl Blade {
    pub(super) async fn create_blade(
        &self,
        planned: Model,
        slot: &Slot<Self>,
        cx: &Context,
    ) -> Result<(), Diagnostics> {
        let configured = self.platform.configured()?;
        let limit = plan::timeout(&planned, Operation::Create)?;
        let wanted = valid(&planned)?;
        let compiled = plan::compile(configured.settings()?, &wanted, &Private::default(), None);
        let deadline = Instant::now() + limit;
        let _name = self.names.claim(&wanted)?;
        let creation = Creation {
            run: Run::new(Uuid::new_v4()),
            configured,
            wanted,
            compiled,
            slot,
            cx,
            deadline,
        };
        creation.run(planned).await
    }
}

/// The validated definition of a planned model.
pub(super) fn valid(planned: &Model) -> Result<Definition, Diagnostics> {
    let typed = planned.definition().map_err(|_| {
        Diagnostics::error(
            "The blade's definition is not known",
            "A value is still unknown.",
        )
    })?;
    super::definition::validated(&typed)
}

impl Creation<'_> {
    async fn run(&self, planned: Model) -> Result<(), Diagnostics> {
        let cloud = self.configured.cloud()?;
        let own = cloud.own();
        let name = &self.wanted.name;
        let session = match &self.wanted.project {
            Some(project) => {
                project::check_rights(cloud).await?;
                // all that can be known beforehand is, before anything is made
                let people = project::people(self.configured, &own, project).await?;
                let (id, is_new) = match project::find(&own, name).await? {
                    project::Found::Nothing => {
                        self.resolve(&own).await?;
                        (self.make_project(&own).await?, true)
                    }
                    project::Found::Unfinished(found) => {
                        project::enter(&own, &found.id).await?;
                        let inside = cloud.project(&found.id);
                        let patience = Patience::new(self.deadline, self.cx);
                        self.run
                            .wait_for_others(&own, &inside, name, Some(&found.id), patience)
                            .await?;
                        project::mark(&own, &found.id, &self.run).await?;
                        (found.id, false)
                    }
                };
                self.save(&planned, &id, None);
                let prepared = async {
                    project::enter(&own, &id).await?;
                    project::apply(&own, name, &id, project, None, &people).await
                };
                if let Err(mut problems) = prepared.await {
                    problems.extend(match is_new {
                        true => self.undo_project(&own, &id).await,
                        false => {
                            self.undo_empty(&planned, &own, &cloud.project(&id), &id)
                                .await
                        }
                    });
                    return Err(problems);
                }
                cloud.project(&id)
            }
            None => {
                project::check_own(cloud).await?;
                own.clone()
            }
        };
        let identity = session.identity().await?;
        let project = identity.project.unwrap_or_default().id;
        let stood = match self.wanted.project.is_some() {
            true => heat::stack(&session, name.as_ref()).await?,
            false => {
                if plan::stack_in_the_way(&session, &self.wanted)
                    .await?
                    .is_some()
                {
                    let patience = Patience::new(self.deadline, self.cx);
                    self.run
                        .wait_for_others(&own, &session, name, None, patience)
                        .await?;
                }
                plan::stack_in_the_way(&session, &self.wanted).await?
            }
        };
        let resolved = self.resolve(&session).await;
        let built = match resolved {
            Ok(resolved) => {
                self.build(&session, &planned, &project, stood, &resolved)
                    .await
            }
            Err(problems) => Err(problems),
        };
        match built {
            Ok(()) => Ok(()),
            Err(mut problems) => {
                let kept = self
                    .slot
                    .model()
                    .is_some_and(|model| !model.stack_id.is_null());
                if !kept && self.wanted.project.is_some() && !self.cx.is_cancelled() {
                    let undone = self.undo_empty(&planned, &own, &session, &project);
                    problems.extend(undone.await);
                }
                Err(problems)
            }
        }
    }

    /// Makes the project. Keystone lets one of several runs do so.
    async fn make_project(&self, own: &Session) -> Result<String, Diagnostics> {
        match project::make(own, &self.wanted, &self.run).await {
            Ok(project) => Ok(project.id),
            Err(error) if error.is_conflict() => Err(run::taken(self.wanted.name.as_ref()).into()),
            Err(error) => Err(error.into()),
        }
    }

    async fn resolve(&self, session: &Session) -> Result<Resolved, Diagnostics> {
        let none = BTreeMap::new();
        resolve::resolve(
            self.configured,
            session,
            &self.wanted,
            &self.compiled,
            &none,
        )
        .await
    }

    /// Saves what exists: from now on it is in the state whatever happens.
    fn save(&self, planned: &Model, project: &str, stack: Option<&str>) {
        let id = Id {
            project: project.to_owned(),
            name: self.wanted.name.to_string(),
        };
        let mut model = planned.clone();
        model.id = id.to_string().into();
        model.project_id = project.into();
        model.stack_id = stack.map(str::to_owned).into();
        self.slot.save_model(model);
    }

    async fn build(
        &self,
        session: &Session,
        planned: &Model,
        project: &str,
        stood: Option<Stack>,
        resolved: &Resolved,
    ) -> Result<(), Diagnostics> {
        let name = self.wanted.name.as_ref();
        let marks = match self.wanted.project {
            Some(_) => stack::MARK,
            None => stack::MARKS_CREATING,
        };
        let wanted = Wanted {
            template: &self.compiled.template,
            parameters: &resolved.parameters,
            tags: &self.run.with(marks),
            rollback: false,
            minutes: minutes_until(self.deadline),
            protected: BTreeSet::new(),
        };
        let stood = match stood {
            Some(stood) => {
                self.take_over(session, planned, project, stood, &wanted)
                    .await?
            }
            None => None,
        };
        let (stack, since) = match stood {
            Some(taken) => taken,
            None => {
                match heat::create(session, name, &wanted).await {
                    Err(error) if error.is_conflict() => return Err(run::taken(name).into()),
                    made => drop(made?),
                }
                let missing = || Diagnostics::error(format!("Stack {name} vanished"), "");
                (
                    heat::stack(session, name).await?.ok_or_else(missing)?,
                    String::new(),
                )
            }
        };
        self.save(planned, project, Some(&stack.id));
        let doing = format!("creating blade {name}");
        let settled = stack::settled(session, &stack, &since, self.deadline, self.cx);
        let names = self.compiled.template.resources.keys();
        let servers = names
            .filter(|name| name.starts_with("server_"))
            .cloned()
            .collect();
        let ended = watch::during(session, &stack, &servers, settled).await;
        match ended {
            Ok(Ended::Complete(stack)) if !self.run.is_of(&stack) => {
                self.slot.remove();
                Err(run::taken(name).into())
            }
            Ok(Ended::Complete(stack)) => {
                self.done(session, planned, project, &stack, resolved).await
            }
            Ok(Ended::Failed { stack, reasons }) => self.failed(session, &stack, reasons).await,
            Ok(Ended::Gone) => {
                self.slot.remove();
                Err(Diagnostics::error(
                    format!("The stack of blade {name} was deleted by somebody"),
                    "",
                ))
            }
            Err(gave_up) => Err(gave_up.diagnostics(
                &doing,
                "What exists is in the state, marked as unfinished: destroy it, or apply again, \
                 which makes it anew.",
            )),
        }
    }

    /// Goes on with the stack that an interrupted creation left.
    async fn take_over(
        &self,
        session: &Session,
        planned: &Model,
        project: &str,
        stood: Stack,
        wanted: &Wanted<'_>,
    ) -> Result<Option<(Stack, String)>, Diagnostics> {
        self.save(planned, project, Some(&stood.id));
        let name = &self.wanted.name;
        let doing = format!("taking over the unfinished blade {name}");
        let next = "Apply again once Heat is done with the stack.";
        tracing::info!(blade = %name, stack = stood.id, "taking over what an interrupted run left");
        let give_up = |gave_up: GaveUp| gave_up.diagnostics(&doing, next);
        match stack::settled(session, &stood, "", self.deadline, self.cx)
            .await
            .map_err(give_up)?
        {
            Ended::Gone => Ok(None),
            Ended::Complete(stack) => {
                let since = stack::newest_event(session, &stack).await?;
                asking::update_unserved(session, &stack, wanted, self.deadline, self.cx)
                    .await
                    .map_err(give_up)?;
                Ok(Some((stack, since)))
            }
            // nothing of it ever served
            Ended::Failed { stack, .. } => {
                asking::deleted(session, &stack, "", self.deadline, self.cx)
                    .await
                    .map_err(give_up)?;
                Ok(None)
            }
        }
    }

    async fn done(
        &self,
        session: &Session,
        planned: &Model,
        project: &str,
        stack: &Stack,
        resolved: &Resolved,
    ) -> Result<(), Diagnostics> {
        let mut model = planned.clone();
        model.set_outputs(&self.wanted, project, stack);
        let private = Private {
            parameters: resolved.parameters.clone(),
            revisions: revisions_of(&self.compiled.template),
            volumes: Private::volumes_of(&self.wanted),
            previous: None,
            cloud: session.identity().await?.cloud().map(str::to_owned),
        };
        self.slot.save(model, private);
        // before anything else: another run waits to see whether this one lives
        let warning = match self.wanted.project {
            Some(_) => project::finish(&session.cloud().own(), project).await,
            None => {
                let marked = stack::set_whole(session, stack).await;
                marked.err().map(|error| project::unmarked(&error))
            }
        };
        warning.into_iter().for_each(|one| self.cx.warn(one));
        let (wanted, deadline) = (&self.wanted, self.deadline);
        leading::wait(session, project, wanted, stack, deadline, self.cx).await;
        Ok(())
    }

    /// Takes a failed stack away and says why it failed.
    async fn failed(
        &self,
        session: &Session,
        stack: &Stack,
        reasons: Vec<String>,
    ) -> Result<(), Diagnostics> {
        let name = &self.wanted.name;
        let mut detail = reasons.join("\n");
        let removed = asking::deleted(session, stack, "", self.deadline, self.cx);
        match removed.await {
            Ok(Ended::Gone) => {
                let released = volume_drift::delete_released(
                    session,
                    &stack.id,
                    None,
                    Patience::new(self.deadline, self.cx),
                );
                if let Err(gave_up) = released.await {
                    detail.push_str(&format!("\nNot undone: its volumes: {gave_up}."));
                }
                let mut model = self.slot.model().unwrap_or_default();
                model.stack_id = mkys_plugin::Attr::Null;
                self.slot.save_model(model);
                if self.wanted.project.is_none() {
                    self.slot.remove();
                }
                detail.push_str("\nUndone: the stack with all that was made in it.");
            }
            _ => {
                detail.push_str(&format!(
                    "\nNot undone: stack {} could not be taken away; it is in the state, destroy it \
                     or apply again.",
                    stack.id
                ));
            }
        }
        let next = advice::next(&reasons, self.wanted.project.is_some());
        detail.push_str(&format!("\n{next}"));
        Err(Diagnostic::error(format!("Blade {name} could not be created"), detail).into())
    }

    /// Takes the project away again.
    async fn undo_project(&self, own: &Session, id: &str) -> Diagnostics {
        let group = self
            .wanted
            .project
            .as_ref()
            .map(|project| project.group.as_str());
        match project::remove(own, id, group).await {
            Ok(stays) => {
                self.slot.remove();
                let gone = Diagnostic::warning("The blade's project was taken away again", "");
                [gone].into_iter().chain(stays).collect()
            }
            Err(error) => still_there(id, &format!("It could not be taken away: {error}.")),
        }
    }

    /// The same, unless Heat has a stack in it or can't say: an answer that was lost says nothing of what became of the request, and
    /// somebody else may be making the same blade.
    async fn undo_empty(
        &self,
        planned: &Model,
        own: &Session,
        inside: &Session,
        id: &str,
    ) -> Diagnostics {
        match heat::stack(inside, self.wanted.name.as_ref()).await {
            Ok(None) => self.undo_project(own, id).await,
            Ok(Some(stack)) if !self.run.is_of(&stack) => {
                self.slot.remove();
                run::taken(self.wanted.name.as_ref()).into()
            }
            Ok(Some(stack)) => {
                self.save(planned, id, Some(&stack.id));
                still_there(id, &format!("Heat has stack {} in it.", stack.id))
            }
            Err(error) => still_there(
                id,
                &format!("Whether Heat has a stack in it is not known: {error}."),
            ),
        }
    }
}

/// Most often the cause is told already, so it is no error of its own.
fn still_there(id: &str, why: &str) -> Diagnostics {
    Diagnostic::warning(
        format!("Project {id} of the unfinished blade still exists"),
        format!("{why}\nIt is in the state: destroy it, or apply again."),
    )
    .into()
}

/// Heat's own limit for what must be done by then.
pub(super) fn minutes_until(deadline: Instant) -> u64 {
    deadline
        .saturating_duration_since(Instant::now())
        .as_secs()
        .div_ceil(60)
        .max(1)
}

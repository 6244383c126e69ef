//! Changing a blade, such that what serves is never touched before what replaces it serves.
//!
//! The steps come from the `blade` crate; here each is one Heat update that is waited for and
//! verified. The template that Heat holds, not our memory, says where a change starts: one that was
//! interrupted between two steps is gone on with.

use std::collections::{BTreeMap, BTreeSet};

use mkys_blade::effect::Permit;
use mkys_blade::update::{self, Kind, Replacement, Step, Strategy};
use mkys_blade::{Blade as Definition, Compiled, PartName, Revision, Template};
use mkys_plugin::{Context, Diagnostic, Diagnostics, Slot};
use tokio::time::Instant;
use uuid::Uuid;

use super::create::{minutes_until, valid};
use super::model::Model;
use super::network_drift::NetworkDrift;
use super::plan::{self, Operation};
use super::project_change::{ProjectChange, noted};
use super::scope::{self, Scope};
use super::serving::{self, Serving};
use super::snapshots::{self, Guard};
use super::stack::{self, Ended, Named, said_of_other};
use super::state::{Id, Private, revisions_of};
use super::volume_drift::{self, VolumeDrift};
use super::waiting::{GaveUp, Patience};
use super::{
    Blade, advice, asking, back, drift, leading, mark, resolve, stopping, unplanned, watch, ways_in,
};
use crate::cloud::services::heat::{self, Stack, Wanted};
use crate::cloud::{CloudError, Session};

/// An update under way.
struct Change<'a> {
    /// The credential's own session.
    own: Session,
    /// The one within the blade's project.
    session: Session,
    project_id: String,
    wanted: Definition,
    compiled: Compiled,
    prior: &'a Model,
    private: Private,
    parameters: BTreeMap<String, String>,
    /// The servers that get another revision than the one that stands.
    replaced: Vec<Replacement>,
    slot: &'a Slot<Blade>,
    cx: &'a Context,
    deadline: Instant,
    guard: Guard,
    /// What was changed of the project, until it is taken back.
    project: Option<ProjectChange>,
    /// The template that stood before the change.
    stands: Template,
    /// Ids of the servers that stand.
    standing_ids: BTreeMap<PartName, String>,
    /// Resources whose things are gone, so that Heat makes others.
    gone: BTreeSet<String>,
}

const NEXT: &str = "The next apply looks where things stand and goes on from there.";

impl Blade {
    pub(super) async fn update_blade(
        &self,
        prior: Model,
        planned: Model,
        private: Private,
        slot: &Slot<Self>,
        cx: &Context,
    ) -> Result<(), Diagnostics> {
        let configured = self.platform.configured()?;
        let cloud = configured.cloud()?;
        let deadline = Instant::now() + plan::timeout(&planned, Operation::Update)?;
        let id: Id = prior
            .id
            .as_str()
            .unwrap_or_default()
            .parse()
            .map_err(|reason: String| Diagnostics::error("The blade's id is broken", reason))?;
        let wanted = valid(&planned)?;
        let own = cloud.own();
        let scope = scope::open(cloud, &id, wanted.project.is_some(), &private).await?;
        let Some(Scope { session, .. }) = scope else {
            let detail =
                "It was there when this was planned. Nothing was changed. Next: plan again.";
            let summary = format!("The project of blade {} is gone", id.name);
            return Err(Diagnostics::error(summary, detail));
        };
        let compiled = plan::compile(configured.settings()?, &wanted, &private, Some(&prior));
        // all that can be known beforehand is, before anything is changed
        let standing = private.standing(&compiled);
        let resolved =
            resolve::resolve(configured, &session, &wanted, &compiled, &standing).await?;
        let project = match &wanted.project {
            Some(stated) => {
                let change =
                    ProjectChange::make(configured, &own, &id, &wanted, stated, &prior, cx).await?;
                if change.is_some() {
                    // whatever becomes of the rest, this is what the project has
                    let mut model = prior.clone();
                    model.project.clone_from(&planned.project);
                    model.description.clone_from(&planned.description);
                    slot.save_model(model);
                }
                change
            }
            None => None,
        };
        let mut parameters = private.parameters.clone();
        parameters.extend(resolved.parameters.clone());
        let prior = &prior;
        let mut change = Change {
            own: own.clone(),
            session,
            project_id: id.project.clone(),
            wanted,
            compiled,
            prior,
            private,
            parameters,
            replaced: Vec::new(),
            slot,
            cx,
            deadline,
            guard: Guard::default(),
            project,
            stands: Template::default(),
            standing_ids: BTreeMap::new(),
            gone: BTreeSet::new(),
        };
        let changed = async {
            let stack = change.run().await?;
            let template = &change.compiled.template;
            let volumes = VolumeDrift::look(&change.session, &stack, template).await?;
            volumes.repair(&change.session).await?;
            drift::repair(&change.session, &stack, template).await?;
            ways_in::repair(&change.session, &id.project, &stack, template).await?;
            change.start_stopped(&stack).await?;
            change.delete_released(&stack).await?;
            if template.volumes().next().is_some() {
                let patience = Patience::new(deadline, cx);
                snapshots::delete_open(&change.session, &stack.stack_name, patience).await;
            }
            Ok(stack)
        };
        let stack = match changed.await {
            Ok(stack) => stack,
            Err(problems) => return Err(change.with_project(problems)),
        };
        let mut model = planned;
        model.set_outputs(&change.wanted, &id.project, &stack);
        let previous = change.private.previous.as_ref();
        let is_needed = |name: &String| {
            let mut templates = [Some(&change.compiled.template), previous]
                .into_iter()
                .flatten();
            templates.any(|template| template.parameters.contains_key(name))
        };
        let mut parameters = change.parameters.clone();
        parameters.retain(|name, _| is_needed(name));
        let private = Private {
            parameters,
            revisions: revisions_of(&change.compiled.template),
            volumes: Private::volumes_of(&change.wanted),
            previous: change.private.previous.clone(),
            cloud: own.identity().await?.cloud().map(str::to_owned),
        };
        slot.save(model, private);
        let (session, wanted) = (&change.session, &change.wanted);
        leading::wait(session, &id.project, wanted, &stack, deadline, cx).await;
        mark::take_off(&own, session, wanted, &id, &stack, cx).await;
        Ok(())
    }
}

impl Change<'_> {
    /// Says what of the project is as the new definition has it although the update did not end.
    fn with_project(&self, problems: Diagnostics) -> Diagnostics {
        match &self.project {
            Some(change) => noted(problems, &format!("In place: {}.", change.in_place())),
            None => problems,
        }
    }

    async fn run(&mut self) -> Result<Stack, Diagnostics> {
        let name = self.wanted.name.clone();
        let doing = format!("waiting for an earlier change of blade {name}");
        let known = self.prior.stack_id.as_str();
        let is_made = self.wanted.project.is_some();
        let stack = match Named::find(&self.session, name.as_ref(), known, is_made).await? {
            Named::Blades(stack) => stack,
            Named::Nothing => return self.build_anew().await,
            Named::Others(other) => {
                let detail = format!(
                    "{} Nothing was changed. Next: rename or delete that stack, and apply again; or \
                     forget the blade (`terraform state rm`), if that stack is to stay.",
                    said_of_other(&other)
                );
                let summary = format!("The stack of blade {name} is gone");
                return Err(Diagnostics::error(summary, detail));
            }
        };
        let settled = stack::settled(&self.session, &stack, "", self.deadline, self.cx).await;
        let stack = match settled.map_err(|gave_up| gave_up.diagnostics(&doing, NEXT))? {
            Ended::Complete(stack) | Ended::Failed { stack, .. } => stack,
            Ended::Gone => return self.build_anew().await,
        };
        let stack = self.resumed(stack).await?;
        let found = heat::template(&self.session, &stack).await?;
        self.private.learn(&found);
        self.replaced = plan::replacements(&self.private, &self.wanted, &self.compiled);
        let stands = self.pruned(found.clone());
        self.stands.clone_from(&stands);
        self.know_outputs(&stack).await?;
        let mut steps = update::steps(&stands, &self.compiled, &self.replaced);
        self.put_right(&stack).await?;
        // what an interrupted update left beside the version that is wanted again goes by an update as well
        if steps.is_empty() && (!self.gone.is_empty() || found != stands) {
            steps.push(Step {
                kind: Kind::Change,
                template: self.compiled.template.clone(),
            });
        }
        // a change that was cut off when the old server was away already knows it from before
        if self.has_old(Some(&stands)) || !self.has_old(self.private.previous.as_ref()) {
            self.private.previous = Some(stands.clone());
        }
        // whatever interrupts this, both versions can be gone back to and on with
        let private = Private {
            parameters: self.parameters.clone(),
            ..self.private.clone()
        };
        self.slot.save_private(private);
        let mut last = stack;
        for (index, step) in steps.iter().enumerate() {
            let before = index
                .checked_sub(1)
                .map_or(&stands, |before| &steps[before].template);
            self.prepare(&last, step, (&stands, before)).await?;
            last = self.step(&last, step, before).await?;
            if step.kind == Kind::Expand {
                self.verify(&last, &stands, before).await?;
            }
            if step.kind == Kind::Add {
                let guard = std::mem::take(&mut self.guard);
                let patience = Patience::new(self.deadline, self.cx);
                guard.release(&self.session, patience).await;
            }
        }
        if steps.is_empty() {
            let gone = || Diagnostics::error(format!("The stack of blade {name} is gone"), NEXT);
            last = heat::outputs(&self.session, &last)
                .await?
                .ok_or_else(gone)?;
        }
        Ok(last)
    }

    /// Before traffic moves to new revisions: whether they are still there and ready. If not, the version before stays.
    async fn verify(
        &mut self,
        stack: &Stack,
        stands: &Template,
        before: &Template,
    ) -> Result<(), Diagnostics> {
        let is_new = |name: &PartName, revision: &Revision| {
            let mut replaced = self.replaced.iter();
            match replaced.find(|one| one.server == *name) {
                Some(one) => !one.is_recreated(),
                None => !stands.has_server(name.as_ref(), revision),
            }
        };
        let all = self.compiled.revisions.iter();
        let new = all.filter(|(name, revision)| is_new(name, revision));
        let unfit = serving::unfit(&self.session, stack, new).await?;
        match unfit.is_empty() {
            true => Ok(()),
            false => Err(self.failed(stack, Kind::Expand, before, unfit).await),
        }
    }

    /// Before a step: the snapshots that guard it, and those that are in its way.
    async fn prepare(
        &mut self,
        stack: &Stack,
        step: &Step,
        (stands, before): (&Template, &Template),
    ) -> Result<(), Diagnostics> {
        let name = &self.wanted.name;
        let (session, patience) = (&self.session, Patience::new(self.deadline, self.cx));
        if step.kind == Kind::TakeAway {
            // Cinder makes no snapshot of a volume whose server is shelved
            let recreated = self.replaced.iter().filter(|one| one.is_recreated());
            for id in recreated.filter_map(|one| self.id_before(one)) {
                let doing = format!("waking server {id} of blade {name}, which does not run");
                let woken = stopping::wake(session, id, patience).await;
                woken.map_err(|gave_up| gave_up.diagnostics(&doing, NEXT))?;
            }
            let change = (stands, &*self.replaced);
            self.guard = Guard::take(session, stack, name, change, patience).await?;
        }
        let after = &step.template.resources;
        let goes = |resource: &str| !after.contains_key(resource);
        if before.volumes().any(|(resource, ..)| goes(resource)) {
            snapshots::clear(session, stack, goes, patience).await?;
        }
        Ok(())
    }

    /// Whether a template has the old revision of all that is taken away.
    fn has_old(&self, template: Option<&Template>) -> bool {
        let mut recreated = self.replaced.iter().filter(|one| one.is_recreated());
        template.is_some_and(|template| {
            recreated.all(|one| template.has_server(one.server.as_ref(), &one.from))
        })
    }

    /// A stack that somebody suspended takes no update: resumes it.
    async fn resumed(&self, stack: Stack) -> Result<Stack, Diagnostics> {
        if !stack.stack_status.starts_with("SUSPEND_") {
            return Ok(stack);
        }
        let name = &self.wanted.name;
        let doing = format!("resuming the stack of blade {name}, which is suspended");
        tracing::info!("{doing}");
        heat::resume(&self.session, &stack).await?;
        let ended = stack::settled(&self.session, &stack, "", self.deadline, self.cx).await;
        match ended.map_err(|gave_up| gave_up.diagnostics(&doing, NEXT))? {
            Ended::Complete(stack) => Ok(stack),
            Ended::Failed { reasons, .. } => {
                let summary = format!("Stopped while {doing}");
                Err(Diagnostics::error(summary, reasons.join("\n")))
            }
            Ended::Gone => {
                let summary = format!("The stack of blade {name} was deleted");
                Err(Diagnostics::error(summary, NEXT))
            }
        }
    }

    /// Puts right, before anything is asked of Heat, what others changed and Heat does not look at; tells Heat what is gone, and what is
    /// not gone although Heat holds it for unhealthy.
    async fn put_right(&mut self, stack: &Stack) -> Result<(), Diagnostics> {
        let (session, project) = (&self.session, &self.project_id);
        let Some(stack) = heat::outputs(session, stack).await? else {
            return Ok(());
        };
        drift::take_surplus_away(&self.own, session, &stack, &self.stands).await?;
        let networks = NetworkDrift::look(session, project, &stack, &self.stands).await?;
        networks.repair(session).await?;
        let volumes = VolumeDrift::look(session, &stack, &self.stands).await?;
        let ways = ways_in::look(session, project, &stack, &self.stands).await?;
        self.gone.extend(networks.gone);
        self.gone.extend(volumes.gone);
        self.gone.extend(ways.gone);
        let resources = heat::resources(session, &stack).await?;
        unplanned::put_right(session, &stack, &resources, &self.permit()).await?;
        for resource in &self.gone {
            let why = "MKYS looked: it is gone";
            heat::mark_unhealthy(session, &stack, resource, why).await?;
        }
        Ok(())
    }

    /// Takes over what Heat shows of the version that stands, parameters and ids of servers: the state may have been imported or restored.
    async fn know_outputs(&mut self, stack: &Stack) -> Result<(), CloudError> {
        let Some(stack) = heat::outputs(&self.session, stack).await? else {
            return Ok(());
        };
        let servers = self.wanted.servers.keys().filter_map(|name| {
            // Heat gives a server that is not there yet by the resource's name
            let id = stack.output(&Compiled::server_output(name))?;
            Uuid::try_parse(id)
                .ok()
                .map(|_| (name.clone(), id.to_owned()))
        });
        self.standing_ids = servers.collect();
        for (name, value) in stack.visible_parameters() {
            // those of servers belong to a revision, so they never change; of the others the resolved ones are newer
            let is_of_server = name.contains("_R");
            if is_of_server || !self.parameters.contains_key(&name) {
                self.parameters.insert(name, value);
            }
        }
        Ok(())
    }

    /// What stands, without revisions that an interrupted update left and that are not wanted any more.
    fn pruned(&self, template: Template) -> Template {
        update::prune(template, |server, revision| {
            self.private.revisions.get(server) == Some(revision)
                || self
                    .compiled
                    .revisions
                    .iter()
                    .any(|(name, wanted)| name.as_ref() == server && wanted == revision)
        })
    }

    fn permit(&self) -> Permit<'_> {
        Permit {
            stands: &self.stands,
            wanted: &self.compiled.template,
            replacements: &self.replaced,
            gone: &self.gone,
        }
    }

    /// The stack was deleted by somebody: builds it again, if the plan says so.
    async fn build_anew(&self) -> Result<Stack, Diagnostics> {
        let name = self.wanted.name.as_ref();
        if let Some(id) = self.prior.stack_id.as_str() {
            let detail = format!(
                "Stack {id} was there when this was planned, or the plan did not look (`-refresh=false`). Nothing was changed. Next: plan \
                 again, which shows what is built anew."
            );
            let summary = format!("The stack of blade {name} is gone");
            return Err(Diagnostics::error(summary, detail));
        }
        heat::create(
            &self.session,
            name,
            &self.target(&self.compiled.template, true),
        )
        .await?;
        let missing = || Diagnostics::error(format!("Stack {name} vanished"), NEXT);
        let stack = heat::stack(&self.session, name)
            .await?
            .ok_or_else(missing)?;
        // whatever becomes of it, this is the blade's stack from now on
        let mut model = self.slot.model().unwrap_or_else(|| self.prior.clone());
        model.stack_id = stack.id.as_str().into();
        self.slot.save_model(model);
        let doing = format!("building blade {name} again");
        let ended = stack::settled(&self.session, &stack, "", self.deadline, self.cx).await;
        match ended.map_err(|gave_up| gave_up.diagnostics(&doing, NEXT))? {
            Ended::Complete(stack) => Ok(stack),
            Ended::Gone => Err(missing()),
            Ended::Failed { stack, reasons } => {
                asking::delete(&self.session, &stack, self.deadline, self.cx)
                    .await
                    .map_err(|gave_up| gave_up.diagnostics(&doing, NEXT))?;
                let summary = format!("Blade {name} could not be built again");
                Err(Diagnostics::error(summary, reasons.join("\n")))
            }
        }
    }

    fn target<'a>(&'a self, template: &'a Template, rollback: bool) -> Wanted<'a> {
        Wanted {
            template,
            parameters: &self.parameters,
            tags: stack::MARK,
            rollback,
            minutes: minutes_until(self.deadline),
            protected: BTreeSet::new(),
        }
    }

    async fn step(
        &mut self,
        stack: &Stack,
        step: &Step,
        before: &Template,
    ) -> Result<Stack, Diagnostics> {
        let (doing, goes_back) = match step.kind {
            Kind::Change => ("changing", true),
            Kind::Expand => ("putting new revisions beside the old ones of", true),
            // once the traffic has moved, going back would move it onto what is half gone
            Kind::Contract => (
                "moving the traffic and taking old revisions away from",
                false,
            ),
            Kind::TakeAway => ("taking away what cannot stand twice of", true),
            Kind::Add => ("adding what was taken away, in its new revision, to", false),
            Kind::Release => ("deleting volumes that nothing uses any more of", false),
        };
        let doing = format!("{doing} blade {}", self.wanted.name);
        tracing::info!("{doing}");
        let forward = matches!(step.kind, Kind::Contract | Kind::Release);
        let mut tries = if forward { 2 } else { 1 };
        loop {
            tries -= 1;
            let since = stack::newest_event(&self.session, stack).await?;
            let target = self.target(&step.template, goes_back);
            let names = step.template.resources.keys();
            let new = names.filter(|name| {
                name.starts_with("server_") && !before.resources.contains_key(*name)
            });
            let new = new.cloned().collect();
            let updated = self.updated(stack, &target, &since);
            let ended = watch::during(&self.session, stack, &new, updated).await;
            match ended.map_err(|gave_up| gave_up.diagnostics(&doing, NEXT))? {
                Ended::Complete(stack) => return Ok(stack),
                Ended::Gone => {
                    let summary = format!("The stack of blade {} was deleted", self.wanted.name);
                    return Err(Diagnostics::error(summary, NEXT));
                }
                Ended::Failed { .. } if tries > 0 => {}
                // the new version serves: nothing is to be undone
                Ended::Failed { reasons, .. } if step.kind == Kind::Release => {
                    let summary = format!("Stopped while {doing}");
                    let detail = format!("{}\n{NEXT}", reasons.join("\n"));
                    return Err(Diagnostics::error(summary, detail));
                }
                Ended::Failed { stack, reasons } => {
                    return Err(self.failed(&stack, step.kind, before, reasons).await);
                }
            }
        }
    }

    /// Makes sure that the version before serves, and says so.
    async fn failed(
        &mut self,
        stack: &Stack,
        kind: Kind,
        before: &Template,
        reasons: Vec<String>,
    ) -> Diagnostics {
        let name = &self.wanted.name;
        let mut detail = reasons.join("\n");
        let undone = match kind {
            Kind::Add => self.add_again(stack).await,
            Kind::TakeAway => match self.is_back(stack, before).await {
                Ok(()) => self.start_again().await,
                stays => stays,
            },
            _ => self.is_back(stack, before).await,
        };
        let serving = Serving::look(
            &self.session,
            stack,
            &self.private.revisions,
            &self.standing_ids,
        );
        let serving = serving.await;
        let came = match (&undone, kind, serving.is_whole()) {
            (Ok(()), Kind::Change | Kind::Expand, true) => "; the version before still serves",
            (Ok(()), _, true) => "; the version before is back",
            (Ok(()), _, false) => "; the version before is back, but not all of it serves",
            (Err(_), ..) => "",
        };
        let summary = format!("The update of blade {name} failed{came}");
        let is_back = undone.is_ok();
        match undone {
            Ok(()) => {
                for one in &self.replaced {
                    let again = match (one.strategy, kind) {
                        (Strategy::Recreate, Kind::TakeAway | Kind::Add) => {
                            format!(", and the old revision {} was added again", one.from)
                        }
                        _ => String::new(),
                    };
                    detail.push_str(&format!(
                        "\nUndone: the new revision {} was taken away{again}.",
                        one.to
                    ));
                }
            }
            Err(problem) => detail.push_str(&format!("\nNot undone: {problem}")),
        }
        // what still stands of the new version may need what it was granted
        if let Some(project) = self.project.take_if(|_| is_back) {
            match project.take_back().await {
                Ok(said) => {
                    self.slot.save_model(self.prior.clone());
                    detail.push_str(&format!("\nUndone: {said}."));
                }
                Err(stayed) => detail.push_str(&format!("\nNot undone: {stayed}.")),
            }
        }
        let was_to_go = |server: &str| {
            let mut replaced = self.replaced.iter();
            replaced.any(|one| one.server.as_ref() == server)
        };
        detail.push_str(&serving.said(was_to_go));
        detail.push_str(&std::mem::take(&mut self.guard).keep(&self.session).await);
        let next = advice::next(&reasons, self.wanted.project.is_some());
        detail.push_str(&format!("\n{next}"));
        Diagnostic::error(summary, detail).into()
    }

    /// After Heat's own rollback: whether the template before is what stands again; if not, asks
    /// for it.
    async fn is_back(&self, stack: &Stack, before: &Template) -> Result<(), String> {
        let said = stack.stack_status == "ROLLBACK_COMPLETE";
        // Heat's word alone is no proof: look at what it holds
        let stands = heat::resources(&self.session, stack)
            .await
            .map_err(|error| error.told())?;
        let names: BTreeSet<_> = stands
            .iter()
            .map(|one| one.resource_name.as_str())
            .collect();
        let wanted: BTreeSet<_> = before.resources.keys().map(String::as_str).collect();
        if said && names == wanted {
            return Ok(());
        }
        self.put_back(stack, before).await
    }

    /// After what cannot stand twice was stopped, and not taken away.
    async fn start_again(&self) -> Result<(), String> {
        let recreated = self.replaced.iter().filter(|one| one.is_recreated());
        for id in recreated.filter_map(|one| self.id_before(one)) {
            let patience = Patience::new(self.deadline, self.cx);
            stopping::start_again(&self.session, id, patience)
                .await
                .map_err(|gave_up| format!("server {id} is stopped: {gave_up}"))?;
        }
        Ok(())
    }

    /// Starts the servers that somebody stopped.
    async fn start_stopped(&self, stack: &Stack) -> Result<(), Diagnostics> {
        for name in self.wanted.servers.keys() {
            let Some(id) = stack.output(&Compiled::server_output(name)) else {
                continue;
            };
            let patience = Patience::new(self.deadline, self.cx);
            let started = stopping::start_again(&self.session, id, patience).await;
            let doing = format!("starting server {name}, which was stopped");
            started.map_err(|gave_up| gave_up.diagnostics(&doing, NEXT))?;
        }
        Ok(())
    }

    /// Deletes the volumes that the definition does not have any more.
    async fn delete_released(&self, stack: &Stack) -> Result<(), Diagnostics> {
        let patience = Patience::new(self.deadline, self.cx);
        let doing = format!(
            "deleting volumes that nothing uses any more of blade {}",
            self.wanted.name
        );
        volume_drift::delete_released(&self.session, &stack.id, Some(&self.wanted), patience)
            .await
            .map_err(|gave_up| gave_up.diagnostics(&doing, NEXT))
    }

    /// After a server that could not stand twice failed to come back in its new revision.
    async fn add_again(&self, stack: &Stack) -> Result<(), String> {
        match &self.private.previous {
            Some(previous) if self.has_old(Some(previous)) => self.put_back(stack, previous).await,
            _ => Err("the old revision is not known any more".to_owned()),
        }
    }

    async fn put_back(&self, stack: &Stack, template: &Template) -> Result<(), String> {
        let target = self.target(template, false);
        let permit = self.permit();
        back::put_back(
            &self.session,
            stack,
            &target,
            &permit,
            self.deadline,
            self.cx,
        )
        .await
    }

    async fn updated(
        &self,
        stack: &Stack,
        target: &Wanted<'_>,
        since: &str,
    ) -> Result<Ended, GaveUp> {
        let (session, permit) = (&self.session, self.permit());
        asking::updated(
            session,
            stack,
            target,
            &permit,
            since,
            self.deadline,
            self.cx,
        )
        .await
    }

    /// Id of a server before the update.
    fn id_before(&self, one: &Replacement) -> Option<&str> {
        self.standing_ids.get(&one.server).map(String::as_str)
    }
}

//! Planning: what an apply will do, said before it does it, as truly as the cloud allows.

use std::collections::BTreeMap;
use std::time::Duration;

use mkys_blade::update::{self, Replacement, Strategy};
use mkys_blade::{Blade as Definition, Compiled, Generations, PartName, Quota, Revision, Settings};
use mkys_plugin::{Attr, Context, Diagnostic, Diagnostics, Path, Plan};

use super::create::valid;
use super::model::{EndpointModel, Model};
use super::names::Names;
use super::resolve::{self, Resolved};
use super::sketch::Sketch;
use super::state::{Id, Private};
use super::{Blade, project, room, snapshots};
use crate::cloud::services::{heat, quota};
use crate::cloud::{Cloud, CloudError, Session};
use crate::duration;
use crate::platform::{Configured, NoCloud};

impl Blade {
    pub(super) async fn plan_change(
        &self,
        plan: &mut Plan<Self>,
        cx: &Context,
    ) -> Result<(), Diagnostics> {
        if let Some(id) = plan.prior.as_ref().and_then(|prior| prior.id.as_str()) {
            self.names.note(id);
        }
        let Some(planned) = &mut plan.planned else {
            return Ok(());
        };
        if let Some(prior) = &plan.prior
            && prior.project.is_null() != planned.project.is_null()
        {
            // another project is another blade
            plan.require_replace(Path::root("project"));
            return Ok(());
        }
        let Some(config) = &plan.config else {
            return Ok(());
        };
        planned.drift = Attr::Known(Vec::new());
        let sketch = Sketch::of(config);
        if !sketch.is_whole() {
            planned.set_unknown();
        }
        let Some(configured) = self.platform.get() else {
            return Ok(());
        };
        let Some(wanted) = sketch.validated()? else {
            return Ok(());
        };
        if let Some(prior) = &plan.prior {
            no_smaller_volumes(prior, planned).into_result()?;
        }
        let Some(settings) = configured.settings.known().filter(|_| sketch.is_whole()) else {
            planned.set_unknown();
            let prior = plan.prior.as_ref();
            return check_the_known(configured, &self.names, &sketch, &wanted, prior, cx).await;
        };
        let compiled = compile(settings, &wanted, &plan.private, plan.prior.as_ref());
        planned.set_compiled(&compiled);
        set_expected(planned, plan.prior.as_ref(), &wanted, &compiled);
        if plan.prior.as_ref() == Some(planned) {
            return Ok(());
        }
        let replaced = match plan.prior {
            Some(_) => replacements(&plan.private, &wanted, &compiled),
            None => Vec::new(),
        };
        let resolved = match &configured.cloud {
            Ok(cloud) => {
                let asked = Asked {
                    names: &self.names,
                    sketch: &sketch,
                    wanted: &wanted,
                    compiled: &compiled,
                    is_final: true,
                    replaced: &replaced,
                    standing: &plan.private.standing(&compiled),
                    prior: plan.prior.as_ref(),
                };
                default_project(cloud, &wanted, cx).await?;
                Some(online(configured, cloud, asked).await?)
            }
            Err(none) => {
                without_cloud(*none, cx);
                None
            }
        };
        announce(&replaced, &wanted, &plan.private, resolved.as_ref(), cx);
        if let Some(prior) = &plan.prior {
            without_user_data(&replaced, prior, planned, cx);
        }
        no_edge(settings, &wanted, cx);
        if plan
            .prior
            .as_ref()
            .is_some_and(|prior| only_template(prior, planned))
        {
            let detail = "What is outside of it did: the provider's `edge` or `probe_source`, or the \
                          provider itself. Its parts are changed in place.";
            let summary = "The blade's template changes although its definition does not";
            cx.warn(Diagnostic::warning(summary, detail));
        }
        Ok(())
    }
}

/// Refuses volumes that would become smaller: Cinder can't, and Heat would only say so in the apply.
fn no_smaller_volumes(prior: &Model, planned: &Model) -> Diagnostics {
    let before = prior.volume_sizes();
    let smaller = planned.volume_sizes().into_iter().filter_map(|(key, size)| {
        let stands = before.get(&key).filter(|stands| **stands > size)?;
        let (server, volume) = key;
        let at = Path::root("servers").key(server).attribute("volumes");
        let detail = format!(
            "It has {stands} GiB, and a volume can only grow. Write `size = {stands}`; or give a smaller one another name, and copy the data \
             over before the old one is left out."
        );
        let summary = format!("Volume {volume:?} of server {server:?} cannot become {size} GiB");
        Some(Diagnostic::error(summary, detail).at(at.key(volume).attribute("size")))
    });
    smaller.collect()
}

/// Asks the cloud about a blade whose template is not known yet.
async fn check_the_known(
    configured: &Configured,
    names: &Names,
    sketch: &Sketch,
    wanted: &Definition,
    prior: Option<&Model>,
    cx: &Context,
) -> Result<(), Diagnostics> {
    match &configured.cloud {
        // in whose project it will be decides what there is to ask
        Ok(_) if !sketch.knows("project") => Ok(()),
        Ok(cloud) => {
            let compiled = wanted.compile(&Settings::default(), &Generations::new());
            let asked = Asked {
                names,
                sketch,
                wanted,
                compiled: &compiled,
                is_final: false,
                replaced: &[],
                standing: &BTreeMap::new(),
                prior,
            };
            online(configured, cloud, asked).await.map(drop)
        }
        Err(none) => {
            without_cloud(*none, cx);
            Ok(())
        }
    }
}

/// Says in which project a blade will be that nobody named one for.
async fn default_project(
    cloud: &Cloud,
    wanted: &Definition,
    cx: &Context,
) -> Result<(), CloudError> {
    if wanted.project.is_some() || cloud.names_project() {
        return Ok(());
    }
    if let Some(project) = cloud.own().identity().await?.project {
        let (id, name) = (project.id, project.name);
        let detail = format!(
            "The credential names no project, so the blade is built in its user's default project, {name:?} ({id}). Name one \
             (`project_name`, OS_PROJECT_NAME) to be certain."
        );
        let summary = format!("Blade {} is built in a default project", wanted.name);
        cx.warn(Diagnostic::warning(summary, detail));
    }
    Ok(())
}

/// Says what a plan without the cloud is worth.
fn without_cloud(none: NoCloud, cx: &Context) {
    let why = match none {
        NoCloud::Unnamed => "No cloud is named",
        NoCloud::NotYetKnown => "The provider's `cloud` is not known yet",
    };
    let detail =
        format!("{why}, so names and quota were not checked. What the definition itself says was.");
    cx.warn(Diagnostic::warning("Planned without the cloud", detail));
}

/// Whether the template is all that changes. A plan does not show it, so nothing would say why there is something to do.
fn only_template(prior: &Model, planned: &Model) -> bool {
    let same = Model {
        template: planned.template.clone(),
        ..prior.clone()
    };
    same == *planned && prior.template != planned.template
}

/// Compiles the definition under the generations that the last state asks for.
pub(super) fn compile(
    settings: &Settings,
    wanted: &Definition,
    private: &Private,
    prior: Option<&Model>,
) -> Compiled {
    let generations = prior
        .map(|prior| private.generations(wanted, prior))
        .unwrap_or_default();
    wanted.compile(settings, &generations)
}

/// The servers that an update replaces, and how.
pub(super) fn replacements(
    private: &Private,
    wanted: &Definition,
    compiled: &Compiled,
) -> Vec<Replacement> {
    let standing = private
        .revisions
        .iter()
        .filter_map(|(name, revision)| {
            Some((PartName::try_from(name.as_str()).ok()?, revision.clone()))
        })
        .collect();
    update::replacements(&standing, &compiled.revisions, |server| {
        // a volume that the old revision holds is taken off it by the new one
        match wanted.can_stand_twice(server) && !private.holds_volume(server.as_ref()) {
            true => Strategy::SideBySide,
            false => Strategy::Recreate,
        }
    })
}

impl Private {
    /// Whether the server that stands has volumes.
    fn holds_volume(&self, server: &str) -> bool {
        self.volumes.contains(server)
    }
}

/// What of the computed attributes is known before the apply.
fn set_expected(
    planned: &mut Model,
    prior: Option<&Model>,
    wanted: &Definition,
    compiled: &Compiled,
) {
    // without its stack the blade gets another, and nothing of it is what it was
    let prior = prior.filter(|prior| !prior.stack_id.is_null());
    if prior.is_none() {
        planned.stack_id = Attr::Unknown;
    }
    let before = |name: &PartName| {
        let prior = prior?;
        let revision = prior.revisions.known()?.get(name.as_ref())?.as_str()?;
        let same = compiled.revisions.get(name).map(Revision::as_str) == Some(revision);
        same.then(|| prior.server_ids.known()?.get(name.as_ref()).cloned())
            .flatten()
    };
    planned.server_ids = Attr::Known(
        wanted
            .servers
            .keys()
            .map(|name| (name.to_string(), before(name).unwrap_or(Attr::Unknown)))
            .collect(),
    );
    planned.network_ids = Attr::Known(
        wanted
            .networks
            .iter()
            .map(|(name, network)| {
                let prior = prior.and_then(|prior| {
                    let before = prior.networks.known()?.get(name.as_ref())?;
                    let same = before.cidr.as_str() == Some(&network.cidr.to_string());
                    same.then(|| prior.network_ids.known()?.get(name.as_ref()).cloned())
                        .flatten()
                });
                (name.to_string(), prior.unwrap_or(Attr::Unknown))
            })
            .collect(),
    );
    let endpoints = wanted.services.iter().map(|(name, service)| {
        let before = |audience: fn(&EndpointModel) -> &Attr<String>| {
            // the address belongs to server and audience, whatever service has it
            let prior = prior?;
            let services = prior.services.known()?;
            let same = services.iter().find(|(other, one)| {
                one.server.as_str() == Some(service.server.as_ref())
                    && prior
                        .endpoints
                        .known()
                        .and_then(|all| audience(all.get(*other)?).known())
                        .is_some()
            });
            let endpoint = audience(prior.endpoints.known()?.get(same?.0)?);
            let (address, _) = endpoint.as_str()?.rsplit_once(':')?;
            Some(Attr::from(format!("{address}:{}", service.port)))
        };
        let expect = |audience, get: fn(&EndpointModel) -> &Attr<String>| {
            if service.audiences.contains(&audience) {
                before(get).unwrap_or(Attr::Unknown)
            } else {
                Attr::Null
            }
        };
        let endpoint = EndpointModel {
            users: expect(mkys_blade::Audience::Users, |one| &one.users),
            devops: expect(mkys_blade::Audience::Devops, |one| &one.devops),
        };
        (name.to_string(), endpoint)
    });
    planned.endpoints = Attr::Known(endpoints.collect());
}

/// What the cloud is asked about.
struct Asked<'a> {
    names: &'a Names,
    sketch: &'a Sketch,
    wanted: &'a Definition,
    compiled: &'a Compiled,
    /// Whether that is what will be applied.
    is_final: bool,
    replaced: &'a [Replacement],
    /// The revisions that stand already.
    standing: &'a BTreeMap<PartName, Revision>,
    prior: Option<&'a Model>,
}

/// What only the cloud can say: names, rights, quota, what is in the way, Heat's own objection. All that is wrong is said at once; a
/// cloud that does not answer is said alone.
async fn online(
    configured: &Configured,
    cloud: &Cloud,
    asked: Asked<'_>,
) -> Result<Resolved, Diagnostics> {
    let Asked {
        names,
        sketch,
        wanted,
        compiled,
        is_final,
        replaced,
        standing,
        prior,
    } = asked;
    let own = cloud.own();
    // the project exists once the blade does
    let id = prior.and_then(|prior| prior.id.as_str()?.parse::<Id>().ok());
    let mut problems = Diagnostics::new();
    let mut limits = Quota::default();
    let session = match (&wanted.project, &id) {
        (Some(project), id) => {
            project::check_rights(cloud).await?;
            project::look_up(configured, &own, project, &mut problems).await?;
            let mut stands = id.as_ref().map(|id| id.project.clone());
            if id.is_none() {
                match project::in_the_way(&own, &wanted.name).await? {
                    Ok(found) => stands = found.id(),
                    // it goes before this one comes, or the apply refuses
                    Err((project, _)) if is_of_state(names, &project, wanted) => {}
                    Err((_, problem)) => problems.push(problem),
                }
            }
            limits = match stands {
                Some(project) => quota::get(&own, &project).await?,
                None => quota::defaults(&own).await?,
            };
            id.as_ref()
                .map_or_else(|| own.clone(), |id| cloud.project(&id.project))
        }
        (None, _) => {
            project::check_own(cloud).await?;
            own.clone()
        }
    };
    let resolved = resolve::look_up(
        configured,
        &session,
        wanted,
        compiled,
        standing,
        &mut problems,
    )
    .await?;
    let side_by_side = |one: &&Replacement| one.strategy == Strategy::SideBySide;
    let second = replaced.iter().filter(side_by_side);
    let second: Vec<_> = second.map(|one| &one.server).collect();
    let sizes = &resolved.sizes;
    problems.extend(room::quota_problems(wanted, sizes, &second, &limits));
    if wanted.project.is_none() {
        let project = own.identity().await?.project.unwrap_or_default().id;
        // what is replaced goes first, and gives its room back
        let is_replacement = is_of_state(names, &project, wanted);
        if prior.is_none() && !is_replacement {
            let stood = in_the_way(&session, wanted).await?;
            problems.extend(stood.err());
        }
        let free = quota::free(&session, &project).await?;
        problems.extend(match prior {
            None if is_replacement => Diagnostics::new(),
            None => room::free_problems(wanted, sizes, &free),
            Some(prior) => {
                let before = valid(prior).ok();
                room::update_problems(wanted, before.as_ref(), sizes, &second, &free)
            }
        });
    }
    if replaced.iter().any(Replacement::is_recreated) {
        problems.extend(snapshots::problems(&session, &wanted.name, replaced).await?);
    }
    sketch.of_the_known(problems).into_result()?;
    if !is_final || !resolved.is_whole {
        return Ok(resolved);
    }
    heat::validate(&session, &compiled.template, &resolved.parameters)
        .await
        .map_err(|error| match error {
            CloudError::Refused { .. } => {
                Diagnostics::error("Heat would not take the blade's template", error.told())
            }
            _ => error.into(),
        })?;
    Ok(resolved)
}

/// Whether the state has a blade of that name in a project: a replacement is planned like a new one.
fn is_of_state(names: &Names, project: &str, wanted: &Definition) -> bool {
    names.is_of_state(&Id {
        project: project.to_owned(),
        name: wanted.name.to_string(),
    })
}

/// Path of the attribute `name`.
pub(super) fn name() -> Path {
    Path::root("name")
}

/// Refuses a stack of the blade's name that is not its unfinished own.
pub(super) async fn stack_in_the_way(
    session: &Session,
    wanted: &Definition,
) -> Result<Option<heat::Stack>, Diagnostics> {
    Ok(in_the_way(session, wanted).await??)
}

/// The same, where a stack in the way is one problem among others.
async fn in_the_way(
    session: &Session,
    wanted: &Definition,
) -> Result<Result<Option<heat::Stack>, Diagnostic>, CloudError> {
    let Some(stack) = heat::stack(session, wanted.name.as_ref()).await? else {
        return Ok(Ok(None));
    };
    if super::stack::is_unfinished(session, &stack).await? {
        return Ok(Ok(Some(stack)));
    }
    let (summary, detail) = if stack.has_tag(super::stack::MARK) {
        (
            format!("Blade {} exists", wanted.name),
            format!(
                "Its stack is {}. Import it, or choose another name.",
                stack.id
            ),
        )
    } else {
        (
            format!(
                "A stack named {} exists, and it is not a blade's",
                wanted.name
            ),
            format!(
                "Stack {} was made by somebody else and is left alone.",
                stack.id
            ),
        )
    };
    Ok(Err(
        Diagnostic::error(summary, detail).at(Path::root("name"))
    ))
}

/// Says of each replaced server that it loses its user data: a generated configuration leaves secrets out, and a plan does not show them.
fn without_user_data(replaced: &[Replacement], prior: &Model, planned: &Model, cx: &Context) {
    let has = |model: &Model, server: &PartName| {
        let servers = model.servers.known()?;
        let text = &servers.get(server.as_ref())?.user_data;
        Some(text.is_unknown() || text.as_str().is_some_and(|text| !text.is_empty()))
    };
    for one in replaced {
        let server = &one.server;
        if has(prior, server) == Some(true) && has(planned, server) == Some(false) {
            let detail = "The server that stands has user data, and the configuration has none. One that the CLI generated for an import leaves \
                          it out, as it is sensitive: put it in to keep the server.";
            let at = Path::root("servers")
                .key(server.as_ref())
                .attribute("user_data");
            let summary = format!(
                "Server {:?} is replaced by one without user data",
                server.as_ref()
            );
            cx.warn(Diagnostic::warning(summary, detail).at(at));
        }
    }
}

/// Says of each replaced server how, and what that costs.
fn announce(
    replaced: &[Replacement],
    wanted: &Definition,
    private: &Private,
    resolved: Option<&Resolved>,
    cx: &Context,
) {
    for Replacement {
        server,
        from,
        to,
        strategy,
    } in replaced
    {
        let size = resolved.and_then(|resolved| resolved.sizes.get(server));
        let size = size.map_or_else(String::new, |size| {
            let vcpus = if size.vcpus == 1 { "vCPU" } else { "vCPUs" };
            format!(", {} {vcpus} and {} MiB", size.vcpus, size.ram)
        });
        let says_ready = wanted
            .servers
            .get(server)
            .is_some_and(|server| server.ready.is_some());
        let (how, cost) = match strategy {
            Strategy::SideBySide => (
                match says_ready {
                    true => "beside the old one, which serves until the new one is ready",
                    false => "beside the old one, which serves until the new one has booted",
                },
                format!(
                    "While it runs it takes one server more{size}. If it fails, the old server \
                     has never stopped.{}",
                    match says_ready {
                        true => "",
                        false =>
                            " It has no `ready`, so a new version that boots and does not serve \
                             takes over all the same.",
                    }
                ),
            ),
            Strategy::Recreate => (
                "after the old one went, because both would hold the same volumes",
                match private.holds_volume(server.as_ref()) {
                    true => {
                        "It does not serve meanwhile. Its volumes are snapshotted first. If it \
                         fails, the old revision is built again on the same volumes, and the \
                         snapshots are kept."
                    }
                    false => {
                        "It does not serve meanwhile. If it fails, the old revision is built again."
                    }
                }
                .to_owned(),
            ),
        };
        let summary = format!("Server {:?} gets a new revision {how}", server.as_ref());
        let detail = format!("Revision {from} becomes {to}. {cost}");
        let path = Path::root("servers").key(server.as_ref());
        cx.warn(Diagnostic::warning(summary, detail).at(path));
    }
}

fn no_edge(settings: &Settings, wanted: &Definition, cx: &Context) {
    for (audience, cidrs) in [
        (mkys_blade::Audience::Users, &settings.users_edge),
        (mkys_blade::Audience::Devops, &settings.devops_edge),
    ] {
        let has = wanted
            .services
            .values()
            .any(|service| service.audiences.contains(&audience));
        if has && cidrs.is_empty() {
            let word = audience.as_str();
            let detail = format!(
                "A service lets in the edge alone, and the provider's `edge.{word}_cidrs` is not \
                 set, so nobody gets in."
            );
            cx.warn(Diagnostic::warning(
                format!("No service is reachable for {word}"),
                detail,
            ));
        }
    }
}

/// Limits of the operations.
#[derive(Clone, Copy, Debug)]
pub(super) enum Operation {
    Create,
    Update,
    Delete,
}

/// The limit that the configuration sets for an operation.
pub(super) fn timeout(model: &Model, operation: Operation) -> Result<Duration, Diagnostics> {
    let timeouts = model.timeouts.known().cloned().unwrap_or_default();
    let (name, value, default) = match operation {
        Operation::Create => ("create", timeouts.create, "60m"),
        Operation::Update => ("update", timeouts.update, "60m"),
        Operation::Delete => ("delete", timeouts.delete, "30m"),
    };
    let typed = value.into_option().unwrap_or_else(|| default.to_owned());
    duration::limit(&typed, Path::root("timeouts").attribute(name))
}

pub(super) fn check_timeouts(model: &Model) -> Result<(), Diagnostics> {
    for operation in [Operation::Create, Operation::Update, Operation::Delete] {
        timeout(model, operation)?;
    }
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may stop at once")]
mod tests {
    use mkys_blade::Definition as Typed;
    use mkys_plugin::Resource;
    use serde_json::{Value, json};

    use super::super::model::ServerModel;
    use super::*;
    use crate::cloud::mock;
    use crate::platform::Platform;

    /// What is typed for a blade of one server.
    fn typed() -> Value {
        json!({
            "name": "a",
            "networks": { "front": { "cidr": "10.1.0.0/24" } },
            "servers": { "web": { "image": "i", "flavor": "f", "networks": ["front"] } },
        })
    }

    /// A configuration that says this.
    fn config(typed: Value) -> Model {
        let typed: Typed = serde_json::from_value(typed).unwrap();
        let mut model = Model::default();
        model.set_definition(&typed);
        model
    }

    /// Plans a new blade.
    async fn planned(configured: Configured, config: Model) -> Result<Model, Diagnostics> {
        let platform = Platform::default();
        platform.set(configured);
        let blade = Blade::new(platform);
        let planned = Some(config.clone());
        let mut plan = Plan::new(Some(config), None, planned, Private::default());
        blade.plan_change(&mut plan, &Context::detached()).await?;
        Ok(plan.planned.unwrap())
    }

    #[tokio::test]
    async fn a_template_that_waits_for_the_providers_configuration_is_not_told_yet() {
        let now = planned(Configured::bare(), config(typed())).await.unwrap();
        assert!(now.template.is_known() && now.revisions.is_known());
        let configured = Configured {
            settings: Attr::Unknown,
            ..Configured::bare()
        };
        let later = planned(configured, config(typed())).await.unwrap();
        assert!(later.template.is_unknown() && later.revisions.is_unknown());
    }

    /// A blade of which the user data is not known.
    fn without_user_data(typed: Value) -> Model {
        let mut config = config(typed);
        for (_, server) in config.servers.known_mut().into_iter().flatten() {
            let user_data = Attr::Unknown;
            let known = server.clone();
            *server = ServerModel { user_data, ..known };
        }
        config
    }

    #[tokio::test]
    async fn one_value_that_is_not_known_turns_no_other_check_off() {
        let mut bad = typed();
        bad["networks"]["back"] = json!({ "cidr": "10.1.0.0/16" });
        let blade = Blade::new(Platform::default());
        let cx = Context::detached();
        assert_eq!(
            blade.validate(&without_user_data(typed()), &cx).await,
            Ok(())
        );
        let said = blade
            .validate(&without_user_data(bad), &cx)
            .await
            .unwrap_err();
        assert!(said.to_string().contains("overlaps another"), "{said}");

        // the mock's user has no role at all
        let (_keystone, cloud) = mock::cloud().await;
        let mut with_project = typed();
        with_project["project"] = json!({ "group": "g" });
        let configured = Configured {
            cloud: Ok(cloud),
            ..Configured::bare()
        };
        let said = planned(configured, without_user_data(with_project)).await;
        let said = said.unwrap_err().to_string();
        assert!(
            said.contains("Making a project needs the role admin"),
            "{said}"
        );

        let open = planned(Configured::bare(), without_user_data(typed())).await;
        let open = open.unwrap();
        assert!(open.template.is_unknown() && open.server_ids.is_unknown());
    }

    #[test]
    fn a_change_that_a_plan_does_not_show_is_told() {
        let model = |template: &str, description: &str| Model {
            template: template.into(),
            description: description.into(),
            ..Model::default()
        };
        let prior = model("a", "x");
        let cases = [("a", "x", false), ("b", "x", true), ("b", "y", false)];
        for (template, description, expected) in cases {
            let planned = model(template, description);
            assert_eq!(only_template(&prior, &planned), expected, "{planned:?}");
        }
    }
}

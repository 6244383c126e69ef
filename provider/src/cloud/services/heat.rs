//! Heat: stacks, their resources and events.

use std::collections::{BTreeMap, BTreeSet};

use mkys_blade::Template;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::cloud::error::found;
use crate::cloud::{Call, CloudError, Service, Session};

/// A stack.
#[derive(Clone, Debug, Deserialize)]
pub struct Stack {
    /// Its id.
    pub id: String,
    /// Its name.
    pub stack_name: String,
    /// Action and status in one word, such as `UPDATE_COMPLETE`.
    pub stack_status: String,
    /// Why it has that status.
    #[serde(default)]
    pub stack_status_reason: Option<String>,
    /// Marks on it.
    #[serde(default)]
    pub tags: Option<Vec<String>>,
    /// What its template computes.
    #[serde(default)]
    pub outputs: Vec<StackOutput>,
    /// When it was last changed; absent before the first change.
    #[serde(default)]
    pub updated_time: Option<String>,
    /// Values of its parameters, hidden ones as asterisks; empty where the stack was listed.
    #[serde(default)]
    pub parameters: BTreeMap<String, Value>,
}

/// An output of a stack.
#[derive(Clone, Debug, Deserialize)]
pub struct StackOutput {
    /// Its name.
    pub output_key: String,
    /// Its value; null while it cannot be computed.
    #[serde(default)]
    pub output_value: Value,
}

/// A resource of a stack.
#[derive(Clone, Debug, Deserialize)]
pub struct StackResource {
    /// Name in the template.
    pub resource_name: String,
    /// Heat's type.
    pub resource_type: String,
    /// Id of the thing in its own service; empty before it is made.
    #[serde(default)]
    pub physical_resource_id: String,
    /// Action and status in one word, such as `CREATE_COMPLETE`.
    #[serde(default)]
    pub resource_status: String,
}

impl StackResource {
    /// Whether Heat is done with it, and it is as wanted.
    pub fn is_complete(&self) -> bool {
        self.resource_status.ends_with("_COMPLETE")
    }
}

/// Something that happened to a resource.
#[derive(Clone, Debug, Deserialize)]
pub struct Event {
    /// Its id.
    pub id: String,
    /// Name in the template; the stack's own name for the stack.
    #[serde(default)]
    pub resource_name: String,
    /// Such as `CREATE_FAILED`.
    #[serde(default)]
    pub resource_status: String,
    /// Why.
    #[serde(default)]
    pub resource_status_reason: Option<String>,
}

/// What a stack is to become.
#[derive(Clone, Debug)]
pub struct Wanted<'a> {
    /// The template.
    pub template: &'a Template,
    /// Values of its parameters.
    pub parameters: &'a BTreeMap<String, String>,
    /// Marks.
    pub tags: &'a str,
    /// Whether Heat goes back by itself when it fails.
    pub rollback: bool,
    /// Heat's own limit.
    pub minutes: u64,
    /// Resources that Heat is not to replace.
    pub protected: BTreeSet<String>,
}

impl Wanted<'_> {
    /// The parameters of the template whose values are known here. Heat keeps the values that it has of the others.
    pub fn known_parameters(&self) -> BTreeMap<&String, &String> {
        let of_template = |name: &&String| self.template.parameters.contains_key(*name);
        let known = self.parameters.iter();
        known.filter(|(name, _)| of_template(name)).collect()
    }

    fn body(&self) -> Value {
        let parameters = self.known_parameters();
        json!({
            "template": self.template,
            "parameters": parameters,
            "environment": { "resource_registry": { "resources": self.restrictions() } },
            "tags": self.tags,
            "disable_rollback": !self.rollback,
            "timeout_mins": self.minutes.max(1),
        })
    }

    /// Heat's own guard, which holds even where a status changes between our look and Heat's: an update that would replace a protected
    /// resource fails instead (`restricted_actions` in Heat's environment). Heat keeps an environment; so each resource is given its own.
    fn restrictions(&self) -> BTreeMap<&String, Value> {
        let restriction = |name| {
            let actions: &[&str] = match self.protected.contains(name) {
                true => &["replace"],
                false => &[],
            };
            (name, json!({ "restricted_actions": actions }))
        };
        self.template.resources.keys().map(restriction).collect()
    }
}

impl Stack {
    /// Whether Heat is at work on it.
    pub fn is_busy(&self) -> bool {
        self.stack_status.ends_with("_IN_PROGRESS")
    }

    /// Whether a mark is on it.
    pub fn has_tag(&self, tag: &str) -> bool {
        self.tags
            .as_ref()
            .is_some_and(|tags| tags.iter().any(|one| one == tag))
    }

    /// The values of its parameters that Heat shows: all but the hidden ones.
    pub fn visible_parameters(&self) -> BTreeMap<String, String> {
        let shown = self.parameters.iter().filter_map(|(name, value)| {
            let text = value.as_str().filter(|text| !text.starts_with("***"))?;
            Some((name.clone(), text.to_owned()))
        });
        // `OS::stack_id` and the like are Heat's own
        shown.filter(|(name, _)| !name.contains("::")).collect()
    }

    /// An output's text.
    pub fn output(&self, name: &str) -> Option<&str> {
        let output = self
            .outputs
            .iter()
            .find(|output| output.output_key == name)?;
        output
            .output_value
            .as_str()
            .filter(|value| !value.is_empty())
    }

    fn path(&self) -> String {
        format!("/stacks/{}/{}", self.stack_name, self.id)
    }
}

/// The stack of a name, or of an id.
///
/// # Errors
///
/// As [`Session::send`]; so do all functions here.
pub async fn stack(session: &Session, name: &str) -> Result<Option<Stack>, CloudError> {
    // Heat answers a name with a redirect to name and id, which the client follows
    let call = Call::get(Service::Orchestration, format!("/stacks/{name}")).key("stack");
    let stack = found(session.send(call).await)?;
    // one that is gone has its name for a moment longer
    Ok(stack.filter(|stack: &Stack| stack.stack_status != "DELETE_COMPLETE"))
}

/// The same stack again, without computing its outputs: cheap enough to ask every second.
pub async fn status(session: &Session, stack: &Stack) -> Result<Option<Stack>, CloudError> {
    let call = Call::get(Service::Orchestration, stack.path()).query("resolve_outputs", "false");
    found(session.send(call.key("stack")).await)
}

/// The same stack again, with its outputs.
pub async fn outputs(session: &Session, stack: &Stack) -> Result<Option<Stack>, CloudError> {
    found(
        session
            .send(Call::get(Service::Orchestration, stack.path()).key("stack"))
            .await,
    )
}

/// Starts a stack and answers its id.
pub async fn create(
    session: &Session,
    name: &str,
    wanted: &Wanted<'_>,
) -> Result<String, CloudError> {
    let mut body = wanted.body();
    body["stack_name"] = json!(name);
    #[derive(Deserialize)]
    struct Made {
        id: String,
    }
    let call = Call::post(Service::Orchestration, "/stacks", body).key("stack");
    Ok(session.send::<Made>(call).await?.id)
}

/// Starts an update. By PATCH Heat keeps the values of the parameters that are not given, the hidden ones of standing servers among them:
/// `heat/engine/service.py`, `PARAM_EXISTING`.
pub async fn update(
    session: &Session,
    stack: &Stack,
    wanted: &Wanted<'_>,
) -> Result<(), CloudError> {
    let call = Call::patch(Service::Orchestration, stack.path(), wanted.body());
    session.run(call).await
}

/// Gives Heat's objection to an update, if it has one, without starting it.
pub async fn check_update(
    session: &Session,
    stack: &Stack,
    wanted: &Wanted<'_>,
) -> Result<(), CloudError> {
    let path = format!("{}/preview", stack.path());
    session
        .run(Call::patch(Service::Orchestration, path, wanted.body()))
        .await
}

/// Starts a stack's end.
pub async fn delete(session: &Session, stack: &Stack) -> Result<(), CloudError> {
    found(
        session
            .run(Call::delete(Service::Orchestration, stack.path()))
            .await,
    )
    .map(drop)
}

/// The template that stands.
pub async fn template(session: &Session, stack: &Stack) -> Result<Template, CloudError> {
    session
        .send(Call::get(
            Service::Orchestration,
            format!("{}/template", stack.path()),
        ))
        .await
}

/// All resources of a stack.
pub async fn resources(session: &Session, stack: &Stack) -> Result<Vec<StackResource>, CloudError> {
    let path = format!("{}/resources", stack.path());
    session
        .send(Call::get(Service::Orchestration, path).key("resources"))
        .await
}

/// Ids of the things that resources stand for, by resource; without those that were never made.
pub fn ids(resources: &[StackResource]) -> BTreeMap<&str, &str> {
    let ids = resources.iter();
    let ids = ids.map(|one| (&*one.resource_name, &*one.physical_resource_id));
    ids.filter(|(_, id)| !id.is_empty()).collect()
}

/// Says of a resource that it is not as it should be: the next update replaces it, also by an unchanged template.
pub async fn mark_unhealthy(
    session: &Session,
    stack: &Stack,
    resource: &str,
    why: &str,
) -> Result<(), CloudError> {
    mark(session, stack, resource, true, why).await
}

/// Takes a failed status off a resource. Heat does so from `CHECK_FAILED` alone, and puts every other status there first
/// (`resource_mark_unhealthy` in `heat/engine/service.py`).
pub async fn mark_healthy(
    session: &Session,
    stack: &Stack,
    resource: &StackResource,
    why: &str,
) -> Result<(), CloudError> {
    let name = &resource.resource_name;
    if resource.resource_status != "CHECK_FAILED" {
        mark(session, stack, name, true, why).await?;
    }
    mark(session, stack, name, false, why).await
}

async fn mark(
    session: &Session,
    stack: &Stack,
    resource: &str,
    unhealthy: bool,
    why: &str,
) -> Result<(), CloudError> {
    let path = format!("{}/resources/{resource}", stack.path());
    let body = json!({ "mark_unhealthy": unhealthy, "resource_status_reason": why });
    session
        .run(Call::patch(Service::Orchestration, path, body))
        .await
}

/// Tells a wait condition's handle that what it waits for has failed.
pub async fn signal_failure(
    session: &Session,
    stack: &Stack,
    handle: &str,
    reason: &str,
) -> Result<(), CloudError> {
    let path = format!("{}/resources/{handle}/signal", stack.path());
    let body = json!({ "status": "FAILURE", "reason": reason, "id": "mkys", "data": "" });
    session
        .run(Call::post(Service::Orchestration, path, body))
        .await
}

/// Asks Heat to resume a suspended stack.
pub async fn resume(session: &Session, stack: &Stack) -> Result<(), CloudError> {
    let path = format!("{}/actions", stack.path());
    let body = json!({ "resume": null });
    session
        .run(Call::post(Service::Orchestration, path, body))
        .await
}

/// What happened to a stack, the newest first.
pub async fn events(session: &Session, stack: &Stack) -> Result<Vec<Event>, CloudError> {
    let path = format!("{}/events", stack.path());
    let call = Call::get(Service::Orchestration, path)
        .query("sort_keys", "created_at")
        .query("sort_dir", "desc")
        .query("limit", "200");
    session.send(call.key("events")).await
}

/// Asks Heat whether it would take a template, and gives its objection.
pub async fn validate(
    session: &Session,
    template: &Template,
    parameters: &BTreeMap<String, String>,
) -> Result<(), CloudError> {
    let body = json!({ "template": template, "environment": { "parameters": parameters } });
    session
        .run(Call::post(Service::Orchestration, "/validate", body))
        .await
}

/// All stacks of the session's project.
pub async fn stacks(session: &Session) -> Result<Vec<Stack>, CloudError> {
    session
        .send(Call::get(Service::Orchestration, "/stacks").key("stacks"))
        .await
}

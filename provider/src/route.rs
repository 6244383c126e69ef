//! `mkys_route`: one access rule at the edge, host and path to a blade's service.
//!
//! A creation answers at once, with the access still *pending*: whoever administers the edge
//! decides. The targets come from the blade itself, so a route cannot lead anywhere else.

mod identity;
mod model;
mod places;
mod plan;
mod schema;

use std::collections::BTreeMap;
use std::net::SocketAddrV4;
use std::time::Duration;

use mkys_edge_client::{
    AccessState, Audience, EdgeClient, EdgeError, Refusal, Route as Held, RouteSpec,
};
use mkys_plugin::{
    Context, Create, Delete, Diagnostics, Import, Path, Plan, Read, Resource, Schema, Slot, Update,
};
use uuid::Uuid;

use crate::cloud::why;
use crate::platform::{NoEdge, Platform, not_looked_at};
use model::{AccessModel, DecisionModel, Model};
use places::Places;

/// How often a decision is asked for while waiting for it.
const ASK: Duration = Duration::from_secs(2);

/// The resource.
#[derive(Debug)]
pub struct Route {
    platform: Platform,
    places: Places,
}

impl Route {
    /// The resource on a platform.
    pub fn new(platform: Platform) -> Self {
        Self {
            platform,
            places: Places::default(),
        }
    }
}

impl Resource for Route {
    type Model = Model;
    /// The route that a plan found in the state: the plan of what replaces it brings it along.
    type Private = Option<Uuid>;

    fn name(&self) -> &'static str {
        "route"
    }

    fn schema(&self) -> Schema {
        schema::schema()
    }

    async fn validate(&self, config: &Model, _cx: &Context) -> Result<(), Diagnostics> {
        model::check(config)
    }

    async fn plan(&self, plan: &mut Plan<Self>, _cx: &Context) -> Result<(), Diagnostics> {
        self.plan_change(plan).await
    }

    async fn create(
        &self,
        request: Create<Self>,
        slot: &Slot<Self>,
        cx: &Context,
    ) -> Result<(), Diagnostics> {
        let edge = self.platform.configured()?.edge()?;
        let mut model = request.planned;
        self.places.ask(&model)?;
        let asked = self.ask(edge, &model).await;
        let held = asked.inspect_err(|_| self.places.failed(&model))?;
        model.set(&held);
        model.set_edge(edge.edge());
        slot.save_model(model.clone());
        wait(edge, model, held, slot, cx).await
    }

    async fn read(
        &self,
        request: Read<Self>,
        slot: &Slot<Self>,
        cx: &Context,
    ) -> Result<(), Diagnostics> {
        let configured = self.platform.configured()?;
        if matches!(configured.edge, Err(NoEdge::NotYetKnown)) {
            cx.warn(not_looked_at("edge"));
            return Ok(());
        }
        let edge = configured.edge()?;
        let mut model = request.state;
        match edge.route(model.id()?).await {
            Ok(held) => {
                identity::check(edge, &model, edge.edge())?;
                model.observe(&held);
                model.set_edge(edge.edge());
                slot.save_model(model);
                Ok(())
            }
            Err(EdgeError::NotFound { edge: answers, .. }) => {
                identity::check_gone(edge, &model, answers).await?;
                slot.remove();
                Ok(())
            }
            Err(error) => Err(told(error)),
        }
    }

    async fn update(
        &self,
        request: Update<Self>,
        slot: &Slot<Self>,
        cx: &Context,
    ) -> Result<(), Diagnostics> {
        let edge = self.platform.configured()?.edge()?;
        let mut model = request.planned;
        let held = match edge.update_route(request.prior.id()?, &model.spec()?).await {
            Err(error @ EdgeError::NotFound { edge: answers, .. }) => {
                identity::check(edge, &request.prior, answers)?;
                return Err(told(error));
            }
            updated => updated.map_err(told)?,
        };
        model.set(&held);
        if model.edge_id.is_unknown() {
            model.set_edge(edge.edge());
        }
        slot.save_model(model.clone());
        wait(edge, model, held, slot, cx).await
    }

    async fn delete(
        &self,
        request: Delete<Self>,
        _slot: &Slot<Self>,
        _cx: &Context,
    ) -> Result<(), Diagnostics> {
        let edge = self.platform.configured()?.edge()?;
        let id = request.prior.id()?;
        if !self.places.leave(id) {
            return Ok(());
        }
        match edge.delete_standing_route(id).await {
            Err(EdgeError::NotFound { edge: answers, .. }) => {
                identity::check_gone(edge, &request.prior, answers).await
            }
            deleted => deleted.map_err(told),
        }
    }

    async fn import(
        &self,
        request: Import,
        slot: &Slot<Self>,
        _cx: &Context,
    ) -> Result<(), Diagnostics> {
        let edge = self.platform.configured()?.edge()?;
        let given = request.id.unwrap_or_default();
        let id = given.parse::<Uuid>().map_err(|_| {
            Diagnostics::error(format!("{given:?} is not a route's id"), "It is a UUID.")
        })?;
        let held = edge.route(id).await.map_err(told)?;
        let mut model = Model::default();
        model.observe(&held);
        model.set_edge(edge.edge());
        slot.save_model(model);
        Ok(())
    }
}

impl Route {
    /// Asks the edge for a route, or takes over the one that is exactly this.
    async fn ask(&self, edge: &EdgeClient, model: &Model) -> Result<Held, Diagnostics> {
        let spec = model.spec()?;
        match edge.create_route(&spec).await {
            Ok(held) => {
                self.places.made(model, held.id);
                Ok(held)
            }
            Err(EdgeError::Conflict { refusal }) => {
                // an apply that was killed before its state was written left exactly this one
                let Some(held) = own(edge, &spec).await? else {
                    plan::check_place(edge, false, model, |_| false).await?;
                    return Err(told(EdgeError::Conflict { refusal }));
                };
                self.places.take_over(model, held.id);
                edge.update_route(held.id, &spec).await.map_err(told)
            }
            Err(error) => Err(told(error)),
        }
    }
}

/// The route that is exactly this, if the token may see it.
async fn own(edge: &EdgeClient, spec: &RouteSpec) -> Result<Option<Held>, Diagnostics> {
    let same = |held: &Held| {
        let RouteSpec {
            blade,
            service,
            host,
            path,
            ..
        } = &held.spec;
        (blade, service, host, path) == (&spec.blade, &spec.service, &spec.host, &spec.path)
    };
    Ok(edge.routes().await.map_err(told)?.into_iter().find(same))
}

/// Waits until every wanted access is decided, if that is asked for.
async fn wait(
    edge: &EdgeClient,
    mut model: Model,
    mut held: Held,
    slot: &Slot<Route>,
    cx: &Context,
) -> Result<(), Diagnostics> {
    let Some(limit) = model.wait_limit()? else {
        return Ok(());
    };
    let deadline = tokio::time::Instant::now() + limit;
    let pending = |held: &Held| {
        held.decisions
            .values()
            .any(|one| one.state == AccessState::Pending)
    };
    while pending(&held) {
        if tokio::time::Instant::now() >= deadline {
            let detail = format!(
                "Route {} is in the state, pending. It serves as soon as an administrator of the \
                 edge approves it.",
                held.id
            );
            return Err(Diagnostics::error(
                "Nobody has decided on the route in time",
                detail,
            ));
        }
        tokio::select! {
            () = cx.cancelled() => {
                return Err(Diagnostics::error(
                    "Interrupted while waiting for a decision on the route",
                    "The route is in the state, pending.",
                ));
            }
            () = tokio::time::sleep(ASK) => {}
        }
        held = edge.route(held.id).await.map_err(told)?;
        model.set(&held);
        slot.save_model(model.clone());
    }
    Ok(())
}

/// An edge's error, at the attribute that it is about.
fn told(error: EdgeError) -> Diagnostics {
    if let EdgeError::Unreachable { url, source } = &error {
        let why = why(source);
        let next = match why.contains("certificate") {
            true => "let `edge.ca_file` name the file of the CA that signed its certificate.",
            false => {
                "correct it, or see to it that mkys-edge runs and that this machine gets there."
            }
        };
        return Diagnostics::error(
            format!("The edge at {url} cannot be reached: {why}"),
            format!(
                "The address is `edge.url` of the provider's configuration, or MKYS_EDGE_URL.\nNext: {next}"
            ),
        );
    }
    if let EdgeError::Token { .. } = &error {
        return Diagnostics::error(
            error.to_string(),
            "The token is `edge.token` of the provider's configuration, or MKYS_EDGE_TOKEN.\nNext: \
             set a token that the edge's administrators made (`mkys-edge token create`) and have not \
             taken back.",
        );
    }
    let at = |refusal: &Refusal| refusal.field.as_deref().and_then(attribute);
    let path = match &error {
        EdgeError::Invalid { refusal }
        | EdgeError::Conflict { refusal }
        | EdgeError::Forbidden { refusal } => at(refusal),
        _ => None,
    };
    let mut diagnostics = Diagnostics::from(error).into_iter().collect::<Vec<_>>();
    if let (Some(path), Some(first)) = (path, diagnostics.first_mut()) {
        first.path = Some(path);
    }
    diagnostics.into_iter().collect()
}

fn attribute(field: &str) -> Option<Path> {
    let name = field.split(['.', '[']).next()?;
    Some(match name {
        "host" => Path::root("host"),
        "path" => Path::root("path"),
        "service" | "port" => Path::root("service"),
        "access" => Path::root("access"),
        "blade" | "targets" => Path::root("blade"),
        _ => return None,
    })
}

/// Where each audience's requests go.
type Targets = BTreeMap<Audience, SocketAddrV4>;

impl AccessModel {
    fn is_wanted(&self) -> bool {
        self.enabled.known().copied().unwrap_or(true)
    }
}

impl DecisionModel {
    fn of(access: &mkys_edge_client::Access) -> Self {
        Self {
            state: access.state.as_str().into(),
            decided_by: access.decided_by.clone().into(),
            reason: access.reason.clone().into(),
        }
    }
}

//! `mkys_backplane_link`: what makes a blade part of the whole.
//!
//! The blade's router gets a leg in a network of the Devops blade; the Devops blade's router learns
//! the way back; the blade's own security group for it lets in the probes' ports from there. Nothing
//! that belongs to a blade's template is touched, so that neither undoes the other, and a removal
//! takes back exactly what the link made.

mod claims;
mod ends;
mod import;
mod inherited;
mod model;
mod schema;
mod ways;

use mkys_plugin::{
    Attr, Context, Create, Delete, Diagnostic, Diagnostics, Import, Path, Plan, Read, Resource,
    Schema, Slot, Update,
};

use serde_json::json;

use crate::cloud::services::network;
use crate::cloud::{CloudError, Session};
use crate::platform::{NoCloud, Platform, not_looked_at};
use claims::Claims;
pub(crate) use ends::PORT_PREFIX;
use ends::{Ends, described};
use inherited::Inherited;
use model::{DISABLED_PORT, LOST_PORT, MOVED_PORT, Model};

/// The resource.
#[derive(Debug)]
pub struct BackplaneLink {
    platform: Platform,
    claims: Claims,
    inherited: Inherited,
}

impl BackplaneLink {
    /// The resource on a platform.
    pub fn new(platform: Platform) -> Self {
        Self {
            platform,
            claims: Claims::default(),
            inherited: Inherited::default(),
        }
    }
}

impl Resource for BackplaneLink {
    type Model = Model;
    type Private = ();

    fn name(&self) -> &'static str {
        "backplane_link"
    }

    fn schema(&self) -> Schema {
        schema::schema()
    }

    async fn validate(&self, config: &Model, _cx: &Context) -> Result<(), Diagnostics> {
        model::check(config)
    }

    async fn plan(&self, plan: &mut Plan<Self>, _cx: &Context) -> Result<(), Diagnostics> {
        let Some(planned) = &mut plan.planned else {
            return Ok(());
        };
        model::check(planned)?;
        if let Some(prior) = &plan.prior {
            planned.keep_same(prior);
            if prior.has_lost_port() {
                (planned.id, planned.address) = (Attr::Unknown, Attr::Unknown);
            }
        }
        self.claims.plan(planned)?;
        planned.drift = Attr::Known(Vec::new());
        let prior = plan.prior.as_ref();
        let joins = prior.map(|prior| prior.joins(planned));
        let is_same = joins == Some(true) && prior.map(Model::ranges) == Some(planned.ranges());
        let cloud = self.platform.get().and_then(|one| one.cloud.as_ref().ok());
        if let Some(cloud) = cloud.filter(|_| !is_same) {
            let own = cloud.own();
            if let Some(router) = ends::backplane_router(&own, planned).await? {
                let made = prior.map(Model::routes).unwrap_or_default();
                ways::check(&own, planned, &router, &made).await?;
            }
        }
        if joins == Some(false) {
            plan.require_replace(Path::root("blade"));
        }
        Ok(())
    }

    async fn create(
        &self,
        request: Create<Self>,
        slot: &Slot<Self>,
        _cx: &Context,
    ) -> Result<(), Diagnostics> {
        let own = self.platform.configured()?.cloud()?.own();
        let mut model = request.planned;
        let ends = Ends::find(&own, &model).await?;
        ways::check(&own, &model, &ends.backplane_router, &[]).await?;
        let port = port(&own, &ends).await?;
        // left by a killed apply, or of the link that this one replaces and that goes after it
        if !port.device_owner.is_empty() {
            self.inherited.note(&port.id);
        }
        model.set_port(&port);
        model.routes = Attr::Known(Vec::new());
        slot.save_model(model.clone());
        attach(&own, &ends, &port).await?;
        put(&own, &ends, &mut model).await?;
        ends.close(&own, &model.ports()).await?;
        slot.save_model(model);
        Ok(())
    }

    async fn read(
        &self,
        request: Read<Self>,
        slot: &Slot<Self>,
        cx: &Context,
    ) -> Result<(), Diagnostics> {
        let configured = self.platform.configured()?;
        if matches!(configured.cloud, Err(NoCloud::NotYetKnown)) {
            cx.warn(not_looked_at("cloud"));
            return Ok(());
        }
        let own = configured.cloud()?.own();
        let mut model = request.state;
        let port = network::port(&own, model.id.as_str().unwrap_or_default()).await?;
        // one of the blades is gone, and with it what the link was between
        if port.is_none() && ends::is_gone(&own, &model).await? {
            slot.remove();
            return Ok(());
        }
        let ends = Ends::find(&own, &model).await?;
        let mut drift = ends.missing(&own, &model).await?;
        let state = match &port {
            Some(port) if port.device_owner.is_empty() => Some(LOST_PORT),
            Some(port) if port.device_id != ends.blade_router => Some(MOVED_PORT),
            Some(port) if port.admin_state_up == Some(false) => Some(DISABLED_PORT),
            Some(_) => None,
            None => Some(LOST_PORT),
        };
        drift.extend(state.map(str::to_owned));
        model.drift = Attr::Known(drift.into_iter().map(Attr::from).collect());
        slot.save_model(model);
        Ok(())
    }

    async fn update(
        &self,
        request: Update<Self>,
        slot: &Slot<Self>,
        _cx: &Context,
    ) -> Result<(), Diagnostics> {
        let own = self.platform.configured()?.cloud()?.own();
        let (prior, mut model) = (request.prior, request.planned);
        let ends = Ends::find(&own, &model).await?;
        let made = prior.routes();
        ways::check(&own, &model, &ends.backplane_router, &made).await?;
        self.repair_port(&own, &ends, &prior).await?;
        if prior.has_lost_port() {
            let port = port(&own, &ends).await?;
            model.set_port(&port);
            attach(&own, &ends, &port).await?;
        }
        put(&own, &ends, &mut model).await?;
        let wanted = model.routes();
        let gone: Vec<_> = made
            .into_iter()
            .filter(|route| !wanted.contains(route))
            .collect();
        network::remove_routes(&own, &ends.backplane_router, &gone).await?;
        ends.close(&own, &model.ports()).await?;
        slot.save_model(model);
        Ok(())
    }

    async fn delete(
        &self,
        request: Delete<Self>,
        _slot: &Slot<Self>,
        _cx: &Context,
    ) -> Result<(), Diagnostics> {
        let own = self.platform.configured()?.cloud()?.own();
        let model = request.prior;
        let id = model.id.as_str().unwrap_or_default();
        if self.inherited.take(id) {
            // a link that was made before this one went has it now
            return Ok(());
        }
        let port = network::port(&own, id).await?;
        if port.is_none() && ends::is_gone(&own, &model).await? {
            return Ok(());
        }
        let ends = Ends::find(&own, &model).await?;
        network::remove_routes(&own, &ends.backplane_router, &model.routes()).await?;
        ends.close(&own, &[]).await?;
        match port {
            Some(port) if port.device_id.is_empty() => {
                network::delete_port(&own, &port.id).await?;
            }
            Some(port) => network::remove_interface(&own, &port.device_id, &port.id).await?,
            None => (),
        }
        Ok(())
    }

    async fn import(
        &self,
        request: Import,
        slot: &Slot<Self>,
        _cx: &Context,
    ) -> Result<(), Diagnostics> {
        let cloud = self.platform.configured()?.cloud()?;
        let given = request.id.unwrap_or_default();
        slot.save_model(import::find(cloud, &given).await?);
        Ok(())
    }
}

impl BackplaneLink {
    /// Puts right what others did to a port that is there.
    async fn repair_port(
        &self,
        own: &Session,
        ends: &Ends,
        prior: &Model,
    ) -> Result<(), CloudError> {
        let Some(port) = network::port(own, prior.id.as_str().unwrap_or_default()).await? else {
            return Ok(());
        };
        if port.admin_state_up == Some(false) {
            let enabled = json!({ "admin_state_up": true });
            network::change(own, "port", &port.id, &enabled).await?;
        }
        if !port.device_owner.is_empty() && port.device_id != ends.blade_router {
            // Neutron deletes the port with it
            network::remove_interface(own, &port.device_id, &port.id).await?;
        }
        Ok(())
    }
}

/// The blade's port in the backplane's network: the one of an apply that was killed before its state was written, which left it with our
/// name, or a new one.
async fn port(own: &Session, ends: &Ends) -> Result<network::Port, CloudError> {
    let left = network::ports_named(own, &ends.network, &ends.port_name()).await?;
    match left.into_iter().next() {
        Some(port) => Ok(port),
        None => make_port(own, ends).await,
    }
}

/// Makes the port an interface of the blade's router.
async fn attach(own: &Session, ends: &Ends, port: &network::Port) -> Result<(), CloudError> {
    match port.device_owner.is_empty() {
        true => network::add_interface(own, &ends.blade_router, &port.id).await,
        false => Ok(()),
    }
}

/// Makes the blade's port in the backplane's network, at the address that a link of this blade always
/// has if that is free. The backplane's router tells its neighbours of the shorter way (ICMP redirect),
/// and they remember it for minutes: a link that came back elsewhere would not be found.
async fn make_port(own: &Session, ends: &Ends) -> Result<network::Port, CloudError> {
    let (name, text) = (ends.port_name(), described(ends));
    let (project, net) = (&ends.blade_project, &ends.network);
    for address in ends.addresses() {
        match network::create_port(own, project, net, &name, &text, Some(address)).await {
            Err(error) if error.is_conflict() => {} // somebody else's
            other => return other,
        }
    }
    network::create_port(own, project, net, &name, &text, None).await
}

/// Puts the ways and the rules that the link is made of. Safe to repeat.
async fn put(own: &Session, ends: &Ends, model: &mut Model) -> Result<(), Diagnostics> {
    let routes = ends.ways(model.address.as_str().unwrap_or_default());
    network::add_routes(own, &ends.backplane_router, &routes).await?;
    model.set_routes(&routes);
    let ports = model.ports();
    ends.open(own, &ports).await.map_err(|error: CloudError| {
        let mut problems = Diagnostics::from(error);
        problems.push(Diagnostic::error(
            format!(
                "The backplane cannot reach ports {ports:?} of blade {:?} yet",
                ends.blade
            ),
            "Apply again to go on; what was made is in the state.",
        ));
        problems
    })
}

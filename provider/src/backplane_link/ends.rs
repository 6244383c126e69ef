//! The two ends of a link, looked up on the cloud.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use ipnet::Ipv4Net;
use mkys_blade::{Compiled, PartName};
use mkys_plugin::{Diagnostic, Diagnostics, Path};

use super::model::{BladeModel, Model};
use crate::blade::Id;
use crate::cloud::services::heat::{self, Stack};
use crate::cloud::services::keystone;
use crate::cloud::services::network::{self, Route, Rule};
use crate::cloud::{CloudError, Session};

/// What the name of a link's port begins with, before the blade's.
pub(crate) const PORT_PREFIX: &str = "mkys-link-";

/// What a link is between.
#[derive(Debug)]
pub(super) struct Ends {
    pub(super) blade: String,
    pub(super) blade_project: String,
    pub(super) blade_router: String,
    pub(super) blade_cidrs: Vec<Ipv4Net>,
    group: String,
    pub(super) backplane_router: String,
    pub(super) network: String,
    network_cidr: String,
}

/// What a link's port says of itself.
pub(super) fn described(ends: &Ends) -> String {
    format!("MKYS backplane link of blade {}", ends.blade)
}

impl Ends {
    pub(super) async fn find(own: &Session, model: &Model) -> Result<Self, Diagnostics> {
        let (blade_id, blade) = stack(own, &model.blade, "blade").await?;
        let (_, backplane) = stack(own, &model.backplane, "backplane").await?;
        let name = model.network.as_str().unwrap_or_default();
        let part = PartName::try_from(name).map_err(|reason| {
            Diagnostics::from(
                Diagnostic::error("Invalid network", reason).at(Path::root("network")),
            )
        })?;
        let network = output(&backplane, &Compiled::network_output(&part))?;
        let subnets = network::subnets(own, &network).await?;
        let network_cidr = subnets.into_iter().next().map(|subnet| subnet.cidr);
        let network_cidr = network_cidr.ok_or_else(|| {
            Diagnostics::error(
                format!("Network {name:?} of the backplane has no subnet"),
                "",
            )
        })?;
        let blade_cidrs = model.ranges().into_iter().map(|(_, range)| range).collect();
        Ok(Self {
            blade: blade_id.name,
            blade_project: blade_id.project,
            blade_router: output(&blade, Compiled::ROUTER_OUTPUT)?,
            blade_cidrs,
            group: output(&blade, Compiled::BACKPLANE_GROUP_OUTPUT)?,
            backplane_router: output(&backplane, Compiled::ROUTER_OUTPUT)?,
            network,
            network_cidr,
        })
    }

    pub(super) fn port_name(&self) -> String {
        format!("{PORT_PREFIX}{}", self.blade)
    }

    /// The addresses that the blade's port should have, the first that is free: the same each time.
    pub(super) fn addresses(&self) -> impl Iterator<Item = Ipv4Addr> + use<> {
        let net = self.network_cidr.parse::<Ipv4Net>().ok();
        let hosts = net.map_or(0, |net| net.hosts().count());
        // FNV-1a: the standard library's own hash is not promised to stay
        let hash = self
            .blade
            .bytes()
            .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
                (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
            });
        let start = usize::try_from(hash % u64::try_from(hosts.max(1)).unwrap_or(1)).unwrap_or(0);
        (0..8).filter_map(move |step| net?.hosts().nth((start + step * 13) % hosts.max(1)))
    }

    /// The ports to which it has let the backplane in.
    pub(super) async fn open_ports(&self, own: &Session) -> Result<BTreeSet<u16>, CloudError> {
        let rules = self.rules(own).await?;
        Ok(rules
            .iter()
            .filter_map(|rule| rule.port_range_min)
            .collect())
    }

    /// The ways back to the blade, over its address in the backplane's network.
    pub(super) fn ways(&self, address: &str) -> Vec<Route> {
        let ways = self.blade_cidrs.iter().map(|cidr| Route {
            destination: cidr.to_string(),
            nexthop: address.to_owned(),
        });
        ways.collect()
    }

    /// Lets the backplane in to these ports.
    pub(super) async fn open(&self, own: &Session, ports: &[u16]) -> Result<(), CloudError> {
        let there = self.rules(own).await?;
        for port in ports {
            if there.iter().any(|rule| rule.port_range_min == Some(*port)) {
                continue;
            }
            let text = described(self);
            let made = network::allow(
                own,
                &self.group,
                "tcp",
                Some(*port),
                &self.network_cidr,
                &text,
            )
            .await;
            match made {
                Err(error) if error.is_conflict() => {}
                other => drop(other?),
            }
        }
        Ok(())
    }

    /// Takes back the rules for all but these ports.
    pub(super) async fn close(&self, own: &Session, keep: &[u16]) -> Result<(), CloudError> {
        for rule in self.rules(own).await? {
            if !rule.port_range_min.is_some_and(|port| keep.contains(&port)) {
                network::delete_rule(own, &rule.id).await?;
            }
        }
        Ok(())
    }

    /// The link's own rules.
    async fn rules(&self, own: &Session) -> Result<Vec<Rule>, CloudError> {
        let text = described(self);
        let rules = network::rules(own, &self.group).await?;
        let ours = |rule: &Rule| rule.description.as_deref() == Some(text.as_str());
        Ok(rules.into_iter().filter(ours).collect())
    }

    /// What of the link others took away, in words.
    pub(super) async fn missing(
        &self,
        own: &Session,
        model: &Model,
    ) -> Result<Vec<String>, CloudError> {
        let mut missing = Vec::new();
        let router = network::router(own, &self.backplane_router).await?;
        let there = router.map(|router| router.routes).unwrap_or_default();
        for route in model
            .routes()
            .into_iter()
            .filter(|route| !there.contains(route))
        {
            missing.push(format!(
                "the backplane's route to {} is missing",
                route.destination
            ));
        }
        let rules = self.rules(own).await?;
        for port in model.ports() {
            if !rules.iter().any(|rule| rule.port_range_min == Some(port)) {
                missing.push(format!("the rule for port {port} is missing"));
            }
        }
        Ok(missing)
    }
}

/// The backplane's router; `None`: there is none yet, or it is not known which.
pub(super) async fn backplane_router(
    own: &Session,
    model: &Model,
) -> Result<Option<String>, Diagnostics> {
    let known = model.backplane.known();
    if known.is_none_or(|backplane| !backplane.id.is_known()) {
        return Ok(None);
    }
    let (_, stack) = look_up(own, &model.backplane, "backplane").await?;
    Ok(stack.and_then(|stack| stack.output(Compiled::ROUTER_OUTPUT).map(str::to_owned)))
}

/// The stack of one end. Both are read by one who sees all projects: whoever may link blades
/// administers the platform.
async fn stack(
    own: &Session,
    blade: &mkys_plugin::Attr<BladeModel>,
    end: &str,
) -> Result<(Id, Stack), Diagnostics> {
    let (id, stack) = look_up(own, blade, end).await?;
    let stack = stack.ok_or_else(|| {
        let detail = format!(
            "Project {} has no stack of that name. Apply the blade first.",
            id.project
        );
        let problem = Diagnostic::error(format!("Blade {:?} has no stack", id.name), detail);
        Diagnostics::from(problem.at(Path::root(end)))
    })?;
    Ok((id, stack))
}

/// Whether one of a link's blades is gone, by the word of a service that may see it: a refusal or silence is an error.
pub(super) async fn is_gone(own: &Session, model: &Model) -> Result<bool, Diagnostics> {
    for (blade, end) in [(&model.blade, "blade"), (&model.backplane, "backplane")] {
        let id = id_of(blade, end)?;
        let is_own = own
            .identity()
            .await?
            .project
            .is_some_and(|one| one.id == id.project);
        // Keystone gives no token for a project that is gone, and does not say why
        if !is_own && keystone::project(own, &id.project).await?.is_none() {
            return Ok(true);
        }
        if look_up(own, blade, end).await?.1.is_none() {
            return Ok(true);
        }
    }
    Ok(false)
}

fn id_of(blade: &mkys_plugin::Attr<BladeModel>, end: &str) -> Result<Id, Diagnostics> {
    let id = blade.known().and_then(|blade| blade.id.as_str());
    id.unwrap_or_default().parse().map_err(|reason: String| {
        let problem = Diagnostic::error(format!("The {end}'s id is broken"), reason);
        problem.at(Path::root(end)).into()
    })
}

async fn look_up(
    own: &Session,
    blade: &mkys_plugin::Attr<BladeModel>,
    end: &str,
) -> Result<(Id, Option<Stack>), Diagnostics> {
    let id = id_of(blade, end)?;
    let session = match own.identity().await?.project {
        Some(project) if project.id == id.project => own.clone(),
        _ => own.cloud().project(&id.project),
    };
    let stack = heat::stack(&session, &id.name).await?;
    Ok((id, stack))
}

fn output(stack: &Stack, name: &str) -> Result<String, Diagnostics> {
    stack.output(name).map(str::to_owned).ok_or_else(|| {
        let summary = format!("Stack {:?} has no output {name:?} yet", stack.stack_name);
        Diagnostics::error(summary, format!("It is {}.", stack.stack_status))
    })
}

//! What of a link stands in configuration, plan and state.

use std::collections::BTreeMap;

use ipnet::Ipv4Net;
use mkys_blade::overlap;
use mkys_plugin::{Attr, Diagnostic, Diagnostics, Path};
use serde::{Deserialize, Serialize};

use crate::blade::Standing;
use crate::cloud::services::network::{Port, Route};

/// The drift of a link whose port is a leg of another router than the blade's.
pub(super) const MOVED_PORT: &str =
    "the blade's port in the backplane's network is not a leg of the blade's router";
/// The drift of a link whose port is disabled.
pub(super) const DISABLED_PORT: &str = "the blade's port in the backplane's network is disabled";
/// The drift of a link whose port is gone.
pub(super) const LOST_PORT: &str = "the blade's port in the backplane's network is missing";

/// Attributes of `mkys_backplane_link`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Model {
    pub(super) id: Attr<String>,
    pub(super) blade: Attr<BladeModel>,
    pub(super) backplane: Attr<BladeModel>,
    pub(super) network: Attr<String>,
    pub(super) ports: Attr<Vec<Attr<i64>>>,
    pub(super) address: Attr<String>,
    pub(super) routes: Attr<Vec<RouteModel>>,
    pub(super) drift: Attr<Vec<Attr<String>>>,
}

/// What a link needs of a blade: a whole `mkys_blade` fits.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct BladeModel {
    pub(super) id: Attr<String>,
    pub(super) name: Attr<String>,
    pub(super) networks: Attr<BTreeMap<String, NetworkModel>>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct NetworkModel {
    pub(super) cidr: Attr<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct RouteModel {
    pub(super) destination: Attr<String>,
    pub(super) nexthop: Attr<String>,
}

impl BladeModel {
    /// A blade that stands.
    pub(super) fn of(blade: &Standing) -> Self {
        let networks = blade.definition.networks.iter().map(|(name, network)| {
            let cidr = network.cidr.as_str().into();
            (name.clone(), NetworkModel { cidr })
        });
        let networks: BTreeMap<_, _> = networks.collect();
        Self {
            id: blade.id.to_string().into(),
            name: blade.id.name.as_str().into(),
            // none are left out, as `mkys_blade` has it
            networks: Some(networks).filter(|all| !all.is_empty()).into(),
        }
    }

    /// Names and addresses of the networks, as far as they are known.
    fn cidrs(&self) -> Vec<(String, Ipv4Net)> {
        let networks = self.networks.known().into_iter().flatten();
        networks
            .filter_map(|(name, network)| {
                Some((name.clone(), network.cidr.as_str()?.parse().ok()?))
            })
            .collect()
    }
}

impl Model {
    pub(super) fn ports(&self) -> Vec<u16> {
        let ports = self.ports.known().into_iter().flatten();
        ports
            .filter_map(|port| u16::try_from(*port.known()?).ok())
            .collect()
    }

    /// Name of the blade, where it is known.
    pub(super) fn blade_name(&self) -> Option<&str> {
        self.blade.known()?.name.as_str()
    }

    /// Name of the backplane, where it is known.
    pub(super) fn backplane_name(&self) -> Option<&str> {
        self.backplane.known()?.name.as_str()
    }

    /// Names and addresses of the blade's networks, as far as they are known.
    pub(super) fn ranges(&self) -> Vec<(String, Ipv4Net)> {
        self.blade
            .known()
            .map(BladeModel::cidrs)
            .unwrap_or_default()
    }

    pub(super) fn routes(&self) -> Vec<Route> {
        let routes = self.routes.known().into_iter().flatten();
        routes
            .filter_map(|route| {
                let destination = route.destination.as_str()?.to_owned();
                Some(Route {
                    destination,
                    nexthop: route.nexthop.as_str()?.to_owned(),
                })
            })
            .collect()
    }

    pub(super) fn set_routes(&mut self, routes: &[Route]) {
        let routes = routes.iter().map(|route| RouteModel {
            destination: route.destination.as_str().into(),
            nexthop: route.nexthop.as_str().into(),
        });
        self.routes = Attr::Known(routes.collect());
    }

    /// Sets the port by which the blade is linked.
    pub(super) fn set_port(&mut self, port: &Port) {
        self.id = port.id.as_str().into();
        let address = port.fixed_ips.first().map(|ip| ip.ip_address.as_str());
        self.address = address.unwrap_or_default().into();
    }

    /// Whether the last look found that others took the port away, which gets another id then.
    pub(super) fn has_lost_port(&self) -> bool {
        let drift = self.drift.known().into_iter().flatten();
        drift
            .filter_map(Attr::as_str)
            .any(|one| [LOST_PORT, MOVED_PORT].contains(&one))
    }

    /// Sets the ports that the backplane is let in to.
    pub(super) fn set_ports(&mut self, ports: impl IntoIterator<Item = u16>) {
        let ports = ports.into_iter().map(|port| Attr::from(i64::from(port)));
        self.ports = Attr::Known(ports.collect());
    }

    /// Takes from the state what is only written otherwise: the same ports in another order.
    pub(super) fn keep_same(&mut self, prior: &Self) {
        let sorted = |model: &Self| {
            let mut ports = model.ports.known()?.clone();
            ports.sort_unstable();
            Some(ports)
        };
        if sorted(self).is_some_and(|ports| sorted(prior) == Some(ports)) {
            self.ports.clone_from(&prior.ports);
        }
    }

    /// Whether both join the same ends. A blade that stands keeps its id, so one whose id is not known yet is another blade.
    pub(super) fn joins(&self, other: &Self) -> bool {
        let ends = |model: &Self| {
            let blade = |blade: &Attr<BladeModel>| {
                let blade = blade.known();
                let id = blade.map(|blade| blade.id.clone());
                (id, blade.map(|blade| blade.name.clone()))
            };
            (
                blade(&model.blade),
                blade(&model.backplane),
                model.network.clone(),
            )
        };
        ends(self) == ends(other)
    }
}

/// Checks what is known of both ends.
pub(super) fn check(model: &Model) -> Result<(), Diagnostics> {
    let mut problems = Diagnostics::new();
    for (index, port) in model.ports.known().into_iter().flatten().enumerate() {
        if let Some(port) = port.known()
            && !(1..=65_535).contains(port)
        {
            let at = Path::root("ports").index(index);
            let detail = format!("{port} is not a TCP port, 1 to 65535.");
            problems.push(Diagnostic::error("Invalid port", detail).at(at));
        }
    }
    if let (Some(blade), Some(backplane)) = (model.blade.known(), model.backplane.known()) {
        ends(model, blade, backplane, &mut problems);
    }
    problems.into_result()
}

fn ends(model: &Model, blade: &BladeModel, backplane: &BladeModel, problems: &mut Diagnostics) {
    let name = |blade: &BladeModel| blade.name.as_str().unwrap_or_default().to_owned();
    if blade.name.is_known() && blade.name == backplane.name {
        let detail = "The backplane is another blade, the Devops blade.";
        let problem = Diagnostic::error("A blade cannot be linked to itself", detail);
        problems.push(problem.at(Path::root("backplane")));
        return;
    }
    let there = backplane.cidrs();
    for (own, cidr) in blade.cidrs() {
        let clash = there.iter().find(|(_, other)| overlap(*other, cidr));
        if let Some((other, taken)) = clash {
            let detail = format!(
                "Network {own:?} of blade {:?} is {cidr}, network {other:?} of the backplane {:?} \
                 is {taken}: what is meant for one would reach the other. Give one of them \
                 another range.",
                name(blade),
                name(backplane)
            );
            let problem = Diagnostic::error("The networks of blade and backplane overlap", detail);
            problems.push(problem.at(Path::root("blade")));
        }
    }
    if let (Some(network), Some(networks)) = (model.network.as_str(), backplane.networks.known())
        && !networks.contains_key(network)
    {
        let known: Vec<_> = networks.keys().map(String::as_str).collect();
        let detail = format!(
            "The backplane {:?} has no network {network:?}; it has: {}.",
            name(backplane),
            known.join(", ")
        );
        problems.push(Diagnostic::error("Unknown network", detail).at(Path::root("network")));
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A link of a blade with this range to the backplane `devops`.
    pub(in super::super) fn link(name: &str, cidr: &str) -> Model {
        Model {
            blade: blade(name, cidr),
            backplane: blade("devops", "10.99.0.0/24"),
            network: "front".into(),
            ..Model::default()
        }
    }

    fn blade(name: &str, cidr: &str) -> Attr<BladeModel> {
        let network = NetworkModel { cidr: cidr.into() };
        let networks = BTreeMap::from([("front".to_owned(), network)]);
        // the id is not known while both are planned together
        BladeModel {
            id: Attr::Unknown,
            name: name.into(),
            networks: networks.into(),
        }
        .into()
    }

    fn problems(model: &Model) -> String {
        check(model)
            .err()
            .map(|problems| problems.to_string())
            .unwrap_or_default()
    }

    #[test]
    fn overlapping_networks_are_refused_before_anything_exists() {
        let link = |cidr: &str| Model {
            blade: blade("a", "10.1.0.0/16"),
            backplane: blade("devops", cidr),
            network: "front".into(),
            ..Model::default()
        };
        assert_eq!(problems(&link("10.2.0.0/16")), "");
        assert!(problems(&link("10.1.7.0/24")).contains("overlap"));
        assert!(problems(&link("10.0.0.0/8")).contains("overlap"));
    }

    #[test]
    fn other_name_or_unknown_id_is_another_blade() {
        let standing = |name: &str, id: Attr<String>| {
            let mut model = link(name, "10.1.0.0/16");
            for (end, id) in [
                (&mut model.blade, id),
                (&mut model.backplane, "q/devops".into()),
            ] {
                if let Some(blade) = end.known_mut() {
                    blade.id = id;
                }
            }
            model
        };
        let prior = standing("a", "p/a".into());
        for (planned, same) in [
            (standing("a", "p/a".into()), true),
            (standing("b", Attr::Unknown), false),
            (standing("a", Attr::Unknown), false),
            (standing("a", "r/a".into()), false),
        ] {
            assert_eq!(prior.joins(&planned), same, "{:?}", planned.blade);
        }
    }

    #[test]
    fn an_unknown_network_and_a_link_to_itself_are_refused() {
        let mut link = Model {
            blade: blade("a", "10.1.0.0/16"),
            backplane: blade("devops", "10.2.0.0/16"),
            network: "core".into(),
            ..Model::default()
        };
        assert!(problems(&link).contains("it has: front"));
        link.backplane = blade("a", "10.2.0.0/16");
        assert!(problems(&link).contains("to itself"));
    }
}

//! A definition as far as it is known: what comes during apply only must not turn off the checks of the rest.
//!
//! Where a value is not known something stands in for it that is in nothing's way. What is then wrong at such a place is nobody's fault
//! and is not told; what is wrong elsewhere is.

use std::collections::{BTreeMap, BTreeSet};

use ipnet::Ipv4Net;
use mkys_blade::{Blade, Definition, overlap};
use mkys_plugin::{Attr, Diagnostics, Path};

use super::definition::validated;
use super::model::{
    Model, NetworkModel, ProjectModel, QuotaModel, ReadyModel, ServerModel, ServiceModel,
    VolumeModel,
};

/// A definition, and where it stands in for what is not known.
#[derive(Debug)]
pub(super) struct Sketch {
    definition: Option<Definition>,
    unknown: Vec<Path>,
}

impl Sketch {
    pub(super) fn of(model: &Model) -> Self {
        let mut filler = Filler::default();
        let mut model = model.clone();
        filler.model(&mut model);
        Self {
            definition: model.definition().ok(),
            unknown: filler.unknown,
        }
    }

    /// Whether all is known.
    pub(super) fn is_whole(&self) -> bool {
        self.unknown.is_empty()
    }

    /// Whether an attribute is known as a whole; something within it may not be.
    pub(super) fn knows(&self, attribute: &str) -> bool {
        !self.unknown.contains(&Path::root(attribute))
    }

    /// The blade that this is a sketch of; `None` where too little is known of it.
    ///
    /// # Errors
    ///
    /// All that is wrong with what is known.
    pub(super) fn validated(&self) -> Result<Option<Blade>, Diagnostics> {
        let Some(definition) = &self.definition else {
            return Ok(None);
        };
        match validated(definition) {
            Ok(blade) => Ok(Some(blade)),
            Err(problems) => self.of_the_known(problems).into_result().map(|()| None),
        }
    }

    /// Of some problems, those that are not about something that only stands in.
    pub(super) fn of_the_known(&self, problems: Diagnostics) -> Diagnostics {
        let is_below = |path: &Path| {
            let mut unknown = self.unknown.iter();
            unknown.any(|one| path.steps().starts_with(one.steps()))
        };
        problems
            .into_iter()
            .filter(|problem| !problem.path.as_ref().is_some_and(is_below))
            .collect()
    }
}

/// Puts something in for each value that is not known.
#[derive(Default)]
struct Filler {
    unknown: Vec<Path>,
}

impl Filler {
    fn value<T>(&mut self, attr: &mut Attr<T>, at: Path, stand_in: impl Into<Attr<T>>) {
        if attr.is_unknown() {
            *attr = stand_in.into();
            self.unknown.push(at);
        }
    }

    /// Leaves out elements that are not known; if none is left there is this one.
    fn list(&mut self, attr: &mut Attr<Vec<Attr<String>>>, at: Path, otherwise: Option<&str>) {
        let known = match attr {
            Attr::Null => return,
            Attr::Unknown => Vec::new(),
            Attr::Known(all) if all.iter().any(Attr::is_unknown) => {
                let known = all.iter().filter(|one| !one.is_unknown());
                known.cloned().collect()
            }
            Attr::Known(_) => return,
        };
        let none = known.is_empty();
        let stand_in = otherwise.filter(|_| none).map(Attr::from);
        *attr = Attr::Known(known.into_iter().chain(stand_in).collect());
        self.unknown.push(at);
    }

    fn model(&mut self, model: &mut Model) {
        let at = Path::root;
        self.value(&mut model.name, at("name"), "unknown");
        self.value(&mut model.description, at("description"), Attr::Null);
        self.value(&mut model.project, at("project"), Attr::Null);
        if let Some(project) = model.project.known_mut() {
            self.project(project, &at("project"));
        }
        let without_networks = model.networks.is_unknown();
        let without_servers = model.servers.is_unknown();
        self.value(&mut model.networks, at("networks"), Attr::Null);
        self.value(&mut model.servers, at("servers"), Attr::Null);
        self.value(&mut model.services, at("services"), Attr::Null);
        self.addresses(&mut model.networks, &mut model.ops_cidr);
        let networks = model.networks.known();
        let first = networks.and_then(|all| all.keys().next()).cloned();
        for (name, server) in model.servers.known_mut().into_iter().flatten() {
            let at = at("servers").key(name);
            if without_networks {
                self.unknown.push(at.clone().attribute("networks"));
            }
            self.server(server, &at, first.as_deref());
        }
        if let Some(services) = model.services.known_mut() {
            self.services(services, without_servers);
        }
    }

    fn project(&mut self, project: &mut ProjectModel, at: &Path) {
        let ProjectModel {
            group,
            role,
            users,
            quota,
        } = project;
        let at = |name: &str| at.clone().attribute(name);
        self.value(group, at("group"), "unknown");
        self.value(role, at("role"), Attr::Null);
        self.list(users, at("users"), None);
        self.value(quota, at("quota"), Attr::Null);
        let Some(quota) = quota.known_mut() else {
            return;
        };
        let QuotaModel {
            instances,
            cores,
            ram,
            volumes,
            gigabytes,
            networks,
            ports,
            routers,
            floating_ips,
            security_groups,
        } = quota;
        for (name, limit) in [
            ("instances", instances),
            ("cores", cores),
            ("ram", ram),
            ("volumes", volumes),
            ("gigabytes", gigabytes),
            ("networks", networks),
            ("ports", ports),
            ("routers", routers),
            ("floating_ips", floating_ips),
            ("security_groups", security_groups),
        ] {
            self.value(limit, at("quota").attribute(name), Attr::Null);
        }
    }

    /// Addresses that are not known are ones that overlap none of the others.
    fn addresses(
        &mut self,
        networks: &mut Attr<BTreeMap<String, NetworkModel>>,
        ops_cidr: &mut Attr<String>,
    ) {
        let mut taken: Vec<Ipv4Net> = Vec::new();
        let cidrs = networks.known().into_iter().flatten();
        let cidrs = cidrs.map(|(_, network)| &network.cidr).chain([&*ops_cidr]);
        taken.extend(cidrs.filter_map(|cidr| cidr.as_str()?.parse::<Ipv4Net>().ok()));
        let mut free = move || {
            let mut all = (1..=126).filter_map(|first| format!("{first}.0.0.0/28").parse().ok());
            let free = all.find(|one: &Ipv4Net| !taken.iter().any(|other| overlap(*one, *other)));
            taken.extend(free);
            Attr::from(free.map(|free| free.to_string()))
        };
        if ops_cidr.is_unknown() {
            self.value(ops_cidr, Path::root("ops_cidr"), free());
        }
        for (name, network) in networks.known_mut().into_iter().flatten() {
            let NetworkModel {
                cidr,
                dns_nameservers,
            } = network;
            let at = Path::root("networks").key(name);
            if cidr.is_unknown() {
                self.value(cidr, at.clone().attribute("cidr"), free());
            }
            self.list(dns_nameservers, at.attribute("dns_nameservers"), None);
        }
    }

    fn server(&mut self, server: &mut ServerModel, at: &Path, network: Option<&str>) {
        let ServerModel {
            image,
            flavor,
            networks,
            key_pair,
            user_data,
            probes,
            volumes,
            ready,
        } = server;
        let at = |name: &str| at.clone().attribute(name);
        self.value(image, at("image"), "unknown");
        self.value(flavor, at("flavor"), "unknown");
        self.list(networks, at("networks"), network);
        self.value(key_pair, at("key_pair"), Attr::Null);
        self.value(user_data, at("user_data"), Attr::Null);
        self.list(probes, at("probes"), None);
        self.value(volumes, at("volumes"), Attr::Null);
        for (name, volume) in volumes.known_mut().into_iter().flatten() {
            let VolumeModel { size, mount } = volume;
            let at = at("volumes").key(name);
            self.value(size, at.clone().attribute("size"), 1_i64);
            self.value(mount, at.attribute("mount"), Attr::Null);
        }
        self.value(ready, at("ready"), Attr::Null);
        if let Some(ReadyModel { http, within }) = ready.known_mut() {
            self.value(http, at("ready").attribute("http"), ":80");
            self.value(within, at("ready").attribute("within"), Attr::Null);
        }
    }

    fn services(&mut self, services: &mut BTreeMap<String, ServiceModel>, without_servers: bool) {
        services.retain(|name, service| {
            // it might be a second one at its server's port
            let is_known = !without_servers && !service.server.is_unknown();
            if !is_known {
                self.unknown.push(Path::root("services").key(name));
            }
            is_known
        });
        let mut taken: BTreeSet<i64> = services
            .values()
            .filter_map(|service| service.port.known().copied())
            .collect();
        for (name, service) in services {
            let ServiceModel {
                server: _,
                port,
                audiences,
            } = service;
            let at = Path::root("services").key(name);
            if port.is_unknown() {
                let free = (1..=65_535).rev().find(|port| taken.insert(*port));
                self.value(port, at.clone().attribute("port"), free);
            }
            self.list(audiences, at.attribute("audiences"), Some("users"));
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may stop at once")]
mod tests {
    use mkys_plugin::Value;
    use serde::Deserialize;
    use serde_json::json;

    use super::*;

    fn good() -> serde_json::Value {
        json!({
            "name": "a",
            "project": { "group": "g", "users": ["u"], "quota": { "cores": 3 } },
            "networks": { "front": { "cidr": "1.0.0.0/8", "dns_nameservers": ["9.9.9.9"] },
                          "data": { "cidr": "172.31.255.0/24" } },
            "ops_cidr": "10.1.0.0/24",
            "servers": {
                "web": { "image": "i", "flavor": "f", "networks": ["front"], "user_data": "x",
                         "volumes": { "v": { "size": 1, "mount": "/v" } },
                         "ready": { "http": ":80", "within": "5m" } },
                "db": { "image": "i", "flavor": "f", "networks": ["data"] },
            },
            "services": {
                "admin": { "server": "web", "port": 65535, "audiences": ["devops"] },
                "site": { "server": "web", "port": 80, "audiences": ["users"] },
            },
        })
    }

    fn model(definition: serde_json::Value) -> Model {
        let definition: Definition = serde_json::from_value(definition).unwrap();
        let mut model = Model::default();
        model.set_definition(&definition);
        model
    }

    fn server(model: &mut Model) -> &mut ServerModel {
        model.servers.known_mut().unwrap().get_mut("web").unwrap()
    }

    fn network(model: &mut Model) -> &mut NetworkModel {
        model.networks.known_mut().unwrap().get_mut("data").unwrap()
    }

    fn service(model: &mut Model) -> &mut ServiceModel {
        model.services.known_mut().unwrap().get_mut("site").unwrap()
    }

    type Forget = fn(&mut Model);

    const FORGET: [Forget; 22] = [
        |model| model.name = Attr::Unknown,
        |model| model.description = Attr::Unknown,
        |model| model.project = Attr::Unknown,
        |model| model.project.known_mut().unwrap().role = Attr::Unknown,
        |model| model.project.known_mut().unwrap().users = Some(vec![Attr::Unknown]).into(),
        |model| model.project.known_mut().unwrap().quota = Attr::Unknown,
        |model| network(model).cidr = Attr::Unknown,
        |model| network(model).dns_nameservers = Attr::Unknown,
        |model| model.ops_cidr = Attr::Unknown,
        |model| model.services = Attr::Unknown,
        |model| server(model).image = Attr::Unknown,
        |model| server(model).flavor = Attr::Unknown,
        |model| server(model).networks = Some(vec![Attr::Unknown]).into(),
        |model| server(model).user_data = Attr::Unknown,
        |model| server(model).probes = Attr::Unknown,
        |model| server(model).volumes = Attr::Unknown,
        |model| server(model).ready = Attr::Unknown,
        |model| server(model).ready.known_mut().unwrap().http = Attr::Unknown,
        |model| service(model).server = Attr::Unknown,
        |model| service(model).port = Attr::Unknown,
        |model| service(model).audiences = Attr::Unknown,
        |model| model.servers = Attr::Unknown,
    ];

    #[test]
    fn whatever_is_not_known_is_in_nothings_way() {
        let whole = Sketch::of(&model(good()));
        assert!(whole.is_whole() && whole.validated().unwrap().is_some());
        for (index, forget) in FORGET.into_iter().enumerate() {
            let mut model = model(good());
            forget(&mut model);
            let sketch = Sketch::of(&model);
            assert!(!sketch.is_whole(), "{index}");
            let blade = sketch.validated();
            assert!(
                blade.as_ref().is_ok_and(Option::is_some),
                "{index}: {blade:?}"
            );
        }
        // too little for a blade, and nothing wrong
        let mut model = model(good());
        model.networks = Attr::Unknown;
        assert!(Sketch::of(&model).validated().unwrap().is_none());
    }

    #[test]
    fn a_server_that_is_not_known_as_a_whole_is_no_mistake() {
        // as a variable is while a configuration is validated
        let servers = BTreeMap::from([("web".to_owned(), Value::Unknown)]);
        let attributes = [("name", Value::from("a")), ("servers", servers.into())];
        let attributes = attributes.map(|(name, value)| (name.to_owned(), value));
        let config = Value::Map(BTreeMap::from(attributes));
        let model = Model::deserialize(config).unwrap();
        assert!(Sketch::of(&model).validated().unwrap().is_none());
    }

    #[test]
    fn what_is_known_is_checked_whatever_is_not() {
        let mut bad = good();
        bad["servers"]["db"]["networks"] = json!(["dta"]);
        let expected = "servers[\"db\"].networks[0]: Unknown network: The blade defines no network \"dta\". Did you mean \"data\"?";
        for (index, forget) in FORGET.into_iter().enumerate().take(FORGET.len() - 1) {
            let mut model = model(bad.clone());
            forget(&mut model);
            let said = Sketch::of(&model).validated().unwrap_err();
            assert_eq!(said.to_string(), expected, "{index}");
        }
    }
}

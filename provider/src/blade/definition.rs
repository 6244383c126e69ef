//! From the attributes to a blade's definition and back, and from its problems to diagnostics.

use std::collections::BTreeMap;

use mkys_blade::{
    Blade, Definition, NetworkDefinition, ProjectDefinition, Quota, ReadyDefinition, Segment,
    ServerDefinition, ServiceDefinition, VolumeDefinition,
};
use mkys_plugin::{Attr, Diagnostic, Diagnostics, Path};

use super::model::{
    Model, NetworkModel, ProjectModel, QuotaModel, ReadyModel, ServerModel, ServiceModel,
    VolumeModel,
};

/// Some value comes during apply only, so there is no definition yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NotYetKnown;

type Known<T> = Result<T, NotYetKnown>;

fn optional<T: Clone>(attr: &Attr<T>) -> Known<Option<T>> {
    match attr {
        Attr::Unknown => Err(NotYetKnown),
        Attr::Null => Ok(None),
        Attr::Known(value) => Ok(Some(value.clone())),
    }
}

fn or_default<T: Clone + Default>(attr: &Attr<T>) -> Known<T> {
    optional(attr).map(Option::unwrap_or_default)
}

fn texts(attr: &Attr<Vec<Attr<String>>>) -> Known<Vec<String>> {
    or_default(attr)?.iter().map(or_default).collect()
}

fn map<T: Clone, U>(
    attr: &Attr<BTreeMap<String, T>>,
    one: impl Fn(&T) -> Known<U>,
) -> Known<BTreeMap<String, U>> {
    let entries = or_default(attr)?;
    entries
        .iter()
        .map(|(key, value)| Ok((key.clone(), one(value)?)))
        .collect()
}

fn nested<T, U>(attr: &Attr<T>, one: impl Fn(&T) -> Known<U>) -> Known<Option<U>> {
    match attr {
        Attr::Unknown => Err(NotYetKnown),
        Attr::Null => Ok(None),
        Attr::Known(value) => one(value).map(Some),
    }
}

impl Model {
    /// The definition, if all of it is known.
    pub(crate) fn definition(&self) -> Known<Definition> {
        Ok(Definition {
            name: or_default(&self.name)?,
            description: optional(&self.description)?,
            project: nested(&self.project, ProjectModel::definition)?,
            networks: map(&self.networks, |network| {
                Ok(NetworkDefinition {
                    cidr: or_default(&network.cidr)?,
                    dns_nameservers: texts(&network.dns_nameservers)?,
                })
            })?,
            ops_cidr: optional(&self.ops_cidr)?,
            servers: map(&self.servers, ServerModel::definition)?,
            services: map(&self.services, |service| {
                Ok(ServiceDefinition {
                    server: or_default(&service.server)?,
                    port: or_default(&service.port)?,
                    audiences: texts(&service.audiences)?,
                })
            })?,
        })
    }

    /// Sets what a definition says; an empty collection is left out, as most people write it.
    pub(crate) fn set_definition(&mut self, definition: &Definition) {
        let Definition {
            name,
            description,
            project,
            networks,
            ops_cidr,
            servers,
            services,
        } = definition;
        self.name = name.clone().into();
        self.description = description.clone().into();
        self.project = project.as_ref().map(ProjectModel::of).into();
        self.networks = collection(networks, |network| NetworkModel {
            cidr: network.cidr.clone().into(),
            dns_nameservers: list(&network.dns_nameservers),
        });
        self.ops_cidr = ops_cidr.clone().into();
        self.servers = collection(servers, ServerModel::of);
        self.services = collection(services, |service| ServiceModel {
            server: service.server.clone().into(),
            port: service.port.into(),
            audiences: list(&service.audiences),
        });
    }
}

impl ProjectModel {
    fn definition(&self) -> Known<ProjectDefinition> {
        Ok(ProjectDefinition {
            group: or_default(&self.group)?,
            role: optional(&self.role)?,
            users: texts(&self.users)?,
            quota: nested(&self.quota, QuotaModel::definition)?.unwrap_or_default(),
        })
    }

    fn of(project: &ProjectDefinition) -> Self {
        let ProjectDefinition {
            group,
            role,
            users,
            quota,
        } = project;
        let quota = Some(*quota).filter(|quota| *quota != Quota::default());
        Self {
            group: group.clone().into(),
            role: role.clone().into(),
            users: list(users),
            quota: quota.map(|quota| QuotaModel::of(&quota)).into(),
        }
    }
}

impl QuotaModel {
    fn definition(&self) -> Known<Quota> {
        Ok(Quota {
            instances: optional(&self.instances)?,
            cores: optional(&self.cores)?,
            ram: optional(&self.ram)?,
            volumes: optional(&self.volumes)?,
            gigabytes: optional(&self.gigabytes)?,
            networks: optional(&self.networks)?,
            ports: optional(&self.ports)?,
            routers: optional(&self.routers)?,
            floating_ips: optional(&self.floating_ips)?,
            security_groups: optional(&self.security_groups)?,
        })
    }

    pub(crate) fn of(quota: &Quota) -> Self {
        let Quota {
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
        } = *quota;
        Self {
            instances: instances.into(),
            cores: cores.into(),
            ram: ram.into(),
            volumes: volumes.into(),
            gigabytes: gigabytes.into(),
            networks: networks.into(),
            ports: ports.into(),
            routers: routers.into(),
            floating_ips: floating_ips.into(),
            security_groups: security_groups.into(),
        }
    }
}

impl ServerModel {
    fn definition(&self) -> Known<ServerDefinition> {
        Ok(ServerDefinition {
            image: or_default(&self.image)?,
            flavor: or_default(&self.flavor)?,
            networks: texts(&self.networks)?,
            key_pair: optional(&self.key_pair)?,
            user_data: optional(&self.user_data)?,
            probes: texts(&self.probes)?,
            volumes: map(&self.volumes, |volume| {
                Ok(VolumeDefinition {
                    size: or_default(&volume.size)?,
                    mount: optional(&volume.mount)?,
                })
            })?,
            ready: nested(&self.ready, |ready| {
                Ok(ReadyDefinition {
                    http: or_default(&ready.http)?,
                    within: optional(&ready.within)?,
                })
            })?,
        })
    }

    fn of(server: &ServerDefinition) -> Self {
        let ServerDefinition {
            image,
            flavor,
            networks,
            key_pair,
            user_data,
            probes,
            volumes,
            ready,
        } = server;
        Self {
            image: image.clone().into(),
            flavor: flavor.clone().into(),
            networks: list(networks),
            key_pair: key_pair.clone().into(),
            user_data: user_data.clone().into(),
            probes: list(probes),
            volumes: collection(volumes, |volume| VolumeModel {
                size: volume.size.into(),
                mount: volume.mount.clone().into(),
            }),
            ready: ready
                .as_ref()
                .map(|ready| ReadyModel {
                    http: ready.http.clone().into(),
                    within: ready.within.clone().into(),
                })
                .into(),
        }
    }
}

fn list(texts: &[String]) -> Attr<Vec<Attr<String>>> {
    let texts: Vec<_> = texts.iter().map(|text| Attr::from(text.as_str())).collect();
    Some(texts).filter(|texts| !texts.is_empty()).into()
}

fn collection<T, U>(
    entries: &BTreeMap<String, T>,
    one: impl Fn(&T) -> U,
) -> Attr<BTreeMap<String, U>> {
    let entries: BTreeMap<_, _> = entries
        .iter()
        .map(|(key, value)| (key.clone(), one(value)))
        .collect();
    Some(entries).filter(|entries| !entries.is_empty()).into()
}

/// Validates a definition; its problems are as the CLI shows them, beside their line of configuration.
pub(super) fn validated(definition: &Definition) -> Result<Blade, Diagnostics> {
    definition.validate().map_err(|problems| {
        let each = problems.into_iter().map(|problem| {
            Diagnostic::error(problem.summary, problem.detail).at(path(&problem.path))
        });
        each.collect()
    })
}

fn path(segments: &[Segment]) -> Path {
    segments
        .iter()
        .fold(Path::whole(), |path, segment| match segment {
            Segment::Attribute(name) => path.attribute(*name),
            Segment::Key(key) => path.key(key),
            Segment::Index(index) => path.index(*index),
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_definition_survives_the_way_to_the_attributes_and_back() {
        let definition: Definition = serde_json::from_value(serde_json::json!({
            "name": "a",
            "description": "b",
            "project": { "group": "g", "users": ["u"], "quota": { "cores": 3 } },
            "networks": { "n": { "cidr": "10.0.0.0/24", "dns_nameservers": ["9.9.9.9"] } },
            "ops_cidr": "10.1.0.0/24",
            "servers": { "s": {
                "image": "i", "flavor": "f", "networks": ["n"], "key_pair": "k",
                "user_data": "#!/bin/sh", "probes": ["node"],
                "volumes": { "v": { "size": 1, "mount": "/v" } },
                "ready": { "http": ":80", "within": "5m" },
            } },
            "services": { "x": { "server": "s", "port": 80, "audiences": ["users"] } },
        }))
        .unwrap();
        let mut model = Model::default();
        model.set_definition(&definition);
        assert_eq!(model.definition(), Ok(definition));
    }

    #[test]
    fn one_unknown_value_makes_the_definition_unknown() {
        let server = ServerModel {
            user_data: Attr::Unknown,
            ..ServerModel::default()
        };
        let servers = BTreeMap::from([("web".to_owned(), server)]);
        let model = Model {
            servers: servers.into(),
            ..Model::default()
        };
        assert_eq!(model.definition(), Err(NotYetKnown));
    }
}

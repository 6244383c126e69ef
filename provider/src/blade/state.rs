//! What is kept of a blade between runs, and how the cloud's answers become attributes.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

use mkys_blade::{Audience, Blade, Compiled, Generations, PartName, Revision, Template};
use mkys_plugin::Attr;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::model::{EndpointModel, Model};
use crate::cloud::services::heat::Stack;

/// Identifies a blade: project and name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Id {
    pub(crate) project: String,
    pub(crate) name: String,
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.project, self.name)
    }
}

impl FromStr for Id {
    type Err = String;

    fn from_str(id: &str) -> Result<Self, String> {
        let (project, name) = id
            .split_once('/')
            .ok_or_else(|| format!("{id:?} is not of the form PROJECT_ID/BLADE_NAME"))?;
        Ok(Self {
            project: project.to_owned(),
            name: name.to_owned(),
        })
    }
}

/// Kept beside the state: the last good version, whole, so that it can be returned to.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Private {
    /// Values of the parameters of the template that stands, and of the one before.
    pub(crate) parameters: BTreeMap<String, String>,
    /// Revision of each server, as it stands or stood last.
    pub(crate) revisions: BTreeMap<String, Revision>,
    /// Servers that hold volumes.
    pub(crate) volumes: BTreeSet<String>,
    /// The version before the one that stands.
    pub(crate) previous: Option<Template>,
    /// The cloud that it stands on, as [`Identity::cloud`](crate::cloud::Identity) tells it.
    pub(crate) cloud: Option<String>,
}

impl Private {
    /// The servers of a blade that hold volumes.
    pub(crate) fn volumes_of(blade: &Blade) -> BTreeSet<String> {
        let servers = blade
            .servers
            .iter()
            .filter(|(_, server)| !server.volumes.is_empty());
        servers.map(|(name, _)| name.to_string()).collect()
    }

    /// Takes over which servers a template has, and which of them hold volumes. The state may not have it: an update that was cut off goes
    /// on at Heat, and Heat may be at work while the CLI reads.
    pub(crate) fn learn(&mut self, template: &Template) {
        self.revisions = revisions_of(template);
        let attached = template.attachments().map(|(server, _)| server.to_owned());
        self.volumes.extend(attached);
    }

    /// The revisions that stand already among those of a compiled definition: what they name was found when they were made.
    pub(crate) fn standing(&self, compiled: &Compiled) -> BTreeMap<PartName, Revision> {
        let standing = compiled.revisions.iter();
        let standing =
            standing.filter(|(name, one)| self.revisions.get(name.as_ref()) == Some(*one));
        standing
            .map(|(name, one)| (name.clone(), one.clone()))
            .collect()
    }

    /// The generations under which the wanted servers get their revisions: a server that stands
    /// keeps its own, one that was lost gets the next.
    pub(crate) fn generations(&self, blade: &Blade, model: &Model) -> Generations {
        let standing = model.revisions.known();
        let each = blade.servers.keys().filter_map(|name| {
            let last = self.revisions.get(name.as_ref())?;
            let lost = standing.is_some_and(|all| !all.contains_key(name.as_ref()));
            let generation = generation_of(blade, name, last)?;
            Some((name.clone(), generation + u32::from(lost)))
        });
        each.filter(|(_, generation)| *generation > 0).collect()
    }
}

/// The generation of a revision, if the definition is the one it was made from.
fn generation_of(blade: &Blade, name: &PartName, revision: &Revision) -> Option<u32> {
    // a server that was lost more often than this has another problem
    (0..64).find(|generation| {
        let generations = Generations::from([(name.clone(), *generation)]);
        blade.revisions(&generations).get(name) == Some(revision)
    })
}

/// The servers of a template: name, revision.
pub(crate) fn revisions_of(template: &Template) -> BTreeMap<String, Revision> {
    let servers = template.outputs.iter().filter_map(|(output, value)| {
        let server = output.strip_prefix("server_")?;
        let resource = value.value.get("get_resource")?.as_str()?;
        let (_, revision) = resource.rsplit_once("_R")?;
        Some((server.to_owned(), Revision::from(revision.to_owned())))
    });
    servers.collect()
}

/// A map of known texts.
pub(crate) fn known_map<V: Into<String>>(
    entries: impl IntoIterator<Item = (String, V)>,
) -> Attr<BTreeMap<String, Attr<String>>> {
    let entries = entries
        .into_iter()
        .map(|(key, value)| (key, Attr::Known(value.into())));
    Attr::Known(entries.collect())
}

impl Model {
    /// Sets what only the cloud knows, from a stack with its outputs.
    pub(crate) fn set_outputs(&mut self, blade: &Blade, project: &str, stack: &Stack) {
        let id = Id {
            project: project.to_owned(),
            name: blade.name.to_string(),
        };
        self.id = id.to_string().into();
        self.project_id = project.into();
        self.stack_id = stack.id.as_str().into();
        // Heat gives a resource that is not there yet by its own name
        let output = |name: String| {
            let id = stack.output(&name)?;
            Uuid::try_parse(id).ok().map(|_| id.to_owned())
        };
        self.server_ids =
            known_map(blade.servers.keys().filter_map(|name| {
                Some((name.to_string(), output(Compiled::server_output(name))?))
            }));
        self.network_ids =
            known_map(blade.networks.keys().filter_map(|name| {
                Some((name.to_string(), output(Compiled::network_output(name))?))
            }));
        let endpoints = blade.services.iter().map(|(name, service)| {
            let address = |audience| {
                let wanted = service.audiences.contains(&audience);
                let output = Compiled::floating_ip_output(&service.server, audience);
                let address = stack.output(&output).filter(|_| wanted);
                Attr::from(address.map(|address| format!("{address}:{}", service.port)))
            };
            let endpoint = EndpointModel {
                users: address(Audience::Users),
                devops: address(Audience::Devops),
            };
            (name.to_string(), endpoint)
        });
        self.endpoints = Attr::Known(endpoints.collect());
    }

    /// Sets no endpoint for a floating IP that is gone; `resource` is its name in the template. The next one has another address.
    pub(crate) fn forget_address(&mut self, blade: &Blade, resource: &str) {
        for (name, endpoint) in self.endpoints.known_mut().into_iter().flatten() {
            let services = blade.services.iter();
            let server = services
                .filter(|(service, _)| service.as_ref() == name)
                .map(|(_, service)| &service.server);
            for server in server {
                for (audience, address) in [
                    (Audience::Users, &mut endpoint.users),
                    (Audience::Devops, &mut endpoint.devops),
                ] {
                    if Compiled::floating_ip_resource(server, audience) == resource {
                        *address = Attr::Null;
                    }
                }
            }
        }
    }

    /// Leaves open what comes from the template and its stack.
    pub(crate) fn set_unknown(&mut self) {
        self.template = Attr::Unknown;
        self.revisions = Attr::Unknown;
        self.server_ids = Attr::Unknown;
        self.network_ids = Attr::Unknown;
        self.endpoints = Attr::Unknown;
    }

    /// Sets what the template says by itself.
    pub(crate) fn set_compiled(&mut self, compiled: &Compiled) {
        self.template = compiled.template.to_yaml().ok().into();
        self.revisions = known_map(
            compiled
                .revisions
                .iter()
                .map(|(name, one)| (name.to_string(), one.as_str())),
        );
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may stop at once")]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn interrupted_replacement_that_heat_finished_stands() {
        let template: Template = serde_json::from_value(json!({
            "heat_template_version": "2018-08-31",
            "resources": {
                "server_db_Rnew": { "type": "OS::Nova::Server" },
                "attachment-data_db_Rnew": { "type": "OS::Cinder::VolumeAttachment" },
                "volume-data_db": { "type": "OS::Cinder::Volume" },
            },
            "outputs": { "server_db": { "value": { "get_resource": "server_db_Rnew" } } },
        }))
        .unwrap();
        let mut private = Private {
            revisions: [("db".to_owned(), Revision::from("old".to_owned()))].into(),
            ..Private::default()
        };
        private.learn(&template);
        let new = Revision::from("new".to_owned());
        assert_eq!(private.revisions, [("db".to_owned(), new)].into());
        assert_eq!(private.volumes, ["db".to_owned()].into());
    }
}

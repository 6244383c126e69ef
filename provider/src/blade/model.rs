//! What of a blade stands in configuration, plan and state.
//!
//! Terraform drops an attribute that the schema does not know from a nested object and says nothing. What it hands to a function it does
//! not look at, so `render` can refuse a misspelt one: hence `deny_unknown_fields`.

use std::collections::BTreeMap;

use mkys_plugin::Attr;
use serde::{Deserialize, Serialize};

/// Attributes of `mkys_blade`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Model {
    pub(crate) id: Attr<String>,
    pub(crate) name: Attr<String>,
    pub(crate) description: Attr<String>,
    pub(crate) project: Attr<ProjectModel>,
    pub(crate) networks: Attr<BTreeMap<String, NetworkModel>>,
    pub(crate) ops_cidr: Attr<String>,
    pub(crate) servers: Attr<BTreeMap<String, ServerModel>>,
    pub(crate) services: Attr<BTreeMap<String, ServiceModel>>,
    pub(crate) timeouts: Attr<TimeoutsModel>,
    // computed
    pub(crate) project_id: Attr<String>,
    pub(crate) stack_id: Attr<String>,
    pub(crate) template: Attr<String>,
    pub(crate) revisions: Attr<BTreeMap<String, Attr<String>>>,
    pub(crate) server_ids: Attr<BTreeMap<String, Attr<String>>>,
    pub(crate) network_ids: Attr<BTreeMap<String, Attr<String>>>,
    pub(crate) endpoints: Attr<BTreeMap<String, EndpointModel>>,
    pub(crate) drift: Attr<Vec<Attr<String>>>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ProjectModel {
    pub(crate) group: Attr<String>,
    pub(crate) role: Attr<String>,
    pub(crate) users: Attr<Vec<Attr<String>>>,
    pub(crate) quota: Attr<QuotaModel>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct QuotaModel {
    pub(crate) instances: Attr<i64>,
    pub(crate) cores: Attr<i64>,
    pub(crate) ram: Attr<i64>,
    pub(crate) volumes: Attr<i64>,
    pub(crate) gigabytes: Attr<i64>,
    pub(crate) networks: Attr<i64>,
    pub(crate) ports: Attr<i64>,
    pub(crate) routers: Attr<i64>,
    pub(crate) floating_ips: Attr<i64>,
    pub(crate) security_groups: Attr<i64>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NetworkModel {
    pub(crate) cidr: Attr<String>,
    pub(crate) dns_nameservers: Attr<Vec<Attr<String>>>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ServerModel {
    pub(crate) image: Attr<String>,
    pub(crate) flavor: Attr<String>,
    pub(crate) networks: Attr<Vec<Attr<String>>>,
    pub(crate) key_pair: Attr<String>,
    pub(crate) user_data: Attr<String>,
    pub(crate) probes: Attr<Vec<Attr<String>>>,
    pub(crate) volumes: Attr<BTreeMap<String, VolumeModel>>,
    pub(crate) ready: Attr<ReadyModel>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct VolumeModel {
    pub(crate) size: Attr<i64>,
    pub(crate) mount: Attr<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ReadyModel {
    pub(crate) http: Attr<String>,
    pub(crate) within: Attr<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ServiceModel {
    pub(crate) server: Attr<String>,
    pub(crate) port: Attr<i64>,
    pub(crate) audiences: Attr<Vec<Attr<String>>>,
}

/// Where an audience reaches a service: `ADDRESS:PORT`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct EndpointModel {
    pub(crate) users: Attr<String>,
    pub(crate) devops: Attr<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TimeoutsModel {
    pub(crate) create: Attr<String>,
    pub(crate) update: Attr<String>,
    pub(crate) delete: Attr<String>,
}

impl Model {
    /// Sets a volume's size, GiB.
    pub(crate) fn set_volume_size(&mut self, server: &str, volume: &str, size: u32) {
        let server = self.servers.known_mut().and_then(|all| all.get_mut(server));
        let volume = server.and_then(|server| server.volumes.known_mut()?.get_mut(volume));
        if let Some(volume) = volume {
            volume.size = Attr::Known(size.into());
        }
    }

    /// The volumes of all servers with their sizes, GiB, as far as they are known.
    pub(crate) fn volume_sizes(&self) -> BTreeMap<(&str, &str), i64> {
        let servers = self.servers.known().into_iter().flatten();
        let volumes = servers.flat_map(|(server, one)| {
            let volumes = one.volumes.known().into_iter().flatten();
            volumes.filter_map(|(name, volume)| {
                Some(((server.as_str(), name.as_str()), *volume.size.known()?))
            })
        });
        volumes.collect()
    }
}

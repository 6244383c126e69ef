//! What stands of a platform, by the cloud's own word, and what may have become of it after an apply.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::platform::Platform;
use super::version::{SERVERS, WITH_VOLUME};
use crate::world::cloud::text;
use crate::world::{Api, Cloud};

/// A server, and all that Nova was ever asked to do with it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Server {
    id: String,
    actions: Vec<String>,
}

/// What stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Standing {
    servers: BTreeMap<&'static str, Server>,
    volumes: BTreeMap<&'static str, String>,
    /// How many things there are of each kind.
    pub(crate) counts: BTreeMap<String, usize>,
}

/// What a plan and a happening allow.
#[derive(Clone, Debug, Default)]
pub(crate) struct Allowed {
    /// Servers that the plan replaces.
    pub(crate) planned: BTreeSet<&'static str>,
    /// Servers that there is a reason to replace.
    pub(crate) replaced: BTreeSet<&'static str>,
    /// Servers that may have been stopped and started.
    pub(crate) restarted: BTreeSet<&'static str>,
    /// Servers whose volume is lost.
    pub(crate) volumes: BTreeSet<&'static str>,
}

impl Standing {
    /// Looks at a platform whose state is as it should be.
    pub(crate) fn look(platform: &Platform) -> Self {
        let inside = &platform.inside;
        let ids = platform.state("mkys_blade.blade")["server_ids"].clone();
        let servers = SERVERS.map(|server| {
            let id = text(&ids[server]);
            let path = format!("/servers/{id}/os-instance-actions");
            let mut actions: Vec<_> = inside
                .list(Api::Compute, &path, "instanceActions")
                .iter()
                .map(|one| text(&one["action"]))
                .collect();
            actions.sort();
            (server, Server { id, actions })
        });
        let servers = BTreeMap::from(servers);
        let volumes = WITH_VOLUME.map(|server| {
            let path = format!("/servers/{}/os-volume_attachments", servers[server].id);
            let attached = inside.list(Api::Compute, &path, "volumeAttachments");
            let volume = attached.first().map(|one| text(&one["volumeId"]));
            (server, volume.unwrap_or_default())
        });
        Self {
            servers,
            volumes: volumes.into(),
            counts: counts(&platform.stage.cloud, inside, &platform.beside),
        }
    }

    pub(crate) fn server(&self, name: &str) -> &str {
        &self.servers[name].id
    }

    pub(crate) fn volume(&self, name: &str) -> &str {
        &self.volumes[name]
    }

    /// What has become of a server or a volume although it was not allowed.
    pub(crate) fn violations(&self, after: &Self, allowed: &Allowed) -> Vec<String> {
        let mut all = Vec::new();
        for (name, before) in &self.servers {
            let after = &after.servers[name];
            if before.id != after.id {
                if !allowed.planned.contains(name) {
                    all.push(format!("server {name} was replaced, and no plan said so"));
                }
                if !allowed.replaced.contains(name) {
                    all.push(format!("server {name} was replaced without a reason"));
                }
            } else if before.actions != after.actions && !allowed.restarted.contains(name) {
                all.push(format!(
                    "server {name} was touched: {:?}, then {:?}",
                    before.actions, after.actions
                ));
            }
        }
        for (name, before) in &self.volumes {
            let after = &after.volumes[name];
            if before != after && !allowed.volumes.contains(name) {
                all.push(format!(
                    "the volume of server {name} was {before}, and is {after}"
                ));
            }
        }
        for name in allowed.planned.difference(&allowed.replaced) {
            all.push(format!(
                "the plan replaces server {name}, and there is no reason to"
            ));
        }
        if self.counts != after.counts {
            all.push(format!(
                "there were {:?}, and there are {:?}",
                self.counts, after.counts
            ));
        }
        all
    }
}

/// Counts things of both projects of a platform.
fn counts(cloud: &Cloud, inside: &Cloud, beside: &Cloud) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for (project, one) in [("blade", inside), ("backplane", beside)] {
        for kind in [
            "networks",
            "subnets",
            "routers",
            "floatingips",
            "security_groups",
        ] {
            let path = format!("/{}?project_id={}", kind.replace('_', "-"), one.project);
            let all = cloud.list(Api::Network, &path, kind);
            counts.insert(format!("{kind} of the {project}"), all.len());
        }
        let path = format!("/ports?project_id={}", one.project);
        let ports = cloud.list(Api::Network, &path, "ports");
        let own = |port: &&Value| text(&port["device_owner"]) != "network:dhcp";
        counts.insert(
            format!("ports of the {project}"),
            ports.iter().filter(own).count(),
        );
    }
    for (api, path, key) in [
        (Api::Compute, "/servers", "servers"),
        (Api::Volume, "/volumes", "volumes"),
        (Api::Volume, "/snapshots", "snapshots"),
        (Api::Heat, "/stacks", "stacks"),
    ] {
        counts.insert(key.to_owned(), inside.list(api, path, key).len());
    }
    counts
}

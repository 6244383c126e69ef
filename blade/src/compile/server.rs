//! A blade's servers: ports, volumes, security groups, readiness, floating IPs.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::network::{self, BACKPLANE_GROUP};
use super::{Build, Compiled, get_param, get_resource, output, parameter, volume_metadata};
use crate::blade::{Audience, Blade, Ready, Server};
use crate::name::PartName;
use crate::revision::{self, Revision};
use crate::template::{ATTACHMENT_TYPE, GROUP_TYPE, Resource, SERVER_TYPE, VOLUME_TYPE};
use crate::user_data::{self, UserData};

/// What Heat waits for on top of a server's own limit: the boot before its user data runs.
const BOOT_SECONDS: u64 = 180;

/// Everything that, changed, needs another server. What is left out is changed in place: the
/// services' ports (security rules), a volume's size.
pub(super) fn revision(blade: &Blade, name: &PartName, generation: u32) -> Revision {
    let Some(server) = blade.servers.get(name) else {
        return Revision::of(&Value::Null);
    };
    let Server {
        image,
        flavor,
        networks,
        key_pair,
        user_data,
        probes,
        volumes,
        ready,
    } = server;
    let networks: Vec<_> = networks
        .iter()
        .map(|name| {
            let cidr = blade.networks.get(name).map(|network| network.cidr);
            (
                name.as_ref(),
                cidr.map(|cidr| network::revision(cidr).to_string()),
            )
        })
        .collect();
    let devops = blade.audiences_of(name).contains(&Audience::Devops);
    let mounts: Vec<_> = volumes
        .iter()
        .map(|(name, volume)| (name.as_ref(), volume.mount.as_deref()))
        .collect();
    let ready = ready.as_ref().map(|Ready { port, path, within }| {
        json!({ "port": port, "path": path, "within": within.as_secs() })
    });
    Revision::of(&json!({
        "image": image,
        "flavor": flavor,
        "networks": networks,
        "ops": devops.then_some(blade.ops_cidr),
        "key_pair": key_pair,
        "user_data": user_data.as_deref().map(|text| revision::hex(text.as_bytes(), 64)),
        "probes": probes,
        "volumes": mounts,
        "ready": ready,
        "generation": generation,
    }))
}

pub(super) fn build(build: &mut Build<'_>) {
    let blade = build.blade;
    for (name, server) in &blade.servers {
        let Some(revision) = build.revisions.get(name) else {
            continue;
        };
        let parts = Parts {
            name,
            server,
            revision,
            audiences: blade.audiences_of(name),
        };
        parts.group(build);
        parts.volumes(build);
        parts.ports(build);
        parts.server(build);
        parts.floating_ips(build);
    }
}

struct Parts<'a> {
    name: &'a PartName,
    server: &'a Server,
    revision: &'a Revision,
    audiences: BTreeSet<Audience>,
}

/// Lets in the edge to a server's services, and its own networks to everything.
fn rules(build: &Build<'_>, name: &PartName, server: &Server) -> Vec<Value> {
    let mut rules = Vec::new();
    for name in &server.networks {
        if let Some(network) = build.blade.networks.get(name) {
            for protocol in ["icmp", "tcp", "udp"] {
                rules.push(json!({ "protocol": protocol, "remote_ip_prefix": network.cidr }));
            }
        }
    }
    let services = build.blade.services.values();
    for service in services.filter(|one| &one.server == name) {
        for audience in &service.audiences {
            for cidr in build.edge(*audience) {
                rules.push(json!({
                    "protocol": "tcp",
                    "port_range_min": service.port,
                    "port_range_max": service.port,
                    "remote_ip_prefix": cidr,
                }));
            }
        }
    }
    rules
}

impl Parts<'_> {
    /// Name of a resource of this revision.
    fn of_revision(&self, kind: &str) -> String {
        format!("{kind}_{}_R{}", self.name, self.revision)
    }

    /// Name of a resource that all revisions share.
    fn lasting(&self, kind: &str) -> String {
        format!("{kind}_{}", self.name)
    }

    fn port_name(&self, network: &str) -> String {
        format!("port-{network}_{}_R{}", self.name, self.revision)
    }

    /// Each revision has its own: one that still serves needs the rules that it was made with. A change of rules alone changes no port, as
    /// Neutron's agents take a port that changes for one to be wired again.
    fn group(&self, build: &mut Build<'_>) {
        let rules = rules(build, self.name, self.server);
        let properties = json!({ "name": build.title(self.name.as_ref()), "rules": rules });
        build.resource(
            self.of_revision("group"),
            Resource::new(GROUP_TYPE, properties),
        );
    }

    fn volumes(&self, build: &mut Build<'_>) {
        for (name, volume) in &self.server.volumes {
            let title = build.title(&format!("{}-{name}", self.name));
            let properties = json!({
                "name": title,
                "size": volume.size,
                // tells whose a volume is after Heat has let go of it
                "metadata": {
                    volume_metadata::BLADE: build.blade.name,
                    volume_metadata::SERVER: self.name,
                    volume_metadata::VOLUME: name,
                    volume_metadata::STACK: { "get_param": "OS::stack_id" },
                },
            });
            // data is never Heat's to delete: it replaces a resource that it holds for unhealthy at any update
            build.resource(
                self.lasting(&format!("volume-{name}")),
                Resource::new(VOLUME_TYPE, properties).retained(),
            );
            let properties = json!({
                "instance_uuid": get_resource(&self.of_revision("server")),
                "volume_id": get_resource(&self.lasting(&format!("volume-{name}"))),
            });
            build.resource(
                self.of_revision(&format!("attachment-{name}")),
                Resource::new(ATTACHMENT_TYPE, properties),
            );
        }
    }

    fn ports(&self, build: &mut Build<'_>) {
        let groups = json!([
            get_resource(&self.of_revision("group")),
            get_resource(BACKPLANE_GROUP)
        ]);
        for name in &self.server.networks {
            let Some(network) = build.blade.networks.get(name) else {
                continue;
            };
            let names = network::names(name, network.cidr);
            let port = self.port_name(name.as_ref());
            let properties = json!({
                "name": build.title(&format!("{}-{name}", self.name)),
                "network": get_resource(&names.network),
                "fixed_ips": [{ "subnet": get_resource(&names.subnet) }],
                "security_groups": groups,
            });
            build.resource(&port, Resource::new("OS::Neutron::Port", properties));
            let address = json!({ "get_attr": [port, "fixed_ips", 0, "ip_address"] });
            build.output(output::address(self.name, name), address);
        }
        if self.audiences.contains(&Audience::Devops) {
            let names = network::ops_names(build.blade.ops_cidr);
            let properties = json!({
                "name": build.title(&format!("{}-ops", self.name)),
                "network": get_resource(&names.network),
                "fixed_ips": [{ "subnet": get_resource(&names.subnet) }],
                "security_groups": [get_resource(&self.of_revision("group"))],
            });
            build.resource(
                self.ops_port(),
                Resource::new("OS::Neutron::Port", properties),
            );
        }
    }

    fn ops_port(&self) -> String {
        self.of_revision("ops-port")
    }

    fn server(&self, build: &mut Build<'_>) {
        let mut ports: Vec<_> = self
            .server
            .networks
            .iter()
            .map(|name| self.port_name(name.as_ref()))
            .collect();
        let mut after: Vec<_> = self.interfaces(build);
        if self.audiences.contains(&Audience::Devops) {
            ports.push(self.ops_port());
            after.push(network::ops_names(build.blade.ops_cidr).interface);
        }
        let image = parameter::image(self.name, self.revision);
        let flavor = parameter::flavor(self.name, self.revision);
        build.parameter(&image, "string", format!("Image {}", self.server.image));
        build.parameter(&flavor, "string", format!("Flavor {}", self.server.flavor));
        let ports: Vec<_> = ports
            .iter()
            .map(|port| json!({ "port": get_resource(port) }))
            .collect();
        let mut properties = json!({
            "name": build.title(self.name.as_ref()),
            "image": get_param(&image),
            "flavor": get_param(&flavor),
            "networks": ports,
            "metadata": self.metadata(build),
            // another image or flavor is another revision; this is for a resize made outside
            "image_update_policy": "REPLACE",
            "flavor_update_policy": "REPLACE",
            // it holds a token that differs each time Heat resolves it
            "user_data_update_policy": "IGNORE",
        });
        if let Some(key) = &self.server.key_pair {
            properties["key_name"] = json!(key);
        }
        if let Some(user_data) = self.user_data(build) {
            properties["user_data_format"] = json!("RAW");
            properties["user_data"] = user_data;
        }
        let server = self.of_revision("server");
        build.resource(&server, Resource::new(SERVER_TYPE, properties).after(after));
        build.output(output::server(self.name), get_resource(&server));
        self.readiness(build, &server);
    }

    fn interfaces(&self, build: &Build<'_>) -> Vec<String> {
        let networks = self.server.networks.iter().filter_map(|name| {
            let network = build.blade.networks.get(name)?;
            Some(network::names(name, network.cidr).interface)
        });
        networks.collect()
    }

    /// What monitors discover the server by. `mkys_probe_pool` is the network they ask on: a
    /// server with several addresses is one target, not several.
    fn metadata(&self, build: &Build<'_>) -> Value {
        let mut metadata = Map::new();
        metadata.insert("mkys_blade".into(), json!(build.blade.name));
        metadata.insert("mkys_server".into(), json!(self.name));
        metadata.insert("mkys_revision".into(), json!(self.revision));
        for probe in &self.server.probes {
            let key = format!("mkys_probe_{}", probe.as_str());
            metadata.insert(key, json!(probe.port().to_string()));
            if let Some(network) = self.server.networks.first() {
                metadata.insert(
                    "mkys_probe_pool".into(),
                    json!(build.title(network.as_ref())),
                );
            }
        }
        Value::Object(metadata)
    }

    fn user_data(&self, build: &mut Build<'_>) -> Option<Value> {
        let user_data = UserData::of(self.server, build.settings.probe_source.as_deref());
        let name = parameter::user_data(self.name, self.revision);
        if let Some(text) = &self.server.user_data {
            build.secret(
                name.clone(),
                &format!("User data of server {}", self.name),
                text,
            );
        }
        let mut fill = Map::new();
        if self.server.ready.is_some() {
            let handle = self.of_revision("handle");
            for (token, attribute) in [
                (user_data::ENDPOINT_TOKEN, "endpoint"),
                (user_data::TOKEN_TOKEN, "token"),
            ] {
                fill.insert(token.to_owned(), json!({ "get_attr": [handle, attribute] }));
            }
        }
        for (name, _) in self
            .server
            .volumes
            .iter()
            .filter(|(_, volume)| volume.mount.is_some())
        {
            let volume = self.lasting(&format!("volume-{name}"));
            fill.insert(
                user_data::volume_token(name.as_ref()),
                get_resource(&volume),
            );
        }
        user_data.property(&name, self.server.user_data.is_some(), &fill)
    }

    fn readiness(&self, build: &mut Build<'_>, server: &str) {
        let Some(ready) = &self.server.ready else {
            return;
        };
        let handle = self.of_revision("handle");
        // CFN_SIGNAL needs Keystone's ec2tokens, which many clouds keep closed
        let properties = json!({ "signal_transport": "TOKEN_SIGNAL" });
        build.resource(
            &handle,
            Resource::new("OS::Heat::WaitConditionHandle", properties),
        );
        let properties = json!({
            "handle": get_resource(&handle),
            "timeout": ready.within.as_secs() + BOOT_SECONDS,
        });
        let condition = Resource::new("OS::Heat::WaitCondition", properties);
        build.resource(
            self.of_revision("ready"),
            condition.after([server.to_owned()]),
        );
    }

    /// A floating IP for each audience lasts; its association moves to a new revision once that
    /// is ready.
    fn floating_ips(&self, build: &mut Build<'_>) {
        for audience in &self.audiences {
            let (port, interface) = match audience {
                Audience::Users => {
                    let first = self
                        .server
                        .networks
                        .first()
                        .map(AsRef::as_ref)
                        .unwrap_or_default();
                    (
                        self.port_name(first),
                        self.interfaces(build).into_iter().next(),
                    )
                }
                Audience::Devops => {
                    let names = network::ops_names(build.blade.ops_cidr);
                    (self.ops_port(), Some(names.interface))
                }
            };
            let address = Compiled::floating_ip_resource(self.name, *audience);
            let properties =
                json!({ "floating_network": get_param(&parameter::external(*audience)) });
            let resource = Resource::new("OS::Neutron::FloatingIP", properties);
            build.resource(&address, resource.after(interface));
            let ready = if self.server.ready.is_some() {
                "ready"
            } else {
                "server"
            };
            let properties = json!({
                "floatingip_id": get_resource(&address),
                "port_id": get_resource(&port),
            });
            let association = Resource::new("OS::Neutron::FloatingIPAssociation", properties);
            build.resource(
                crate::update::association(self.name, *audience),
                association.after([self.of_revision(ready)]),
            );
            let value = json!({ "get_attr": [address, "floating_ip_address"] });
            build.output(output::floating_ip(self.name, *audience), value);
        }
    }
}

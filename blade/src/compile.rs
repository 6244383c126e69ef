//! From a blade to its template.

mod network;
mod server;

use std::collections::BTreeMap;

use ipnet::Ipv4Net;
use serde_json::json;

use crate::blade::{Audience, Blade};
use crate::name::PartName;
use crate::revision::{self, Revision};
use crate::template::{Output, Parameter, Resource, Template, VERSION};

/// What the platform sets for all blades.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// Addresses of the edge on the *users* external network: all that a service for users lets in.
    pub users_edge: Vec<Ipv4Net>,
    /// Addresses of the edge on the *devops* external network.
    pub devops_edge: Vec<Ipv4Net>,
    /// URL of a node exporter's binary, for images without a package of it.
    pub probe_source: Option<String>,
}

/// How often each server was lost and built anew although its definition did not change. A server
/// that is not listed has generation 0.
pub type Generations = BTreeMap<PartName, u32>;

/// A blade as a template, and what of it is known without the cloud.
#[derive(Clone, Debug, PartialEq)]
pub struct Compiled {
    /// The template.
    pub template: Template,
    /// Revision of each server.
    pub revisions: BTreeMap<PartName, Revision>,
    /// Values of the hidden parameters: the servers' own user data.
    pub secrets: BTreeMap<String, String>,
}

/// Names of a template's parameters, for whoever resolves them.
pub mod parameter {
    use crate::blade::Audience;
    use crate::name::PartName;
    use crate::revision::Revision;

    /// Destinations that are answered through the devops network: a comma-separated list of CIDRs.
    pub const DEVOPS_CIDRS: &str = "devops_cidrs";

    /// Id of the external network of an audience.
    pub fn external(audience: Audience) -> String {
        format!("external_{}", audience.as_str())
    }

    /// Id of a server's image.
    pub fn image(server: &PartName, revision: &Revision) -> String {
        format!("image_{server}_R{revision}")
    }

    /// Id of a server's flavor.
    pub fn flavor(server: &PartName, revision: &Revision) -> String {
        format!("flavor_{server}_R{revision}")
    }

    /// A server's own user data.
    pub fn user_data(server: &PartName, revision: &Revision) -> String {
        format!("user-data_{server}_R{revision}")
    }
}

/// Keys of the metadata of a blade's volumes in Cinder.
pub mod volume_metadata {
    /// Name of the blade.
    pub const BLADE: &str = "mkys_blade";
    /// Name of the server.
    pub const SERVER: &str = "mkys_server";
    /// Name of the volume in the definition.
    pub const VOLUME: &str = "mkys_volume";
    /// Id of the Heat stack that made it.
    pub const STACK: &str = "mkys_stack";
}

/// Names of a template's outputs, for whoever reads them.
pub(crate) mod output {
    use crate::blade::Audience;
    use crate::name::PartName;

    pub(crate) const ROUTER: &str = "router";
    /// Id of the security group that is the backplane's; every blade has one.
    pub const BACKPLANE_GROUP: &str = "backplane_security_group";
    pub(crate) const DEFINITION: &str = "definition";

    pub(crate) fn server(server: &PartName) -> String {
        format!("server_{server}")
    }

    pub(crate) fn address(server: &PartName, network: &PartName) -> String {
        format!("address_{server}_{network}")
    }

    pub(crate) fn floating_ip(server: &PartName, audience: Audience) -> String {
        format!("floating-ip_{server}_{}", audience.as_str())
    }

    pub(crate) fn network(network: &PartName) -> String {
        format!("network_{network}")
    }

    pub(crate) fn subnet(network: &PartName) -> String {
        format!("subnet_{network}")
    }
}

impl Compiled {
    /// Name of the output with a server's id.
    pub fn server_output(server: &PartName) -> String {
        output::server(server)
    }

    /// Name of the output with a server's address on a network.
    pub fn address_output(server: &PartName, network: &PartName) -> String {
        output::address(server, network)
    }

    /// Name of the output with the floating IP at which an audience reaches a server.
    pub fn floating_ip_output(server: &PartName, audience: Audience) -> String {
        output::floating_ip(server, audience)
    }

    /// Name of the resource of the floating IP at which an audience reaches a server.
    pub fn floating_ip_resource(server: &PartName, audience: Audience) -> String {
        format!("floating-ip-{}_{server}", audience.as_str())
    }

    /// Name of the output with a network's id.
    pub fn network_output(network: &PartName) -> String {
        output::network(network)
    }

    /// Name of the output with the id of a network's subnet.
    pub fn subnet_output(network: &PartName) -> String {
        output::subnet(network)
    }

    /// Name of the output with the definition itself (JSON, without user data), so that a blade can
    /// be taken over from the cloud alone.
    pub const DEFINITION_OUTPUT: &'static str = output::DEFINITION;

    /// Name of the output with the id of the blade's router.
    pub const ROUTER_OUTPUT: &'static str = output::ROUTER;

    /// Name of the output with the id of the security group that the backplane's rules go into.
    pub const BACKPLANE_GROUP_OUTPUT: &'static str = output::BACKPLANE_GROUP;
}

impl Blade {
    /// The revision of each server under these generations.
    pub fn revisions(&self, generations: &Generations) -> BTreeMap<PartName, Revision> {
        let each = self.servers.keys().map(|name| {
            let generation = generations.get(name).copied().unwrap_or(0);
            (name.clone(), server::revision(self, name, generation))
        });
        each.collect()
    }

    /// The blade's template.
    pub fn compile(&self, settings: &Settings, generations: &Generations) -> Compiled {
        let revisions = self.revisions(generations);
        let mut build = Build {
            blade: self,
            settings,
            revisions: &revisions,
            template: Template {
                heat_template_version: VERSION.to_owned(),
                description: self.title(),
                parameters: BTreeMap::new(),
                resources: BTreeMap::new(),
                outputs: BTreeMap::new(),
            },
            secrets: BTreeMap::new(),
        };
        network::build(&mut build);
        server::build(&mut build);
        build.output(output::DEFINITION, json!(self.typed.without_user_data()));
        let Build {
            template, secrets, ..
        } = build;
        Compiled {
            template,
            revisions,
            secrets,
        }
    }

    fn title(&self) -> String {
        match self.description.as_str() {
            "" => format!("MKYS blade {}", self.name),
            text => format!("MKYS blade {}: {text}", self.name),
        }
    }
}

/// A template under construction.
struct Build<'a> {
    blade: &'a Blade,
    settings: &'a Settings,
    revisions: &'a BTreeMap<PartName, Revision>,
    template: Template,
    secrets: BTreeMap<String, String>,
}

impl Build<'_> {
    fn resource(&mut self, name: impl Into<String>, resource: Resource) {
        self.template.resources.insert(name.into(), resource);
    }

    fn output(&mut self, name: impl Into<String>, value: serde_json::Value) {
        self.template.outputs.insert(name.into(), Output { value });
    }

    fn parameter(&mut self, name: impl Into<String>, kind: &str, description: String) {
        let parameter = Parameter {
            kind: kind.to_owned(),
            description,
            hidden: false,
        };
        self.template.parameters.insert(name.into(), parameter);
    }

    fn secret(&mut self, name: String, what: &str, value: &str) {
        let description = format!("{what}, SHA-256 {}", revision::hex(value.as_bytes(), 64));
        let parameter = Parameter {
            kind: "string".to_owned(),
            description,
            hidden: true,
        };
        self.template.parameters.insert(name.clone(), parameter);
        self.secrets.insert(name, value.to_owned());
    }

    /// The name that a thing of the blade has in OpenStack.
    fn title(&self, part: &str) -> String {
        format!("{}-{part}", self.blade.name)
    }

    fn edge(&self, audience: Audience) -> &[Ipv4Net] {
        match audience {
            Audience::Users => &self.settings.users_edge,
            Audience::Devops => &self.settings.devops_edge,
        }
    }
}

fn get_param(name: &str) -> serde_json::Value {
    json!({ "get_param": name })
}

fn get_resource(name: &str) -> serde_json::Value {
    json!({ "get_resource": name })
}

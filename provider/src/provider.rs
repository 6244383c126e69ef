//! The provider itself: its configuration, and what that makes.

use std::collections::BTreeMap;
use std::path::PathBuf;

use ipnet::Ipv4Net;
use mkys_blade::{Audience, Settings};
use mkys_edge_client::{EdgeClient, Settings as EdgeSettings};
use mkys_plugin::{
    Attr, Attribute, Context, Diagnostic, Diagnostics, Nested, Path, Provider, Schema, Type,
};
use serde::{Deserialize, Serialize};

use crate::cloud::{Cloud, ConfigError, Credentials, Environment};
use crate::platform::{Configured, NoEdge, Platform};

// templates/index.md.tmpl says it at length
const DESCRIPTION: &str = "\
Runs an OpenStack cloud like a blade server: each application platform is a *blade*, all blades plug \
into a *backplane*, and visitors come in through an *edge*.

The cloud's credential is read as OpenStack's own clients read it: `clouds.yaml` with `secure.yaml`, \
or `OS_*` in the environment; passwords, tokens and application credentials alike.";

/// The provider.
#[derive(Debug)]
pub struct Mkys {
    platform: Platform,
}

impl Mkys {
    /// The provider, configuring a platform.
    pub fn new(platform: Platform) -> Self {
        Self { platform }
    }
}

/// The provider's configuration.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Config {
    cloud: Attr<String>,
    external_networks: Attr<ExternalNetworks>,
    edge: Attr<Edge>,
    probe_source: Attr<String>,
    allow_admin_role: Attr<bool>,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct ExternalNetworks {
    users: Attr<String>,
    devops: Attr<String>,
    devops_cidrs: Attr<Vec<Attr<String>>>,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Edge {
    url: Attr<String>,
    token: Attr<String>,
    ca_file: Attr<String>,
    users_cidrs: Attr<Vec<Attr<String>>>,
    devops_cidrs: Attr<Vec<Attr<String>>>,
}

impl Provider for Mkys {
    type Config = Config;

    fn name(&self) -> &'static str {
        "mkys"
    }

    fn schema(&self) -> Schema {
        schema()
    }

    async fn configure(&self, config: Config, _cx: &Context) -> Result<(), Diagnostics> {
        let environment = Environment::of_process();
        let cloud = match Credentials::read(config.cloud.as_str(), &environment) {
            Ok(credentials) => Some(Cloud::new(credentials)?),
            Err(ConfigError::None) => None,
            Err(error) => {
                let mut problems = Diagnostics::new();
                problems.push(
                    Diagnostic::error("The cloud's settings cannot be used", error.to_string())
                        .at(Path::root("cloud")),
                );
                return Err(problems);
            }
        };
        let edge = config.edge.known().cloned().unwrap_or_default();
        let external = config
            .external_networks
            .known()
            .cloned()
            .unwrap_or_default();
        let at_edge = |name: &str| Path::root("edge").attribute(name);
        let at_external = Path::root("external_networks").attribute("devops_cidrs");
        let settings = Settings {
            users_edge: cidrs(&edge.users_cidrs, &at_edge("users_cidrs"))?,
            devops_edge: cidrs(&edge.devops_cidrs, &at_edge("devops_cidrs"))?,
            probe_source: config.probe_source.as_str().map(str::to_owned),
        };
        if let Some(source) = &settings.probe_source {
            check_source(source)?;
        }
        let named = [
            (Audience::Users, external.users),
            (Audience::Devops, external.devops),
        ];
        self.platform.set(Configured {
            cloud,
            settings,
            external: named
                .into_iter()
                .filter_map(|(audience, name)| Some((audience, name.into_option()?)))
                .collect::<BTreeMap<_, _>>(),
            devops_cidrs: cidrs(&external.devops_cidrs, &at_external)?,
            allow_admin_role: config.allow_admin_role.unwrap_or(false),
            edge: edge_client(&edge, &environment)?,
        });
        Ok(())
    }
}

fn edge_client(
    edge: &Edge,
    environment: &Environment,
) -> Result<Result<EdgeClient, NoEdge>, Diagnostics> {
    let variable = |name: &str| environment.variables.get(name).cloned();
    let url = edge
        .url
        .clone()
        .into_option()
        .or_else(|| variable("MKYS_EDGE_URL"));
    let Some(url) = url else {
        return Ok(Err(NoEdge::Unnamed));
    };
    let token = edge
        .token
        .clone()
        .into_option()
        .or_else(|| variable("MKYS_EDGE_TOKEN"));
    // the token is a secret that whoever plans blades alone need not hold
    let Some(token) = token else {
        return Ok(Err(NoEdge::NoToken(url)));
    };
    let mut settings = EdgeSettings::new(url, token);
    if let Some(path) = edge.ca_file.as_str().map(PathBuf::from) {
        settings.ca_pem = Some(std::fs::read(&path).map_err(|error| {
            let summary = format!("{} cannot be read", path.display());
            let at = Path::root("edge").attribute("ca_file");
            Diagnostics::from(Diagnostic::error(summary, error.to_string()).at(at))
        })?);
    }
    Ok(Ok(EdgeClient::new(&settings)?))
}

fn cidrs(attr: &Attr<Vec<Attr<String>>>, at: &Path) -> Result<Vec<Ipv4Net>, Diagnostics> {
    let mut nets = Vec::new();
    for (index, typed) in attr.known().into_iter().flatten().enumerate() {
        let typed = typed.as_str().unwrap_or_default();
        // one address is a network of one
        let net = typed
            .parse::<Ipv4Net>()
            .or_else(|_| typed.parse::<std::net::Ipv4Addr>().map(Ipv4Net::from));
        nets.push(net.map_err(|_| {
            let detail = format!("{typed:?} is not an IPv4 address or network.");
            Diagnostics::from(Diagnostic::error("Invalid CIDR", detail).at(at.clone().index(index)))
        })?);
    }
    Ok(nets)
}

/// The source stands in a shell script, between single quotes.
fn check_source(source: &str) -> Result<(), Diagnostics> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-._~:/?#[]@!$&()*+,;=%".contains(c);
    let web = source.starts_with("http://") || source.starts_with("https://");
    if web && source.chars().all(plain) && source.len() <= 256 {
        return Ok(());
    }
    let detail = format!("{source:?} is not an http or https URL of at most 256 characters.");
    let problem = Diagnostic::error("Invalid URL", detail);
    Err(problem.at(Path::root("probe_source")).into())
}

fn schema() -> Schema {
    let text = |text: &str| Attribute::string().optional().description(text);
    let texts = |text: &str| Attribute::list(Type::String).optional().description(text);
    let external = Nested::new()
        .attribute(
            "users",
            text("That of the users audience, by name or id; default `users`."),
        )
        .attribute(
            "devops",
            text("That of the devops audience; default `devops`."),
        )
        .attribute(
            "devops_cidrs",
            texts("Its addresses, where Neutron does not show its subnets to the credential."),
        );
    let edge = Nested::new()
        .attribute("url", text("Address of its API; or `MKYS_EDGE_URL`."))
        .attribute(
            "token",
            text("A token of it; better by `MKYS_EDGE_TOKEN`, which is written nowhere.")
                .sensitive(),
        )
        .attribute(
            "ca_file",
            text("PEM file of the CA that signed its certificate."),
        )
        .attribute(
            "users_cidrs",
            texts(
                "Its addresses on the users' external network: all that services for users let \
                 in.",
            ),
        )
        .attribute(
            "devops_cidrs",
            texts("Its addresses on the devops external network."),
        );
    Schema::new()
        .description(DESCRIPTION)
        .attribute("cloud", text("A cloud of `clouds.yaml`; or `OS_CLOUD`."))
        .attribute(
            "external_networks",
            Attribute::nested(external)
                .optional()
                .description("The two external networks, one for each audience."),
        )
        .attribute(
            "edge",
            Attribute::nested(edge)
                .optional()
                .description("The web service beside NGINX that gives routes."),
        )
        .attribute(
            "probe_source",
            text(
                "URL of a node exporter's binary, for images that have no package of it, or no \
                 way to a package host.",
            ),
        )
        .attribute(
            "allow_admin_role",
            Attribute::bool().optional().description(
                "Lets a blade's group have the role `admin`, which is cloud-wide under \
                 OpenStack's default policies. Default false.",
            ),
        )
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may stop at once")]
mod tests {
    use super::*;

    #[test]
    fn an_edge_without_a_token_stands_in_nobodys_way_but_a_routes() {
        let edge = Edge {
            url: "http://10.0.0.5:8600".into(),
            ..Edge::default()
        };
        let mut environment = Environment::default();
        let none = edge_client(&edge, &environment).unwrap();
        let url = "http://10.0.0.5:8600".to_owned();
        assert_eq!(none.unwrap_err(), NoEdge::NoToken(url));
        let token = ("MKYS_EDGE_TOKEN".to_owned(), "mkys_x".to_owned());
        environment.variables.extend([token]);
        assert!(edge_client(&edge, &environment).unwrap().is_ok());
    }
}

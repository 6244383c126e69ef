//! The provider itself: its configuration, and what that makes.

use std::collections::BTreeMap;
use std::path::PathBuf;

use ipnet::Ipv4Net;
use mkys_blade::{Audience, Settings};
use mkys_edge_client::{EdgeClient, EdgeError, Settings as EdgeSettings};
use mkys_plugin::{
    Attr, Attribute, Context, Diagnostic, Diagnostics, Nested, Path, Provider, Schema, Type,
};
use serde::{Deserialize, Serialize};

use crate::cloud::{Cloud, ConfigError, Credentials, Environment};
use crate::platform::{Configured, NoCloud, NoEdge, Platform};

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
        let cloud = cloud(&config.cloud, &environment)?;
        let edge = match config.edge {
            Attr::Unknown => Edge::unknown(),
            edge => edge.unwrap_or_default(),
        };
        let external = match config.external_networks {
            Attr::Unknown => ExternalNetworks::unknown(),
            external => external.unwrap_or_default(),
        };
        let at_edge = |name: &str| Path::root("edge").attribute(name);
        let at_external = Path::root("external_networks").attribute("devops_cidrs");
        let users_edge = cidrs(&edge.users_cidrs, &at_edge("users_cidrs"))?;
        let devops_edge = cidrs(&edge.devops_cidrs, &at_edge("devops_cidrs"))?;
        if let Some(source) = config.probe_source.as_str() {
            check_source(source)?;
        }
        let settings = match (users_edge, devops_edge, config.probe_source) {
            (Attr::Unknown, ..) | (_, Attr::Unknown, _) | (.., Attr::Unknown) => Attr::Unknown,
            (users, devops, source) => Attr::Known(Settings {
                users_edge: users.unwrap_or_default(),
                devops_edge: devops.unwrap_or_default(),
                probe_source: source.into_option(),
            }),
        };
        let named = [
            (Audience::Users, external.users),
            (Audience::Devops, external.devops),
        ];
        self.platform.set(Configured {
            cloud,
            settings,
            external: BTreeMap::from(named),
            devops_cidrs: cidrs(&external.devops_cidrs, &at_external)?,
            // an apply that knows it checks it before anything is made
            allow_admin_role: match config.allow_admin_role {
                Attr::Unknown => true,
                allowed => allowed.unwrap_or(false),
            },
            edge: edge_client(&edge, &environment)?,
        });
        Ok(())
    }
}

impl ExternalNetworks {
    fn unknown() -> Self {
        Self {
            users: Attr::Unknown,
            devops: Attr::Unknown,
            devops_cidrs: Attr::Unknown,
        }
    }
}

impl Edge {
    fn unknown() -> Self {
        Self {
            url: Attr::Unknown,
            token: Attr::Unknown,
            ca_file: Attr::Unknown,
            users_cidrs: Attr::Unknown,
            devops_cidrs: Attr::Unknown,
        }
    }
}

fn cloud(
    named: &Attr<String>,
    environment: &Environment,
) -> Result<Result<Cloud, NoCloud>, Diagnostics> {
    if named.is_unknown() {
        return Ok(Err(NoCloud::NotYetKnown));
    }
    match Credentials::read(named.as_str(), environment) {
        Ok(credentials) => Ok(Ok(Cloud::new(credentials)?)),
        Err(ConfigError::None) => Ok(Err(NoCloud::Unnamed)),
        Err(error) => {
            let summary = "The cloud's settings cannot be used";
            let problem = Diagnostic::error(summary, error.to_string());
            Err(problem.at(Path::root("cloud")).into())
        }
    }
}

fn edge_client(
    edge: &Edge,
    environment: &Environment,
) -> Result<Result<EdgeClient, NoEdge>, Diagnostics> {
    let Edge {
        url,
        token,
        ca_file,
        ..
    } = edge;
    if url.is_unknown() || token.is_unknown() || ca_file.is_unknown() {
        return Ok(Err(NoEdge::NotYetKnown));
    }
    let variable = |name: &str| environment.variables.get(name).cloned();
    let url = url.as_str().map(str::to_owned);
    let url = url.or_else(|| variable("MKYS_EDGE_URL"));
    let Some(url) = url else {
        return Ok(Err(NoEdge::Unnamed));
    };
    let token = token.as_str().map(str::to_owned);
    let token = token.or_else(|| variable("MKYS_EDGE_TOKEN"));
    // the token is a secret that whoever plans blades alone need not hold
    let Some(token) = token else {
        return Ok(Err(NoEdge::NoToken(url)));
    };
    let mut settings = EdgeSettings::new(url, token);
    let Some(path) = ca_file.as_str().map(PathBuf::from) else {
        return Ok(Ok(EdgeClient::new(&settings)?));
    };
    let unusable = |summary: &str, reason: String| {
        let at = Path::root("edge").attribute("ca_file");
        Diagnostics::from(Diagnostic::error(summary, reason).at(at))
    };
    settings.ca_pem = Some(std::fs::read(&path).map_err(|error| {
        let summary = format!("{} cannot be read", path.display());
        unusable(&summary, error.to_string())
    })?);
    match EdgeClient::new(&settings) {
        Err(EdgeError::Settings { what: "ca", reason }) => {
            let summary = format!("{} has no certificate that can be used", path.display());
            Err(unusable(&summary, reason))
        }
        edge => Ok(Ok(edge?)),
    }
}

/// The networks of a list; unknown, if one of them is.
fn cidrs(attr: &Attr<Vec<Attr<String>>>, at: &Path) -> Result<Attr<Vec<Ipv4Net>>, Diagnostics> {
    let mut nets = Vec::new();
    for (index, typed) in attr.known().into_iter().flatten().enumerate() {
        if typed.is_unknown() {
            continue;
        }
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
    let unknown = match attr {
        Attr::Known(all) => all.iter().any(Attr::is_unknown),
        attr => attr.is_unknown(),
    };
    Ok(if unknown {
        Attr::Unknown
    } else {
        Attr::Known(nets)
    })
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

    fn environment(variables: &[(&str, &str)]) -> Environment {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        Environment {
            variables: variables.iter().map(owned).collect(),
            directory: "/".into(),
        }
    }

    #[test]
    fn what_is_not_known_yet_is_not_the_environments() {
        let environment = environment(&[
            ("OS_AUTH_URL", "http://127.0.0.1:5000/v3"),
            ("OS_USERNAME", "admin"),
            ("OS_PASSWORD", "x"),
            ("MKYS_EDGE_URL", "http://10.0.0.5:8600"),
            ("MKYS_EDGE_TOKEN", "mkys_x"),
        ]);
        let of = |named: &Attr<String>| cloud(named, &environment).unwrap().err();
        assert_eq!(of(&Attr::Null), None);
        assert_eq!(of(&Attr::Unknown), Some(NoCloud::NotYetKnown));
        let of = |edge: &Edge| edge_client(edge, &environment).unwrap().err();
        let known = Edge {
            url: "http://10.0.0.6:8600".into(),
            ..Edge::default()
        };
        assert_eq!(of(&Edge::default()), None);
        assert_eq!(of(&known), None);
        let unknown = [
            Edge::unknown(),
            Edge {
                url: Attr::Unknown,
                ..Edge::default()
            },
            Edge {
                token: Attr::Unknown,
                ..known.clone()
            },
            Edge {
                ca_file: Attr::Unknown,
                ..known
            },
        ];
        for edge in unknown {
            assert_eq!(of(&edge), Some(NoEdge::NotYetKnown), "{edge:?}");
        }
    }

    #[test]
    fn a_list_of_which_one_address_is_unknown_is_unknown_and_the_rest_checked() {
        let read = |addresses: &[Attr<String>]| cidrs(&addresses.to_vec().into(), &Path::root("x"));
        let nets = |text: &str| Ok(Attr::Known(vec![text.parse().unwrap()]));
        assert_eq!(read(&["10.0.0.5".into()]), nets("10.0.0.5/32"));
        assert_eq!(read(&["10.0.0.5".into(), Attr::Unknown]), Ok(Attr::Unknown));
        let said = read(&[Attr::Unknown, "10.0.0".into()]).unwrap_err();
        assert!(said.to_string().starts_with("x[1]: Invalid CIDR"), "{said}");
        assert_eq!(
            cidrs(&Attr::Null, &Path::root("x")),
            Ok(Attr::Known(Vec::new()))
        );
        assert_eq!(cidrs(&Attr::Unknown, &Path::root("x")), Ok(Attr::Unknown));
    }
}

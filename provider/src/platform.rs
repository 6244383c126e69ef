//! What configuring the provider makes, and its resources share.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use ipnet::Ipv4Net;
use mkys_blade::{Audience, Settings};
use mkys_edge_client::EdgeClient;
use mkys_plugin::{Attr, Diagnostic, Diagnostics};

use crate::cloud::Cloud;

/// The platform that the provider works on; set once, when the provider is configured.
#[derive(Clone, Debug, Default)]
pub struct Platform(Arc<OnceLock<Configured>>);

/// A configured platform.
#[derive(Debug)]
pub(crate) struct Configured {
    /// The cloud; plans are made without it if need be.
    pub(crate) cloud: Result<Cloud, NoCloud>,
    /// What all blades share, and their templates say.
    pub(crate) settings: Attr<Settings>,
    /// Names or ids of the external networks.
    pub(crate) external: BTreeMap<Audience, Attr<String>>,
    /// Ranges of the devops external network, where Neutron does not show them.
    pub(crate) devops_cidrs: Attr<Vec<Ipv4Net>>,
    /// Whether a blade's group may have the role `admin`.
    pub(crate) allow_admin_role: bool,
    /// The edge, for routes.
    pub(crate) edge: Result<EdgeClient, NoEdge>,
}

/// Why there is no way to a cloud.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoCloud {
    /// Nobody named one.
    Unnamed,
    /// Which one comes during apply only. Another one, such as the environment's, is not it.
    NotYetKnown,
}

/// Why there is no way to an edge. Blades need none, so it is told only to those who ask for one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum NoEdge {
    /// Nobody named one.
    Unnamed,
    /// Which one, or by which token, comes during apply only.
    NotYetKnown,
    /// The one at this address has no token.
    NoToken(String),
}

impl Platform {
    pub(crate) fn set(&self, configured: Configured) {
        // a CLI configures a provider once; a second time would change nothing
        let _ = self.0.set(configured);
    }

    /// The configured platform; `None` before, as while a configuration is only validated.
    pub(crate) fn get(&self) -> Option<&Configured> {
        self.0.get()
    }

    /// The configured platform, for work that needs it.
    pub(crate) fn configured(&self) -> Result<&Configured, Diagnostics> {
        self.get().ok_or_else(|| {
            Diagnostics::error(
                "The provider is not configured",
                "A value of its configuration is not known yet. Apply what it depends on first.",
            )
        })
    }
}

impl Configured {
    /// A platform of which nothing is set.
    #[cfg(test)]
    pub(crate) fn bare() -> Self {
        Self {
            cloud: Err(NoCloud::Unnamed),
            settings: Settings::default().into(),
            external: BTreeMap::new(),
            devops_cidrs: Vec::new().into(),
            allow_admin_role: false,
            edge: Err(NoEdge::Unnamed),
        }
    }

    /// The cloud, for work that needs it.
    pub(crate) fn cloud(&self) -> Result<&Cloud, Diagnostics> {
        self.cloud.as_ref().map_err(|none| match none {
            NoCloud::Unnamed => Diagnostics::error(
                "No cloud is named",
                "Set `cloud` in the provider's configuration (a cloud of clouds.yaml), OS_CLOUD, \
                 or OS_AUTH_URL with its credential.",
            ),
            NoCloud::NotYetKnown => not_yet_known("`cloud`"),
        })
    }

    /// What all blades share, for work that needs it.
    pub(crate) fn settings(&self) -> Result<&Settings, Diagnostics> {
        let settings = self.settings.known();
        settings.ok_or_else(|| not_yet_known("`edge` or `probe_source`"))
    }

    /// The edge, for work that needs it.
    pub(crate) fn edge(&self) -> Result<&EdgeClient, Diagnostics> {
        self.edge.as_ref().map_err(|none| match none {
            NoEdge::Unnamed => Diagnostics::error(
                "No edge is named",
                "A route is made by the edge: set `edge = { url }` in the provider's configuration \
                 or MKYS_EDGE_URL, and MKYS_EDGE_TOKEN.",
            ),
            NoEdge::NotYetKnown => not_yet_known("`edge`"),
            NoEdge::NoToken(url) => Diagnostics::error(
                "The edge has no token",
                format!(
                    "A route is asked for at the edge, {url}, with a token: set MKYS_EDGE_TOKEN, or \
                     `edge.token` in the provider's configuration. An administrator of the edge \
                     makes one with `mkys-edge token create --role requester`."
                ),
            ),
        })
    }
}

fn not_yet_known(attribute: &str) -> Diagnostics {
    Diagnostics::error(
        format!("The provider's {attribute} is not known yet"),
        "Its value comes from something that is not applied. Apply what it depends on first \
         (`-target`).",
    )
}

/// Says that something is taken for what the state says, because nobody knows yet where to look.
pub(crate) fn not_looked_at(attribute: &str) -> Diagnostic {
    let detail = format!(
        "The provider's `{attribute}` is not known yet, so the state is taken for what there is. \
         The first plan that knows it looks."
    );
    Diagnostic::warning("Planned without a refresh", detail)
}

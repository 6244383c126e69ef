//! What Keystone says of a token: who, in which project, with which roles, and the catalogue.

use std::collections::BTreeSet;

use serde::Deserialize;

use super::call::Service;

/// A token's own description.
#[derive(Clone, Debug, Deserialize)]
pub struct Identity {
    pub(crate) expires_at: jiff::Timestamp,
    pub(crate) user: Reference,
    #[serde(default)]
    pub(crate) project: Option<Reference>,
    #[serde(default)]
    pub(crate) roles: Vec<Reference>,
    #[serde(default)]
    pub(crate) catalog: Vec<CatalogEntry>,
    #[serde(default)]
    pub(crate) application_credential: Option<ApplicationCredential>,
}

/// A thing with a name.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Reference {
    /// Its id.
    pub id: String,
    /// Its name.
    #[serde(default)]
    pub name: String,
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct ApplicationCredential {
    /// A restricted one can make neither trusts nor other credentials.
    pub(crate) restricted: bool,
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct CatalogEntry {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    id: Option<String>,
    #[serde(default)]
    endpoints: Vec<Endpoint>,
}

#[derive(Clone, Debug, Deserialize)]
struct Endpoint {
    interface: String,
    #[serde(default)]
    region_id: Option<String>,
    url: String,
}

impl Identity {
    /// The address of a service in a region.
    pub(crate) fn endpoint(
        &self,
        service: Service,
        region: Option<&str>,
        interface: &str,
    ) -> Option<&str> {
        // clouds.yaml takes both `public` and `publicURL`
        let interface = interface.trim_end_matches("URL");
        let entries = service
            .types()
            .iter()
            .filter_map(|kind| self.catalog.iter().find(|entry| entry.kind == *kind));
        let mut endpoints = entries.flat_map(|entry| &entry.endpoints);
        let found = endpoints.find(|endpoint| {
            endpoint.interface == interface
                && region.is_none_or(|region| endpoint.region_id.as_deref() == Some(region))
        });
        found.map(|endpoint| endpoint.url.trim_end_matches('/'))
    }

    /// Types of the services there are, each with its regions: what is missed may be in another.
    pub(crate) fn available(&self) -> String {
        let kinds = self.catalog.iter().map(|entry| {
            let regions = entry
                .endpoints
                .iter()
                .filter_map(|one| one.region_id.clone());
            let regions = BTreeSet::from_iter(regions).into_iter().collect::<Vec<_>>();
            format!("{} ({})", entry.kind, regions.join(", "))
        });
        let kinds = BTreeSet::from_iter(kinds).into_iter().collect::<Vec<_>>();
        if kinds.is_empty() {
            "nothing".to_owned()
        } else {
            kinds.join(", ")
        }
    }

    /// Identifies the cloud: the id that its Keystone has in its own catalogue, drawn at random when the cloud was set up. The address would
    /// not do: a cloud may have several, and get others.
    pub(crate) fn cloud(&self) -> Option<&str> {
        let mut entries = self.catalog.iter();
        let keystone = entries.find(|entry| Service::Identity.types().contains(&&*entry.kind));
        keystone?.id.as_deref()
    }

    /// Whether the token has a role.
    pub(crate) fn has_role(&self, name: &str) -> bool {
        self.roles.iter().any(|role| role.name == name)
    }
}

//! Who and what Keystone knows from the start: roles, people, service users, the catalogue. Bears being run again.

use serde::Deserialize;
use serde_json::{Value, json};

use super::cloud::{Api, Cloud, text};
use super::{Error, embedded};
use crate::place;

const FILE: &str = "cloud.yaml";

/// What the cloud holds from the start (`lab/cloud.yaml`).
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Contents {
    catalogue: Vec<CatalogueEntry>,
    service_users: Vec<String>,
    roles: Vec<String>,
    people: Vec<String>,
    pub(crate) flavors: Vec<Flavor>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct CatalogueEntry {
    name: String,
    #[serde(rename = "type")]
    kind: String,
    path: String,
}

/// A size of server.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Flavor {
    pub(crate) name: String,
    pub(crate) ram_mib: u32,
    pub(crate) vcpus: u32,
    pub(crate) disk_gib: u32,
}

/// Reads the file.
pub(crate) fn contents() -> Result<Contents, Error> {
    serde_saphyr::from_str(embedded::file(FILE).unwrap_or_default()).map_err(|error| Error::Table {
        file: FILE.into(),
        reason: error.to_string(),
    })
}

/// Makes what is missing.
pub(crate) fn establish() -> Result<(), Error> {
    let contents = contents()?;
    let cloud = Cloud::sign_in()?;
    let keystone = Keystone(&cloud);
    let heat = keystone.ensure("/domains", "domain", "heat", json!({}))?;
    let service = keystone.ensure(
        "/projects",
        "project",
        "service",
        json!({"domain_id": "default"}),
    )?;
    for role in &contents.roles {
        keystone.ensure("/roles", "role", role, json!({}))?;
    }
    let admin = keystone.role("admin")?;
    let for_services = [admin.clone(), keystone.role("service")?];
    for name in &contents.service_users {
        let user = keystone.user(name, "default")?;
        for role in &for_services {
            cloud.put(
                Api::Identity,
                &format!("/projects/{service}/users/{user}/roles/{role}"),
            )?;
        }
    }
    for name in &contents.people {
        keystone.user(name, "default")?;
    }
    let stacks = keystone.user("heat_domain_admin", &heat)?;
    cloud.put(
        Api::Identity,
        &format!("/domains/{heat}/users/{stacks}/roles/{admin}"),
    )?;
    keystone.let_administrator_own_stacks()?;
    contents
        .catalogue
        .iter()
        .try_for_each(|entry| keystone.publish(entry))
}

struct Keystone<'a>(&'a Cloud);

impl Keystone<'_> {
    /// The id of the thing with that name, made if it is not there.
    fn ensure(&self, path: &str, key: &str, name: &str, more: Value) -> Result<String, Error> {
        let list = format!("{key}s");
        if let Some(found) =
            self.0
                .find(Api::Identity, &format!("{path}?name={name}"), &list, name)?
        {
            return Ok(text(&found["id"]));
        }
        let mut body = more;
        body["name"] = json!(name);
        let made = self.0.post(Api::Identity, path, &json!({ key: body }))?;
        Ok(text(&made[key]["id"]))
    }

    fn role(&self, name: &str) -> Result<String, Error> {
        self.ensure("/roles", "role", name, json!({}))
    }

    fn user(&self, name: &str, domain: &str) -> Result<String, Error> {
        let more = json!({"domain_id": domain, "password": place::PASSWORD});
        self.ensure("/users", "user", name, more)
    }

    fn let_administrator_own_stacks(&self) -> Result<(), Error> {
        let user = self.user("admin", "default")?;
        let project = self.ensure(
            "/projects",
            "project",
            "admin",
            json!({"domain_id": "default"}),
        )?;
        for name in ["heat_stack_owner", "member"] {
            let role = self.role(name)?;
            self.0.put(
                Api::Identity,
                &format!("/projects/{project}/users/{user}/roles/{role}"),
            )?;
        }
        Ok(())
    }

    fn publish(&self, entry: &CatalogueEntry) -> Result<(), Error> {
        let CatalogueEntry { name, kind, path } = entry;
        let service = self.ensure("/services", "service", name, json!({"type": kind}))?;
        let there = self
            .0
            .get(Api::Identity, &format!("/endpoints?service_id={service}"))?;
        for interface in ["public", "internal", "admin"] {
            let mut known = there["endpoints"].as_array().into_iter().flatten();
            if known.any(|endpoint| endpoint["interface"] == interface) {
                continue;
            }
            let url = format!("http://{}{path}", place::NODE);
            self.0.post(
                Api::Identity,
                "/endpoints",
                &json!({"endpoint": {"service_id": service, "interface": interface,
                    "url": url, "region_id": "RegionOne"}}),
            )?;
        }
        Ok(())
    }
}

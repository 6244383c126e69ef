//! What a cloud offers: images, flavors, key pairs.

use serde::Deserialize;

use super::network::Thing;
use crate::cloud::{Call, CloudError, Service, Session};

/// A flavor.
#[derive(Clone, Debug, Deserialize)]
pub struct Flavor {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Virtual processors.
    pub vcpus: i64,
    /// Memory in MiB.
    pub ram: i64,
}

/// An image.
#[derive(Clone, Debug, Deserialize)]
pub struct Image {
    /// Its id.
    pub id: String,
    /// Its name.
    #[serde(default)]
    pub name: Option<String>,
    /// `active`, when it can be used.
    pub status: String,
}

/// All flavors that the session may use.
///
/// # Errors
///
/// As [`Session::send`]; so do all functions here.
pub async fn flavors(session: &Session) -> Result<Vec<Flavor>, CloudError> {
    session
        .send(Call::get(Service::Compute, "/flavors/detail").key("flavors"))
        .await
}

/// All images that the session may use.
pub async fn images(session: &Session) -> Result<Vec<Image>, CloudError> {
    // Glance gives 25 at a time unless asked for more
    let mut images: Vec<Image> = Vec::new();
    loop {
        let mut call = Call::get(Service::Image, "/images").query("limit", "1000");
        if let Some(last) = images.last() {
            call = call.query("marker", last.id.clone());
        }
        let page: Vec<Image> = session.send(call.key("images")).await?;
        if page.is_empty() {
            return Ok(images);
        }
        images.extend(page);
    }
}

/// The images that a project has made, such as of its servers.
pub async fn images_of(session: &Session, project: &str) -> Result<Vec<Thing>, CloudError> {
    let call = Call::get(Service::Image, "/images").query("owner", project);
    session
        .send(call.query("limit", "1000").key("images"))
        .await
}

/// Names of the user's key pairs.
pub async fn key_pairs(session: &Session) -> Result<Vec<String>, CloudError> {
    #[derive(Deserialize)]
    struct Entry {
        keypair: Name,
    }
    #[derive(Deserialize)]
    struct Name {
        name: String,
    }
    let call = Call::get(Service::Compute, "/os-keypairs").key("keypairs");
    let entries: Vec<Entry> = session.send(call).await?;
    Ok(entries
        .into_iter()
        .map(|entry| entry.keypair.name)
        .collect())
}

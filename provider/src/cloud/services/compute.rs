//! Nova: servers.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::cloud::error::found;
use crate::cloud::{Call, CloudError, Service, Session};

/// A server.
#[derive(Clone, Debug, Deserialize)]
pub struct Server {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Such as `ACTIVE`; empty where only names were asked for.
    #[serde(default)]
    pub status: String,
    /// Its metadata.
    #[serde(default)]
    pub metadata: BTreeMap<String, String>,
    /// What went wrong, when the status is `ERROR`.
    #[serde(default)]
    pub fault: Option<Fault>,
    /// Base64, for those whom the cloud's policy lets see it.
    #[serde(default, rename = "OS-EXT-SRV-ATTR:user_data")]
    pub user_data: Option<String>,
}

/// Nova's own reason.
#[derive(Clone, Debug, Deserialize)]
pub struct Fault {
    /// Its words.
    pub message: String,
}

/// A server by id.
///
/// # Errors
///
/// As [`Session::send`]; so do all functions here.
pub async fn server(session: &Session, id: &str) -> Result<Option<Server>, CloudError> {
    let call = Call::get(Service::Compute, format!("/servers/{id}"));
    found(session.send(call.key("server")).await)
}

/// All servers of the session's project.
pub async fn servers(session: &Session) -> Result<Vec<Server>, CloudError> {
    session
        .send(Call::get(Service::Compute, "/servers").key("servers"))
        .await
}

/// The user data of a server, base64; it takes the version of Nova's API that shows it.
pub async fn user_data(session: &Session, id: &str) -> Result<Option<String>, CloudError> {
    let call = Call::get(Service::Compute, format!("/servers/{id}"))
        .version("compute 2.3")
        .key("server");
    Ok(found(session.send::<Server>(call).await)?.and_then(|server| server.user_data))
}

/// Stops a server; Nova answers before it is done.
pub async fn stop(session: &Session, id: &str) -> Result<(), CloudError> {
    act(session, id, "os-stop").await
}

/// Starts a server's end.
pub async fn delete(session: &Session, id: &str) -> Result<(), CloudError> {
    let call = Call::delete(Service::Compute, format!("/servers/{id}"));
    found(session.run(call).await).map(drop)
}

/// Attaches a volume to a server; Nova answers before it is done.
pub async fn attach(session: &Session, server: &str, volume: &str) -> Result<(), CloudError> {
    let path = format!("/servers/{server}/os-volume_attachments");
    let body = serde_json::json!({ "volumeAttachment": { "volumeId": volume } });
    session.run(Call::post(Service::Compute, path, body)).await
}

/// Does an action without arguments on a server, such as `os-start`; Nova answers before it is done.
pub async fn act(session: &Session, id: &str, what: &str) -> Result<(), CloudError> {
    let path = format!("/servers/{id}/action");
    let body = serde_json::json!({ what: null });
    session.run(Call::post(Service::Compute, path, body)).await
}

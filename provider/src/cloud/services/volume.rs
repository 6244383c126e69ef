//! Cinder: volumes and their snapshots.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};

use super::network::Thing;
use crate::cloud::error::found;
use crate::cloud::{Call, CloudError, Service, Session};

/// A volume.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Volume {
    /// Its id.
    pub id: String,
    /// Such as `in-use`, `available`, `error`.
    pub status: String,
    /// GiB.
    pub size: u32,
    /// Its metadata.
    #[serde(default)]
    pub metadata: BTreeMap<String, String>,
    /// Who holds it.
    #[serde(default)]
    pub attachments: Vec<Holder>,
}

/// A server that holds a volume.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Holder {
    /// Its id.
    pub server_id: String,
}

/// A snapshot of a volume.
#[derive(Clone, Debug, Deserialize)]
pub struct Snapshot {
    /// Its id.
    pub id: String,
    /// Its name; whoever made it may have given none.
    #[serde(default)]
    pub name: Option<String>,
    /// The volume.
    pub volume_id: String,
    /// Such as `available`.
    pub status: String,
    /// When it was made; sorts as text.
    #[serde(default)]
    pub created_at: Option<String>,
    /// Its metadata.
    #[serde(default)]
    pub metadata: BTreeMap<String, String>,
}

/// The volumes of the session's project.
///
/// # Errors
///
/// As [`Session::send`]; so do all functions here.
pub async fn volumes(session: &Session) -> Result<Vec<Thing>, CloudError> {
    session
        .send(Call::get(Service::Volume, "/volumes").key("volumes"))
        .await
}

/// The volumes of the session's project, with all that Cinder tells of them.
pub async fn details(session: &Session) -> Result<Vec<Volume>, CloudError> {
    session
        .send(Call::get(Service::Volume, "/volumes/detail").key("volumes"))
        .await
}

/// Starts a volume's end.
pub async fn delete(session: &Session, id: &str) -> Result<(), CloudError> {
    let call = Call::delete(Service::Volume, format!("/volumes/{id}"));
    found(session.run(call).await).map(drop)
}

/// The backups in the session's project.
pub async fn backups(session: &Session) -> Result<Vec<Thing>, CloudError> {
    let call = Call::get(Service::Volume, "/backups").key("backups");
    // not every cloud has that part of Cinder
    Ok(found(session.send(call).await)?.unwrap_or_default())
}

/// All snapshots in the session's project.
pub async fn snapshots(session: &Session) -> Result<Vec<Snapshot>, CloudError> {
    session
        .send(Call::get(Service::Volume, "/snapshots/detail").key("snapshots"))
        .await
}

/// A snapshot by id.
pub async fn snapshot(session: &Session, id: &str) -> Result<Option<Snapshot>, CloudError> {
    let call = Call::get(Service::Volume, format!("/snapshots/{id}"));
    found(session.send(call.key("snapshot")).await)
}

/// Starts a snapshot of a volume, also of one that a server holds.
pub async fn start_snapshot(
    session: &Session,
    volume: &str,
    name: &str,
    metadata: &BTreeMap<&str, &str>,
) -> Result<Snapshot, CloudError> {
    let body = json!({ "snapshot": {
        "volume_id": volume, "name": name, "metadata": metadata,
        // before version 3.66 of the API a volume in use needs it
        "force": true,
    } });
    session
        .send(Call::post(Service::Volume, "/snapshots", body).key("snapshot"))
        .await
}

/// Adds metadata to a snapshot.
pub async fn mark_snapshot(
    session: &Session,
    id: &str,
    metadata: &BTreeMap<&str, &str>,
) -> Result<(), CloudError> {
    let path = format!("/snapshots/{id}/metadata");
    let body = json!({ "metadata": metadata });
    session.run(Call::post(Service::Volume, path, body)).await
}

/// Starts a snapshot's end.
pub async fn delete_snapshot(session: &Session, id: &str) -> Result<(), CloudError> {
    let call = Call::delete(Service::Volume, format!("/snapshots/{id}"));
    found(session.run(call).await).map(drop)
}

/// How many snapshots the project's quota still lets one make; `None`: there is no limit.
pub async fn snapshots_left(session: &Session) -> Result<Option<i64>, CloudError> {
    let limits: Value = session
        .send(Call::get(Service::Volume, "/limits").key("limits"))
        .await?;
    let number = |name: &str| limits.get("absolute")?.get(name)?.as_i64();
    let limit = number("maxTotalSnapshots").filter(|limit| *limit >= 0);
    Ok(limit.and_then(|limit| Some(limit - number("totalSnapshotsUsed")?)))
}

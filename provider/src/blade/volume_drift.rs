//! Drift of a blade's volumes and of their attachments, and what happens to volumes that Heat has let go of.
//!
//! Heat never deletes a volume of a blade (`deletion_policy: Retain`), whatever it thinks of the resource. So a volume that the definition
//! has no more is deleted here, by the marks in its metadata, and by them alone.

use std::collections::{BTreeMap, BTreeSet};

use mkys_blade::{ATTACHMENT_TYPE, Blade as Definition, PartName, Template, volume_metadata};

use super::waiting::{GaveUp, Patience};
use crate::cloud::services::compute;
use crate::cloud::services::heat::{self, Stack};
use crate::cloud::services::volume::{self, Volume};
use crate::cloud::{CloudError, Service, Session};

/// What differs from the template.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct VolumeDrift {
    /// All of it, in words.
    pub(super) said: Vec<String>,
    /// Resources of volumes that are gone: Heat makes blank ones.
    pub(super) gone: BTreeSet<String>,
    /// Servers that have lost a volume for good.
    pub(super) bereft: BTreeSet<String>,
    /// Sizes in GiB that are not the template's, by server and volume.
    pub(super) sizes: Vec<(String, String, u32)>,
    /// Servers that do not hold a volume of theirs, by id, and the volume's id.
    detached: Vec<(String, String)>,
}

impl VolumeDrift {
    /// Compares a stack's template with Cinder's volumes.
    pub(super) async fn look(
        session: &Session,
        stack: &Stack,
        template: &Template,
    ) -> Result<Self, CloudError> {
        if template.volumes().next().is_none() {
            return Ok(Self::default());
        }
        let resources = heat::resources(session, stack).await?;
        let ids = heat::ids(&resources);
        let volumes = volume::details(session).await?;
        Ok(compare(template, &ids, &volumes))
    }

    /// Gives the volumes back to their servers.
    pub(super) async fn repair(&self, session: &Session) -> Result<(), CloudError> {
        for (server, volume) in &self.detached {
            match compute::attach(session, server, volume).await {
                // another one was quicker, or the server is being replaced
                Err(error) if error.is_conflict() || error.is_not_found() => {}
                other => other?,
            }
        }
        Ok(())
    }
}

fn compare(template: &Template, ids: &BTreeMap<&str, &str>, volumes: &[Volume]) -> VolumeDrift {
    let mut drift = VolumeDrift::default();
    for (resource, server, name) in template.volumes() {
        let Some(id) = ids.get(resource) else {
            continue; // what never came to be is Heat's to make
        };
        let what = format!("volume {name:?} of server {server:?}");
        let found = volumes.iter().find(|one| one.id == *id);
        let Some(found) = found.filter(|one| one.status != "deleting") else {
            drift.said.push(format!(
                "{what} is gone, and its data with it: the server is replaced by one with a blank volume"
            ));
            drift.gone.insert(resource.to_owned());
            drift.bereft.insert(server.to_owned());
            continue;
        };
        if found.status.starts_with("error") {
            let status = &found.status;
            drift
                .said
                .push(format!("{what} is in status {status} at Cinder"));
        }
        let size = template.resources.get(resource);
        let size = size.and_then(|one| one.properties.get("size")?.as_u64());
        if size.is_some_and(|size| size != u64::from(found.size)) {
            drift
                .sizes
                .push((server.to_owned(), name.to_owned(), found.size));
        }
        let holder = template.resources.iter().find_map(|(attachment, one)| {
            let of_volume = one.kind == ATTACHMENT_TYPE
                && attachment.starts_with(&format!("attachment-{name}_{server}_R"));
            let holder = one.properties.get("instance_uuid")?["get_resource"].as_str()?;
            of_volume
                .then_some(holder)
                .and_then(|holder| ids.get(holder))
        });
        let is_held = |holder: &str| found.attachments.iter().any(|one| one.server_id == holder);
        if let Some(holder) =
            holder.filter(|holder| found.status == "available" && !is_held(holder))
        {
            drift.said.push(format!("{what} is not attached to it"));
            drift
                .detached
                .push(((*holder).to_owned(), found.id.clone()));
        }
    }
    drift
}

/// Deletes the volumes of a blade that Heat has let go of and that its definition does not have any more; without a definition, all of them.
/// A volume of the same server and name as a wanted one stays: Heat may have put a blank one in its place.
pub(super) async fn delete_released(
    session: &Session,
    stack: &str,
    wanted: Option<&Definition>,
    mut patience: Patience<'_>,
) -> Result<(), GaveUp> {
    if session.require(&[Service::Volume]).await.is_err() {
        return Ok(());
    }
    let mut ending = BTreeSet::new();
    for one in volume::details(session).await? {
        if is_released(&one, stack, wanted) {
            tracing::info!(
                volume = one.id,
                "deleting a volume that the definition does not have any more"
            );
            volume::delete(session, &one.id).await?;
            ending.insert(one.id);
        }
    }
    while !ending.is_empty() {
        let now = volume::details(session).await?;
        ending.retain(|id| now.iter().any(|one| one.id == *id));
        if let Some(failed) = now
            .iter()
            .find(|one| ending.contains(&one.id) && one.status.starts_with("error"))
        {
            return Err(GaveUp::Stuck(format!(
                "volume {} is {} at Cinder and can't be deleted",
                failed.id, failed.status
            )));
        }
        if !ending.is_empty() {
            let still = || format!("Cinder still deletes {} volumes", ending.len());
            patience.pause(still).await?;
        }
    }
    Ok(())
}

/// Whether a volume carries the marks of a stack.
pub(super) fn is_of_stack(one: &Volume, stack: &str) -> bool {
    let mark = one.metadata.get(volume_metadata::STACK);
    // Heat gives the id with the name before it
    mark.is_some_and(|mark| mark.rsplit('/').next() == Some(stack))
}

fn is_released(one: &Volume, stack: &str, wanted: Option<&Definition>) -> bool {
    let name = |key| {
        let name = one.metadata.get(key).map_or("", String::as_str);
        PartName::try_from(name).ok()
    };
    let (Some(server), Some(volume)) =
        (name(volume_metadata::SERVER), name(volume_metadata::VOLUME))
    else {
        return false;
    };
    let has = wanted.is_some_and(|wanted| {
        let server = wanted.servers.get(&server);
        server.is_some_and(|server| server.volumes.contains_key(&volume))
    });
    is_of_stack(one, stack) && one.attachments.is_empty() && !has
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may stop at once")]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn drift(volumes: Value) -> VolumeDrift {
        let template = json!({ "heat_template_version": "2018-08-31", "resources": {
            "volume-data_db": { "type": "OS::Cinder::Volume", "properties": { "size": 1 } },
            "attachment-data_db_R1": { "type": "OS::Cinder::VolumeAttachment", "properties": {
                "instance_uuid": { "get_resource": "server_db_R1" }, "volume_id": { "get_resource": "volume-data_db" },
            } },
        } });
        let template: Template = serde_json::from_value(template).unwrap();
        let ids = BTreeMap::from([
            ("volume-data_db", "v"),
            ("server_db_R1", "s"),
            ("attachment-data_db_R1", "v"),
        ]);
        let volumes: Vec<Volume> = serde_json::from_value(volumes).unwrap();
        compare(&template, &ids, &volumes)
    }

    #[test]
    fn attached_volume_is_no_drift() {
        for status in ["in-use", "backing-up", "maintenance", "detaching"] {
            let volume = json!([{ "id": "v", "status": status, "size": 1, "attachments": [{ "server_id": "s" }] }]);
            assert_eq!(drift(volume), VolumeDrift::default(), "{status}");
        }
    }

    #[test]
    fn each_change_of_a_volume_is_named() {
        let detached = drift(json!([{ "id": "v", "status": "available", "size": 1 }]));
        assert_eq!(
            detached.said,
            ["volume \"data\" of server \"db\" is not attached to it"]
        );
        assert_eq!(detached.detached, [("s".to_owned(), "v".to_owned())]);

        let gone = drift(json!([]));
        assert!(
            gone.said[0].contains("is gone, and its data with it"),
            "{:?}",
            gone.said
        );
        assert_eq!(gone.gone, BTreeSet::from(["volume-data_db".to_owned()]));
        assert_eq!(gone.bereft, BTreeSet::from(["db".to_owned()]));

        let grown = drift(
            json!([{ "id": "v", "status": "in-use", "size": 2, "attachments": [{ "server_id": "s" }] }]),
        );
        assert_eq!(grown.sizes, [("db".to_owned(), "data".to_owned(), 2)]);

        let broken = drift(
            json!([{ "id": "v", "status": "error_extending", "size": 1, "attachments": [{ "server_id": "s" }] }]),
        );
        assert_eq!(
            broken.said,
            ["volume \"data\" of server \"db\" is in status error_extending at Cinder"]
        );
    }

    #[test]
    fn only_marked_and_unwanted_volumes_are_released() {
        let definition: mkys_blade::Definition = serde_json::from_value(json!({
            "name": "b",
            "networks": { "n": { "cidr": "10.1.0.0/24" } },
            "servers": { "db": { "image": "i", "flavor": "f", "networks": ["n"], "volumes": { "data": { "size": 1 } } } },
        }))
        .unwrap();
        let wanted = definition.validate().unwrap();
        let volume = |server: &str, name: &str, stack: &str, held: bool| {
            let holders = if held {
                json!([{ "server_id": "s" }])
            } else {
                json!([])
            };
            let metadata = json!({ "mkys_blade": "b", "mkys_server": server, "mkys_volume": name, "mkys_stack": stack });
            serde_json::from_value::<Volume>(json!({ "id": "v", "status": "available", "size": 1, "metadata": metadata, "attachments": holders })).unwrap()
        };
        for (one, with, without) in [
            (volume("db", "data", "1", false), false, true),
            (volume("db", "spare", "1", false), true, true),
            (volume("web", "data", "1", false), true, true),
            (volume("web", "data", "1", true), false, false),
            (volume("web", "data", "2", false), false, false),
        ] {
            assert_eq!(is_released(&one, "1", Some(&wanted)), with, "{one:?}");
            assert_eq!(is_released(&one, "1", None), without, "{one:?}");
        }
        let mut unmarked = volume("web", "data", "1", false);
        unmarked.metadata.clear();
        assert!(!is_released(&unmarked, "1", None));
    }
}

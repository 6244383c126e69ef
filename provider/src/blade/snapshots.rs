//! Snapshots of the volumes of a server that is taken away before its new revision is added.
//!
//! They are made while the old server still runs: if one cannot be made, nothing was touched. Their
//! file systems are then as after a power cut; so they would be afterwards, as Nova takes a server
//! away without shutting it down. A good change deletes them: they guard a change and are no
//! backup, and they count in the quota. A failed change keeps them, for a person to judge.

use std::collections::BTreeMap;

use mkys_blade::update::Replacement;
use mkys_blade::volume_metadata::{BLADE, SERVER, VOLUME};
use mkys_blade::{BladeName, Template, VOLUME_TYPE};
use mkys_plugin::{Diagnostic, Diagnostics};

use super::waiting::{GaveUp, Patience};
use crate::cloud::services::heat::{self, Stack};
use crate::cloud::services::volume::{self, Snapshot};
use crate::cloud::{CloudError, Session};

/// The revision of the server that the data is of.
const REVISION: &str = "mkys_revision";
/// On what a failed change left for a person.
const KEPT: &str = "mkys_kept";

/// A volume to be snapshotted.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Held {
    server: String,
    volume: String,
    revision: String,
    id: String,
    /// Whether the old server stands: if it does, an earlier snapshot may be older than its data.
    stands: bool,
}

impl Held {
    fn said(&self) -> String {
        format!("volume {:?} of server {:?}", self.volume, self.server)
    }
}

/// The snapshots that guard a change under way.
#[derive(Debug, Default)]
pub(super) struct Guard(Vec<(Held, String)>);

/// Whether a snapshot carries a blade's mark.
pub(super) fn is_marked(snapshot: &Snapshot, blade: &str) -> bool {
    snapshot.metadata.get(BLADE).map(String::as_str) == Some(blade)
}

/// Whether a snapshot is of a change that was cut off, so that nobody was told of it.
fn is_open(snapshot: &Snapshot, blade: &str) -> bool {
    is_marked(snapshot, blade) && !snapshot.metadata.contains_key(KEPT)
}

/// Ids of the snapshots that changes of a blade left which were cut off.
pub(super) async fn open(session: &Session, blade: &str) -> Result<Vec<String>, CloudError> {
    let all = volume::snapshots(session).await?.into_iter();
    let open = all.filter(|one| is_open(one, blade));
    Ok(open.map(|one| one.id).collect())
}

/// After a good change: deletes the snapshots that earlier ones left which were cut off. Heat may have finished such a change by itself.
pub(super) async fn delete_open(session: &Session, blade: &str, patience: Patience<'_>) {
    match open(session, blade).await {
        Ok(ids) => release(session, &ids, patience).await,
        Err(error) => tracing::warn!(blade, "failed to list snapshots: {}", error.told()),
    }
}

/// What to do about a volume's snapshot.
#[derive(Debug, PartialEq, Eq)]
enum Todo<'a> {
    /// Deletes what is out of date and makes another.
    Make { stale: Vec<String> },
    /// The old server went already: the one from before that is the one wanted.
    Reuse(&'a str),
}

fn todo<'a>(held: &Held, blade: &str, all: &'a [Snapshot]) -> Todo<'a> {
    let open = || {
        let of_volume = all.iter().filter(|one| one.volume_id == held.id);
        of_volume.filter(|one| is_open(one, blade))
    };
    let usable = open()
        .filter(|one| one.status == "available")
        .filter(|one| one.metadata.get(REVISION) == Some(&held.revision))
        .max_by_key(|one| &one.created_at);
    match usable {
        Some(usable) if !held.stands => Todo::Reuse(&usable.id),
        _ => Todo::Make {
            stale: open().map(|one| one.id.clone()).collect(),
        },
    }
}

/// The volumes of the servers that cannot stand twice.
async fn held(
    session: &Session,
    stack: &Stack,
    stands: &Template,
    replaced: &[Replacement],
) -> Result<Vec<Held>, CloudError> {
    let recreated = |server: &str| {
        let mut recreated = replaced.iter().filter(|one| one.is_recreated());
        recreated.find(|one| one.server.as_ref() == server)
    };
    let volumes: BTreeMap<_, _> = stands
        .volumes()
        .filter_map(|(resource, server, volume)| Some((resource, (recreated(server)?, volume))))
        .collect();
    if volumes.is_empty() {
        return Ok(Vec::new());
    }
    let resources = heat::resources(session, stack).await?;
    // one that is gone has nothing to be kept
    let there = volume::volumes(session).await?;
    let is_there = |id: &str| there.iter().any(|one| one.id == id);
    let held = resources.into_iter().filter_map(|one| {
        let (replacement, volume) = volumes.get(one.resource_name.as_str())?;
        let revision = &replacement.from;
        Some(Held {
            server: replacement.server.to_string(),
            volume: (*volume).to_owned(),
            revision: revision.to_string(),
            id: one.physical_resource_id,
            stands: stands.has_server(replacement.server.as_ref(), revision),
        })
    });
    Ok(held.filter(|one| is_there(&one.id)).collect())
}

/// Whether the quota holds the snapshots that a change needs. Their space is left to Cinder: not
/// every cloud counts it, and Cinder refuses before anything is taken away.
pub(super) async fn problems(
    session: &Session,
    blade: &BladeName,
    replaced: &[Replacement],
) -> Result<Diagnostics, CloudError> {
    let mut said = Diagnostics::new();
    let Some(stack) = heat::stack(session, blade.as_ref()).await? else {
        return Ok(said);
    };
    let stands = heat::template(session, &stack).await?;
    let held = held(session, &stack, &stands, replaced).await?;
    if held.is_empty() {
        return Ok(said);
    }
    let all = volume::snapshots(session).await?;
    // one of a change that was cut off is used again, or deleted first
    let open = |held: &&Held| {
        let mut of_volume = all.iter().filter(|one| one.volume_id == held.id);
        !of_volume.any(|one| is_open(one, blade.as_ref()))
    };
    let needed = i64::try_from(held.iter().filter(open).count()).unwrap_or(i64::MAX);
    let left = volume::snapshots_left(session).await?;
    if let Some(left) = left.filter(|left| *left < needed) {
        let detail = format!(
            "The volumes of a server that cannot stand twice are snapshotted before it is taken \
             away. That needs {needed}, and of the project's quota {left} is left.{} Raise \
             Cinder's quota of snapshots, or delete some.",
            kept(&all, blade, &held)
        );
        said.push(Diagnostic::error(
            "The quota cannot hold the update: snapshots",
            detail,
        ));
    }
    Ok(said)
}

/// What to do about a snapshot that Cinder refuses, by its own words.
fn way_on(failed: &str) -> &'static str {
    let failed = failed.to_lowercase();
    let is_room = ["quota", "exceed", "413", "space"]
        .iter()
        .any(|word| failed.contains(word));
    match is_room {
        true => {
            "give Cinder room for the snapshot (its quotas `snapshots` and `gigabytes`, its disks)"
        }
        false => "see to the volume (`openstack volume show`): it must be `in-use` or `available`",
    }
}

/// Those that failed changes left, in words, to say what could be deleted.
fn kept(all: &[Snapshot], blade: &BladeName, held: &[Held]) -> String {
    let of_ours = |one: &&Snapshot| {
        is_marked(one, blade.as_ref())
            && one.metadata.contains_key(KEPT)
            && held.iter().any(|held| held.id == one.volume_id)
    };
    let ids: Vec<_> = all
        .iter()
        .filter(of_ours)
        .map(|one| one.id.as_str())
        .collect();
    match ids[..] {
        [] => String::new(),
        _ => format!(" Failed updates left these: {}.", ids.join(", ")),
    }
}

impl Guard {
    /// Makes a snapshot of each volume of the servers that are to be taken away. `stands` is the
    /// template before the change.
    pub(super) async fn take(
        session: &Session,
        stack: &Stack,
        blade: &BladeName,
        (stands, replaced): (&Template, &[Replacement]),
        patience: Patience<'_>,
    ) -> Result<Self, Diagnostics> {
        let held = held(session, stack, stands, replaced).await?;
        if held.is_empty() {
            return Ok(Self::default());
        }
        let all = volume::snapshots(session).await?;
        let (mut guard, mut made) = (Self::default(), Vec::new());
        let mut failed = None;
        for held in held.clone() {
            let name = format!("{blade}-{}-{}-{}", held.server, held.volume, held.revision);
            let id = match todo(&held, blade.as_ref(), &all) {
                Todo::Reuse(id) => Ok(id.to_owned()),
                Todo::Make { stale } => {
                    delete(session, &stale, patience)
                        .await
                        .map_err(|gave_up| gave_up.diagnostics(DELETING, ""))?;
                    let marks = BTreeMap::from([
                        (BLADE, blade.as_ref()),
                        (SERVER, &held.server),
                        (VOLUME, &held.volume),
                        (REVISION, &held.revision),
                    ]);
                    let started = volume::start_snapshot(session, &held.id, &name, &marks).await;
                    started.map(|one| one.id).inspect(|id| {
                        made.push(id.clone());
                    })
                }
            };
            match id {
                Ok(id) => guard.0.push((held, id)),
                Err(error) => {
                    failed = Some(format!("{}: {}", held.said(), error.told()));
                    break;
                }
            }
        }
        if failed.is_none() {
            failed = guard.wait(session, patience).await.map_err(|gave_up| {
                gave_up.diagnostics("snapshotting volumes", "Nothing was taken away.")
            })?;
        }
        let Some(failed) = failed else {
            return Ok(guard);
        };
        let mut detail = format!(
            "{failed}\nNothing was taken away.\nNext: {}, and apply again.{}",
            way_on(&failed),
            kept(&all, blade, &held)
        );
        if let Err(gave_up) = delete(session, &made, patience).await {
            let left = made.join(", ");
            detail.push_str(&format!("\nNot deleted: snapshots {left} ({gave_up})."));
        }
        let summary = format!("Blade {blade} is not updated: a volume cannot be snapshotted");
        Err(Diagnostics::error(summary, detail))
    }

    /// Waits until all can be used; says which cannot.
    async fn wait(
        &self,
        session: &Session,
        patience: Patience<'_>,
    ) -> Result<Option<String>, GaveUp> {
        for (held, id) in &self.0 {
            let mut patience = patience;
            let status = loop {
                let now = volume::snapshot(session, id).await?;
                match now.map_or_else(|| "deleted".to_owned(), |now| now.status) {
                    status if status == "creating" => {
                        let still = || format!("Cinder still makes snapshot {id}");
                        patience.pause(still).await?;
                    }
                    status => break status,
                }
            };
            if status != "available" {
                let said = held.said();
                return Ok(Some(format!("{said}: Cinder's snapshot {id} is {status}")));
            }
        }
        Ok(None)
    }

    /// After a failed change: keeps the snapshots, and says what they are good for.
    pub(super) async fn keep(self, session: &Session) -> String {
        let mut said = String::new();
        for (held, id) in self.0 {
            let marked =
                volume::mark_snapshot(session, &id, &BTreeMap::from([(KEPT, "true")])).await;
            let marked = marked.map_or_else(
                |error| format!(" (it could not be marked as kept: {})", error.told()),
                |()| String::new(),
            );
            said.push_str(&format!(
                "\nKept: snapshot {id} of {}, as it was before the update{marked}. The volume has \
                 what the new version wrote. If that did harm, `openstack volume create --snapshot \
                 {id} NAME` gives a volume to copy the data back from; if not, `openstack volume \
                 snapshot delete {id}`.",
                held.said()
            ));
        }
        said
    }

    /// After a good change: deletes the snapshots.
    pub(super) async fn release(self, session: &Session, patience: Patience<'_>) {
        let ids: Vec<_> = self.0.into_iter().map(|(_, id)| id).collect();
        release(session, &ids, patience).await;
    }
}

/// Deletes snapshots that nobody needs. What can't be deleted harms nothing but the quota: the next good change or the blade's end deletes it.
async fn release(session: &Session, ids: &[String], patience: Patience<'_>) {
    if let Err(gave_up) = delete(session, ids, patience).await {
        let detail = format!(
            "{gave_up}. They were made before the update, which is good: {}. The next update, or destroying the blade, tries again.",
            ids.join(", ")
        );
        let context = patience.context();
        context.warn(Diagnostic::warning("Snapshots were not deleted", detail));
    }
}

const DELETING: &str = "deleting snapshots that the blade made";

/// Before volumes of a stack go: deletes the blade's snapshots of them, which Cinder would not let
/// them go with; refuses when there are others. `wanted` says which, by their resources' names.
pub(super) async fn clear(
    session: &Session,
    stack: &Stack,
    wanted: impl Fn(&str) -> bool,
    patience: Patience<'_>,
) -> Result<(), Diagnostics> {
    let resources = heat::resources(session, stack).await?;
    let volumes: BTreeMap<_, _> = resources
        .iter()
        .filter(|one| one.resource_type == VOLUME_TYPE && wanted(&one.resource_name))
        .map(|one| (&*one.physical_resource_id, &*one.resource_name))
        .collect();
    if volumes.is_empty() {
        return Ok(());
    }
    let all = volume::snapshots(session).await?;
    let of_volumes = all
        .iter()
        .filter(|one| volumes.contains_key(&*one.volume_id));
    let (ours, others): (Vec<_>, Vec<_>) =
        of_volumes.partition(|one| is_marked(one, &stack.stack_name));
    if !others.is_empty() {
        let list: Vec<_> = others
            .iter()
            .map(|one| {
                let name = one.name.as_deref().unwrap_or_default();
                format!("snapshot {name:?} ({}) of volume {}", one.id, one.volume_id)
            })
            .collect();
        let detail = format!(
            "Its volumes have snapshots that the blade did not make, and Cinder deletes no volume \
             with a snapshot:\n- {}\nNothing was deleted. Delete these, then apply again.",
            list.join("\n- ")
        );
        let summary = format!("Volumes of blade {} cannot be deleted", stack.stack_name);
        return Err(Diagnostics::error(summary, detail));
    }
    let ours: Vec<_> = ours.into_iter().map(|one| one.id.clone()).collect();
    delete(session, &ours, patience)
        .await
        .map_err(|gave_up| gave_up.diagnostics(DELETING, "The next apply tries again."))
}

/// Deletes snapshots and waits until they are gone.
async fn delete(session: &Session, ids: &[String], patience: Patience<'_>) -> Result<(), GaveUp> {
    for id in ids {
        volume::delete_snapshot(session, id).await?;
        let mut patience = patience;
        while let Some(now) = volume::snapshot(session, id).await? {
            let still = || format!("Cinder still says {} of snapshot {id}", now.status);
            if now.status.starts_with("error") {
                return Err(GaveUp::Stuck(still()));
            }
            patience.pause(still).await?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn snapshot(id: &str, marks: &[(&str, &str)]) -> Snapshot {
        let marks = marks
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        Snapshot {
            id: id.into(),
            name: None,
            volume_id: "volume".into(),
            status: "available".into(),
            created_at: Some(id.into()),
            metadata: marks.collect(),
        }
    }

    #[test]
    fn a_snapshot_is_used_again_only_while_its_server_is_away() {
        let held = |stands| Held {
            server: "data".into(),
            volume: "store".into(),
            revision: "R1".into(),
            id: "volume".into(),
            stands,
        };
        let ours = [(BLADE, "pnr"), (REVISION, "R1")];
        let make = |stale: &[&str]| Todo::Make {
            stale: stale.iter().map(|id| (*id).to_owned()).collect(),
        };
        let open = [snapshot("1", &ours), snapshot("2", &ours)];
        assert_eq!(todo(&held(false), "pnr", &open), Todo::Reuse("2"));
        // it wrote since
        assert_eq!(todo(&held(true), "pnr", &open), make(&["1", "2"]));
        let others = [
            snapshot("1", &[]),
            snapshot("2", &[(BLADE, "other"), (REVISION, "R1")]),
            snapshot("3", &[ours[0], ours[1], (KEPT, "true")]),
        ];
        for stands in [false, true] {
            assert_eq!(todo(&held(stands), "pnr", &others), make(&[]));
        }
        let before = [snapshot("1", &[(BLADE, "pnr"), (REVISION, "R0")])];
        assert_eq!(todo(&held(false), "pnr", &before), make(&["1"]));
        let mut unfinished = snapshot("1", &ours);
        unfinished.status = "error".into();
        assert_eq!(todo(&held(false), "pnr", &[unfinished]), make(&["1"]));
    }

    #[test]
    fn open_snapshots_are_the_blades_own_and_not_kept() {
        let own = [(BLADE, "pnr"), (REVISION, "R1")];
        let kept = [own[0], own[1], (KEPT, "true")];
        assert!(is_open(&snapshot("1", &own), "pnr"));
        assert!(!is_open(&snapshot("2", &kept), "pnr"));
        assert!(!is_open(&snapshot("3", &own), "other"));
        assert!(!is_open(&snapshot("4", &[]), "pnr"));
    }
}

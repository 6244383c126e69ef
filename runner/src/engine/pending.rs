//! Runs whose images are being pulled. The engine has no container that tells of them yet, so each has a file in the directory of owners:
//! whoever looks finds it there, and cancels the run by removing it.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustix::fs::{FlockOperation, flock};
use serde::{Deserialize, Serialize};

use crate::plan::Plan;
use crate::spec::{Owner, RunName};

/// How the names of the files end. No owner and no run has a dot in its name.
const EXTENSION: &str = "pull";
/// Between two looks whether a file is still there.
const LOOK: Duration = Duration::from_millis(300);

/// What is in a file.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Told {
    pub(super) owner: Owner,
    pub(super) plan: Plan,
}

/// A run that waits for its image.
#[derive(Debug)]
pub(super) struct Pending {
    file: PathBuf,
    /// For as long as its owner lives.
    _lock: File,
}

impl Pending {
    fn new(directory: &Path, told: &Told) -> io::Result<Self> {
        let path = file(directory, &told.owner, &told.plan.name);
        let mut file = File::options()
            .create(true)
            .append(true)
            .mode(0o600)
            .open(&path)?;
        flock(&file, FlockOperation::NonBlockingLockExclusive)?;
        // one that was killed may have left another plan
        file.set_len(0)?;
        file.write_all(&serde_json::to_vec(told)?)?;
        Ok(Self {
            file: path,
            _lock: file,
        })
    }

    /// Waits until somebody cancels the run.
    pub(super) async fn cancelled(&self) {
        while self.file.exists() {
            tokio::time::sleep(LOOK).await;
        }
    }
}

/// The runs of one owner that wait for their images.
#[derive(Debug)]
pub(super) struct AllPending {
    directory: PathBuf,
    owner: Owner,
    runs: Mutex<HashMap<RunName, Arc<Pending>>>,
}

impl AllPending {
    /// Removes what an earlier process of the owner left.
    pub(super) fn new(directory: &Path, owner: &Owner) -> Self {
        clear(directory, owner);
        Self {
            directory: directory.to_owned(),
            owner: owner.clone(),
            runs: Mutex::default(),
        }
    }

    fn runs(&self) -> MutexGuard<'_, HashMap<RunName, Arc<Pending>>> {
        // nothing panics while it is held
        self.runs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a run, unless it is there from an earlier try. A run that can't be shown to others is pulled for all the same.
    pub(super) fn add(&self, plan: &Plan) -> Option<Arc<Pending>> {
        let mut runs = self.runs();
        if let Some(pending) = runs.get(&plan.name) {
            return Some(Arc::clone(pending));
        }
        let told = Told {
            owner: self.owner.clone(),
            plan: plan.clone(),
        };
        match Pending::new(&self.directory, &told) {
            Ok(pending) => {
                let pending = Arc::new(pending);
                runs.insert(plan.name.clone(), Arc::clone(&pending));
                Some(pending)
            }
            Err(error) => {
                tracing::warn!(run = %plan.name, %error, "others can't see it while its image is pulled");
                None
            }
        }
    }

    /// Removes a run that waits no longer. Says whether somebody cancelled it before.
    pub(super) fn remove(&self, run: &RunName) -> bool {
        let Some(pending) = self.runs().remove(run) else {
            return false;
        };
        let removed = fs::remove_file(&pending.file);
        removed.is_err_and(|error| error.kind() == io::ErrorKind::NotFound)
    }
}

impl Drop for AllPending {
    fn drop(&mut self) {
        clear(&self.directory, &self.owner);
    }
}

fn file(directory: &Path, owner: &Owner, run: &RunName) -> PathBuf {
    directory.join(format!("{owner}.{run}.{EXTENSION}"))
}

fn files(directory: &Path) -> impl Iterator<Item = PathBuf> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let paths = entries.map(|entry| entry.path());
    paths.filter(|path| path.extension().is_some_and(|one| one == EXTENSION))
}

/// Removes the files of an owner that has no process.
pub(super) fn clear(directory: &Path, owner: &Owner) {
    let begin = format!("{owner}.");
    for path in files(directory) {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if name.starts_with(&begin) {
            // one that stays says nothing: nobody holds its lock
            let _ = fs::remove_file(&path);
        }
    }
}

/// Returns the runs that wait for their images, of owners that live.
pub(super) fn all(directory: &Path) -> Vec<Told> {
    let told = files(directory).filter_map(|path| {
        let file = File::open(&path).ok()?;
        flock(&file, FlockOperation::NonBlockingLockShared).err()?;
        serde_json::from_slice(&fs::read(&path).ok()?).ok()
    });
    told.collect()
}

/// Cancels a run that waits for its image. Says whether there was one.
pub(super) fn cancel(directory: &Path, owner: &Owner, run: &RunName) -> bool {
    fs::remove_file(file(directory, owner, run)).is_ok()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may stop at once")]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::spec::Computation;

    async fn plan() -> Plan {
        let json = r#"{"name": "one", "container": {"image": "a"}}"#;
        let computation: Computation = serde_json::from_str(json).unwrap();
        Plan::computation(computation, Timestamp::now())
            .await
            .unwrap()
    }

    #[tokio::test]
    async fn removed_file_cancels_its_run() {
        let folder = tempfile::tempdir().unwrap();
        let (owner, plan) = ("me".parse().unwrap(), plan().await);
        let own = AllPending::new(folder.path(), &owner);
        let pending = own.add(&plan).unwrap();
        let seen = all(folder.path());
        assert_eq!(seen.len(), 1);
        assert_eq!((&seen[0].owner, &seen[0].plan), (&owner, &plan));
        assert!(cancel(folder.path(), &owner, &plan.name));
        pending.cancelled().await;
        assert!(own.remove(&plan.name), "it was cancelled");
        assert!(!cancel(folder.path(), &owner, &plan.name));
        own.add(&plan).unwrap();
        assert!(!own.remove(&plan.name), "nobody cancelled it");
        assert!(all(folder.path()).is_empty());
    }

    #[tokio::test]
    async fn files_of_the_dead_tell_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let (owner, plan) = ("me".parse().unwrap(), plan().await);
        let left = file(folder.path(), &owner, &plan.name);
        let told = Told {
            owner: owner.clone(),
            plan,
        };
        fs::write(&left, serde_json::to_vec(&told).unwrap()).unwrap();
        assert!(all(folder.path()).is_empty());
        let _own = AllPending::new(folder.path(), &owner);
        assert!(!left.exists());
    }
}

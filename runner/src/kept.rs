//! The inputs of runs: those that an owner has itself, and those that it kept on the disk before it was killed.

use std::sync::Arc;

use bytes::Bytes;
use mkys_init::FilePath;

use crate::ending;
use crate::folder;
use crate::plan::{Plan, Work};
use crate::result::Keep;
use crate::verdict::{Cause, Failure};

/// Where an owner's earlier process kept the inputs of its runs, until they were given: nowhere by default.
#[derive(Clone, Debug, Default)]
pub struct KeptInputs(Keep);

impl KeptInputs {
    pub(crate) fn new(keep: &Keep) -> Self {
        Self(keep.clone())
    }

    /// Why a run whose inputs are not to be had any more ends.
    pub(crate) fn missing() -> Failure {
        let words = "its owner went away before it had got its inputs, and they were not kept";
        Failure::new(Cause::Cancelled, words)
    }

    /// All inputs of a run; `None` if one of them is not to be had any more.
    pub async fn of(&self, plan: &Plan) -> Option<Vec<(FilePath, Bytes)>> {
        let Work::Computation { inputs, .. } = &plan.work else {
            return Some(Vec::new());
        };
        let place = ending::folder(&self.0, plan);
        let mut all = Vec::with_capacity(inputs.len());
        for (path, content) in inputs {
            let bytes = match (&content.bytes, &place) {
                (Some(bytes), _) => Arc::clone(bytes),
                (None, Some(place)) => folder::kept(place, plan, path, content).await?,
                (None, None) => return None,
            };
            all.push((path.clone(), Bytes::from_owner(bytes)));
        }
        Some(all)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may stop at once")]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::spec::Computation;

    #[tokio::test]
    async fn what_was_kept_is_given_as_it_was_and_not_otherwise() {
        let directory = tempfile::tempdir().unwrap();
        let json =
            r#"{"name": "one", "container": {"image": "a"}, "inputs": {"in/a": {"text": "abc"}}}"#;
        let computation: Computation = serde_json::from_str(json).unwrap();
        let plan = Plan::computation(computation, Timestamp::now())
            .await
            .unwrap();
        let folder = directory.path().join("one");
        folder::keep_inputs(&folder, &plan).await.unwrap();
        // as the next process has it
        let written = serde_json::to_string(&plan).unwrap();
        let read: Plan = serde_json::from_str(&written).unwrap();
        let kept = KeptInputs::new(&Keep::Directory(directory.path().to_owned()));
        let given = [("in/a".parse().unwrap(), Bytes::from_static(b"abc"))];
        assert_eq!(kept.of(&plan).await.unwrap(), given);
        assert_eq!(kept.of(&read).await.unwrap(), given);
        assert_eq!(KeptInputs::default().of(&read).await, None);
        let mut later = read.clone();
        later.submitted = Timestamp::UNIX_EPOCH;
        assert_eq!(kept.of(&later).await, None, "it is another run of the name");
        let waits = std::fs::read_dir(&folder).unwrap().next().unwrap();
        std::fs::write(waits.unwrap().path().join("in/a"), "abd").unwrap();
        assert_eq!(kept.of(&read).await, None, "somebody changed it");
    }
}

//! What an executor is given: a computation or a session with everything resolved, its inputs read.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use mkys_init::FilePath;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::limits::Limits;
use crate::spec::{Answers, Computation, Container, Input, Resources, RunName, Session, SpecError};

/// How long a command has to end after it was asked to.
const GRACE: SignedDuration = SignedDuration::from_secs(10);
const MIB: u64 = 1024 * 1024;
/// Where a command may write.
const HOME: &str = "/tmp";
/// What takes inputs in has so much memory beside them, in MiB, or it could not tell that they are too much.
const BESIDE_INPUTS_MIB: u32 = 8;

/// A run as an executor is given it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// Its name.
    pub name: RunName,
    /// Its container.
    pub container: Container,
    /// What kind of work it is.
    pub work: Work,
    /// How long it may stay in each state.
    pub limits: Limits,
    /// How long its command has to end after it was asked to.
    pub grace: SignedDuration,
    /// When it was submitted.
    pub submitted: Timestamp,
}

/// The two kinds of work.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Work {
    /// A computation.
    Computation {
        /// Its inputs.
        inputs: BTreeMap<FilePath, Content>,
        /// The paths of its results.
        results: Vec<FilePath>,
    },
    /// A session.
    Session {
        /// The TCP port that it listens on.
        port: u16,
        /// What it must answer.
        answers: Answers,
        /// The path that it is asked for, before its own paths.
        base: String,
    },
}

/// The content of an input, which is known by its hash when it is written down.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Content {
    /// SHA-256, in hexadecimal.
    pub sha256: String,
    /// In bytes.
    pub length: u64,
    /// The bytes, unless this was read from what was written down.
    #[serde(skip)]
    pub bytes: Option<Arc<[u8]>>,
}

/// The same hash is the same content.
impl PartialEq for Content {
    fn eq(&self, other: &Self) -> bool {
        (&self.sha256, self.length) == (&other.sha256, other.length)
    }
}

impl Eq for Content {}

impl From<Vec<u8>> for Content {
    fn from(bytes: Vec<u8>) -> Self {
        Self {
            sha256: hex(&Sha256::digest(&bytes)),
            length: bytes.len() as u64,
            bytes: Some(bytes.into()),
        }
    }
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Why nothing can be made of a computation or a session.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// It has a fault.
    #[error(transparent)]
    Spec(#[from] SpecError),
    /// An input can't be read.
    #[error("input {path}: {} can't be read", file.display())]
    Input {
        /// Its path.
        path: FilePath,
        /// The file.
        file: std::path::PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// The inputs are more than its files may have.
    #[error("the inputs have {length} bytes; with resources.files_mib = {mib} they may have {}", u64::from(*mib) * MIB)]
    TooLarge {
        /// Their bytes, as far as they were read.
        length: u64,
        /// What they may have, in MiB.
        mib: u32,
    },
    /// The inputs are more than its memory, which they are held in.
    #[error("the inputs have {length} bytes, which are held in memory; with resources.memory_mib = {mib} they may have {}", u64::from(mib.saturating_sub(BESIDE_INPUTS_MIB)) * MIB)]
    TooMuchMemory {
        /// Their bytes, as far as they were read.
        length: u64,
        /// Its memory, in MiB.
        mib: u32,
    },
}

impl Plan {
    /// Of a computation, whose inputs are read.
    ///
    /// # Errors
    ///
    /// [`PlanError`] when it has a fault or an input can't be read.
    pub async fn computation(spec: Computation, now: Timestamp) -> Result<Self, PlanError> {
        spec.check()?;
        let Computation {
            name,
            container,
            inputs,
            results,
            deadline,
        } = spec;
        let inputs = read_all(inputs, &container.resources).await?;
        let starts_within = container.starts_within;
        Ok(Self {
            name,
            container,
            work: Work::Computation { inputs, results },
            limits: Limits::computation(deadline).starting_within(starts_within),
            grace: GRACE,
            submitted: now,
        })
    }

    /// Of a session, that is asked for paths below `base`.
    ///
    /// # Errors
    ///
    /// [`PlanError::Spec`] when it has a fault.
    pub fn session(spec: Session, base: String, now: Timestamp) -> Result<Self, PlanError> {
        spec.check()?;
        let Session {
            name,
            container,
            port,
            answers,
            answers_within,
            idle,
            limit,
        } = spec;
        let starts_within = container.starts_within;
        Ok(Self {
            name,
            container,
            work: Work::Session {
                port,
                answers,
                base,
            },
            limits: Limits::session(answers_within, idle, limit).starting_within(starts_within),
            grace: GRACE,
            submitted: now,
        })
    }

    /// The most that its results may have, in bytes.
    #[must_use]
    pub fn results_limit(&self) -> u64 {
        u64::from(self.container.resources.files_mib) * MIB
    }

    /// The variables that its command is given beside the image's, the same on every executor.
    pub(crate) fn environment(&self) -> Vec<(&str, String)> {
        let own = &self.container.env;
        let mut all: Vec<_> = own
            .iter()
            .map(|(name, value)| (name.as_str(), value.clone()))
            .collect();
        // an image's own is mostly one that this user can't write to
        if !own.keys().any(|name| name.as_str() == "HOME") {
            all.push(("HOME", HOME.to_owned()));
        }
        all.push(("MKYS_RUN", self.name.to_string()));
        if let Work::Session { base, .. } = &self.work {
            all.push(("MKYS_PATH", base.clone()));
        }
        all
    }

    /// Whether the other is the same work under the same name, whenever it was submitted.
    #[must_use]
    pub fn is_same_as(&self, other: &Self) -> bool {
        self.name == other.name && self.does_the_same_as(other)
    }

    /// Whether the other is the same work, under whichever name.
    #[must_use]
    pub fn does_the_same_as(&self, other: &Self) -> bool {
        let Self {
            name: _,
            container,
            work,
            limits,
            grace,
            submitted: _,
        } = self;
        (container, work, limits, grace)
            == (&other.container, &other.work, &other.limits, &other.grace)
    }
}

async fn read_all(
    inputs: BTreeMap<FilePath, Input>,
    resources: &Resources,
) -> Result<BTreeMap<FilePath, Content>, PlanError> {
    let (mut contents, mut length) = (BTreeMap::new(), 0);
    let mib = resources.files_mib;
    let limit = u64::from(mib) * MIB;
    let memory = u64::from(resources.memory_mib.saturating_sub(BESIDE_INPUTS_MIB)) * MIB;
    for (path, input) in inputs {
        let bytes = match input {
            Input::Bytes(bytes) => bytes,
            Input::Text(text) => text.into_bytes(),
            Input::File(file) => read(&file, limit)
                .await
                .map_err(|source| PlanError::Input {
                    path: path.clone(),
                    file,
                    source,
                })?,
        };
        length += bytes.len() as u64;
        if length > limit {
            return Err(PlanError::TooLarge { length, mib });
        }
        if length > memory {
            let mib = resources.memory_mib;
            return Err(PlanError::TooMuchMemory { length, mib });
        }
        contents.insert(path, Content::from(bytes));
    }
    Ok(contents)
}

/// One byte more than the limit is enough to know that there is too much.
async fn read(file: &Path, limit: u64) -> std::io::Result<Vec<u8>> {
    use tokio::io::AsyncReadExt;
    let mut bytes = Vec::new();
    let file = tokio::fs::File::open(file).await?;
    file.take(limit.saturating_add(1))
        .read_to_end(&mut bytes)
        .await?;
    Ok(bytes)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may stop at once")]
mod tests {
    use super::*;

    async fn plan(json: &str) -> Result<Plan, PlanError> {
        let spec = serde_json::from_str(json).unwrap();
        Plan::computation(spec, Timestamp::UNIX_EPOCH).await
    }

    #[tokio::test]
    async fn what_is_written_down_of_a_plan_is_the_same_work() {
        let json = r#"{"name": "one", "container": {"image": "a"}, "inputs": {"a": {"text": "abc"}}, "results": ["r"]}"#;
        let one = plan(json).await.unwrap();
        let written = serde_json::to_string(&one).unwrap();
        assert!(
            !written.contains("abc"),
            "inputs are not written down: {written}"
        );
        let again: Plan = serde_json::from_str(&written).unwrap();
        assert!(one.is_same_as(&again));
        let other = plan(&json.replace("abc", "abd")).await.unwrap();
        assert!(!other.is_same_as(&again));
    }

    #[tokio::test]
    async fn inputs_that_are_too_large_or_missing_are_named() {
        let json = r#"{"name": "one", "container": {"image": "a", "resources": {"files_mib": 1}},
            "inputs": {"zero": {"file": "/dev/zero"}}}"#;
        let error = plan(json).await.unwrap_err();
        let said =
            "the inputs have 1048577 bytes; with resources.files_mib = 1 they may have 1048576";
        assert_eq!(error.to_string(), said);
        let error = plan(&json.replace("/dev/zero", "/nowhere"))
            .await
            .unwrap_err();
        assert_eq!(error.to_string(), "input zero: /nowhere can't be read");
    }
}

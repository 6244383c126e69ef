//! How a run ended, and why.

use serde::{Deserialize, Serialize};
use strum::{Display, EnumIter, IntoStaticStr};

/// How a run ended. Once said, it stays.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "verdict")]
pub enum Verdict {
    /// It ended by itself and well, or a session was ended as sessions are: by its game or its caller.
    Succeeded,
    /// It failed, and it is known why.
    Failed(Failure),
    /// It is not known how it ended. Nothing that an executor merely no longer sees is ever called a failure.
    Lost {
        /// What was seen last, in the executor's words.
        words: String,
    },
}

/// A cause with the words of whoever said it: the kernel, the registry, Kubernetes, the engine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// Why.
    pub cause: Cause,
    /// Its reason in the words of the system that gave it.
    pub words: String,
}

impl Failure {
    /// A cause in somebody's words.
    #[must_use]
    pub fn new(cause: Cause, words: impl Into<String>) -> Self {
        let words = words.into();
        Self { cause, words }
    }
}

impl From<Failure> for Verdict {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

/// Why a run failed. The names are labels of metrics as well.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    Display,
    EnumIter,
    IntoStaticStr,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
#[non_exhaustive]
pub enum Cause {
    /// Its command ended with another exit code than 0.
    Exit,
    /// It took more memory than it may.
    OutOfMemory,
    /// It ran longer than it may.
    Deadline,
    /// Nobody used the session for longer than it may be idle.
    Idle,
    /// It never answered as a session must.
    Unanswering,
    /// There is no such image, or no such digest.
    ImageMissing,
    /// The registry does not give the image to this caller, or is not reached.
    ImageRefused,
    /// The image has no such command, or it can't be run.
    CommandMissing,
    /// No node has what it asks for, or none had it in time.
    Unschedulable,
    /// The namespace's quota does not hold it.
    Quota,
    /// Its node took it away to have room.
    Evicted,
    /// Its node is gone.
    NodeLost,
    /// The cluster's admission does not let it in.
    AdmissionRefused,
    /// The caller has not the rights.
    Forbidden,
    /// The executor does not start it, for a reason that has no cause of its own here. Its words tell the reason.
    Executor,
    /// Another run has its name.
    NameTaken,
    /// A secret that it names is not there, or can't be read.
    SecretMissing,
    /// Its network is not closed, although it is to reach nothing.
    Network,
    /// Its inputs can't be put in place.
    Files,
    /// There is no room left on the disk of the machine that is to run it, or where its results are to be kept.
    Disk,
    /// Its result is missing, too large or not where it may be.
    Result,
    /// The caller cancelled it.
    Cancelled,
}

/// The signal that an exit code tells of, as a shell says it.
pub(crate) fn signal(code: i32) -> Option<&'static str> {
    Some(match code - 128 {
        1 => "SIGHUP",
        2 => "SIGINT",
        4 => "SIGILL",
        6 => "SIGABRT",
        7 => "SIGBUS",
        8 => "SIGFPE",
        9 => "SIGKILL",
        11 => "SIGSEGV",
        13 => "SIGPIPE",
        15 => "SIGTERM",
        _ => return None,
    })
}

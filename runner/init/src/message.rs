//! What is said, in both directions.

use serde::{Deserialize, Serialize};

use crate::path::FilePath;

/// What a run's first process says to the owner.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "say")]
pub enum ToOwner {
    /// Which run this is, and where it stands. Said first on each connection.
    Hello {
        /// Its name.
        run: String,
        /// Proves that it is that run.
        token: String,
        /// Where it stands.
        phase: Phase,
    },
    /// It stands elsewhere now.
    Phase {
        /// Where.
        phase: Phase,
    },
    /// A result follows, as data.
    File {
        /// Its path below the results.
        path: FilePath,
        /// Its length in bytes.
        length: u64,
    },
    /// The result's data is whole.
    FileEnd {
        /// SHA-256 of it, in hexadecimal.
        sha256: String,
    },
    /// All that was asked for was given.
    Taken,
    /// A result can't be given.
    NotTaken {
        /// Why, naming the file.
        words: String,
    },
}

/// What the owner says to a run's first process. Each of these renews the run's lease.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "say")]
pub enum ToRun {
    /// The owner lives.
    Renew,
    /// An input follows, as data.
    File {
        /// Its path below the files.
        path: FilePath,
        /// Its length in bytes.
        length: u64,
    },
    /// All inputs were given: the command is to be started. Said again to one that runs, it does nothing.
    Start,
    /// The command is to end: a signal first, and force after the grace period.
    Stop,
    /// Results are asked for, once the command has ended.
    Take {
        /// Their paths below the results.
        paths: Vec<FilePath>,
        /// The most that they may have together, in bytes.
        limit: u64,
    },
    /// Nothing is wanted any more: the container is to end.
    Release,
}

/// Where a run stands, as its first process knows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "phase")]
pub enum Phase {
    /// It waits for its inputs.
    Waiting,
    /// Its command runs.
    Running {
        /// For how long it has, in milliseconds.
        for_ms: u64,
    },
    /// Its command has ended, and what it left can be taken.
    Exited {
        /// How.
        exit: Exit,
    },
}

/// How a command ended, and who brought it about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exit {
    /// As a shell would say it: 128 and the signal's number after a signal.
    pub code: i32,
    /// Who or what ended it.
    pub end: End,
    /// How often the kernel killed a process of the run, because it took more memory than it may.
    #[serde(default)]
    pub killed: u64,
}

/// Who or what ended a command.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "by")]
pub enum End {
    /// It did, or it failed.
    Itself,
    /// The kernel killed the command itself, because the run took more memory than it may.
    OutOfMemory,
    /// The owner, who said so.
    Owner,
    /// Somebody who signalled the container: its engine, or a person.
    Outside {
        /// The signal's name.
        signal: String,
    },
    /// It had run for as long as it may.
    Limit,
    /// Nobody renewed its lease.
    Lease,
    /// It never began: there is no such command, or it can't be run.
    NotStarted {
        /// The kernel's reason.
        words: String,
    },
    /// It never began: an input could not be put in place, or the directories for it could not be made.
    NoInputs {
        /// Which, and the kernel's reason.
        words: String,
    },
}

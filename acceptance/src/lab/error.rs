//! What can go wrong with the lab: one variant for each thing that a person can act on.

use std::path::PathBuf;

use super::address_plan::Conflict;

/// Why the lab could not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Not root.
    #[error("the lab needs root: it makes network namespaces, bridges and mounts")]
    NotRoot,
    /// Something that the machine can't do.
    #[error("this machine can't run the lab: {0}")]
    Machine(String),
    /// A range of the lab's would hide something of the machine's own.
    #[error(transparent)]
    Range(#[from] Conflict),
    /// A port of the lab's is a stranger's.
    #[error(
        "port {port} is taken by process {pid} ({command}), which is not the lab's: stop it first"
    )]
    PortTaken {
        /// The port.
        port: u16,
        /// The process that listens there; 0 when the kernel shows none.
        pid: i32,
        /// Its command line.
        command: String,
    },
    /// Somebody else works on the lab.
    #[error(
        "another `lab` (process {0}) has been working on the lab for too long; wait for it or end it"
    )]
    Busy(String),
    /// A row of the table did not become ready.
    #[error("{unit}: {reason}\n{tail}the whole log is {log}", log = log.display())]
    Unit {
        /// The row's name.
        unit: String,
        /// What happened.
        reason: String,
        /// The last lines that it wrote.
        tail: String,
        /// Where it writes.
        log: PathBuf,
    },
    /// Something is not as it should be.
    #[error("{0}")]
    Unexpected(String),
    /// Given up because something else failed.
    #[error("given up, as something else failed")]
    Cancelled,
    /// A command failed.
    #[error("`{command}` failed: {reason}")]
    Command {
        /// The command line.
        command: String,
        /// Its last words.
        reason: String,
    },
    /// A file or directory.
    #[error("can't {what}")]
    Io {
        /// What was tried.
        what: String,
        /// The system's word.
        source: std::io::Error,
    },
    /// One of the cloud's APIs refused.
    #[error("{call}: {reason}")]
    Cloud {
        /// Method and address.
        call: String,
        /// Its own word.
        reason: String,
    },
    /// A file of the lab's own is wrong: a bug of ours.
    #[error("the lab's own {file} is wrong: {reason}")]
    Table {
        /// The file.
        file: String,
        /// What is wrong.
        reason: String,
    },
    /// `down` could not take everything away.
    #[error("still there after everything was tried:\n  {}", .0.join("\n  "))]
    LeftBehind(Vec<String>),
}

impl Error {
    /// Says what was tried when a file operation fails.
    pub(crate) fn io(what: impl Into<String>) -> impl FnOnce(std::io::Error) -> Self {
        let what = what.into();
        move |source| Self::Io {
            what: format!("{what}: {source}"),
            source,
        }
    }
}

//! What the owner tells a run's first process before anything is said.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// Settings of a run's first process, given as JSON in the variable [`Settings::VARIABLE`]. Its arguments are the run's command.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The run's name.
    pub run: String,
    /// Proves to the owner that it is that run.
    pub token: String,
    /// The owner's socket.
    pub socket: PathBuf,
    /// Where the files that the owner gives are put.
    pub files: PathBuf,
    /// Where results are found.
    pub results: PathBuf,
    /// For how long it goes on without a word of the owner, in seconds.
    pub lease_s: u64,
    /// For how long its command may run, whatever the owner says, in seconds.
    pub limit_s: u64,
    /// How long its command has to end after it was asked to, in seconds.
    pub grace_s: u64,
}

impl Settings {
    /// The variable. The run's command never sees it.
    pub const VARIABLE: &str = "MKYS_INIT";
    /// Where inputs are, below the files.
    pub const INPUTS: &str = "in";
}

//! Running a command where somebody stands: in a network namespace of the lab.

use std::ffi::OsStr;
use std::process::Command;

/// A command that will run in the network namespace `namespace` (one of [`crate::place`]'s); arguments, environment and
/// output are the caller's to add. Needs root.
///
/// ```no_run
/// use mkys_acceptance::{netns::in_namespace, place};
/// let page = in_namespace(place::VISITOR, "curl").args(["-s", "http://198.51.100.3/"]).output()?;
/// # Ok::<(), std::io::Error>(())
/// ```
#[must_use]
pub fn in_namespace(namespace: &str, program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new("nsenter");
    command
        .arg(format!("--net=/run/netns/{namespace}"))
        .arg("--")
        .arg(program);
    command
}

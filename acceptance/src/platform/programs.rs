//! Programs that run in any container, whatever is in it.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::SOURCE;
use crate::lab::Error;

/// The folder of static programs, with those of some packages built.
///
/// # Errors
/// When they can't be built.
pub fn statics(packages: &[&str]) -> Result<PathBuf, Error> {
    let script = Path::new(SOURCE).join("scripts/static.sh");
    // with the path of whoever calls: that is where cargo is
    let output = Command::new(&script)
        .args(packages)
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .map_err(Error::io(format!("run {}", script.display())))?;
    let path = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    match output.status.success() {
        true => Ok(path.into()),
        false => Err(Error::Machine(format!(
            "{} could not be built",
            packages.join(" and ")
        ))),
    }
}

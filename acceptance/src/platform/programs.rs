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
    built_by(&script, packages, &packages.join(" and "))
}

/// What a script of ours built, by the path that it prints: nothing is built again that is kept already.
///
/// # Errors
/// When it can't be built; the script has said why.
pub(crate) fn built_by(script: &Path, arguments: &[&str], what: &str) -> Result<PathBuf, Error> {
    // with the path of whoever calls: that is where cargo and go are
    let output = Command::new(script)
        .args(arguments)
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .map_err(Error::io(format!("run {}", script.display())))?;
    let path = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    match output.status.success() {
        true => Ok(path.into()),
        false => Err(Error::Machine(format!("{what} could not be built"))),
    }
}

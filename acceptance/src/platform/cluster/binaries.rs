//! The folder of Kubernetes' components, built where they are not kept yet.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::lab::Error;
use crate::platform::SOURCE;

/// The folder with the components, built from their Go modules the first time: about ten minutes, which the script says itself.
///
/// # Errors
/// When they can't be built.
pub fn binaries() -> Result<PathBuf, Error> {
    let script = Path::new(SOURCE).join("acceptance/cli/build-kubernetes.sh");
    let output = Command::new(&script)
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .map_err(Error::io(format!("run {}", script.display())))?;
    let path = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    match output.status.success() {
        true => Ok(path.into()),
        false => Err(Error::Machine("Kubernetes could not be built".to_owned())),
    }
}

//! The folder of Kubernetes' components, built where they are not kept yet.

use std::path::{Path, PathBuf};

use crate::lab::Error;
use crate::platform::SOURCE;
use crate::platform::programs::built_by;

/// The folder with the components, built from their Go modules the first time: about ten minutes, which the script says itself.
///
/// # Errors
/// When they can't be built.
pub fn binaries() -> Result<PathBuf, Error> {
    let script = Path::new(SOURCE).join("acceptance/cli/build-kubernetes.sh");
    built_by(&script, &[], "Kubernetes")
}

//! Where a credential was read, in words that lead its owner there.

use std::fmt;
use std::path::PathBuf;

/// Where a credential was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// A cloud of a `clouds.yaml`.
    File {
        /// Its name there.
        cloud: String,
        /// The file.
        path: PathBuf,
        /// Whether `secure.yaml` beside it has a part.
        secure: bool,
        /// What names the cloud.
        named_by: NamedBy,
    },
    /// `OS_*` variables.
    Environment,
}

/// What names a cloud of a `clouds.yaml`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NamedBy {
    /// `cloud` in the provider's configuration.
    Configuration,
    /// `OS_CLOUD`.
    Variable,
}

impl Source {
    /// A command that signs in with the same credential, past us.
    pub(crate) fn trial(&self) -> String {
        match self {
            Self::File { cloud, .. } => format!("openstack --os-cloud {cloud} token issue"),
            Self::Environment => "openstack token issue".to_owned(),
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self::File {
            cloud,
            path,
            secure,
            named_by,
        } = self
        else {
            return f.write_str("the environment (OS_*)");
        };
        write!(f, "cloud {cloud:?} of {}", path.display())?;
        if *secure {
            f.write_str(" with secure.yaml beside it")?;
        }
        f.write_str(match named_by {
            NamedBy::Configuration => " (named by `cloud` in the provider's configuration)",
            NamedBy::Variable => " (named by OS_CLOUD)",
        })
    }
}

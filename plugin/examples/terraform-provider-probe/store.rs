//! Things in files of a folder, shared by the provider and its resources.

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use mkys_plugin::Diagnostics;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// The folder, once the provider is configured.
#[derive(Clone, Debug, Default)]
pub(crate) struct Store(Arc<OnceLock<(PathBuf, String)>>);

impl Store {
    pub(crate) fn open(&self, folder: &str, suffix: String) {
        let _ = self.0.set((PathBuf::from(folder), suffix));
    }

    pub(crate) fn file(&self, id: &str) -> Result<PathBuf, Diagnostics> {
        let not_configured = || Diagnostics::error("The provider is not configured", "");
        let (folder, suffix) = self.0.get().ok_or_else(not_configured)?;
        Ok(folder.join(format!("{id}{suffix}")))
    }

    pub(crate) fn write(&self, id: &str, thing: &impl Serialize) -> Result<(), Diagnostics> {
        Ok(std::fs::write(
            self.file(id)?,
            serde_json::to_vec_pretty(thing)?,
        )?)
    }

    /// `None` if it does not exist.
    pub(crate) fn read<T: DeserializeOwned>(&self, id: &str) -> Result<Option<T>, Diagnostics> {
        match std::fs::read(self.file(id)?) {
            Ok(json) => Ok(Some(serde_json::from_slice(&json)?)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    pub(crate) fn remove(&self, id: &str) -> Result<(), Diagnostics> {
        Ok(std::fs::remove_file(self.file(id)?)?)
    }
}

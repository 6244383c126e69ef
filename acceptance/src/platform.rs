//! What runs on the lab: the CLIs with the provider installed, the edge, the monitor, and visitors who ask; and what needs no lab: a
//! container engine, a cluster, and a game for them.

pub mod authority;
pub mod background;
pub mod cli;
pub mod cluster;
pub mod edge;
pub mod engine;
pub mod game;
pub mod monitor;
pub mod programs;
pub mod visitor;

use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use crate::lab::Error;

pub use files::{copy_tree, remove_tree};

/// The checkout that this was built from.
pub const SOURCE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// Writes a file that nobody else can read, in place of one that is there.
///
/// # Errors
/// When it can't be written.
pub fn write_private(file: &Path, text: &str) -> Result<(), Error> {
    if let Some(folder) = file.parent() {
        files::make(folder)?;
    }
    let what = format!("write {}", file.display());
    // one that is there may be everybody's to read
    let _ = std::fs::remove_file(file);
    let mut options = std::fs::OpenOptions::new();
    let made = options.write(true).create_new(true).mode(0o600).open(file);
    made.and_then(|mut file| file.write_all(text.as_bytes()))
        .map_err(Error::io(what))
}

/// Reads, writes and makes files with errors that name them.
mod files {
    use super::{Error, Path};

    pub(crate) fn make(folder: &Path) -> Result<(), Error> {
        std::fs::create_dir_all(folder).map_err(Error::io(format!("make {}", folder.display())))
    }

    pub(crate) fn write(file: &Path, text: &str) -> Result<(), Error> {
        if let Some(folder) = file.parent() {
            make(folder)?;
        }
        std::fs::write(file, text).map_err(Error::io(format!("write {}", file.display())))
    }

    pub(crate) fn copy(from: &Path, to: &Path) -> Result<(), Error> {
        if let Some(folder) = to.parent() {
            make(folder)?;
        }
        // a program that runs can't be written to; it can be replaced
        let _ = std::fs::remove_file(to);
        let what = format!("copy {} to {}", from.display(), to.display());
        std::fs::copy(from, to).map(drop).map_err(Error::io(what))
    }

    /// Takes a folder away with all that is in it, if it is there.
    ///
    /// # Errors
    /// When it stays.
    pub fn remove_tree(folder: &Path) -> Result<(), Error> {
        match std::fs::remove_dir_all(folder) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
            removed => removed.map_err(Error::io(format!("remove {}", folder.display()))),
        }
    }

    /// Copies a folder with all that is in it, but for what a CLI keeps there.
    ///
    /// # Errors
    /// When a file can't be read or written.
    pub fn copy_tree(from: &Path, to: &Path) -> Result<(), Error> {
        let what = || format!("read {}", from.display());
        for entry in std::fs::read_dir(from).map_err(Error::io(what()))? {
            let entry = entry.map_err(Error::io(what()))?;
            let (source, target) = (entry.path(), to.join(entry.file_name()));
            if source.is_dir() {
                // what a CLI left there is of another run
                if entry.file_name() != ".terraform" {
                    copy_tree(&source, &target)?;
                }
            } else {
                copy(&source, &target)?;
            }
        }
        Ok(())
    }
}

/// Built programs of this workspace: beside the one that runs, or in the folder above for tests.
///
/// # Errors
/// When there is none of that name.
pub fn built(name: &str) -> Result<PathBuf, Error> {
    let own = std::env::current_exe().map_err(Error::io("find the running program"))?;
    let folders = own
        .ancestors()
        .skip(1)
        .take(2)
        .map(|folder| folder.join(name));
    let found = folders.into_iter().find(|file| file.is_file());
    found
        .ok_or_else(|| Error::Unexpected(format!("{name} is not built: `cargo build --workspace`")))
}

//! A computation's results, taken from an executor part by part and checked.

use std::io;
use std::path::PathBuf;

use bytes::Bytes;
use mkys_init::FilePath;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tokio::sync::mpsc;

use crate::executor::Part;
use crate::plan::hex;
use crate::record::results_of;
use crate::spec::RunName;
use crate::verdict::{Cause, Failure};
use crate::whole::Whole;

/// A result of a computation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResultFile {
    /// Its path below `/mkys/out`.
    pub path: FilePath,
    /// In bytes.
    pub length: u64,
    /// SHA-256, in hexadecimal.
    pub sha256: String,
    /// Where it is.
    #[serde(skip)]
    pub content: ResultContent,
}

/// Where a result is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ResultContent {
    /// Not here: this was read from a record.
    #[default]
    Elsewhere,
    /// Here.
    Memory(Bytes),
    /// In this file, on the disk for good before the run was destroyed.
    File(PathBuf),
}

/// Where results are kept.
#[derive(Clone, Debug, Default)]
pub enum Keep {
    /// In memory. They are gone with the process: [`Run::recorded`](crate::Run::recorded) gives them before the run is destroyed.
    #[default]
    Memory,
    /// In a directory, in one of the run's name, with the run's inputs and its record beside them: all of it before the run is destroyed,
    /// so that an owner that is killed meanwhile loses nothing.
    Directory(PathBuf),
}

/// Why results are not there.
#[derive(Debug)]
pub(crate) enum NotTaken {
    /// They can't be given; asking again changes nothing.
    Refused(Failure),
    /// There is no room for them. Somebody can make some.
    NoRoom(Failure),
    /// The executor hung up. It can be asked again.
    Interrupted,
}

impl From<io::Error> for NotTaken {
    fn from(error: io::Error) -> Self {
        let is_full = matches!(
            error.kind(),
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
        );
        let words = format!("its results can't be kept: {error}");
        match is_full {
            true => Self::NoRoom(Failure::new(Cause::Disk, words)),
            false => Self::Refused(Failure::new(Cause::Result, words)),
        }
    }
}

/// Takes them all.
pub(crate) async fn take(
    run: &RunName,
    keep: &Keep,
    mut parts: mpsc::Receiver<Part>,
) -> Result<Vec<ResultFile>, NotTaken> {
    let mut files = Vec::new();
    let mut open: Option<Open> = None;
    while let Some(part) = parts.recv().await {
        match part {
            Part::File { path, length } => open = Some(Open::new(run, keep, path, length).await?),
            Part::Data(bytes) => match &mut open {
                Some(open) => open.add(&bytes).await?,
                None => return Err(NotTaken::Interrupted),
            },
            Part::End { sha256 } => match open.take() {
                Some(open) => files.push(open.end(&sha256).await?),
                None => return Err(NotTaken::Interrupted),
            },
            Part::Taken => return Ok(files),
            Part::NotTaken(failure) => return Err(NotTaken::Refused(failure)),
        }
    }
    Err(NotTaken::Interrupted)
}

/// A result that is coming in.
struct Open {
    path: FilePath,
    length: u64,
    hash: Sha256,
    received: u64,
    into: Into,
}

enum Into {
    Memory(Vec<u8>),
    File(Whole),
}

impl Open {
    async fn new(run: &RunName, keep: &Keep, path: FilePath, length: u64) -> io::Result<Self> {
        let into = match keep {
            Keep::Memory => Into::Memory(Vec::new()),
            Keep::Directory(directory) => {
                let place = results_of(&directory.join(run.as_str())).join(&path);
                Into::File(Whole::new(place).await?)
            }
        };
        Ok(Self {
            path,
            length,
            hash: Sha256::new(),
            received: 0,
            into,
        })
    }

    async fn add(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.hash.update(bytes);
        self.received += bytes.len() as u64;
        match &mut self.into {
            Into::Memory(all) => all.extend_from_slice(bytes),
            Into::File(file) => file.add(bytes).await?,
        }
        Ok(())
    }

    /// What came in is what was sent, or it is asked for again.
    async fn end(self, sha256: &str) -> Result<ResultFile, NotTaken> {
        let Self {
            path,
            length,
            hash,
            received,
            into,
        } = self;
        let own = hex(&hash.finalize());
        if received != length || own != sha256 {
            return Err(NotTaken::Interrupted);
        }
        let content = match into {
            Into::Memory(all) => ResultContent::Memory(all.into()),
            Into::File(file) => ResultContent::File(file.end().await?),
        };
        Ok(ResultFile {
            path,
            length,
            sha256: own,
            content,
        })
    }
}

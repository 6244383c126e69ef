//! A run's folder on the disk: its inputs, its results and its record. While a run goes on under an old name, what the run before it left
//! stays as it is; inputs wait aside meanwhile, so that an owner that takes the run over has them for the record.

use std::fs::File as Open;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use mkys_init::FilePath;
use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;
use tokio::fs::{self, File};

use crate::plan::{Content, Plan, Work};
use crate::record::{INPUTS, Record, results_of};
use crate::whole::Whole;

/// How folders begin in which inputs wait. No input or result is beside them.
const WAITING: &str = ".in-";

/// What is written to see whether anything can be.
const PROBE: &str = ".probe";

/// Why a run's results could not be kept.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// Another run has the folder: of another process, or of another owner in this one.
    #[error("another run has the folder {}: choose another name or another directory of results", .0.display())]
    Taken(PathBuf),
    /// Nothing can be written there.
    #[error("results can't be kept in {}", folder.display())]
    Unwritable {
        /// The folder.
        folder: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
}

/// A folder that a run has for as long as this is there.
#[derive(Debug)]
pub(crate) struct Reserved {
    _lock: Open,
}

impl Reserved {
    /// Takes the folder, which is made if it is not there, and writes to it.
    pub(crate) fn new(folder: &Path) -> Result<Self, FolderError> {
        let unwritable = |source: io::Error| FolderError::Unwritable {
            folder: folder.to_owned(),
            source,
        };
        std::fs::create_dir_all(folder).map_err(unwritable)?;
        let lock = Open::open(folder).map_err(unwritable)?;
        match flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(Errno::WOULDBLOCK) => return Err(FolderError::Taken(folder.to_owned())),
            // a network's file system may lock no folders
            Err(error) => {
                tracing::warn!(folder = %folder.display(), %error, "nothing keeps another run from this folder");
            }
        }
        let probe = folder.join(PROBE);
        let written = Open::create(&probe).and_then(|mut file| {
            file.write_all(&[0; 4096])?;
            file.sync_all()
        });
        // nothing of it is of use, whether it was written or not
        let _ = std::fs::remove_file(&probe);
        written.map_err(unwritable)?;
        Ok(Self { _lock: lock })
    }
}

/// Where inputs of a run wait until it is over. A name is had by one run at a time, and its submission tells it from those before it.
fn waiting(folder: &Path, plan: &Plan) -> PathBuf {
    folder.join(format!("{WAITING}{}", plan.submitted.as_nanosecond()))
}

/// Keeps the inputs of a run that is about to be submitted.
pub(crate) async fn keep_inputs(folder: &Path, plan: &Plan) -> io::Result<()> {
    if let Work::Computation { inputs, .. } = &plan.work {
        for (path, content) in inputs {
            if let Some(bytes) = &content.bytes {
                Whole::write(&waiting(folder, plan).join(path), bytes).await?;
            }
        }
    }
    Ok(())
}

/// Puts the inputs of a run that is over in their place. Those that its owner does not have, since it took the run over, are read where
/// they were kept.
pub(crate) async fn put_inputs(folder: &Path, plan: &mut Plan) -> io::Result<()> {
    let kept = waiting(folder, plan);
    if let Work::Computation { inputs, .. } = &mut plan.work {
        for (path, content) in inputs {
            if content.bytes.is_none() {
                content.bytes = read(&kept.join(path), content).await;
            }
            let place = folder.join(INPUTS).join(path);
            match &content.bytes {
                Some(_) if put(&kept.join(path), &place).await.is_ok() => {}
                Some(bytes) => Whole::write(&place, bytes).await?,
                None => {}
            }
        }
    }
    no_more_waiting(folder).await
}

/// An input of a run that is not over, as it was kept.
pub(crate) async fn kept(
    folder: &Path,
    plan: &Plan,
    path: &FilePath,
    content: &Content,
) -> Option<Arc<[u8]>> {
    read(&waiting(folder, plan).join(path), content).await
}

/// A file's bytes, if they are what they should be.
async fn read(file: &Path, content: &Content) -> Option<Arc<[u8]>> {
    let read = Content::from(fs::read(file).await.ok()?);
    (read == *content).then_some(read.bytes)?
}

async fn put(kept: &Path, place: &Path) -> io::Result<()> {
    let parent = place.parent().unwrap_or(place);
    fs::create_dir_all(parent).await?;
    fs::rename(kept, place).await?;
    File::open(parent).await?.sync_all().await
}

/// Also of runs whose owners never came back.
async fn no_more_waiting(folder: &Path) -> io::Result<()> {
    let mut entries = match fs::read_dir(folder).await {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    while let Some(entry) = entries.next_entry().await? {
        if entry.file_name().to_string_lossy().starts_with(WAITING) {
            fs::remove_dir_all(entry.path()).await?;
        }
    }
    Ok(())
}

/// Takes away what a run before this one left, or this one's results that are not on record: what is beside a record is what it tells of.
pub(crate) async fn leave_only(folder: &Path, record: &Record, before: Option<&Record>) {
    let files = |record: &Record| -> Vec<(PathBuf, FilePath)> {
        let results = record.results.iter().map(|result| result.path.clone());
        let results = results.map(|path| (results_of(folder), path));
        let inputs = record.inputs().into_keys();
        results
            .chain(inputs.map(|path| (folder.join(INPUTS), path)))
            .collect()
    };
    let told = files(record);
    let asked = match &record.plan.work {
        Work::Computation { results, .. } => results.clone(),
        Work::Session { .. } => Vec::new(),
    };
    let asked = asked.into_iter().map(|path| (results_of(folder), path));
    for (place, path) in before
        .map(files)
        .unwrap_or_default()
        .into_iter()
        .chain(asked)
    {
        if told.contains(&(place.clone(), path.clone())) {
            continue;
        }
        match fs::remove_file(place.join(&path)).await {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                tracing::warn!(run = %record.plan.name, %path, %error, "what an earlier run left stays");
            }
            _ => {}
        }
    }
}

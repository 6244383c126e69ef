//! What is known of a run's end: put together and written down before anything of the run is destroyed, so that whoever is its owner
//! next finds how it ended, with its results, and starts nothing anew.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::executor::Executor;
use crate::folder;
use crate::log::LogLine;
use crate::plan::Plan;
use crate::record::Record;
use crate::result::Keep;
use crate::runner::Shared;

/// The last lines of its log that an outcome has.
const LOG_LINES: usize = 100;
/// How long the log, or what it ran on, may take before a run is destroyed without it.
const LOG: Duration = Duration::from_secs(10);

/// The end of a run, on record.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) record: Record,
    /// Why its record is not on the disk, where it was to be.
    pub(crate) unwritten: Option<String>,
}

impl Ended {
    /// Of a run that is still there: what it ran on is asked for.
    pub(crate) async fn of<E: Executor>(shared: &Shared<E>, mut record: Record) -> Self {
        let ran = tokio::time::timeout(LOG, shared.executor.ran(&record.plan));
        record.ran = ran.await.unwrap_or_default();
        Self::written(&shared.keep, record).await
    }

    /// Of a run whose name another one has: the folder of that name is the other's as well.
    pub(crate) fn of_nothing(keep: &Keep, record: Record) -> Self {
        let unwritten = folder(keep, &record.plan).map(|folder| {
            format!(
                "its record is not written: {} is the other run's",
                folder.display()
            )
        });
        Self { record, unwritten }
    }

    /// Of a run whose end an earlier owner wrote down, and did not live to tell.
    pub(crate) const fn again(record: Record) -> Self {
        Self {
            record,
            unwritten: None,
        }
    }

    async fn written(keep: &Keep, record: Record) -> Self {
        let mut ended = Self::again(record);
        if let Some(folder) = folder(keep, &ended.record.plan)
            && let Err(error) = ended.record.write(&folder).await
        {
            ended.is_unwritten(&folder, &error);
        }
        ended
    }

    /// Nothing is left of it: that is written down as well.
    pub(crate) async fn finish(&mut self, keep: &Keep) {
        if let Some(folder) = folder(keep, &self.record.plan)
            && self.unwritten.is_none()
            && let Err(error) = self.record.finish(&folder).await
        {
            self.is_unwritten(&folder, &error);
        }
    }

    fn is_unwritten(&mut self, folder: &Path, error: &std::io::Error) {
        let words = format!(
            "its record can't be written to {}: {error}",
            folder.display()
        );
        tracing::error!(run = %self.record.plan.name, "{words}");
        self.unwritten = Some(words);
    }
}

/// The record that an earlier owner of a run wrote down before it was killed; `is_there`: whether something of the run is there yet.
pub(crate) async fn left(keep: &Keep, plan: &Plan, is_there: bool) -> Option<Record> {
    Record::left(&folder(keep, plan)?, plan, is_there).await
}

/// Keeps the inputs of a run that is about to be submitted, so that whoever takes it over has them.
pub(crate) async fn keep_inputs(keep: &Keep, plan: &Plan) {
    if let Some(folder) = folder(keep, plan)
        && let Err(error) = folder::keep_inputs(&folder, plan).await
    {
        // they are tried again with the record, which tells why there is none
        tracing::warn!(run = %plan.name, %error, "its inputs can't be kept");
    }
}

/// Where a run's record is, if it is on the disk.
pub(crate) fn folder(keep: &Keep, plan: &Plan) -> Option<PathBuf> {
    match keep {
        Keep::Memory => None,
        Keep::Directory(directory) => Some(directory.join(plan.name.as_str())),
    }
}

/// The last lines that it wrote: whoever looks for the reason of a failure looks there first.
pub(crate) async fn last_lines<E: Executor>(shared: &Shared<E>, plan: &Plan) -> Vec<LogLine> {
    let read = shared.executor.last_lines(&plan.name, LOG_LINES);
    match tokio::time::timeout(LOG, read).await {
        Ok(Ok(lines)) => lines,
        // one that was never started has none, and that is no failure
        Ok(Err(error)) => {
            tracing::debug!(run = %plan.name, %error, "its last lines can't be read");
            Vec::new()
        }
        Err(_) => {
            tracing::warn!(run = %plan.name, "its last lines did not come in time");
            Vec::new()
        }
    }
}

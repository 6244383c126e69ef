//! What is known of a run that is over.

use jiff::Timestamp;
use serde::Serialize;

use crate::executor::Remains;
use crate::log::LogLine;
use crate::record::Record;
use crate::result::ResultFile;
use crate::verdict::Verdict;

/// What is known of a run that is over, and of which nothing is left.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Outcome {
    /// How it ended, and why.
    pub verdict: Verdict,
    /// Its results, all of them if it succeeded.
    pub results: Vec<ResultFile>,
    /// The last lines it wrote.
    #[serde(skip)]
    pub log: Vec<LogLine>,
    /// What is written down of it; also on the disk, where results are kept there.
    #[serde(skip)]
    pub record: Record,
    /// Why its record is not on the disk, where it was to be.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unwritten: Option<String>,
    /// What proves that it is gone.
    pub receipt: Receipt,
}

/// What a run had, and since when it is known that nothing of it is left.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Receipt {
    /// Since when.
    pub at: Timestamp,
    /// What it had.
    pub gone: Vec<Remains>,
}

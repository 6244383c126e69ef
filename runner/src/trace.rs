//! What an executor shows of runs, whether or not it still is one: a pod whose job is gone, a container that nobody can read.

use serde::Serialize;

/// Something that carries the label of a run's owner.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Trace {
    /// Whose it is, as its label says.
    pub owner: String,
    /// What kind of thing, such as `container`.
    pub kind: &'static str,
    /// Its name.
    pub name: String,
    /// How its executor says it is, such as `Up 3 minutes` or `going`.
    pub status: String,
}

//! A run, as whoever is not its owner finds it.

use crate::plan::Plan;
use crate::spec::Owner;

/// A run that is there.
#[derive(Clone, Debug)]
pub struct Listed {
    /// Whose it is.
    pub owner: Owner,
    /// What it does.
    pub plan: Plan,
    /// How its executor says it is, such as `Up 3 minutes` or `active`.
    pub status: String,
}

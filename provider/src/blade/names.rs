//! Blades that this process knows: those of the state, and those under creation.
//!
//! A replacement is planned as a new resource, without a word of the one that it replaces. So a blade that stands is in the way of a new one of
//! its name only where the state did not speak of it.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use mkys_blade::Blade as Definition;
use mkys_plugin::{Diagnostic, Diagnostics};

use super::plan;
use super::state::Id;

/// What this process knows.
#[derive(Debug, Default)]
pub(super) struct Names(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    /// Ids of blades that the state has.
    standing: BTreeSet<String>,
    /// Names under creation, and whether each has a project of its own.
    creating: BTreeSet<(bool, String)>,
}

/// A name under creation, until this is dropped.
#[derive(Debug)]
pub(super) struct Claim<'a> {
    names: &'a Names,
    key: (bool, String),
}

impl Names {
    fn lock(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes a blade that the state has.
    pub(super) fn note(&self, id: &str) {
        self.lock().standing.insert(id.to_owned());
    }

    /// Notes that a blade of the state is gone: what has its name now is in the way of a new one.
    pub(super) fn forget(&self, id: &Id) {
        self.lock().standing.remove(&id.to_string());
    }

    /// Whether the state has a blade.
    pub(super) fn is_of_state(&self, id: &Id) -> bool {
        self.lock().standing.contains(&id.to_string())
    }

    /// Claims a name for a creation: two blades of one configuration can't have the same.
    pub(super) fn claim(&self, wanted: &Definition) -> Result<Claim<'_>, Diagnostics> {
        let key = (wanted.project.is_some(), wanted.name.to_string());
        if !self.lock().creating.insert(key.clone()) {
            let detail = "Another `mkys_blade` of this configuration has that name and is being made. Give one of them another.";
            let summary = format!("Two blades are named {}", wanted.name);
            return Err(Diagnostic::error(summary, detail).at(plan::name()).into());
        }
        Ok(Claim { names: self, key })
    }
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        self.names.lock().creating.remove(&self.key);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may stop at once")]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn blade_that_is_gone_is_in_no_state() {
        let (names, id) = (Names::default(), "p/a".parse().unwrap());
        names.note("p/a");
        assert!(names.is_of_state(&id));
        names.forget(&id);
        assert!(!names.is_of_state(&id));
    }

    #[test]
    fn name_is_claimed_once_at_a_time() {
        let definition: mkys_blade::Definition = serde_json::from_value(
            json!({ "name": "a", "networks": { "n": { "cidr": "10.1.0.0/24" } } }),
        )
        .unwrap();
        let wanted = definition.validate().unwrap();
        let names = Names::default();
        let claim = names.claim(&wanted).unwrap();
        let said = names.claim(&wanted).unwrap_err().to_string();
        assert!(said.contains("Two blades are named a"), "{said}");
        drop(claim);
        assert!(names.claim(&wanted).is_ok());
    }
}

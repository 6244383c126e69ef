//! Ports that a link of this run has taken over from one that goes later in the same run.
//!
//! With `create_before_destroy` the new link finds the port of the old one by its name. What the old one's end would take away is the new
//! one's by then.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

/// Ids of those ports.
#[derive(Debug, Default)]
pub(super) struct Inherited(Mutex<BTreeSet<String>>);

impl Inherited {
    /// Notes a port that stood before its link was made.
    pub(super) fn note(&self, port: &str) {
        let mut ports = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        ports.insert(port.to_owned());
    }

    /// Whether a port was taken over; it is not any more afterwards.
    pub(super) fn take(&self, port: &str) -> bool {
        let mut ports = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        ports.remove(port)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inherited_port_is_left_once() {
        let inherited = Inherited::default();
        inherited.note("p");
        assert!(!inherited.take("q"));
        assert!(inherited.take("p"));
        assert!(!inherited.take("p"));
    }
}

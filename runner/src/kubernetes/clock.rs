//! The cluster's clock, as far as its owner can tell it: leases are counted by it.

use std::time::Instant;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

/// The API server's time once, and how long ago that was. Both clocks may be set meanwhile; this one goes on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock {
    said: Timestamp,
    at: Instant,
}

impl Clock {
    /// The API server said that it was then.
    pub(super) fn new(said: Timestamp) -> Self {
        let at = Instant::now();
        Self { said, at }
    }

    /// Now, to a second.
    pub(super) fn now(&self) -> Timestamp {
        let since = SignedDuration::try_from(self.at.elapsed()).unwrap_or(SignedDuration::MAX);
        self.said.saturating_add(since).unwrap_or(Timestamp::MAX)
    }
}

/// A time as Kubernetes has it, whose crate has another version of the same type.
pub(super) fn at(time: &Time) -> Timestamp {
    Timestamp::from_nanosecond(time.0.as_nanosecond()).unwrap_or(Timestamp::MIN)
}

/// The `activeDeadlineSeconds` of a job that is to live for as long as its lease from now on. They are counted from its start; one that
/// is held has none, and gets its lease once it starts.
pub(super) fn deadline_s(started: Option<Timestamp>, now: Timestamp, lease_s: i64) -> i64 {
    let since = started.map_or(0, |started| now.duration_since(started).as_secs().max(0));
    // whole seconds are what both clocks tell
    since.saturating_add(lease_s).saturating_add(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_is_counted_from_now_on() {
        let second = |second| Timestamp::from_second(second).unwrap_or_default();
        assert_eq!(deadline_s(None, second(100), 180), 181);
        assert_eq!(deadline_s(Some(second(40)), second(100), 180), 241);
        // a clock that is behind the cluster's never shortens a lease
        assert_eq!(deadline_s(Some(second(140)), second(100), 180), 181);
    }
}

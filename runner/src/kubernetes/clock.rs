//! The cluster's clock, as far as its owner can tell it: leases are counted by it.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

/// Answers tell whole seconds, so what differs by one is the same.
const SAME: SignedDuration = SignedDuration::from_secs(1);

/// The API server's time, as it was told last and carried on since.
#[derive(Debug)]
pub(super) struct Clock(Mutex<Look>);

/// What the API server said, and when. Between two looks this machine's own clock may be set; what goes on here does not mind, but
/// stands still while the machine is suspended, so nothing is counted by a look that is long ago.
#[derive(Clone, Copy, Debug)]
struct Look {
    said: Timestamp,
    at: Instant,
}

impl Look {
    fn now(&self, at: Instant) -> Timestamp {
        let since = SignedDuration::try_from(at.saturating_duration_since(self.at));
        let since = since.unwrap_or(SignedDuration::MAX);
        self.said.saturating_add(since).unwrap_or(Timestamp::MAX)
    }

    /// The look that counts after another one: the new one, unless both tell the same.
    fn then(self, said: Timestamp, at: Instant) -> Self {
        match self.now(at).duration_since(said).abs() > SAME {
            true => Self { said, at },
            false => self,
        }
    }
}

impl Clock {
    /// The API server said that it was then.
    pub(super) fn new(said: Timestamp) -> Self {
        let at = Instant::now();
        Self(Mutex::new(Look { said, at }))
    }

    fn look(&self) -> MutexGuard<'_, Look> {
        // nothing panics while it is held
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// It says so now.
    pub(super) fn learn(&self, said: Timestamp) {
        let mut look = self.look();
        *look = look.then(said, Instant::now());
    }

    /// Now, to a second.
    pub(super) fn now(&self) -> Timestamp {
        self.look().now(Instant::now())
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
    use std::time::Duration;

    use super::*;

    fn second(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap_or_default()
    }

    #[test]
    fn a_machine_that_was_suspended_cuts_no_lease_short() {
        let at = Instant::now();
        let first = Look {
            said: second(100),
            at,
        };
        // a minute went by on the cluster, and ten seconds of it here
        let later = at + Duration::from_secs(10);
        assert_eq!(first.now(later), second(110));
        let then = first.then(second(160), later);
        assert_eq!(deadline_s(Some(second(40)), then.now(later), 180), 301);
        // and one that is set back there is set back here
        let back = then.then(second(90), later);
        assert_eq!(back.now(later), second(90));
    }

    #[test]
    fn what_is_told_in_whole_seconds_moves_no_clock() {
        let at = Instant::now();
        let look = Look {
            said: second(100),
            at,
        };
        let later = at + Duration::from_millis(10_900);
        let then = look.then(second(110), later);
        assert_eq!(then.now(later), look.now(later));
    }

    #[test]
    fn a_lease_is_counted_from_now_on() {
        assert_eq!(deadline_s(None, second(100), 180), 181);
        assert_eq!(deadline_s(Some(second(40)), second(100), 180), 241);
        // a clock that is behind the cluster's never shortens a lease
        assert_eq!(deadline_s(Some(second(140)), second(100), 180), 181);
    }
}

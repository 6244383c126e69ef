//! The clock of leases. It begins with the wall clock and goes on by the kernel's monotonic one: a wall clock that is set while the
//! edge runs ends no lease early and keeps none too long.

use std::time::Instant;

use jiff::{SignedDuration, Timestamp};

/// A clock that nobody sets. Copies agree.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    began: Timestamp,
    since: Instant,
}

impl Clock {
    /// A clock that agrees with the wall clock now.
    pub fn start() -> Self {
        Self {
            began: Timestamp::now(),
            since: Instant::now(),
        }
    }

    /// Returns the time by this clock.
    pub fn now(self) -> Timestamp {
        let passed = SignedDuration::try_from(self.since.elapsed()).unwrap_or(SignedDuration::MAX);
        self.began.saturating_add(passed).unwrap_or(Timestamp::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_passes_from_its_beginning() {
        let clock = Clock {
            began: Timestamp::UNIX_EPOCH,
            since: Instant::now(),
        };
        let first = clock.now();
        // the wall clock is some fifty years on
        assert!(
            first < Timestamp::from_second(60).unwrap_or(Timestamp::MIN),
            "{first}"
        );
        assert!(clock.now() >= first);
    }
}

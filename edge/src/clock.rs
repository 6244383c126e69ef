//! The clock of leases. It starts at the wall clock and advances by the kernel's monotonic clock, so that setting the wall clock while
//! the edge runs changes no lease.

use std::time::Instant;

use jiff::{SignedDuration, Timestamp};

/// A monotonic clock. Copies agree.
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
    fn clock_ignores_the_wall_clock() {
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

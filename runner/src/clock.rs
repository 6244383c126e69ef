//! The time that a run's limits are counted by. Setting the machine's clock does not move it, and it goes on while the machine is suspended.

use std::sync::OnceLock;

use jiff::{SignedDuration, Timestamp};
use rustix::time::{ClockId, clock_gettime};

/// What the machine's clock said, and how long it had been running then.
#[derive(Debug)]
struct Start {
    at: Timestamp,
    ran: SignedDuration,
}

fn ran() -> SignedDuration {
    let ran = clock_gettime(ClockId::Boottime);
    let nanoseconds = i32::try_from(ran.tv_nsec).unwrap_or_default();
    SignedDuration::new(ran.tv_sec, nanoseconds)
}

/// Now: the machine's time when it was asked for first, and what has gone by since.
pub(crate) fn now() -> Timestamp {
    static START: OnceLock<Start> = OnceLock::new();
    let start = START.get_or_init(|| Start {
        at: Timestamp::now(),
        ran: ran(),
    });
    let now = start.at.saturating_add(ran() - start.ran);
    now.unwrap_or(Timestamp::MAX)
}

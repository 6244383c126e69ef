//! Waiting, in one place: with a limit, growing pauses, and an ear for cancellation.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Set when something failed and whoever waits should stop waiting.
#[derive(Debug, Default)]
pub(crate) struct Cancel(AtomicBool);

impl Cancel {
    pub(crate) fn now(&self) {
        self.0.store(true, Ordering::SeqCst);
    }

    pub(crate) fn is_set(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}

/// Pauses between two looks: short at first, since most things are soon there.
const SHORTEST: Duration = Duration::from_millis(50);
const LONGEST: Duration = Duration::from_millis(800);

/// Looks until `look` gives something, at most `limit`. `None` when the time is over.
pub(crate) fn until<T>(limit: Duration, mut look: impl FnMut() -> Option<T>) -> Option<T> {
    let end = Instant::now() + limit;
    let mut pause = SHORTEST;
    loop {
        if let Some(found) = look() {
            return Some(found);
        }
        if Instant::now() >= end {
            return None;
        }
        sleep(pause);
        pause = (pause * 3 / 2).min(LONGEST);
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the lab is plain threads: there is no runtime to block"
)]
fn sleep(time: Duration) {
    std::thread::sleep(time);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_ends_with_what_was_found_or_at_its_limit() {
        let mut looks = 0;
        let found = until(Duration::from_secs(5), || {
            looks += 1;
            (looks == 3).then_some(looks)
        });
        assert_eq!(found, Some(3));
        assert_eq!(until(Duration::ZERO, || None::<()>), None);
    }
}

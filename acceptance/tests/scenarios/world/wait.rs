//! Waiting for something, never longer than its limit.

use std::time::{Duration, Instant};

/// Looks until there is something; `None` when the time is over.
pub(crate) fn look<T>(limit: Duration, mut look: impl FnMut() -> Option<T>) -> Option<T> {
    let end = Instant::now() + limit;
    loop {
        if let Some(found) = look() {
            return Some(found);
        }
        if Instant::now() >= end {
            return None;
        }
        pause(Duration::from_millis(200));
    }
}

/// Looks until there is something, and fails when there is nothing in time.
pub(crate) fn until<T>(what: &str, seconds: u64, look: impl FnMut() -> Option<T>) -> T {
    self::look(Duration::from_secs(seconds), look)
        .unwrap_or_else(|| panic!("{what}: not within {seconds} s"))
}

#[expect(
    clippy::disallowed_methods,
    reason = "a story is a plain thread: there is no runtime to block"
)]
fn pause(time: Duration) {
    std::thread::sleep(time);
}

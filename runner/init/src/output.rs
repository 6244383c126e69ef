//! The output that a run's command wrote, handed over to whoever keeps it before the command's end is told.

use std::fs::File;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use rustix::io::ioctl_fionread;
use rustix::stdio::{dup2_stderr, dup2_stdout, stderr, stdout};

/// How long the engine may take to read what is in its pipes.
const LIMIT: Duration = Duration::from_secs(2);
/// Between two looks.
const LOOK: Duration = Duration::from_millis(2);

/// Waits until all was read, and closes both streams: an engine ends the last line of a stream when that is closed, not before.
pub(crate) fn hand_over() {
    let until = Instant::now() + LIMIT;
    for pipe in [stdout(), stderr()] {
        while is_unread(pipe) && Instant::now() < until {
            std::thread::park_timeout(LOOK);
        }
    }
    if let Ok(nowhere) = File::options().write(true).open("/dev/null") {
        // what can't be closed ends with this process
        let _ = dup2_stdout(&nowhere);
        let _ = dup2_stderr(&nowhere);
    }
}

/// Nobody can tell of what is no pipe: that is read when it is written.
fn is_unread(pipe: impl AsFd) -> bool {
    ioctl_fionread(pipe).is_ok_and(|bytes| bytes > 0)
}

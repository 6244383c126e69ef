//! What ends the server: the CLI's word, its death, or SIGTERM. Not SIGINT: Ctrl-C goes to the whole process group, and it is
//! for the CLI to say what it means.

use std::io;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};

use super::companions::Ending;

/// How often to look whether the CLI is still alive.
const LOOK: Duration = Duration::from_secs(1);

/// Why the server ends, which says how long there is for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// The CLI wants nothing any more, and kills after two seconds.
    Asked,
    /// Nobody waits; what runs may end well.
    Abandoned,
}

/// The signals that matter. From when this exists, SIGINT and SIGHUP don't kill.
pub(super) struct Signals {
    interrupt: Signal,
    hangup: Signal,
    terminate: Signal,
}

impl Signals {
    pub(super) fn catch() -> io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    async fn terminated(mut self) {
        loop {
            tokio::select! {
                _ = self.terminate.recv() => return,
                _ = self.interrupt.recv() => tracing::debug!("SIGINT is for the CLI"),
                _ = self.hangup.recv() => tracing::debug!("SIGHUP is for the CLI"),
            }
        }
    }
}

/// Waits for the end.
pub(super) async fn end(signals: Signals, ending: &Ending) -> End {
    tokio::select! {
        () = ending.begun() => End::Asked,
        () = signals.terminated() => End::Abandoned,
        () = orphaned() => {
            tracing::warn!("the CLI is gone");
            End::Abandoned
        }
    }
}

async fn orphaned() {
    let parent = rustix::process::getppid();
    let mut look = tokio::time::interval(LOOK);
    while rustix::process::getppid() == parent {
        look.tick().await;
    }
}

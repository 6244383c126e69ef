//! Sentences that every executor says in the same words. `docs/runner/troubleshooting.md` has a table of them, which is generated from here.

use strum::EnumIter;

use crate::verdict;

/// A sentence about how a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter)]
pub(crate) enum Said {
    /// The command itself was killed for its memory.
    OutOfMemory,
    /// Something that the command started was killed for its memory.
    KilledAProcess,
    /// An image without a command, and a run without one.
    NoCommand,
    /// A container engine was asked to stop it with SIGTERM; see [`stopped_with`].
    Stopped,
    /// A person ended it who is not its owner.
    CancelledByOthers,
    /// The owner is gone.
    Lease,
    /// The owner is alive and did not end it.
    BeyondItsLimit,
    /// Its network was open although it was to be closed.
    OpenNetwork,
}

impl Said {
    pub(crate) const fn words(self) -> &'static str {
        match self {
            Self::OutOfMemory => {
                "the kernel killed it: it took more memory than resources.memory_mib"
            }
            Self::KilledAProcess => {
                "the kernel killed a process of it: it took more memory than resources.memory_mib"
            }
            Self::NoCommand => "the image has no command, and none was given",
            Self::Stopped => "somebody stopped its container with SIGTERM",
            Self::CancelledByOthers => "somebody cancelled it",
            Self::Lease => "nobody renewed its lease",
            Self::BeyondItsLimit => "it ran for longer than it may, and its owner did not end it",
            Self::OpenNetwork => "its network is not closed: it reaches what it is not to reach",
        }
    }
}

impl From<Said> for String {
    fn from(said: Said) -> Self {
        said.words().to_owned()
    }
}

/// A container engine was asked to stop it.
pub(crate) fn stopped_with(signal: &str) -> String {
    Said::Stopped.words().replace("SIGTERM", signal)
}

/// What is to be known beside an exit code.
pub(crate) fn of_exit(code: i32, killed: bool) -> String {
    let signal = verdict::signal(code);
    let killed = killed.then_some(Said::KilledAProcess.words());
    let words: Vec<_> = signal.into_iter().chain(killed).collect();
    words.join("; ")
}

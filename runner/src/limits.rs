//! How long a run may stay in each of its states.

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

/// Limits of a run. Each state has one, so that no run stays for good.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Until the executor shows it after it was submitted.
    pub submit: SignedDuration,
    /// From being seen until it runs: images are pulled, nodes are found.
    pub start: SignedDuration,
    /// From running until it answers; `None` for what does not have to (a computation).
    pub answer: Option<SignedDuration>,
    /// Without any activity, once it answers; `None`: idleness ends nothing.
    pub idle: Option<SignedDuration>,
    /// From running until it is ended, whatever it does.
    pub run: SignedDuration,
    /// For taking its result, once it has ended.
    pub collect: SignedDuration,
    /// The same from when there was no room for its result, which somebody may make meanwhile.
    #[serde(default = "room")]
    pub room: SignedDuration,
}

/// What plans have that were written down before there was such a limit.
const fn room() -> SignedDuration {
    Limits::ROOM
}

impl Limits {
    const SUBMIT: SignedDuration = SignedDuration::from_secs(60);
    const START: SignedDuration = SignedDuration::from_mins(10);
    const COLLECT: SignedDuration = SignedDuration::from_mins(5);
    const ROOM: SignedDuration = SignedDuration::from_hours(1);

    /// A computation's: it may run for `run`.
    #[must_use]
    pub const fn computation(run: SignedDuration) -> Self {
        Self {
            submit: Self::SUBMIT,
            start: Self::START,
            answer: None,
            idle: None,
            run,
            collect: Self::COLLECT,
            room: Self::ROOM,
        }
    }

    /// A session's: it must answer within `answer` of running, and may be idle for `idle` and run for `run`.
    #[must_use]
    pub const fn session(
        answer: SignedDuration,
        idle: SignedDuration,
        run: SignedDuration,
    ) -> Self {
        Self {
            answer: Some(answer),
            idle: Some(idle),
            ..Self::computation(run)
        }
    }

    /// The same, with another limit for what is before it runs.
    #[must_use]
    pub const fn starting_within(self, start: SignedDuration) -> Self {
        Self { start, ..self }
    }
}

//! Ephemeral containers for applications: a computation that gives its result back, a game session that players are sent
//! to. Both are destroyed when they end, whatever happens.
//!
//! This is the core of it, which does no IO: what state a run is in, what each observation makes of it, how it ended and
//! why. An executor observes and acts; what is right to do is decided here, and nowhere else.
//!
//! ```
//! use jiff::{SignedDuration, Timestamp};
//! use mkys_runner::{Event, Limits, Observation, State, Verdict};
//!
//! let limits = Limits::computation(SignedDuration::from_mins(10));
//! let now = Timestamp::UNIX_EPOCH;
//! let state = State::submitted(now)
//!     .next(&Event::Seen(Observation::Running { since: now }), now, &limits)
//!     .next(&Event::Seen(Observation::Exited { code: 0, words: String::new() }), now, &limits);
//! assert!(matches!(&state, State::Ending { verdict: Verdict::Succeeded, .. }));
//! assert!(state.wants().result, "the result is taken before anything is destroyed");
//! ```

mod door;
pub mod engine;
mod executor;
mod life;
mod limits;
mod log;
mod outcome;
mod plan;
mod result;
mod run;
mod runner;
mod spec;
mod state;
mod verdict;

pub use door::{Direct, Door, DoorError, knock};
pub use executor::{Executor, ExecutorError, Part, Remains, Seen, SubmitError};
pub use limits::Limits;
pub use log::{LogLine, LogPlace};
pub use mkys_init::{FilePath, FilePathError};
pub use outcome::{Outcome, Receipt};
pub use plan::{Content, Plan, PlanError, Work};
pub use result::{Keep, ResultContent, ResultFile};
pub use run::Run;
pub use runner::{Runner, StartError};
pub use spec::{
    Answers, Computation, Container, Gpu, Image, Input, Owner, Resources, RunName, SecretName,
    Session, SpecError, TextError, Variable,
};
pub use state::{Event, Observation, State, Wants};
pub use verdict::{Cause, Failure, Verdict};

//! Ephemeral containers for applications: a computation that gives its result back, a game session that players are sent
//! to. Both are destroyed when they end, whatever happens.
//!
//! A [`Runner`] sees runs through on an [`Executor`]: it starts them, renews their leases, takes their results, destroys them, and takes
//! over what an earlier process of the same [`Owner`] left. What state a run is in, what each observation makes of it, how it ended and
//! why, is decided by [`State::next`] alone, which does no IO.
//!
//! ```no_run
//! use mkys_runner::engine::{Engine, EngineSettings};
//! use mkys_runner::{Computation, Container, Runner};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let settings = EngineSettings::builder().owner("wordcount".parse()?).init("/usr/lib/mkys/mkys-init").build();
//! let runner = Runner::start(Engine::connect(settings).await?).await?;
//!
//! let container = Container::builder().image("busybox:1.36".parse()?).command(["sh", "-c", "echo 42 >/mkys/out/answer"]).build();
//! let computation = Computation::builder()
//!     .name("answer-1".parse()?)
//!     .container(container)
//!     .results(vec!["answer".parse()?])
//!     .build();
//! let run = runner.compute(computation).await?;
//! if let Some(outcome) = run.finish().await {
//!     println!("{:?}: {:?}", outcome.verdict, outcome.results);
//! }
//! # Ok(())
//! # }
//! ```

mod advice;
mod attempts;
mod clock;
mod door;
mod edge;
mod ending;
pub mod engine;
mod executor;
mod folder;
mod follower;
mod frames;
mod kept;
mod knock;
pub mod kubernetes;
mod life;
mod limits;
mod listed;
mod listener;
mod log;
mod outcome;
#[cfg(test)]
#[allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test may stop at once"
)]
mod page;
mod plan;
mod record;
mod result;
mod run;
mod runner;
mod said;
mod spec;
mod state;
mod trace;
mod verdict;
mod watchers;
mod whole;
mod words;

pub use attempts::Attempts;
pub use door::{Direct, Door, DoorError};
pub use edge::{EdgeDoor, EdgeSettings};
pub use executor::{Executor, ExecutorError, Part, Remains, Seen, SubmitError};
pub use folder::FolderError;
pub use kept::KeptInputs;
pub use knock::knock;
pub use limits::Limits;
pub use listed::Listed;
pub use listener::{Listener, ListenerError};
pub use log::{LogLine, LogPlace};
pub use mkys_init::{FilePath, FilePathError};
pub use outcome::{Outcome, Receipt};
pub use plan::{Content, Plan, PlanError, Work};
pub use record::{Difference, Phase, RECORD, Ran, Record, Times, input_of};
pub use result::{Keep, ResultContent, ResultFile};
pub use run::Run;
pub use runner::{Runner, StartError};
pub use spec::{
    Answers, Computation, Container, Gpu, Image, Input, Owner, Placement, Resources, RunName,
    SecretName, Session, SpecError, TextError, Toleration, Variable,
};
pub use state::{Event, Observation, State, Wants};
pub use trace::Trace;
pub use verdict::{Cause, Failure, Verdict};

/// The pages that a user reads, so that their examples compile.
#[cfg(doctest)]
mod pages {
    #[doc = include_str!("../../docs/runner/README.md")]
    struct Start;
    #[doc = include_str!("../../docs/runner/sessions.md")]
    struct Sessions;
    #[doc = include_str!("../../docs/runner/kubernetes.md")]
    struct OnKubernetes;
}

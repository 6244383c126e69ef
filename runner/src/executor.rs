//! What carries runs out: the one seam between what is decided and what is done.
//!
//! An executor observes and acts. What is right to do is decided by [`State`](crate::State) alone, so that a run's life is the same on
//! a container engine and on Kubernetes.

use std::collections::VecDeque;
use std::future::Future;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use mkys_init::FilePath;
use serde::Serialize;
use tokio::sync::mpsc;

use crate::kept::KeptInputs;
use crate::log::{LogLine, LogPlace};
use crate::plan::Plan;
use crate::record::Ran;
use crate::spec::RunName;
use crate::state::Observation;
use crate::verdict::Failure;

/// Carries runs out. All that it is asked to do can be asked again without harm.
pub trait Executor: Send + Sync + 'static {
    /// The runs of this owner that are there, made by whichever process. Those that still wait for their inputs are given what was kept.
    fn runs(
        &self,
        inputs: KeptInputs,
    ) -> impl Future<Output = Result<Vec<Plan>, ExecutorError>> + Send;

    /// Tells what is seen of any run, for as long as the receiver is there. What is seen already is told at once.
    fn watch(&self) -> mpsc::UnboundedReceiver<Seen>;

    /// Has ready what a run needs before it can be started, such as its image. It can be given up at any time.
    fn prepare(&self, plan: &Plan) -> impl Future<Output = Result<(), SubmitError>> + Send;

    /// Starts a run. It is short, and is let go on to its end.
    fn submit(&self, plan: &Plan) -> impl Future<Output = Result<(), SubmitError>> + Send;

    /// How often leases are to be renewed: several times while one lasts.
    fn renew_every(&self) -> Duration;

    /// Renews the leases of runs that are wanted.
    fn renew(&self, runs: &[RunName]) -> impl Future<Output = Result<(), ExecutorError>> + Send;

    /// Takes the results of a run that has ended, part by part.
    fn take(
        &self,
        plan: &Plan,
    ) -> impl Future<Output = Result<mpsc::Receiver<Part>, ExecutorError>> + Send;

    /// Where a session listens, once it runs.
    fn address(
        &self,
        plan: &Plan,
    ) -> impl Future<Output = Result<SocketAddr, ExecutorError>> + Send;

    /// What a run wrote after a place in its log; with `follow` also what it writes until it is destroyed.
    fn logs(
        &self,
        run: &RunName,
        from: Option<LogPlace>,
        follow: bool,
    ) -> BoxStream<'static, Result<LogLine, ExecutorError>>;

    /// Ends a run's command, if it has not ended, and keeps what it wrote. Says whether the command has ended and its whole log can be read;
    /// an executor that can't keep a log beyond the command says no, and nothing is ended.
    fn stop(&self, _plan: &Plan) -> impl Future<Output = Result<bool, ExecutorError>> + Send {
        std::future::ready(Ok(false))
    }

    /// The last lines that a run wrote, so many at most.
    fn last_lines(
        &self,
        run: &RunName,
        most: usize,
    ) -> impl Future<Output = Result<Vec<LogLine>, ExecutorError>> + Send {
        let mut lines = self.logs(run, None, false);
        async move {
            let mut last = VecDeque::with_capacity(most);
            while let Some(line) = lines.next().await {
                if last.len() == most {
                    last.pop_front();
                }
                last.push_back(line?);
            }
            Ok(last.into())
        }
    }

    /// What a run ran on, while it is there; `None` when that can't be told any more.
    fn ran(&self, plan: &Plan) -> impl Future<Output = Option<Ran>> + Send;

    /// Destroys a run and whatever it has of its own; done when nothing of it is left. Says what there was, as far as it was there.
    fn destroy(
        &self,
        plan: &Plan,
    ) -> impl Future<Output = Result<Vec<Remains>, ExecutorError>> + Send;

    /// Everything of this owner that is there, by kind and name: nothing, once all runs are gone.
    fn remains(&self) -> impl Future<Output = Result<Vec<Remains>, ExecutorError>> + Send;
}

/// Something that an executor saw.
#[derive(Clone, Debug)]
pub struct Seen {
    /// Of which run.
    pub run: RunName,
    /// What.
    pub observation: Observation,
}

/// A part of a run's results.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// A file begins.
    File {
        /// Its path.
        path: FilePath,
        /// In bytes.
        length: u64,
    },
    /// Its next bytes.
    Data(Bytes),
    /// It is whole.
    End {
        /// SHA-256 of it, in hexadecimal.
        sha256: String,
    },
    /// All results were given.
    Taken,
    /// They can't be given.
    NotTaken(Failure),
}

/// Something of an owner's that is there.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Remains {
    /// What kind of thing, such as `container`.
    pub kind: &'static str,
    /// Its name.
    pub name: String,
}

/// Why an executor can't do something.
#[derive(Debug, thiserror::Error)]
#[error("{executor} does not {action}")]
pub struct ExecutorError {
    /// Which executor, and where.
    pub executor: String,
    /// What it was asked to do.
    pub action: String,
    /// Its own reason.
    #[source]
    pub source: Box<dyn std::error::Error + Send + Sync>,
}

/// Why a run can't be started.
#[derive(Debug, thiserror::Error)]
pub enum SubmitError {
    /// There is a run of that name that does something else.
    #[error("there is a run named {0} already, and it is another one")]
    Other(RunName),
    /// It is known at once that it can never be started.
    #[error("{}: {}", .0.cause, .0.words)]
    Refused(Failure),
    /// The executor can't do it now; it may be asked again.
    #[error(transparent)]
    Executor(#[from] ExecutorError),
}

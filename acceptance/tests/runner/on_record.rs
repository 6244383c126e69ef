//! Computations whose owners are killed after they wrote down how they ended, and before they told it.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use futures_util::stream::BoxStream;
use mkys_runner::{
    Computation, Direct, Executor, ExecutorError, Input, Keep, KeptInputs, LogLine, LogPlace, Part,
    Plan, Ran, Record, Remains, RunName, Runner, Seen, SubmitError, Verdict,
};
use tokio::sync::mpsc;

use crate::bench::{Bench, line, until_running};

/// An executor whose owner never gets to destroy anything.
struct Kept<E>(E);

impl<E: Executor> Executor for Kept<E> {
    async fn runs(&self, inputs: KeptInputs) -> Result<Vec<Plan>, ExecutorError> {
        self.0.runs(inputs).await
    }

    fn watch(&self) -> mpsc::UnboundedReceiver<Seen> {
        self.0.watch()
    }

    async fn prepare(&self, plan: &Plan) -> Result<(), SubmitError> {
        self.0.prepare(plan).await
    }

    async fn submit(&self, plan: &Plan) -> Result<(), SubmitError> {
        self.0.submit(plan).await
    }

    fn renew_every(&self) -> Duration {
        self.0.renew_every()
    }

    async fn renew(&self, runs: &[RunName]) -> Result<(), ExecutorError> {
        self.0.renew(runs).await
    }

    async fn take(&self, plan: &Plan) -> Result<mpsc::Receiver<Part>, ExecutorError> {
        self.0.take(plan).await
    }

    async fn address(&self, plan: &Plan) -> Result<SocketAddr, ExecutorError> {
        self.0.address(plan).await
    }

    fn logs(
        &self,
        run: &RunName,
        from: Option<LogPlace>,
        follow: bool,
    ) -> BoxStream<'static, Result<LogLine, ExecutorError>> {
        self.0.logs(run, from, follow)
    }

    async fn ran(&self, plan: &Plan) -> Option<Ran> {
        self.0.ran(plan).await
    }

    async fn destroy(&self, _plan: &Plan) -> Result<Vec<Remains>, ExecutorError> {
        std::future::pending().await
    }

    async fn remains(&self) -> Result<Vec<Remains>, ExecutorError> {
        self.0.remains().await
    }
}

async fn keeping<E: Executor>(executor: E, folder: &Path) -> Runner<E> {
    let keep = Keep::Directory(folder.to_owned());
    Runner::start_with(executor, keep, Direct).await.unwrap()
}

/// Computes until that is on record, and ends the owner there.
async fn killed<B: Bench>(bench: &B, computation: &Computation, folder: &Path) -> Record {
    let runner = keeping(Kept(bench.executor().await), folder).await;
    let run = runner.compute(computation.clone()).await.unwrap();
    let record = run.recorded().await.unwrap();
    assert!(run.outcome().is_none(), "it is there");
    runner.close().await;
    Record::clone(&record)
}

/// The next owner tells what is on record, and leaves nothing.
async fn told<B: Bench>(bench: &B, computation: &Computation, folder: &Path, record: &Record) {
    let runner = keeping(bench.executor().await, folder).await;
    let run = runner.compute(computation.clone()).await.unwrap();
    let outcome = run.finish().await.unwrap();
    assert_eq!(outcome.verdict, Verdict::Succeeded, "{outcome:?}");
    assert_eq!(outcome.results, record.results, "it was done again");
    assert_eq!(outcome.record.ran, record.ran);
    let written = Record::read(&folder.join("one")).await.unwrap();
    assert_eq!(written.plan.submitted, record.plan.submitted);
    assert!(written.times.gone.is_some());
    assert_eq!(bench.left().await, Vec::<String>::new());
    runner.close().await;
}

pub(crate) async fn what_an_owner_did_not_live_to_tell_is_not_done_again(bench: &impl Bench) {
    let folder = tempfile::tempdir().unwrap();
    // no two give the same
    let line_of_shell = "dd if=/dev/urandom of=/mkys/out/noise bs=1k count=4 2>/dev/null";
    let mut computation = line(bench, line_of_shell);
    computation.results = vec!["noise".parse().unwrap()];
    let record = killed(bench, &computation, folder.path()).await;
    told(bench, &computation, folder.path(), &record).await;

    // and where nothing of it is there any more
    let again = killed(bench, &computation, folder.path()).await;
    assert_ne!(again.results, record.results, "it was asked for once more");
    bench.take_away("one").await;
    while !bench.left().await.is_empty() {
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    told(bench, &computation, folder.path(), &again).await;
}

pub(crate) async fn what_was_taken_over_can_be_run_again(bench: &impl Bench) {
    let folder = tempfile::tempdir().unwrap();
    let mut computation = line(bench, "sleep 3; cat /mkys/in/a >/mkys/out/b");
    computation.inputs = [("a".parse().unwrap(), Input::from("42"))].into();
    computation.results = vec!["b".parse().unwrap()];
    let first = keeping(bench.executor().await, folder.path()).await;
    let run = first.compute(computation.clone()).await.unwrap();
    until_running(&run).await;
    drop(run);
    first.close().await;
    let second = keeping(bench.executor().await, folder.path()).await;
    let run = second.run(&computation.name).unwrap();
    let outcome = run.finish().await.unwrap();
    assert_eq!(outcome.verdict, Verdict::Succeeded, "{outcome:?}");
    second.close().await;

    let mut replay = bench.mkys_run();
    replay.arg("replay").arg(folder.path().join("one"));
    replay.current_dir(folder.path());
    let output = tokio::task::spawn_blocking(move || replay.output()).await;
    let output = output.unwrap().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.ends_with("the same as recorded\n"), "{said}");
}

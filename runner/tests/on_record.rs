//! What is on record of a run whose owner is killed while it destroys it: on an executor that destroys when it is told to, since a real
//! one is too quick for that.

#![allow(clippy::unwrap_used, reason = "a test may stop at once")]

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::{BoxStream, StreamExt};
use mkys_runner::{
    Computation, Container, Direct, Executor, ExecutorError, Input, Keep, KeptInputs, LogLine,
    LogPlace, Observation, Part, Plan, Ran, Record, Remains, ResultContent, RunName, Runner, Seen,
    SubmitError, Verdict,
};
use sha2::{Digest, Sha256};
use tokio::sync::{Mutex, mpsc};

/// Each run ends at once, and has its number for a result.
#[derive(Debug)]
struct Quick {
    submitted: Arc<AtomicUsize>,
    /// What is there when an owner comes.
    there: Vec<Plan>,
    destroys: bool,
    /// The exit code of what is submitted.
    code: i32,
    tells: mpsc::UnboundedSender<Seen>,
    seen: Mutex<Option<mpsc::UnboundedReceiver<Seen>>>,
}

impl Quick {
    fn new(submitted: &Arc<AtomicUsize>, destroys: bool) -> Self {
        let (tells, seen) = mpsc::unbounded_channel();
        Self {
            submitted: Arc::clone(submitted),
            there: Vec::new(),
            destroys,
            code: 0,
            tells,
            seen: Mutex::new(Some(seen)),
        }
    }

    fn ends(&self, plan: &Plan, code: i32) {
        let (run, words) = (plan.name.clone(), String::new());
        let observation = Observation::Exited { code, words };
        self.tells.send(Seen { run, observation }).unwrap();
    }
}

impl Executor for Quick {
    async fn runs(&self, _inputs: KeptInputs) -> Result<Vec<Plan>, ExecutorError> {
        // it was being stopped when its owner was killed, and that is all that can be seen of it
        self.there.iter().for_each(|plan| self.ends(plan, 143));
        Ok(self.there.clone())
    }

    fn watch(&self) -> mpsc::UnboundedReceiver<Seen> {
        self.seen.try_lock().unwrap().take().unwrap()
    }

    async fn prepare(&self, _plan: &Plan) -> Result<(), SubmitError> {
        Ok(())
    }

    async fn submit(&self, plan: &Plan) -> Result<(), SubmitError> {
        self.submitted.fetch_add(1, Ordering::SeqCst);
        self.ends(plan, self.code);
        Ok(())
    }

    fn renew_every(&self) -> Duration {
        Duration::from_secs(1)
    }

    async fn renew(&self, _runs: &[RunName]) -> Result<(), ExecutorError> {
        Ok(())
    }

    async fn take(&self, _plan: &Plan) -> Result<mpsc::Receiver<Part>, ExecutorError> {
        let number = self.submitted.load(Ordering::SeqCst).to_string();
        let (sender, parts) = mpsc::channel(4);
        let file = Part::File {
            path: "number".parse().unwrap(),
            length: number.len() as u64,
        };
        let sha256 = Sha256::digest(&number);
        let sha256 = sha256.iter().map(|byte| format!("{byte:02x}")).collect();
        let data = Part::Data(Bytes::from(number));
        for part in [file, data, Part::End { sha256 }, Part::Taken] {
            sender.send(part).await.unwrap();
        }
        Ok(parts)
    }

    async fn address(&self, _plan: &Plan) -> Result<SocketAddr, ExecutorError> {
        std::future::pending().await
    }

    fn logs(
        &self,
        _run: &RunName,
        _from: Option<LogPlace>,
        _follow: bool,
    ) -> BoxStream<'static, Result<LogLine, ExecutorError>> {
        futures_util::stream::empty().boxed()
    }

    async fn ran(&self, _plan: &Plan) -> Option<Ran> {
        None
    }

    async fn destroy(&self, _plan: &Plan) -> Result<Vec<Remains>, ExecutorError> {
        match self.destroys {
            true => Ok(Vec::new()),
            false => std::future::pending().await,
        }
    }

    async fn remains(&self) -> Result<Vec<Remains>, ExecutorError> {
        Ok(Vec::new())
    }
}

fn computation() -> Computation {
    let container = Container::builder().image("a".parse().unwrap()).build();
    Computation::builder()
        .name("one".parse().unwrap())
        .container(container)
        .results(vec!["number".parse().unwrap()])
        .build()
}

async fn runner(executor: Quick, folder: &Path) -> Runner<Quick> {
    let keep = Keep::Directory(folder.to_owned());
    Runner::start_with(executor, keep, Direct).await.unwrap()
}

/// Starts the computation and ends its owner while it is being destroyed; gives what is on record then.
async fn killed(submitted: &Arc<AtomicUsize>, folder: &Path) -> Record {
    let runner = runner(Quick::new(submitted, false), folder).await;
    let run = runner.compute(computation()).await.unwrap();
    let recorded = tokio::time::timeout(Duration::from_secs(10), run.recorded());
    let recorded = recorded.await.unwrap().unwrap();
    assert!(run.outcome().is_none(), "it is still being destroyed");
    runner.close().await;
    let record = Record::read(&folder.join("one")).await.unwrap();
    assert_eq!(
        (&record.verdict, record.times.gone),
        (&recorded.verdict, None)
    );
    assert_eq!(record.verdict, Verdict::Succeeded);
    record
}

async fn told(runner: &Runner<Quick>, folder: &Path, record: &Record) {
    let run = runner.compute(computation()).await.unwrap();
    let outcome = tokio::time::timeout(Duration::from_secs(10), run.finish());
    let outcome = outcome.await.unwrap().unwrap();
    assert_eq!(outcome.verdict, record.verdict);
    let number = folder.join("one/out/number");
    assert_eq!(std::fs::read(&number).unwrap(), b"1");
    let [result] = &outcome.results[..] else {
        panic!("{outcome:?}")
    };
    assert_eq!(result.content, ResultContent::File(number));
    let whole = Record::read(&folder.join("one")).await.unwrap();
    assert_eq!(whole.plan.submitted, record.plan.submitted);
    assert!(whole.times.gone.is_some());
    let phases: Vec<_> = whole.phases.iter().map(|one| &*one.name).collect();
    assert!(phases.ends_with(&["results", "destruction"]), "{phases:?}");
}

#[tokio::test]
async fn what_an_owner_did_not_live_to_tell_is_not_done_again() {
    let (submitted, folder) = (Arc::default(), tempfile::tempdir().unwrap());
    let record = killed(&submitted, folder.path()).await;
    let next = runner(Quick::new(&submitted, true), folder.path()).await;
    told(&next, folder.path(), &record).await;
    assert_eq!(submitted.load(Ordering::SeqCst), 1, "it was done again");
    // it was told: whoever asks for it now wants it done again
    let run = next.compute(computation()).await.unwrap();
    run.finish().await.unwrap();
    assert_eq!(submitted.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn what_is_on_record_counts_although_something_of_the_run_is_there() {
    let (submitted, folder) = (Arc::default(), tempfile::tempdir().unwrap());
    let record = killed(&submitted, folder.path()).await;
    let mut executor = Quick::new(&submitted, true);
    executor.there = vec![record.plan.clone()];
    let next = runner(executor, folder.path()).await;
    told(&next, folder.path(), &record).await;
    assert_eq!(submitted.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_record_whose_results_are_gone_is_of_no_use() {
    let (submitted, folder) = (Arc::default(), tempfile::tempdir().unwrap());
    killed(&submitted, folder.path()).await;
    std::fs::remove_dir_all(folder.path().join("one/out")).unwrap();
    let next = runner(Quick::new(&submitted, true), folder.path()).await;
    let run = next.compute(computation()).await.unwrap();
    run.finish().await.unwrap();
    assert_eq!(submitted.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn what_is_beside_a_record_is_what_it_tells_of() {
    let (submitted, folder) = (Arc::default(), tempfile::tempdir().unwrap());
    let compute = async |code, input: &str| {
        let mut executor = Quick::new(&submitted, true);
        executor.code = code;
        let runner = runner(executor, folder.path()).await;
        let mut computation = computation();
        let path = input.parse().unwrap();
        computation.inputs = [(path, Input::from(input))].into();
        let run = runner.compute(computation).await.unwrap();
        run.finish().await.unwrap();
    };
    let there = |path: &str| folder.path().join("one").join(path).exists();
    compute(0, "a").await;
    assert!(there("out/number") && there("in/a"));
    compute(3, "b").await;
    let record = Record::read(&folder.path().join("one")).await.unwrap();
    assert!(matches!(record.verdict, Verdict::Failed(_)), "{record:?}");
    assert!(there("in/b"));
    assert!(!there("in/a") && !there("out/number"), "the earlier run's");
    let all = std::fs::read_dir(folder.path().join("one")).unwrap();
    let hidden = all.filter(|one| {
        let name = one.as_ref().unwrap().file_name();
        name.to_string_lossy().starts_with('.')
    });
    assert_eq!(hidden.count(), 0);
}

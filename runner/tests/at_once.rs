//! What a runner keeps although many ask it at once, or its executor does not answer: on an executor that does as it is told, since a
//! real one can't be made to be as slow or as quick as that.

#![allow(clippy::unwrap_used, reason = "a test may stop at once")]

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, Mutex};
use std::time::Duration;

use futures_util::future::{BoxFuture, FutureExt};
use futures_util::stream::{BoxStream, StreamExt};
use mkys_runner::{
    Answers, Cause, Container, Door, DoorError, Executor, ExecutorError, Keep, KeptInputs, LogLine,
    LogPlace, Observation, Part, Plan, Ran, Remains, Run, RunName, Runner, Seen, Session, State,
    SubmitError, Verdict,
};
use tokio::sync::mpsc;

/// Runs whatever it is given unless it refuses, and never answers to a renewal.
#[derive(Debug)]
struct Frozen {
    refuses: bool,
    submitted: Arc<AtomicUsize>,
    tells: mpsc::UnboundedSender<Seen>,
    seen: Mutex<Option<mpsc::UnboundedReceiver<Seen>>>,
}

impl Frozen {
    fn new() -> Self {
        let (tells, seen) = mpsc::unbounded_channel();
        Self {
            refuses: false,
            submitted: Arc::default(),
            tells,
            seen: Mutex::new(Some(seen)),
        }
    }
}

impl Executor for Frozen {
    async fn runs(&self, _inputs: KeptInputs) -> Result<Vec<Plan>, ExecutorError> {
        Ok(Vec::new())
    }

    fn watch(&self) -> mpsc::UnboundedReceiver<Seen> {
        self.seen.lock().unwrap().take().unwrap()
    }

    async fn prepare(&self, _plan: &Plan) -> Result<(), SubmitError> {
        Ok(())
    }

    async fn submit(&self, plan: &Plan) -> Result<(), SubmitError> {
        self.submitted.fetch_add(1, Ordering::SeqCst);
        if self.refuses {
            return Err(SubmitError::Executor(ExecutorError {
                executor: "the engine".to_owned(),
                action: "create it".to_owned(),
                source: "in words that nobody knows".into(),
            }));
        }
        let since = plan.submitted;
        let (run, observation) = (plan.name.clone(), Observation::Running { since });
        self.tells.send(Seen { run, observation }).unwrap();
        Ok(())
    }

    fn renew_every(&self) -> Duration {
        Duration::from_millis(10)
    }

    async fn renew(&self, _runs: &[RunName]) -> Result<(), ExecutorError> {
        std::future::pending().await
    }

    async fn take(&self, _plan: &Plan) -> Result<mpsc::Receiver<Part>, ExecutorError> {
        std::future::pending().await
    }

    async fn address(&self, _plan: &Plan) -> Result<SocketAddr, ExecutorError> {
        Ok(([127, 0, 0, 1], 8080).into())
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
        Ok(Vec::new())
    }

    async fn remains(&self) -> Result<Vec<Remains>, ExecutorError> {
        Ok(Vec::new())
    }
}

/// Opens at once, and tells whom it renews.
#[derive(Debug)]
struct Open(mpsc::Sender<Vec<RunName>>);

impl Door for Open {
    fn open<'a>(
        &'a self,
        run: &'a RunName,
        _target: SocketAddr,
        _answers: &'a Answers,
    ) -> BoxFuture<'a, Result<String, DoorError>> {
        async move { Ok(format!("ws://play.example.org/{run}")) }.boxed()
    }

    fn close<'a>(&'a self, _run: &'a RunName) -> BoxFuture<'a, Result<(), DoorError>> {
        async { Ok(()) }.boxed()
    }

    fn renew<'a>(
        &'a self,
        runs: &'a [RunName],
    ) -> BoxFuture<'a, Result<Vec<(RunName, Duration)>, DoorError>> {
        async move {
            if !runs.is_empty() {
                // nobody may listen any more
                let _ = self.0.send(runs.to_vec()).await;
            }
            Ok(Vec::new())
        }
        .boxed()
    }

    fn renew_every(&self) -> Duration {
        Duration::from_millis(10)
    }
}

fn game(name: &str) -> Session {
    let image = "registry.example.org/games/chess:1.2".parse().unwrap();
    Session::builder()
        .name(name.parse().unwrap())
        .container(Container::builder().image(image).build())
        .port(8080)
        .build()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_executor_that_does_not_answer_costs_no_players_their_way() {
    let (renewed, mut renewals) = mpsc::channel(1);
    let runner = Runner::start_with(Frozen::new(), Keep::Memory, Open(renewed));
    let runner = runner.await.unwrap();
    let run = runner.play(game("chess")).unwrap();
    run.answers().await.unwrap();
    for _ in 0..3 {
        let renewed = tokio::time::timeout(Duration::from_secs(10), renewals.recv());
        assert_eq!(renewed.await.unwrap().unwrap(), [run.name().clone()]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn many_who_ask_for_the_same_at_once_are_given_one_run() {
    const ASKERS: usize = 8;
    let executor = Frozen::new();
    let submitted = Arc::clone(&executor.submitted);
    let runner = Runner::start(executor).await.unwrap();
    for round in 0..200 {
        let name = format!("chess-{round}");
        let together = Barrier::new(ASKERS);
        let handle = tokio::runtime::Handle::current();
        let runs: Vec<_> = std::thread::scope(|scope| {
            let ask = || {
                let _inside = handle.enter();
                together.wait();
                runner.play(game(&name)).unwrap()
            };
            let asking: Vec<_> = (0..ASKERS).map(|_| scope.spawn(ask)).collect();
            asking.into_iter().map(|one| one.join().unwrap()).collect()
        });
        let running = |state| std::future::ready(matches!(state, State::Running { .. }));
        assert!(runs[0].states().any(running).await);
        assert_eq!(submitted.load(Ordering::SeqCst), round + 1, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn states_are_over_once_and_the_outcome_is_there_then() {
    let runner = Runner::start(Frozen::new()).await.unwrap();
    for round in 0..100 {
        let run = runner.play(game(&format!("chess-{round}"))).unwrap();
        run.end();
        let mut states = std::pin::pin!(run.states());
        while let Some(state) = states.next().await {
            if matches!(state, State::Gone { .. }) {
                assert!(run.outcome().is_some(), "it is gone without an outcome");
            }
        }
        // one who waits for several things at once asks again
        assert_eq!(states.next().await, None);
    }
}

/// How a run failed.
async fn failure(run: &Run) -> (Cause, String) {
    let outcome = tokio::time::timeout(Duration::from_secs(30), run.finish()).await;
    match &outcome.unwrap().unwrap().verdict {
        Verdict::Failed(failure) => (failure.cause, failure.words.clone()),
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_that_is_refused_tells_why_and_can_be_ended() {
    let refusing = || Frozen {
        refuses: true,
        ..Frozen::new()
    };
    const WORDS: &str = "the engine does not create it: in words that nobody knows";
    let runner = Runner::start(refusing()).await.unwrap();
    let mut session = game("chess");
    session.container.starts_within = jiff::SignedDuration::from_secs(2);
    let run = runner.play(session).unwrap();
    let told = |state| {
        let says = matches!(state, State::Starting { words, cause: Cause::Executor, .. } if words == WORDS);
        std::future::ready(says)
    };
    assert!(run.states().any(told).await, "nothing tells why it waits");
    let (cause, words) = failure(&run).await;
    assert_eq!(cause, Cause::Executor);
    assert_eq!(words, format!("it did not start within 2s: {WORDS}"));

    let run = runner.play(game("other")).unwrap();
    assert!(run.states().any(told).await);
    run.end();
    assert_eq!(failure(&run).await.0, Cause::Cancelled);
}

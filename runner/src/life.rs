//! The life of one run: what is observed goes into its state, and what its state wants is done.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};
use futures_util::StreamExt;
use jiff::{SignedDuration, Timestamp};
use tokio::sync::{mpsc, watch};

use crate::executor::{Executor, Remains, SubmitError};
use crate::log::LogLine;
use crate::outcome::{Outcome, Receipt};
use crate::plan::{Plan, Work};
use crate::record::{Phase, Ran, Record, Times};
use crate::result::{self, Keep, NotTaken, ResultFile};
use crate::run::Published;
use crate::runner::Shared;
use crate::state::{Event, Observation, State};
use crate::verdict::{Cause, Failure, Verdict};
use crate::words::words;

/// The last lines of its log that an outcome has.
const LOG_LINES: usize = 100;
/// How long the log may take before a run is destroyed without it.
const LOG: Duration = Duration::from_secs(10);

/// What a run's life is told from outside.
#[derive(Debug)]
pub(crate) enum Told {
    /// The executor saw something.
    Seen(Observation),
    /// The caller did something.
    Happened(Event),
}

/// What an action came to.
enum Done {
    Prepared,
    Submitted,
    Refused(Failure),
    /// What is there under its name is another run, which is left alone.
    Another(Failure),
    /// A session answers, and players go to this URL.
    Answered(String),
    Taken(Vec<ResultFile>),
    NotTaken(Failure),
    Destroyed(Destroyed),
}

/// What there was of a run.
#[derive(Default)]
struct Destroyed {
    gone: Vec<Remains>,
    log: Vec<LogLine>,
    ran: Option<Ran>,
}

type Action = Pin<Box<dyn Future<Output = Done> + Send>>;

/// What is being done. One thing at a time.
enum Doing {
    Nothing,
    /// It can be given up.
    Trying(Action),
    /// It goes on to its end, so that nothing is made after it was looked for.
    Going(Action),
}

struct Life<E> {
    shared: Arc<Shared<E>>,
    plan: Plan,
    state: State,
    /// Whether it was handed to the executor, or might have been.
    is_there: bool,
    /// What is there under its name is another run.
    is_another: bool,
    results: Vec<ResultFile>,
    times: Times,
    phases: Vec<Phase>,
    /// Since when it is in its phase.
    entered: Timestamp,
    doing: Doing,
}

/// Sees a run through to its end.
pub(crate) async fn see_through<E: Executor>(
    shared: Arc<Shared<E>>,
    plan: Plan,
    is_there: bool,
    mut told: mpsc::UnboundedReceiver<Told>,
    publish: watch::Sender<Published>,
) {
    let now = Timestamp::now();
    let times = Times {
        submitted: plan.submitted,
        began: None,
        ended: None,
        gone: now,
    };
    let mut life = Life {
        shared,
        plan,
        state: State::submitted(now),
        times,
        phases: Vec::new(),
        entered: now,
        is_there,
        is_another: false,
        results: Vec::new(),
        doing: Doing::Nothing,
    };
    if !is_there {
        // an image takes its time, which is not the executor's silence
        let waits = Observation::Waiting {
            cause: Cause::ImageRefused,
            words: format!("{} is made ready", life.plan.container.image),
        };
        life.happened(&Event::Seen(waits), &publish);
    }
    let destroyed = loop {
        life.act();
        let until = life.state.until(&life.plan.limits);
        let now = Timestamp::now();
        let wait = until.map(|until| {
            until
                .duration_since(now)
                .try_into()
                .unwrap_or(Duration::ZERO)
        });
        let event = tokio::select! {
            done = life.done() => match life.did(done, &publish) {
                Ok(event) => event,
                Err(destroyed) => break destroyed,
            },
            Some(told) = told.recv() => Some(match told {
                Told::Seen(observation) => Event::Seen(observation),
                Told::Happened(event) => event,
            }),
            () = tokio::time::sleep(wait.unwrap_or(Duration::MAX)), if wait.is_some() => Some(Event::Tick),
        };
        if let Some(event) = event {
            life.happened(&event, &publish);
        }
    };
    life.happened(&Event::Absent, &publish);
    let outcome = life.over(destroyed).await;
    publish.send_modify(|published| published.outcome = Some(Arc::new(outcome)));
}

impl<E: Executor> Life<E> {
    fn happened(&mut self, event: &Event, publish: &watch::Sender<Published>) {
        let now = Timestamp::now();
        let next = self.state.clone().next(event, now, &self.plan.limits);
        if next != self.state {
            tracing::info!(run = %self.plan.name, state = ?next, "goes on");
            if next.phase() != self.state.phase() {
                self.phases.push(Phase {
                    name: self.state.phase().to_owned(),
                    lasted: now.duration_since(self.entered),
                });
                self.entered = now;
            }
            self.state = next.clone();
            match &next {
                State::Running { since, .. } => self.times.began = Some(*since),
                State::Ending { .. } => self.times.ended = self.times.ended.or(Some(now)),
                _ => {}
            }
            publish.send_modify(|published| published.state = next);
        }
    }

    /// Nothing is left of it: what is known is put together, and written down where results are kept on the disk.
    async fn over(self, destroyed: Destroyed) -> Outcome {
        let Destroyed { gone, log, ran } = destroyed;
        let at = Timestamp::now();
        let lost = || Verdict::Lost {
            words: "it was destroyed".to_owned(),
        };
        let verdict = self.state.verdict().cloned().unwrap_or_else(lost);
        let record = Record {
            plan: self.plan,
            ran,
            times: Times {
                gone: at,
                ..self.times
            },
            phases: self.phases,
            verdict: verdict.clone(),
            results: self.results.clone(),
            runner: env!("CARGO_PKG_VERSION").to_owned(),
        };
        let mut unwritten = None;
        if let Keep::Directory(directory) = &self.shared.keep {
            let folder = directory.join(record.plan.name.as_str());
            if let Err(error) = record.write(&folder).await {
                let words = format!(
                    "its record can't be written to {}: {error}",
                    folder.display()
                );
                tracing::error!(run = %record.plan.name, "{words}");
                unwritten = Some(words);
            }
        }
        Outcome {
            verdict,
            results: self.results,
            log,
            record,
            unwritten,
            receipt: Receipt { at, gone },
        }
    }

    /// Begins what the state wants, unless something is being done that has to go on.
    fn act(&mut self) {
        let wants = self.state.wants();
        if matches!(self.doing, Doing::Trying(_)) && !wants.container {
            // the way to a session that is closed next, an image that nobody needs, or a result that comes too late
            self.doing = Doing::Nothing;
        }
        if !matches!(self.doing, Doing::Nothing) {
            return;
        }
        let (shared, plan) = (Arc::clone(&self.shared), self.plan.clone());
        self.doing = if wants.destroy && self.is_another {
            Doing::Going(Box::pin(std::future::ready(Done::Destroyed(
                Destroyed::default(),
            ))))
        } else if wants.destroy {
            Doing::Going(Box::pin(destroy(shared, plan)))
        } else if wants.result {
            Doing::Trying(Box::pin(take(shared, plan)))
        } else if wants.container && !self.is_there {
            Doing::Trying(Box::pin(prepare(shared, plan)))
        } else if matches!(self.state, State::Running { .. }) && plan.limits.answer.is_some() {
            Doing::Trying(Box::pin(open(shared, plan)))
        } else {
            Doing::Nothing
        };
    }

    /// Waits for what is being done.
    async fn done(&mut self) -> Done {
        match &mut self.doing {
            Doing::Trying(action) | Doing::Going(action) => action.await,
            Doing::Nothing => std::future::pending().await,
        }
    }

    /// What was done becomes an event, but for the end of it all.
    fn did(
        &mut self,
        done: Done,
        publish: &watch::Sender<Published>,
    ) -> Result<Option<Event>, Destroyed> {
        self.doing = Doing::Nothing;
        Ok(match done {
            Done::Prepared => {
                self.is_there = true;
                let submit = submit(Arc::clone(&self.shared), self.plan.clone());
                self.doing = Doing::Going(Box::pin(submit));
                None
            }
            Done::Submitted => None,
            Done::Answered(url) => {
                publish.send_modify(|published| published.url = Some(url));
                Some(Event::Answered)
            }
            Done::Refused(failure) => Some(Event::Seen(Observation::Failed(failure))),
            Done::Another(failure) => {
                self.is_another = true;
                Some(Event::Seen(Observation::Failed(failure)))
            }
            Done::Taken(results) => {
                self.results = results;
                Some(Event::Taken(Ok(())))
            }
            Done::NotTaken(failure) => Some(Event::Taken(Err(failure))),
            Done::Destroyed(destroyed) => return Err(destroyed),
        })
    }
}

/// For what may be asked again for good: each action is over with the state that wants it.
fn again() -> ExponentialBackoff {
    ExponentialBuilder::default()
        .with_min_delay(Duration::from_millis(200))
        .with_max_delay(Duration::from_secs(10))
        .with_jitter()
        .without_max_times()
        .build()
}

async fn pause(
    waits: &mut ExponentialBackoff,
    error: &(dyn std::error::Error + Send + Sync + 'static),
    plan: &Plan,
    what: &'static str,
) {
    let wait = waits.next().unwrap_or(Duration::from_secs(10));
    tracing::warn!(run = %plan.name, error, ?wait, "{what}; asked again");
    tokio::time::sleep(wait).await;
}

async fn prepare<E: Executor>(shared: Arc<Shared<E>>, plan: Plan) -> Done {
    let mut waits = again();
    loop {
        match shared.executor.prepare(&plan).await {
            Ok(()) => return Done::Prepared,
            Err(error @ SubmitError::Executor(_)) => {
                pause(&mut waits, &error, &plan, "it can't be prepared").await
            }
            Err(error) => return refused(error),
        }
    }
}

async fn submit<E: Executor>(shared: Arc<Shared<E>>, plan: Plan) -> Done {
    let mut waits = again();
    loop {
        match shared.executor.submit(&plan).await {
            Ok(()) => return Done::Submitted,
            Err(error @ SubmitError::Executor(_)) => {
                // whether it can still be started is the state's to say
                if started_too_late(&plan) {
                    return Done::Submitted;
                }
                pause(&mut waits, &error, &plan, "it can't be submitted").await;
            }
            Err(error) => return refused(error),
        }
    }
}

fn started_too_late(plan: &Plan) -> bool {
    let waited = Timestamp::now().duration_since(plan.submitted);
    waited > plan.limits.submit + plan.limits.start
}

fn refused(error: SubmitError) -> Done {
    match error {
        SubmitError::Refused(failure) => Done::Refused(failure),
        other => Done::Another(Failure::new(Cause::NameTaken, other.to_string())),
    }
}

async fn take<E: Executor>(shared: Arc<Shared<E>>, plan: Plan) -> Done {
    if !matches!(&plan.work, Work::Computation { results, .. } if !results.is_empty()) {
        return Done::Taken(Vec::new());
    }
    let mut waits = again();
    loop {
        let error: Box<dyn std::error::Error + Send + Sync> =
            match shared.executor.take(&plan).await {
                Ok(parts) => match result::take(&plan.name, &shared.keep, parts).await {
                    Ok(results) => return Done::Taken(results),
                    Err(NotTaken::Refused(failure)) => return Done::NotTaken(failure),
                    Err(NotTaken::Interrupted) => "it was interrupted".into(),
                },
                Err(error) => error.into(),
            };
        let words = words(&*error);
        shared.tell(&plan.name, Told::Happened(Event::Untaken { words }));
        pause(&mut waits, &*error, &plan, "its result can't be taken").await;
    }
}

/// Makes the way to a session, until it answers there.
async fn open<E: Executor>(shared: Arc<Shared<E>>, plan: Plan) -> Done {
    let Work::Session { answers, .. } = &plan.work else {
        return std::future::pending().await;
    };
    let mut waits = ExponentialBuilder::default()
        .with_min_delay(Duration::from_millis(50))
        .with_max_delay(Duration::from_secs(1))
        .without_max_times()
        .build();
    loop {
        let error: Box<dyn std::error::Error + Send + Sync> =
            match shared.executor.address(&plan).await {
                Ok(target) => match shared.door.open(&plan.name, target, answers).await {
                    Ok(url) => return Done::Answered(url),
                    Err(error) => error.into(),
                },
                Err(error) => error.into(),
            };
        let words = words(&*error);
        shared.tell(&plan.name, Told::Happened(Event::Unanswered { words }));
        tokio::time::sleep(waits.next().unwrap_or(Duration::from_secs(1))).await;
    }
}

async fn destroy<E: Executor>(shared: Arc<Shared<E>>, plan: Plan) -> Done {
    if let Work::Session { .. } = plan.work {
        close(&shared, &plan).await;
    }
    let ran = tokio::time::timeout(LOG, shared.executor.ran(&plan)).await;
    let ran = ran.unwrap_or_default();
    // before it is gone: whoever looks for the reason of a failure looks there first
    let log = tokio::time::timeout(LOG, last_lines(&shared, &plan))
        .await
        .unwrap_or_default();
    let mut waits = again();
    loop {
        match shared.executor.destroy(&plan).await {
            Ok(gone) => return Done::Destroyed(Destroyed { gone, log, ran }),
            Err(error) => pause(&mut waits, &error, &plan, "it can't be destroyed").await,
        }
    }
}

/// Closes the way to a session: nobody is sent to what is about to end. One that nobody renews ends by itself, so what can't be closed
/// until then need not be.
async fn close<E: Executor>(shared: &Shared<E>, plan: &Plan) {
    let lasts = SignedDuration::try_from(shared.door.lasts()).unwrap_or(SignedDuration::MAX);
    let until = Timestamp::now().saturating_add(lasts);
    let until = until.unwrap_or(Timestamp::MAX);
    let mut waits = again();
    while let Err(error) = shared.door.close(&plan.name).await {
        if Timestamp::now() >= until {
            tracing::warn!(run = %plan.name, %error, "the way to it was not closed, and has ended by itself meanwhile");
            return;
        }
        pause(&mut waits, &error, plan, "the way to it can't be closed").await;
    }
}

async fn last_lines<E: Executor>(shared: &Shared<E>, plan: &Plan) -> Vec<LogLine> {
    let mut lines = shared.executor.logs(&plan.name, None, false);
    let mut last = std::collections::VecDeque::with_capacity(LOG_LINES);
    // one that was never started has none, and that is no failure
    while let Some(Ok(line)) = lines.next().await {
        if last.len() == LOG_LINES {
            last.pop_front();
        }
        last.push_back(line);
    }
    last.into()
}

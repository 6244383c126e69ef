//! The life of one run: what is observed goes into its state, and what its state wants is done.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};
use jiff::{SignedDuration, Timestamp};
use tokio::sync::{mpsc, watch};

use crate::ending::{self, Ended};
use crate::executor::{Executor, Remains, SubmitError};
use crate::outcome::{Outcome, Receipt};
use crate::plan::{Plan, Work};
use crate::record::{Phase, Record, Times};
use crate::result::{self, NotTaken, ResultFile};
use crate::run::Published;
use crate::runner::Shared;
use crate::state::{Event, Observation, State};
use crate::verdict::{Cause, Failure, Verdict};
use crate::words::words;

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
    /// How it ended is written down, and nobody is sent to it any more.
    Recorded(Box<Ended>),
    /// Nothing of it is left; this was there.
    Destroyed(Vec<Remains>),
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
    /// What is on record of its end. Nothing of it is destroyed before that.
    ended: Option<Box<Ended>>,
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
        gone: None,
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
        ended: None,
        doing: Doing::Nothing,
    };
    if let Some(record) = ending::left(&life.shared.keep, &life.plan, is_there).await {
        tracing::info!(run = %life.plan.name, "how it ended is on record, and was not told yet");
        life.state = State::recorded(now, record.verdict.clone());
        let ended = Ended::again(&life.shared, record).await;
        life.is_on_record(Box::new(ended), &publish);
    } else if !is_there {
        // an image takes its time, which is not the executor's silence
        let waits = Observation::Waiting {
            cause: Cause::ImageRefused,
            words: format!("{} is made ready", life.plan.container.image),
        };
        life.happened(&Event::Seen(waits), &publish);
    }
    let gone = loop {
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
                Err(gone) => break gone,
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
    let Some(outcome) = life.over(gone).await else {
        return;
    };
    publish.send_modify(|published| {
        published.record = None;
        published.outcome = Some(Arc::new(outcome));
    });
}

impl<E: Executor> Life<E> {
    fn happened(&mut self, event: &Event, publish: &watch::Sender<Published>) {
        let now = Timestamp::now();
        let next = self.state.clone().next(event, now, &self.plan.limits);
        if next != self.state {
            tracing::info!(run = %self.plan.name, state = ?next, "goes on");
            let is_new = next.phase() != self.state.phase();
            if is_new {
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
            let opens = is_new && next.wants().route;
            publish.send_modify(|published| published.state = next);
            if opens {
                self.shared.opened.notify_one();
            }
        }
    }

    /// How it ended, if that is certain and nobody has written it down.
    fn unrecorded(&self) -> Option<&Verdict> {
        self.state.verdict().filter(|_| self.ended.is_none())
    }

    /// What is known of it now that its end is.
    fn known(&mut self, verdict: Verdict) -> Record {
        Record {
            plan: self.plan.clone(),
            ran: None,
            times: self.times.clone(),
            phases: std::mem::take(&mut self.phases),
            verdict,
            results: std::mem::take(&mut self.results),
            runner: env!("CARGO_PKG_VERSION").to_owned(),
        }
    }

    fn is_on_record(&mut self, ended: Box<Ended>, publish: &watch::Sender<Published>) {
        let (state, record) = (self.state.clone(), Arc::new(ended.record.clone()));
        publish.send_modify(|published| {
            published.state = state;
            published.record = Some(record);
        });
        self.ended = Some(ended);
    }

    /// Nothing is left of it, which completes its record.
    async fn over(self, gone: Vec<Remains>) -> Option<Outcome> {
        let mut ended = self.ended?;
        let at = Timestamp::now();
        ended.record.times.gone = Some(at);
        ended.record.phases.extend(self.phases);
        ended.finish(&self.shared.keep).await;
        let Ended {
            record,
            log,
            unwritten,
        } = *ended;
        Some(Outcome {
            verdict: record.verdict.clone(),
            results: record.results.clone(),
            log,
            record,
            unwritten,
            receipt: Receipt { at, gone },
        })
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
        self.doing = if let Some(verdict) = self.unrecorded().cloned() {
            let record = self.known(verdict);
            Doing::Going(Box::pin(record_it(shared, record, self.is_another)))
        } else if wants.destroy && self.is_another {
            let nothing = Done::Destroyed(Vec::new());
            Doing::Going(Box::pin(std::future::ready(nothing)))
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
    ) -> Result<Option<Event>, Vec<Remains>> {
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
            Done::Recorded(ended) => {
                self.is_on_record(ended, publish);
                None
            }
            Done::Destroyed(gone) => return Err(gone),
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
    ending::keep_inputs(&shared.keep, &plan).await;
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

/// Writes down how a run ended, and closes the way to it meanwhile.
async fn record_it<E: Executor>(shared: Arc<Shared<E>>, record: Record, is_another: bool) -> Done {
    if is_another {
        return Done::Recorded(Box::new(Ended::of_nothing(&shared.keep, record)));
    }
    let plan = record.plan.clone();
    // an edge that is away holds no record back
    let (ended, ()) = tokio::join!(Ended::of(&shared, record), close(&shared, &plan));
    Done::Recorded(Box::new(ended))
}

async fn destroy<E: Executor>(shared: Arc<Shared<E>>, plan: Plan) -> Done {
    let mut waits = again();
    loop {
        match shared.executor.destroy(&plan).await {
            Ok(gone) => return Done::Destroyed(gone),
            Err(error) => pause(&mut waits, &error, &plan, "it can't be destroyed").await,
        }
    }
}

/// Closes the way to a session: nobody is sent to what is about to end. One that nobody renews ends by itself, so what can't be closed
/// until then need not be.
async fn close<E: Executor>(shared: &Shared<E>, plan: &Plan) {
    if !matches!(plan.work, Work::Session { .. }) {
        return;
    }
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

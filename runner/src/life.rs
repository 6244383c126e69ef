//! The life of one run: what is observed goes into its state, and what its state wants is done.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};
use jiff::{SignedDuration, Timestamp};
use tokio::sync::{mpsc, watch};

use crate::clock;
use crate::ending::{self, Ended};
use crate::executor::{Executor, Remains, SubmitError};
use crate::folder::Reserved;
use crate::follower::{Followers, Log};
use crate::log::LogLine;
use crate::outcome::{Outcome, Receipt};
use crate::plan::{Plan, Work};
use crate::record::{Phase, Record, Times};
use crate::result::{self, NotTaken, ResultFile};
use crate::run::Published;
use crate::runner::Shared;
use crate::state::{Event, Observation, State};
use crate::verdict::{Cause, Failure, Verdict};
use crate::words::words;

/// Beside its grace period, how long a command may take to end before it is destroyed with its container.
const BESIDE_GRACE: Duration = Duration::from_secs(5);

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
    /// Nothing of it is left.
    Destroyed(Gone),
}

/// What was there of a run, and what it wrote last.
struct Gone {
    was: Vec<Remains>,
    log: Vec<LogLine>,
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
    remarks: Vec<String>,
    times: Times,
    phases: Vec<Phase>,
    /// Since when it is in its phase.
    entered: Timestamp,
    /// What is on record of its end. Nothing of it is destroyed before that.
    ended: Option<Box<Ended>>,
    doing: Doing,
    /// Told once nothing is to be there of it, to what goes on to its end.
    unwanted: watch::Sender<bool>,
    publish: Arc<watch::Sender<Published>>,
    followers: Followers,
    /// The folder that its results go into, which no other run has meanwhile.
    _folder: Option<Reserved>,
}

/// Sees a run through to its end.
pub(crate) async fn see_through<E: Executor>(
    shared: Arc<Shared<E>>,
    plan: Plan,
    is_there: bool,
    mut told: mpsc::UnboundedReceiver<Told>,
    publish: watch::Sender<Published>,
    followers: Followers,
    folder: Option<Reserved>,
) {
    let now = clock::now();
    let publish = Arc::new(publish);
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
        remarks: Vec::new(),
        ended: None,
        doing: Doing::Nothing,
        unwanted: watch::channel(false).0,
        publish: Arc::clone(&publish),
        followers,
        _folder: folder,
    };
    if let Some(record) = ending::left(&life.shared.keep, &life.plan, is_there).await {
        tracing::info!(run = %life.plan.name, "how it ended is on record, and was not told yet");
        life.state = State::recorded(now, record.verdict.clone());
        life.is_on_record(Box::new(Ended::again(record)), &publish);
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
        let now = clock::now();
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
    let state = life.next(&Event::Absent);
    let Some(outcome) = life.over(gone).await else {
        return;
    };
    // at once, so that whoever is told that it is gone finds how it ended
    publish.send_modify(|published| {
        published.state = state;
        published.record = None;
        published.outcome = Some(Arc::new(outcome));
    });
}

impl<E: Executor> Life<E> {
    /// Goes on to the next state, which nobody is told yet.
    fn next(&mut self, event: &Event) -> State {
        self.goes_on(event);
        self.state.clone()
    }

    fn happened(&mut self, event: &Event, publish: &watch::Sender<Published>) {
        if let Some(is_new) = self.goes_on(event) {
            let state = self.state.clone();
            let opens = is_new && state.wants().route;
            publish.send_modify(|published| published.state = state);
            if opens {
                self.shared.opened.notify_one();
            }
        }
    }

    /// The state after an event; whether that is a new phase, if it is another state at all.
    fn goes_on(&mut self, event: &Event) -> Option<bool> {
        let now = clock::now();
        if let Event::Seen(Observation::Exited { code: 0, words }) = event
            && !words.is_empty()
            && self.remarks.is_empty()
        {
            self.remarks.push(words.clone());
        }
        let next = self.state.clone().next(event, now, &self.plan.limits);
        if next == self.state {
            return None;
        }
        tracing::info!(run = %self.plan.name, state = ?next, "goes on");
        let is_new = next.phase() != self.state.phase();
        if is_new {
            self.phases.push(Phase {
                name: self.state.phase().to_owned(),
                lasted: now.duration_since(self.entered),
            });
            self.entered = now;
        }
        match &next {
            State::Running { since, .. } => self.times.began = Some(*since),
            State::Ending { .. } => self.times.ended = self.times.ended.or(Some(now)),
            _ => {}
        }
        self.state = next;
        Some(is_new)
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
            remarks: std::mem::take(&mut self.remarks),
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
    async fn over(self, gone: Gone) -> Option<Outcome> {
        let mut ended = self.ended?;
        let at = clock::now();
        ended.record.times.gone = Some(at);
        ended.record.phases.extend(self.phases);
        ended.finish(&self.shared.keep).await;
        let Ended { record, unwritten } = *ended;
        let Gone { was: gone, log } = gone;
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
        if !wants.container {
            self.unwanted.send_replace(true);
        }
        if !matches!(self.doing, Doing::Nothing) {
            return;
        }
        let (shared, plan) = (Arc::clone(&self.shared), self.plan.clone());
        self.doing = if let Some(verdict) = self.unrecorded().cloned() {
            let record = self.known(verdict);
            Doing::Going(Box::pin(record_it(shared, record, self.is_another)))
        } else if wants.destroy && self.is_another {
            let nothing = Done::Destroyed(Gone {
                was: Vec::new(),
                log: Vec::new(),
            });
            Doing::Going(Box::pin(std::future::ready(nothing)))
        } else if wants.destroy {
            let (publish, followers) = (Arc::clone(&self.publish), self.followers.clone());
            Doing::Going(Box::pin(destroy(shared, plan, publish, followers)))
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
    ) -> Result<Option<Event>, Gone> {
        self.doing = Doing::Nothing;
        Ok(match done {
            Done::Prepared => {
                self.is_there = true;
                let unwanted = self.unwanted.subscribe();
                let submit = submit(Arc::clone(&self.shared), self.plan.clone(), unwanted);
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

/// Tells why a run is not started yet: what it fails for if that stays so.
fn tell_why<E: Executor>(shared: &Shared<E>, plan: &Plan, error: &SubmitError) {
    let (cause, words) = (Cause::Executor, words(error));
    let waits = Observation::Waiting { cause, words };
    shared.tell(&plan.name, Told::Seen(waits));
}

async fn prepare<E: Executor>(shared: Arc<Shared<E>>, plan: Plan) -> Done {
    let mut waits = again();
    loop {
        match shared.executor.prepare(&plan).await {
            Ok(()) => return Done::Prepared,
            Err(error @ SubmitError::Executor(_)) => {
                tell_why(&shared, &plan, &error);
                pause(&mut waits, &error, &plan, "it can't be prepared").await
            }
            Err(error) => return refused(error),
        }
    }
}

/// Submits a run until the executor has it, it is refused, or nobody wants it any more.
async fn submit<E: Executor>(
    shared: Arc<Shared<E>>,
    plan: Plan,
    mut unwanted: watch::Receiver<bool>,
) -> Done {
    ending::keep_inputs(&shared.keep, &plan).await;
    let mut waits = again();
    let mut forbidden = None;
    loop {
        match shared.executor.submit(&plan).await {
            Ok(()) => return Done::Submitted,
            Err(error) if is_passing(&error, &mut forbidden, Instant::now()) => {
                tell_why(&shared, &plan, &error);
                tokio::select! {
                    () = pause(&mut waits, &error, &plan, "it can't be submitted") => {}
                    // whatever came of it is destroyed
                    _ = unwanted.wait_for(|unwanted| *unwanted) => return Done::Submitted,
                }
            }
            Err(error) => return refused(error),
        }
    }
}

/// How long a want of rights must last to be believed: a kube-apiserver that has just started refuses everybody until it has loaded its
/// RBAC rules.
const RIGHTS_LOADED_WITHIN: Duration = Duration::from_secs(5);

/// Whether a submission that failed is to be tried again. `forbidden` is since when it has failed for want of rights.
fn is_passing(error: &SubmitError, forbidden: &mut Option<Instant>, now: Instant) -> bool {
    match error {
        SubmitError::Executor(_) => true,
        SubmitError::Refused(failure) if failure.cause == Cause::Forbidden => {
            let since = *forbidden.get_or_insert(now);
            now.duration_since(since) < RIGHTS_LOADED_WITHIN
        }
        _ => false,
    }
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
        let why = match shared.executor.take(&plan).await {
            Ok(parts) => match result::take(&plan.name, &shared.keep, parts).await {
                Ok(results) => return Done::Taken(results),
                Err(NotTaken::Refused(failure)) => return Done::NotTaken(failure),
                Err(NotTaken::NoRoom(failure)) => failure,
                Err(NotTaken::Interrupted) => Failure::new(Cause::Result, "it was interrupted"),
            },
            Err(error) => Failure::new(Cause::Result, words(&error)),
        };
        let error: Box<dyn std::error::Error + Send + Sync> = why.words.as_str().into();
        shared.tell(&plan.name, Told::Happened(Event::Untaken(why)));
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

/// Ends the command, has its log read to its end, and destroys what is left.
async fn destroy<E: Executor>(
    shared: Arc<Shared<E>>,
    plan: Plan,
    publish: Arc<watch::Sender<Published>>,
    followers: Followers,
) -> Done {
    let ends = |log: Log| publish.send_modify(|published| published.log = log);
    if stopped(&shared, &plan).await {
        ends(Log::Whole);
        let lives_on = async {
            loop {
                tokio::time::sleep(shared.executor.renew_every()).await;
                if let Err(error) = shared
                    .executor
                    .renew(std::slice::from_ref(&plan.name))
                    .await
                {
                    tracing::debug!(run = %plan.name, %error, "its lease was not renewed while its log is read");
                }
            }
        };
        tokio::select! {
            () = followers.have_read() => {}
            () = lives_on => {}
        }
    }
    let log = ending::last_lines(&shared, &plan).await;
    let mut waits = again();
    loop {
        match shared.executor.destroy(&plan).await {
            Ok(was) => {
                ends(Log::Gone);
                followers.have_read().await;
                return Done::Destroyed(Gone { was, log });
            }
            Err(error) => pause(&mut waits, &error, &plan, "it can't be destroyed").await,
        }
    }
}

/// Ends the command, within its grace period and some time more. Says whether its whole log can be read.
async fn stopped<E: Executor>(shared: &Shared<E>, plan: &Plan) -> bool {
    let limit = plan.grace.unsigned_abs() + BESIDE_GRACE;
    match tokio::time::timeout(limit, shared.executor.stop(plan)).await {
        Ok(Ok(is_whole)) => is_whole,
        Ok(Err(error)) => {
            tracing::debug!(run = %plan.name, %error, "its command was not stopped before it is destroyed");
            false
        }
        Err(_) => false,
    }
}

/// Closes the way to a session: nobody is sent to what is about to end. One that nobody renews ends by itself, so what can't be closed
/// until then need not be.
async fn close<E: Executor>(shared: &Shared<E>, plan: &Plan) {
    if !matches!(plan.work, Work::Session { .. }) {
        return;
    }
    let lasts = SignedDuration::try_from(shared.door.lasts()).unwrap_or(SignedDuration::MAX);
    let until = clock::now().saturating_add(lasts);
    let until = until.unwrap_or(Timestamp::MAX);
    let mut waits = again();
    while let Err(error) = shared.door.close(&plan.name).await {
        if clock::now() >= until {
            tracing::warn!(run = %plan.name, %error, "the way to it was not closed, and has ended by itself meanwhile");
            return;
        }
        pause(&mut waits, &error, plan, "the way to it can't be closed").await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn want_of_rights_is_believed_once_it_lasts() {
        let refused = |cause| SubmitError::Refused(Failure::new(cause, "no"));
        let (start, mut since) = (Instant::now(), None);
        let at = |seconds| start + Duration::from_secs(seconds);
        assert!(!is_passing(&refused(Cause::Quota), &mut since, start));
        for (seconds, passing) in [(0, true), (4, true), (5, false)] {
            let is = is_passing(&refused(Cause::Forbidden), &mut since, at(seconds));
            assert_eq!(is, passing, "{seconds} s");
        }
    }
}

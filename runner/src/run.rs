//! A run, as the application that started it has it.

use std::sync::Arc;

use futures_util::{Stream, StreamExt};
use jiff::{SignedDuration, Timestamp};
use tokio::sync::{mpsc, watch};

use crate::clock;
use crate::follower::{Followers, Log};
use crate::life::Told;
use crate::outcome::Outcome;
use crate::plan::Plan;
use crate::record::Record;
use crate::spec::RunName;
use crate::state::{Event, State};

/// What is published of a run.
#[derive(Clone, Debug)]
pub(crate) struct Published {
    pub(crate) state: State,
    /// What is on record before there is an outcome, which has it as well.
    pub(crate) record: Option<Arc<Record>>,
    pub(crate) outcome: Option<Arc<Outcome>>,
    pub(crate) url: Option<String>,
    /// What can be read of its log.
    pub(crate) log: Log,
}

/// A run. Cheap to clone; dropping it ends nothing.
#[derive(Clone, Debug)]
pub struct Run {
    plan: Arc<Plan>,
    told: mpsc::UnboundedSender<Told>,
    published: watch::Receiver<Published>,
    followers: Followers,
}

impl Run {
    pub(crate) fn new(
        plan: Plan,
        told: mpsc::UnboundedSender<Told>,
    ) -> (Self, watch::Sender<Published>) {
        let state = State::submitted(plan.submitted);
        let (publish, published) = watch::channel(Published {
            state,
            record: None,
            outcome: None,
            url: None,
            log: Log::Grows,
        });
        let plan = Arc::new(plan);
        let run = Self {
            plan,
            told,
            published,
            followers: Followers::default(),
        };
        (run, publish)
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &RunName {
        &self.plan.name
    }

    /// What it does.
    #[must_use]
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Where it stands.
    #[must_use]
    pub fn state(&self) -> State {
        self.published.borrow().state.clone()
    }

    /// Where it stands, now and whenever that changes, until it is gone. States that follow each other faster than they are taken may be
    /// left out, the last never is. Once it has given the last, [`Run::outcome`] is there; asked again, it gives nothing more.
    pub fn states(&self) -> impl Stream<Item = State> + Send + use<> {
        let published = self.published.clone();
        futures_util::stream::unfold(Some((published, true)), |going| async {
            let (mut published, is_first) = going?;
            if !is_first && published.changed().await.is_err() {
                return None;
            }
            let state = published.borrow_and_update().state.clone();
            let goes_on = !matches!(state, State::Gone { .. });
            Some((state, goes_on.then_some((published, false))))
        })
        // one who waits for several things at once asks again after the end
        .fuse()
    }

    /// Waits until it is known for good how it ended, and gives its record, with its results: before anything of it is destroyed. With
    /// [`Keep::Directory`](crate::Keep) that is on the disk by then; [`Times::gone`](crate::Times) is not known yet. `None` when the
    /// runner itself ended before that.
    pub async fn recorded(&self) -> Option<Arc<Record>> {
        let mut published = self.published.clone();
        let known =
            |published: &Published| published.record.is_some() || published.outcome.is_some();
        let known = published.wait_for(known).await.ok()?;
        let told = || known.outcome.as_ref().map(|outcome| outcome.record.clone());
        known.record.clone().or_else(|| told().map(Arc::new))
    }

    /// What is known of it, once nothing of it is left.
    #[must_use]
    pub fn outcome(&self) -> Option<Arc<Outcome>> {
        self.published.borrow().outcome.clone()
    }

    /// Waits until nothing of it is left, and gives what is known of it. `None` when the runner itself ended before that.
    pub async fn finish(&self) -> Option<Arc<Outcome>> {
        let mut published = self.published.clone();
        let over = published
            .wait_for(|published| published.outcome.is_some())
            .await
            .ok()?;
        over.outcome.clone()
    }

    /// Waits until a session answers, and gives the URL that players go to. `None` when it ended before.
    pub async fn answers(&self) -> Option<String> {
        let mut published = self.published.clone();
        let serves = |published: &Published| match published.state {
            State::Serving { .. } => true,
            ref state => state.verdict().is_some(),
        };
        let published = published.wait_for(serves).await.ok()?;
        match published.state {
            State::Serving { .. } => published.url.clone(),
            _ => None,
        }
    }

    /// Ends it: a session that serves ends well, anything else is cancelled. One that is over stays as it is.
    pub fn end(&self) {
        self.tell(Event::Ended);
    }

    /// Somebody used the session: it is not idle.
    pub fn used(&self) {
        self.tell(Event::Used { at: clock::now() });
    }

    fn tell(&self, event: Event) {
        // one that is over hears nothing
        let _ = self.told.send(Told::Happened(event));
    }

    pub(crate) fn followers(&self) -> &Followers {
        &self.followers
    }

    pub(crate) fn log(&self) -> Log {
        self.published.borrow().log
    }

    /// Waits until its command may have begun.
    pub(crate) async fn begins(&self) {
        let mut published = self.published.clone();
        let waits =
            |state: &State| matches!(state, State::Submitted { .. } | State::Starting { .. });
        // a life that was aborted tells nothing more
        let _ = published
            .wait_for(|published| !waits(&published.state))
            .await;
    }

    /// Waits until nothing more is written to its log.
    pub(crate) async fn log_ends(&self) -> Log {
        let mut published = self.published.clone();
        let ended = published.wait_for(|published| published.log != Log::Grows);
        // a life that was aborted left the run to its next owner
        ended.await.map_or(Log::Gone, |published| published.log)
    }

    pub(crate) fn is_over(&self) -> bool {
        // a life that ended without an outcome was aborted with its runner
        self.published.borrow().outcome.is_some() || self.published.has_changed().is_err()
    }

    /// Until when the runner knows it: for a while after it is over.
    pub(crate) fn known_until(&self, after: SignedDuration) -> Timestamp {
        let over = self
            .published
            .borrow()
            .outcome
            .as_ref()
            .map(|outcome| outcome.receipt.at);
        over.map_or(Timestamp::MAX, |over| {
            over.saturating_add(after).unwrap_or(over)
        })
    }
}

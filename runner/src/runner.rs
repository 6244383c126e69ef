//! Starts runs, sees them through, and takes over those that an earlier process of the same owner left.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::stream::BoxStream;
use jiff::{SignedDuration, Timestamp};
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinHandle;

use crate::clock;
use crate::door::{Direct, Door};
use crate::ending;
use crate::executor::{Executor, ExecutorError, Remains, Seen};
use crate::folder::{FolderError, Reserved};
use crate::follower;
use crate::kept::KeptInputs;
use crate::life::{self, Told};
use crate::log::{LogLine, LogPlace};
use crate::plan::{Plan, PlanError};
use crate::result::Keep;
use crate::run::Run;
use crate::spec::{Computation, RunName, Session};
use crate::state::Event;

/// Starts runs and sees them through. Cheap to clone; when the last clone is gone, runs go on until their leases end, and a runner
/// that is started before that takes them over.
#[derive(Debug)]
pub struct Runner<E> {
    shared: Arc<Shared<E>>,
    tasks: Arc<Tasks>,
}

impl<E> Clone for Runner<E> {
    fn clone(&self) -> Self {
        Self {
            shared: Arc::clone(&self.shared),
            tasks: Arc::clone(&self.tasks),
        }
    }
}

/// What a runner does beside its caller. It ends with the last clone.
#[derive(Debug, Default)]
struct Tasks(Mutex<Vec<JoinHandle<()>>>);

impl Tasks {
    fn keep(&self, task: JoinHandle<()>) {
        let mut tasks = lock(&self.0);
        tasks.retain(|task| !task.is_finished());
        tasks.push(task);
    }
}

impl Drop for Tasks {
    fn drop(&mut self) {
        for task in lock(&self.0).drain(..) {
            task.abort();
        }
    }
}

#[derive(Debug)]
pub(crate) struct Shared<E> {
    pub(crate) executor: E,
    pub(crate) keep: Keep,
    pub(crate) door: Arc<dyn Door>,
    /// Told whenever a session is open: it is looked at from then on, however long nobody had to be.
    pub(crate) opened: Notify,
    runs: Mutex<HashMap<RunName, Entry>>,
}

impl<E> Shared<E> {
    /// Tells a run; one that is over hears nothing.
    pub(crate) fn tell(&self, run: &RunName, told: Told) {
        if let Some(entry) = lock(&self.runs).get(run) {
            let _ = entry.seen.send(told);
        }
    }
}

#[derive(Debug)]
struct Entry {
    run: Run,
    seen: mpsc::UnboundedSender<Told>,
}

/// Nothing panics while one is held.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// For how long a run is known after it is over.
const REMEMBERED: SignedDuration = SignedDuration::from_mins(10);

/// How often a session is looked at while it may be idle.
const LOOKS: u32 = 3;

/// So much sooner than usual, leases that were not renewed are renewed again.
const SOONER: u32 = 5;

/// Why a run is not started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// What was given has a fault, or can't be read.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// A run of that name does something else.
    #[error("there is a run named {0} already, and it is another one")]
    Other(RunName),
    /// Its results could not be kept where they are to be.
    #[error(transparent)]
    Folder(#[from] FolderError),
}

impl<E: Executor> Runner<E> {
    /// Takes over the runs that are there, keeps results in memory, and sends players to sessions' own addresses.
    ///
    /// # Errors
    ///
    /// When the executor can't say which runs there are.
    pub async fn start(executor: E) -> Result<Self, ExecutorError> {
        Self::start_with(executor, Keep::Memory, Direct).await
    }

    /// As [`Runner::start`], with a choice of where results are kept and of how players get to sessions.
    ///
    /// # Errors
    ///
    /// When the executor can't say which runs there are.
    pub async fn start_with(
        executor: E,
        keep: Keep,
        door: impl Door,
    ) -> Result<Self, ExecutorError> {
        let seen = executor.watch();
        let there = executor.runs(KeptInputs::new(&keep)).await?;
        let shared = Arc::new(Shared {
            executor,
            keep,
            door: Arc::new(door),
            opened: Notify::new(),
            runs: Mutex::default(),
        });
        let tasks = Arc::default();
        let runner = Self { shared, tasks };
        for plan in there {
            tracing::info!(run = %plan.name, "a run of an earlier process is taken over");
            // it runs already: a folder that can't be had now is told at its end
            let folder = runner.reserve(&plan).unwrap_or_else(|error| {
                tracing::warn!(run = %plan.name, error = &error as &dyn std::error::Error, "its folder is not its own");
                None
            });
            runner.see_through(&mut lock(&runner.shared.runs), plan, true, folder);
        }
        let shared = &runner.shared;
        runner
            .tasks
            .keep(tokio::spawn(pass_on(Arc::clone(shared), seen)));
        let leases = renew_leases(Arc::clone(shared));
        runner.tasks.keep(tokio::spawn(leases));
        let ways = renew_ways(Arc::clone(shared));
        runner.tasks.keep(tokio::spawn(ways));
        Ok(runner)
    }

    /// Ends the runner, and leaves its runs to whoever is their owner next. Done when it does nothing any more.
    pub async fn close(self) {
        let tasks: Vec<_> = lock(&self.tasks.0).drain(..).collect();
        for task in &tasks {
            task.abort();
        }
        for task in tasks {
            // each was aborted, or had ended
            let _ = task.await;
        }
    }

    /// Starts a computation. One of the same name that does the same is not started again: it is the run that is given back.
    ///
    /// # Errors
    ///
    /// [`StartError`]; nothing was started.
    pub async fn compute(&self, computation: Computation) -> Result<Run, StartError> {
        let plan = Plan::computation(computation, clock::now()).await?;
        self.submit(plan)
    }

    /// Starts a computation, unless one is under way already that does the same under another name: with an image that is named by its
    /// digest, the same command and the same inputs. Then that one is given back, and whoever ends it ends it for all who have it.
    ///
    /// # Errors
    ///
    /// [`StartError`]; nothing was started.
    pub async fn compute_once(&self, computation: Computation) -> Result<Run, StartError> {
        let plan = Plan::computation(computation, clock::now()).await?;
        // a tag may have been moved meanwhile
        let is_fixed = plan.container.image.digest().is_some();
        let does_the_same = |run: &Run| {
            let state = run.state();
            state.wants().container && run.plan().does_the_same_as(&plan)
        };
        let under_way = self.runs().into_iter().find(does_the_same);
        match under_way.filter(|_| is_fixed) {
            Some(run) => Ok(run),
            None => self.submit(plan),
        }
    }

    /// Starts a session. One of the same name that does the same is not started again: it is the run that is given back.
    ///
    /// # Errors
    ///
    /// [`StartError`]; nothing was started.
    pub fn play(&self, session: Session) -> Result<Run, StartError> {
        let base = self.shared.door.base(&session.name);
        let plan = Plan::session(session, base, clock::now())?;
        self.submit(plan)
    }

    fn submit(&self, plan: Plan) -> Result<Run, StartError> {
        // held all the while: two who ask for the same at once are given one run
        let mut runs = lock(&self.shared.runs);
        match runs.get(&plan.name).map(|entry| &entry.run) {
            Some(run) if !run.is_over() => match run.plan().is_same_as(&plan) {
                true => Ok(run.clone()),
                false => Err(StartError::Other(plan.name)),
            },
            _ => {
                let folder = self.reserve(&plan)?;
                Ok(self.see_through(&mut runs, plan, false, folder))
            }
        }
    }

    /// The folder of a run's results, where they are kept on the disk.
    fn reserve(&self, plan: &Plan) -> Result<Option<Reserved>, FolderError> {
        let folder = ending::folder(&self.shared.keep, plan);
        folder.map(|folder| Reserved::new(&folder)).transpose()
    }

    /// A run by its name, until ten minutes after it is over.
    #[must_use]
    pub fn run(&self, name: &RunName) -> Option<Run> {
        lock(&self.shared.runs)
            .get(name)
            .map(|entry| entry.run.clone())
    }

    /// All runs that are not over, by name.
    #[must_use]
    pub fn runs(&self) -> Vec<Run> {
        let runs = lock(&self.shared.runs);
        let mut runs: Vec<_> = runs
            .values()
            .map(|entry| entry.run.clone())
            .filter(|run| !run.is_over())
            .collect();
        runs.sort_by(|one, other| one.name().cmp(other.name()));
        runs
    }

    /// What a run writes: after a place in its log, or from its beginning, and then as it is written, to its end. A run is destroyed once
    /// those who follow its log have read all of it; one who takes no line for ten seconds, or needs more than a minute, is cut off and
    /// given an error. A live log that is interrupted is taken up again by itself.
    #[must_use]
    pub fn logs(
        &self,
        run: &Run,
        from: Option<LogPlace>,
    ) -> BoxStream<'static, Result<LogLine, ExecutorError>> {
        follower::follow(Arc::clone(&self.shared), run.clone(), from)
    }

    /// Everything of this owner that is there: nothing, once all runs are over.
    ///
    /// # Errors
    ///
    /// When the executor can't say.
    pub async fn audit(&self) -> Result<Vec<Remains>, ExecutorError> {
        self.shared.executor.remains().await
    }

    /// What carries the runs out.
    #[must_use]
    pub fn executor(&self) -> &E {
        &self.shared.executor
    }

    fn see_through(
        &self,
        runs: &mut HashMap<RunName, Entry>,
        plan: Plan,
        is_there: bool,
        folder: Option<Reserved>,
    ) -> Run {
        let (seen, told) = mpsc::unbounded_channel();
        let (run, publish) = Run::new(plan.clone(), seen.clone());
        let entry = Entry {
            run: run.clone(),
            seen,
        };
        runs.insert(plan.name.clone(), entry);
        let (shared, followers) = (Arc::clone(&self.shared), run.followers().clone());
        let life = life::see_through(shared, plan, is_there, told, publish, followers, folder);
        self.tasks.keep(tokio::spawn(life));
        run
    }
}

/// Passes what the executor sees on to the runs it is about.
async fn pass_on<E: Executor>(shared: Arc<Shared<E>>, mut seen: mpsc::UnboundedReceiver<Seen>) {
    while let Some(Seen { run, observation }) = seen.recv().await {
        shared.tell(&run, Told::Seen(observation));
    }
}

/// Renews the leases of all runs that are wanted.
async fn renew_leases<E: Executor>(shared: Arc<Shared<E>>) {
    loop {
        let mut every = shared.executor.renew_every();
        if let Err(error) = shared.executor.renew(&shared.wanted()).await {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "leases were not renewed"
            );
            // a few that fail in a row must not cost a lease
            every /= SOONER;
        }
        tokio::time::sleep(every).await;
    }
}

/// Renews the ways to those that serve: by itself, since an executor that does not answer is no reason to send players away.
async fn renew_ways<E: Executor>(shared: Arc<Shared<E>>) {
    loop {
        let (serving, looked_at) = shared.serving();
        match shared.door.renew(&serving).await {
            Ok(idle) => used(&shared, &idle),
            Err(error) => {
                tracing::warn!(%error, "ways to sessions were not renewed");
                // whether anybody uses them nobody can tell now
                let unknown = serving.into_iter().map(|run| (run, Duration::ZERO));
                used(&shared, &unknown.collect::<Vec<_>>());
            }
        }
        let wait = shared.door.renew_every().min(looked_at);
        // whichever it is, it is time to look
        let _ = tokio::time::timeout(wait, shared.opened.notified()).await;
    }
}

impl<E> Shared<E> {
    /// The runs whose leases are to be renewed. What was over long ago is forgotten.
    fn wanted(&self) -> Vec<RunName> {
        let mut runs = lock(&self.runs);
        let now = clock::now();
        runs.retain(|_, entry| entry.run.known_until(REMEMBERED) > now);
        let wanted = runs
            .iter()
            .filter(|(_, entry)| entry.run.state().wants().container);
        wanted.map(|(name, _)| name.clone()).collect()
    }

    /// The sessions whose ways are to be renewed, and how often they are to be looked at, so that none is called idle for want of looking.
    fn serving(&self) -> (Vec<RunName>, Duration) {
        let runs = lock(&self.runs);
        let (mut serving, mut looked_at) = (Vec::new(), Duration::MAX);
        for (name, entry) in runs.iter() {
            if entry.run.state().wants().route {
                serving.push(name.clone());
                if let Some(idle) = entry.run.plan().limits.idle {
                    looked_at = looked_at.min(idle.unsigned_abs() / LOOKS);
                }
            }
        }
        (serving, looked_at.max(Duration::from_secs(1)))
    }
}

/// A session that was used since it was looked at last is told so.
fn used<E>(shared: &Shared<E>, idle: &[(RunName, Duration)]) {
    for (name, idle) in idle {
        let at = clock::now().saturating_sub(*idle).unwrap_or(Timestamp::MIN);
        shared.tell(name, Told::Happened(Event::Used { at }));
    }
}

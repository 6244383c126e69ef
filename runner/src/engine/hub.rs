//! Where the first processes of all runs of an owner connect to.
//!
//! What they say becomes what is seen of their runs. One connection a run: the newest counts.

use std::collections::{HashMap, VecDeque};
use std::fs;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use jiff::SignedDuration;
use mkys_init::{CHUNK, FilePath, Frame, Phase, ToOwner, ToRun};
use tokio::io::AsyncWriteExt;
use tokio::net::unix::OwnedWriteHalf;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::oneshot::{self, error::TryRecvError};
use tokio::sync::{Notify, mpsc};
use tokio::task::{AbortHandle, JoinSet};

use super::{body, triage};
use crate::clock;
use crate::executor::{Part, Seen};
use crate::frames::{Reader, part};
use crate::kept::KeptInputs;
use crate::plan::{Plan, Work};
use crate::spec::RunName;
use crate::state::Observation;
use crate::verdict::{Cause, Failure};
use crate::watchers::Watchers;

/// How long somebody who connects has to say who it is.
const GREETING: Duration = Duration::from_secs(10);
/// How many who have not said who they are can be connected at once: any process of a run can connect, and each takes one of the owner's
/// open files. The first of them is hung up on for one more; a first process says who it is at once.
const STRANGERS: usize = 64;
/// How long a first process may be silent beside its lease before it is certain that it is over.
const SILENT: Duration = Duration::from_secs(60);
/// How long the engine has to report that a container whose first process hung up is gone, before it is looked for.
const AFTER_FAILED_ACCEPT: Duration = Duration::from_millis(100);

/// The runs of an owner, as their first processes and the engine tell of them.
#[derive(Debug)]
pub(super) struct Hub {
    secrets: Option<PathBuf>,
    kept: OnceLock<KeptInputs>,
    state: Mutex<Runs>,
    /// Told whenever something becomes known of a run's end.
    ends: Notify,
}

#[derive(Debug, Default)]
struct Runs {
    entries: HashMap<RunName, Entry>,
    watchers: Watchers,
}

#[derive(Debug)]
struct Entry {
    plan: Plan,
    token_sha256: String,
    /// The engine's own name for its container, once the engine has told it.
    container: Option<String>,
    link: Option<mpsc::UnboundedSender<ToRun>>,
    /// Since when its first process is not connected, if it is not.
    silent: Option<Instant>,
    seen: Option<Observation>,
    ended: bool,
    /// Its first process said so, and waits until it is released.
    has_said_so: bool,
    taking: Option<mpsc::Sender<Part>>,
}

impl Hub {
    pub(super) fn new(secrets: Option<PathBuf>) -> Self {
        Self {
            secrets,
            kept: OnceLock::new(),
            state: Mutex::default(),
            ends: Notify::new(),
        }
    }

    /// Runs of an earlier process are about to be taken over, whose inputs it kept there.
    pub(super) fn has_kept(&self, inputs: KeptInputs) {
        // whoever asks for the runs once more has the same
        let _ = self.kept.set(inputs);
    }

    fn runs(&self) -> MutexGuard<'_, Runs> {
        // nothing panics while it is held
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells what is seen from now on, and first what was seen last of each run.
    pub(super) fn watch(&self) -> mpsc::UnboundedReceiver<Seen> {
        let mut runs = self.runs();
        let Runs {
            entries, watchers, ..
        } = &mut *runs;
        watchers.join(entries.iter().map(|(run, entry)| (run, &entry.seen)))
    }

    /// Something was seen of a run.
    pub(super) fn see(&self, run: &RunName, observation: Observation) {
        self.runs().see(run, observation);
        self.ends.notify_waiters();
    }

    /// Its first process says where it stands.
    fn says(&self, run: &RunName, phase: Phase) {
        if let Phase::Exited { .. } = &phase
            && let Some(entry) = self.runs().entries.get_mut(run)
        {
            entry.has_said_so = true;
        }
        self.see(run, observation(phase));
    }

    /// Asks a run's first process to end the command, and waits until it says that it has. Says whether it did, so that all that the
    /// command wrote can be read.
    pub(super) async fn stop(&self, run: &RunName) -> bool {
        let mut is_asked = false;
        loop {
            let ends = self.ends.notified();
            tokio::pin!(ends);
            ends.as_mut().enable();
            {
                let runs = self.runs();
                let Some(entry) = runs.entries.get(run) else {
                    return false;
                };
                if entry.has_said_so || entry.ended {
                    return entry.has_said_so && entry.link.is_some();
                }
                if let Some(link) = entry.link.as_ref().filter(|_| !is_asked) {
                    // a connection that is over is made again
                    is_asked = link.send(ToRun::Stop).is_ok();
                }
            }
            ends.await;
        }
    }

    /// Sees those as missing whose first processes have been silent for longer than they can live without a word.
    pub(super) fn bury(&self, lease: Duration, now: Instant) {
        let mut runs = self.runs();
        let silent: Vec<_> = runs
            .entries
            .iter()
            .filter(|(_, entry)| {
                let limit = SILENT + lease + entry.plan.grace.unsigned_abs();
                let silent = entry
                    .silent
                    .is_some_and(|since| now.saturating_duration_since(since) > limit);
                silent && !entry.ended
            })
            .map(|(run, _)| run.clone())
            .collect();
        for run in silent {
            let words = "its first process has been silent for longer than its lease".to_owned();
            runs.see(&run, Observation::Missing { words });
        }
    }

    /// A run's container is about to be created.
    pub(super) fn expect(&self, plan: &Plan, token: &str) {
        self.adopt(plan, &body::token_sha256(token));
    }

    /// A run's container is there. One that is known already stays as it is, but for what is known better now.
    pub(super) fn adopt(&self, plan: &Plan, token_sha256: &str) {
        let mut runs = self.runs();
        match runs.entries.get_mut(&plan.name) {
            Some(entry) => token_sha256.clone_into(&mut entry.token_sha256),
            None => {
                let entry = Entry {
                    plan: plan.clone(),
                    token_sha256: token_sha256.to_owned(),
                    container: None,
                    link: None,
                    silent: Some(Instant::now()),
                    seen: None,
                    ended: false,
                    has_said_so: false,
                    taking: None,
                };
                runs.entries.insert(plan.name.clone(), entry);
            }
        }
    }

    /// The engine's own name for a run's container.
    pub(super) fn has(&self, run: &RunName, container: &str) {
        if let Some(entry) = self.runs().entries.get_mut(run) {
            entry.container = Some(container.to_owned());
        }
    }

    pub(super) fn known(&self, run: &RunName) -> Option<Plan> {
        self.runs().entries.get(run).map(|entry| entry.plan.clone())
    }

    pub(super) fn forget(&self, run: &RunName) {
        self.runs().entries.remove(run);
    }

    /// The engine says that a container is over. It may say so late, when another one has its name: that of the run's next attempt.
    pub(super) fn over(&self, run: &RunName, container: &str, observation: Observation) {
        let is_its = |entry: &Entry| entry.container.as_deref() == Some(container);
        self.runs().missing(run, observation, is_its);
        self.ends.notify_waiters();
    }

    /// The engine has no container of a run any more.
    pub(super) fn missing(&self, run: &RunName, observation: Observation) {
        self.runs().missing(run, observation, |_| true);
        self.ends.notify_waiters();
    }

    /// Which runs there are whose end nobody has seen.
    pub(super) fn alive(&self) -> Vec<RunName> {
        let runs = self.runs();
        let alive = runs
            .entries
            .iter()
            .filter(|(_, entry)| !entry.ended && entry.link.is_some());
        alive.map(|(run, _)| run.clone()).collect()
    }

    /// Says something to a run's first process. One that is not connected hears it never: it is told again what counts.
    pub(super) fn say(&self, run: &RunName, message: ToRun) {
        if let Some(link) = self
            .runs()
            .entries
            .get(run)
            .and_then(|entry| entry.link.as_ref())
        {
            // a connection that is over is made again
            let _ = link.send(message);
        }
    }

    /// Asks for a run's results; `None` when its first process is not connected.
    pub(super) async fn take(&self, plan: &Plan) -> Option<mpsc::Receiver<Part>> {
        let Work::Computation { results, .. } = &plan.work else {
            return None;
        };
        let (sender, parts) = mpsc::channel(8);
        let mut runs = self.runs();
        let entry = runs.entries.get_mut(&plan.name)?;
        let message = ToRun::Take {
            paths: results.clone(),
            limit: plan.results_limit(),
        };
        entry.link.as_ref()?.send(message).ok()?;
        entry.taking = Some(sender);
        Some(parts)
    }

    /// Whom a greeting is from, if it is from one of the owner's runs.
    fn greeted(&self, run: &str, token: &str, link: &mpsc::UnboundedSender<ToRun>) -> Option<Plan> {
        let mut runs = self.runs();
        let entry = runs.entries.get_mut(&run.parse::<RunName>().ok()?)?;
        // hashes are compared, so how long it takes tells nothing of the token
        if body::token_sha256(token) != entry.token_sha256 {
            return None;
        }
        entry.link = Some(link.clone());
        entry.silent = None;
        Some(entry.plan.clone())
    }

    /// A connection is over.
    fn hung_up(&self, run: &RunName, link: &mpsc::UnboundedSender<ToRun>) {
        let mut runs = self.runs();
        if let Some(entry) = runs.entries.get_mut(run)
            && entry
                .link
                .as_ref()
                .is_some_and(|newest| newest.same_channel(link))
        {
            entry.link = None;
            entry.silent = Some(Instant::now());
            entry.taking = None;
        }
    }

    fn taking(&self, run: &RunName) -> Option<mpsc::Sender<Part>> {
        self.runs().entries.get(run)?.taking.clone()
    }

    fn taken(&self, run: &RunName) {
        if let Some(entry) = self.runs().entries.get_mut(run) {
            entry.taking = None;
        }
    }

    /// What a run is given before its command starts: its inputs and secrets, as paths below its files.
    async fn files(&self, plan: &Plan) -> Result<Vec<(FilePath, Bytes)>, Failure> {
        let mut files = Vec::new();
        let below = |directory: &str, path: &str| format!("{directory}/{path}").parse::<FilePath>();
        let kept = self.kept.get().cloned().unwrap_or_default();
        let Some(inputs) = kept.of(plan).await else {
            return Err(KeptInputs::missing());
        };
        for (path, bytes) in inputs {
            let path = below("in", path.as_str())
                .map_err(|error| Failure::new(Cause::AdmissionRefused, error.to_string()))?;
            files.push((path, bytes));
        }
        for secret in &plan.container.secrets {
            let refused = |reason: &dyn std::fmt::Display| {
                Failure::new(Cause::SecretMissing, format!("secret {secret}: {reason}"))
            };
            let Some(secrets) = &self.secrets else {
                return Err(refused(&"this executor was given no directory of secrets"));
            };
            let keys =
                fs::read_dir(secrets.join(secret.as_str())).map_err(|error| refused(&error))?;
            for key in keys {
                let key = key.map_err(|error| refused(&error))?;
                let bytes = fs::read(key.path()).map_err(|error| refused(&error))?;
                let name = format!("{secret}/{}", key.file_name().to_string_lossy());
                let path = below("secrets", &name).map_err(|error| refused(&error))?;
                files.push((path, bytes.into()));
            }
        }
        Ok(files)
    }
}

impl Runs {
    /// What is missing is seen of a run whose end nobody has seen.
    fn missing(
        &mut self,
        run: &RunName,
        observation: Observation,
        is_about: impl Fn(&Entry) -> bool,
    ) {
        let entry = self.entries.get(run);
        if entry.is_some_and(|entry| !entry.ended && is_about(entry)) {
            self.see(run, observation);
        }
    }

    fn see(&mut self, run: &RunName, observation: Observation) {
        if let Some(entry) = self.entries.get_mut(run) {
            entry.ended |= observation.is_end();
            entry.seen = Some(observation.clone());
        }
        self.watchers.tell(run, observation);
    }
}

/// Somebody who has not said who he is, as far as it is known.
struct Stranger {
    connection: AbortHandle,
    greeted: oneshot::Receiver<()>,
}

/// Takes connections for as long as it is let.
pub(super) async fn listen(hub: Arc<Hub>, listener: UnixListener) {
    // they end with this
    let mut connections = JoinSet::new();
    let mut strangers: VecDeque<Stranger> = VecDeque::new();
    loop {
        while connections.try_join_next().is_some() {}
        match listener.accept().await {
            Ok((stream, _)) => {
                let hub = Arc::clone(&hub);
                let (greets, greeted) = oneshot::channel();
                let connection = connections.spawn(async move {
                    if let Err(error) = converse(&hub, stream, greets).await {
                        tracing::debug!(%error, "a connection of a run is over");
                    }
                });
                strangers
                    .retain_mut(|stranger| stranger.greeted.try_recv() == Err(TryRecvError::Empty));
                if strangers.len() >= STRANGERS
                    && let Some(first) = strangers.pop_front()
                {
                    first.connection.abort();
                }
                strangers.push_back(Stranger {
                    connection,
                    greeted,
                });
            }
            Err(error) => {
                // too many open files, most likely: runs connect again
                tracing::warn!(%error, "no connection of a run can be taken");
                tokio::time::sleep(AFTER_FAILED_ACCEPT).await;
            }
        }
    }
}

async fn send(half: &mut OwnedWriteHalf, frame: &Frame<ToRun>) -> io::Result<()> {
    let mut bytes = Vec::new();
    frame.encode(&mut bytes).map_err(io::Error::other)?;
    half.write_all(&bytes).await
}

/// One connection, from its greeting to its end.
async fn converse(hub: &Hub, stream: UnixStream, greets: oneshot::Sender<()>) -> io::Result<()> {
    let (half, mut out) = stream.into_split();
    let mut reader = Reader::new(half);
    let greeting = tokio::time::timeout(GREETING, reader.frame()).await??;
    let Frame::Message(ToOwner::Hello { run, token, phase }) = greeting else {
        return Err(io::Error::other("somebody does not greet"));
    };
    let (link, mut outgoing) = mpsc::unbounded_channel();
    let Some(plan) = hub.greeted(&run, &token, &link) else {
        return Err(io::Error::other(format!(
            "{run:?} is no run of this owner, or its token is wrong"
        )));
    };
    // whoever counted it may be gone
    let _ = greets.send(());
    let heard = async {
        // the greeting alone renews the lease
        send(&mut out, &Frame::Message(ToRun::Renew)).await?;
        if phase == Phase::Waiting {
            match hub.files(&plan).await {
                Ok(files) => begin(&mut out, files).await?,
                Err(failure) => hub.see(&plan.name, Observation::Failed(failure)),
            }
        } else {
            hub.says(&plan.name, phase);
        }
        let mut is_deaf = false;
        loop {
            // what was read of a frame stays in the reader when the other is first
            tokio::select! {
                frame = reader.frame() => hear(hub, &plan.name, frame?).await,
                message = outgoing.recv(), if !is_deaf => match message {
                    // what it said before it hung up is heard all the same
                    Some(message) => is_deaf = send(&mut out, &Frame::Message(message)).await.is_err(),
                    None => return Ok(()),
                },
            }
        }
    };
    let over: io::Result<()> = heard.await;
    hub.hung_up(&plan.name, &link);
    over
}

async fn begin(out: &mut OwnedWriteHalf, files: Vec<(FilePath, Bytes)>) -> io::Result<()> {
    for (path, bytes) in files {
        let length = bytes.len() as u64;
        send(out, &Frame::Message(ToRun::File { path, length })).await?;
        for chunk in bytes.chunks(CHUNK) {
            send(out, &Frame::Data(chunk.to_vec())).await?;
        }
    }
    send(out, &Frame::Message(ToRun::Start)).await
}

async fn hear(hub: &Hub, run: &RunName, frame: Frame<ToOwner>) {
    if let Frame::Message(ToOwner::Phase { phase }) = frame {
        return hub.says(run, phase);
    }
    let Some(part) = part(frame) else {
        return;
    };
    let is_last = matches!(part, Part::Taken | Part::NotTaken(_));
    if let Some(taking) = hub.taking(run) {
        // whoever asked may want it no more
        let _ = taking.send(part).await;
    }
    if is_last {
        hub.taken(run);
    }
}

fn observation(phase: Phase) -> Observation {
    match phase {
        Phase::Waiting => Observation::Waiting {
            cause: Cause::Unanswering,
            words: "it waits for its inputs".to_owned(),
        },
        Phase::Running { for_ms } => {
            let ran = SignedDuration::from_millis(i64::try_from(for_ms).unwrap_or(i64::MAX));
            let now = clock::now();
            let since = now.checked_sub(ran).unwrap_or(now);
            Observation::Running { since }
        }
        Phase::Exited { exit } => triage::exited(exit),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may stop at once")]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::spec::{Computation, Container};

    async fn plan() -> Plan {
        let container = Container::builder().image("a".parse().unwrap()).build();
        let computation = Computation::builder()
            .name("one".parse().unwrap())
            .container(container)
            .build();
        Plan::computation(computation, Timestamp::UNIX_EPOCH)
            .await
            .unwrap()
    }

    #[tokio::test]
    async fn a_first_process_that_stays_silent_is_over() {
        let plan = plan().await;
        let hub = Hub::new(None);
        hub.expect(&plan, "token");
        let mut seen = hub.watch();
        let lease = Duration::from_secs(30);
        let silent = Instant::now() + lease + SILENT;
        hub.bury(lease, silent);
        assert!(seen.try_recv().is_err(), "it has its grace period");
        let over = silent + plan.grace.unsigned_abs() + Duration::from_secs(1);
        hub.bury(lease, over);
        let observation = seen.try_recv().unwrap().observation;
        assert!(
            matches!(observation, Observation::Missing { .. }),
            "{observation:?}"
        );
    }

    #[tokio::test]
    async fn what_is_said_late_of_a_container_is_not_about_the_next_of_its_name() {
        let plan = plan().await;
        let hub = Hub::new(None);
        hub.expect(&plan, "token");
        let mut seen = hub.watch();
        let words = "with exit code 137".to_owned();
        let over = |container| {
            let words = words.clone();
            hub.over(&plan.name, container, Observation::Missing { words });
        };
        over("first");
        hub.has(&plan.name, "second");
        over("first");
        assert!(seen.try_recv().is_err(), "it was told of another's end");
        over("second");
        assert!(seen.try_recv().is_ok());
    }
}

//! Runs on one machine: a container engine, Docker or Podman, through the API that both have.
//!
//! The static `mkys-init` is the first process of each container and connects to a socket of this process, which is mounted into it.
//! What is said there renews the run's lease: when nobody says anything for as long as the lease is, the container ends by itself
//! and the engine removes it. So an application that is killed leaves nothing behind, and one that is started anew in time goes on
//! with its runs.

mod body;
mod client;
mod firewall;
mod hub;
mod images;
mod inspector;
mod machine;
mod pending;
mod rooms;
mod sweep;
mod triage;
mod watch;

use std::collections::VecDeque;
use std::fs::{self, File, Permissions};
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bollard::Docker;
use bollard::query_parameters::{
    CreateContainerOptionsBuilder, InspectContainerOptions, RemoveContainerOptionsBuilder,
    StartContainerOptions, StopContainerOptionsBuilder,
};
use futures_util::TryStreamExt;
use futures_util::stream::BoxStream;
use ipnet::Ipv4Net;
use jiff::SignedDuration;
use mkys_init::ToRun;
use rustix::fs::{FlockOperation, flock};
use tokio::net::UnixListener;
use tokio::sync::{OnceCell, mpsc};
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::executor::{Executor, ExecutorError, Part, Remains, Seen, SubmitError};
use crate::kept::KeptInputs;
use crate::log::{LogLine, LogPlace};
use crate::plan::{Plan, Work};
use crate::record::Ran;
use crate::said::Said;
use crate::spec::{Owner, RunName};
use crate::state::Observation;
use crate::verdict::{Cause, Failure};
use client::Client;
use hub::Hub;
use images::Digests;
use machine::Machine;
use pending::AllPending;
use rooms::Rooms;

pub use inspector::Inspector;
pub use sweep::Furniture;

/// Where a container finds its owner's socket and its first process.
const OWNER_DIRECTORY: &str = "/.mkys/owner";
const INIT: &str = "/.mkys/init";
const SOCKET: &str = "owner.sock";

/// Beside what engines give to networks that nobody chose addresses for.
const ROOMS: Ipv4Net = Ipv4Net::new_assert(Ipv4Addr::new(10, 89, 0, 0), 16);

/// How long a log may be read for its last lines; of a longer one they are asked for alone.
const WHOLE_LOG: Duration = Duration::from_secs(4);
/// Before the engine is asked again for what it refused in unknown words.
const AGAIN: [Duration; 4] = [
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(3),
];

/// How long the engine may take for one answer.
const ANSWER_S: u64 = 60;

/// Where the engine is, and where this owner's things are.
#[derive(Clone, Debug, bon::Builder)]
pub struct EngineSettings {
    /// Whose runs they are. One process at a time has an owner's runs.
    pub owner: Owner,
    /// The static first process, `mkys-init`, as the engine's machine sees it.
    #[builder(into)]
    pub init: PathBuf,
    /// The engine's API; `/run/podman/podman.sock` by default, else `/var/run/docker.sock`.
    #[builder(into)]
    pub socket: Option<PathBuf>,
    /// Where the owner's socket is; `/run/mkys-runner` by default. A directory of the owner's name is made in it.
    #[builder(default = PathBuf::from("/run/mkys-runner"), into)]
    pub directory: PathBuf,
    /// How long a run lives on when its owner does not: three minutes by default.
    #[builder(default = SignedDuration::from_mins(3))]
    pub lease: SignedDuration,
    /// Where networks of runs lie that are reached or reach out: each has one of eight addresses. `10.89.0.0/16` by default, which
    /// is enough for 4,096 of each kind at once.
    #[builder(default = ROOMS)]
    pub networks: Ipv4Net,
    /// How much of each run's log is kept, in MiB: 48 by default, about what a kubelet keeps. Of a longer one the engine has the latest, and
    /// whoever follows it may miss some lines whenever the engine begins anew.
    #[builder(default = 48)]
    pub log_mib: u32,
    /// A directory that holds secrets: each a directory of its name with a file for each of its keys.
    #[builder(into)]
    pub secrets: Option<PathBuf>,
}

impl EngineSettings {
    /// With paths that mean the same to the engine, whatever directory it works in.
    fn absolute(self) -> Result<Self, EngineError> {
        let absolute = |path: &Path| std::path::absolute(path).map_err(failed(path));
        Ok(Self {
            init: absolute(&self.init)?,
            directory: absolute(&self.directory)?,
            ..self
        })
    }
}

/// Why an engine can't be used.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// Another process has the owner's runs.
    #[error("another process runs as owner {owner}: it holds {}", file.display())]
    Owned {
        /// The owner.
        owner: Owner,
        /// The lock's file.
        file: PathBuf,
    },
    /// The owner's directory or socket can't be made.
    #[error("{}", path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// There is no static first process.
    #[error("{} is not the static mkys-init, which `scripts/static.sh mkys-init` builds", path.display())]
    Init {
        /// Where it should be.
        path: PathBuf,
    },
    /// The engine does not answer.
    #[error("no container engine answers at {}", socket.display())]
    Unreachable {
        /// Its API.
        socket: PathBuf,
        /// Its reason.
        source: Box<bollard::errors::Error>,
    },
}

/// A container engine, with the runs of one owner.
#[derive(Debug)]
pub struct Engine {
    docker: Client,
    settings: EngineSettings,
    machine: Arc<OnceCell<Machine>>,
    hub: Arc<Hub>,
    rooms: Rooms,
    digests: Digests,
    /// Runs whose images are being pulled.
    pending: AllPending,
    /// They end with it.
    _tasks: JoinSet<()>,
    /// Held for as long as the owner's runs are this process's.
    _lock: File,
}

impl Engine {
    /// Connects to the engine and takes the owner's runs over.
    ///
    /// # Errors
    ///
    /// [`EngineError`] when the engine does not answer, another process is this owner, or its directory can't be made.
    pub async fn connect(settings: EngineSettings) -> Result<Self, EngineError> {
        let settings = settings.absolute()?;
        if !is_static(&settings.init) {
            let path = settings.init.clone();
            return Err(EngineError::Init { path });
        }
        let docker = dial(settings.socket.as_deref()).await?;
        let directory = settings.directory.join(settings.owner.as_str());
        let lock = lock(&settings.owner, &settings.directory)?;
        let listener = own(&directory)?;
        let hub = Arc::new(Hub::new(settings.secrets.clone()));
        let mut tasks = JoinSet::new();
        tasks.spawn(hub::listen(Arc::clone(&hub), listener));
        tasks.spawn(watch::events(
            docker.clone(),
            settings.owner.clone(),
            Arc::clone(&hub),
        ));
        let machine = Arc::new(OnceCell::new());
        // an engine may think about that for longer than a run takes to start
        let (engine, known) = (docker.clone(), Arc::clone(&machine));
        tasks.spawn(async move { drop(known.get_or_try_init(|| Machine::of(&engine)).await) });
        let (engine, owner) = (docker.clone(), settings.owner.clone());
        let at = settings.directory.clone();
        // nobody waits for that
        tasks.spawn(async move { sweep::sweep(&engine, &owner, &at).await });
        Ok(Self {
            docker,
            pending: AllPending::new(&settings.directory, &settings.owner),
            rooms: Rooms::new(
                settings.owner.clone(),
                settings.networks,
                settings.directory.clone(),
            ),
            settings,
            machine,
            digests: Digests::default(),
            hub,
            _tasks: tasks,
            _lock: lock,
        })
    }

    /// What the owner has beside its runs, for one that nobody comes back to.
    #[must_use]
    pub fn furniture(&self) -> Furniture {
        Furniture {
            docker: self.docker.clone(),
            owner: self.settings.owner.clone(),
            directory: self.settings.directory.clone(),
        }
    }

    fn container(&self, run: &RunName) -> String {
        body::container_name(&self.settings.owner, run)
    }

    fn name(&self) -> String {
        engine_name(self.settings.socket.as_deref())
    }

    fn error(
        &self,
        action: impl Into<String>,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> ExecutorError {
        ExecutorError {
            executor: self.name(),
            action: action.into(),
            source: source.into(),
        }
    }

    async fn containers(&self) -> Result<Vec<body::Found>, ExecutorError> {
        watch::containers(&self.docker, &self.settings.owner)
            .await
            .map_err(|error| self.error("list its containers", error))
    }

    fn no_image(&self, plan: &Plan, error: images::ImageError) -> SubmitError {
        match error {
            images::ImageError::Refused(failure) => SubmitError::Refused(failure),
            images::ImageError::Engine(error) => {
                let image = &plan.container.image;
                SubmitError::Executor(self.error(format!("pull {image}"), error))
            }
        }
    }

    /// The engine's machine, if it has what a run asks for.
    async fn fits(&self, plan: &Plan) -> Result<&Machine, SubmitError> {
        let machine = self.machine.get_or_try_init(|| Machine::of(&self.docker));
        let machine = machine.await.map_err(|error| {
            SubmitError::Executor(self.error("ask what its machine has", error))
        })?;
        let fits = machine.has(&plan.container.resources);
        fits.map_err(SubmitError::Refused)?;
        Ok(machine)
    }

    /// A room for a run that is reached or that reaches out, which nobody takes away while it is being entered.
    async fn room(&self, plan: &Plan) -> Result<Option<(String, File)>, SubmitError> {
        let is_open = plan.container.egress;
        if !is_open && !matches!(plan.work, Work::Session { .. }) {
            return Ok(None);
        }
        match self.enter(plan).await {
            Err(rooms::RoomError::Full(_)) => {
                let EngineSettings {
                    owner, directory, ..
                } = &self.settings;
                sweep::sweep(&self.docker, owner, directory).await;
                self.rooms.look_again();
                self.enter(plan).await
            }
            entered => entered,
        }
        .map(Some)
        .map_err(|error| match error {
            rooms::RoomError::Full(failure) => SubmitError::Refused(failure),
            rooms::RoomError::Firewall(error) => {
                let words = format!(
                    "without egress it is to reach nothing of this machine, and that can't be kept from it: {error}"
                );
                SubmitError::Refused(failure(Cause::Executor, words))
            }
            rooms::RoomError::Lock(error) => {
                SubmitError::Executor(self.error("enter a network", error))
            }
            rooms::RoomError::Engine(error) => {
                SubmitError::Executor(self.error("make a network", error))
            }
        })
    }

    async fn enter(&self, plan: &Plan) -> Result<(String, File), rooms::RoomError> {
        let entering = sweep::entering(&self.settings.directory).await;
        let entering = entering.map_err(rooms::RoomError::Lock)?;
        let is_open = plan.container.egress;
        let room = self.rooms.enter(&self.docker, &plan.name, is_open).await?;
        Ok((room, entering))
    }

    /// Creates and starts the container of a run whose image is there.
    async fn begin(
        &self,
        machine: &Machine,
        plan: &Plan,
        image: &images::Ready,
    ) -> Result<(), SubmitError> {
        let name = self.container(&plan.name);
        let token = Uuid::new_v4().to_string();
        let room = self.room(plan).await?;
        let network = room.as_ref().map(|(network, _)| network.as_str());
        let create = body::create(&self.settings, machine, plan, image, &token, network)
            .map_err(SubmitError::Refused)?;
        self.hub.expect(plan, &token);
        let options = CreateContainerOptionsBuilder::new().name(&name).build();
        let refuse = |action: &str, error: bollard::errors::Error| match triage::not_started(&error)
        {
            Some(failure) => SubmitError::Refused(failure),
            // the engine answered, and asking again has not changed it
            None if triage::status(&error).is_some() => {
                SubmitError::Refused(triage::unknown_refusal(&error))
            }
            None => SubmitError::Executor(self.error(format!("{action} {name}"), error)),
        };
        let created = self.asked_again(plan, || {
            self.docker
                .create_container(Some(options.clone()), create.clone())
        });
        match created.await {
            Ok(created) => self.hub.has(&plan.name, &created.id),
            // asked again after an answer that was lost
            Err(error) if triage::is_taken(&error) => {
                self.adopt(plan).await?;
            }
            Err(error) => return Err(refuse("create", error)),
        }
        let started = self.asked_again(plan, || {
            self.docker
                .start_container(&name, None::<StartContainerOptions>)
        });
        match started.await {
            Ok(()) => Ok(()),
            Err(error) => {
                let refused = refuse("start", error);
                self.remove(&name).await?;
                Err(refused)
            }
        }
    }

    /// Asks the engine, and again what it refuses in words that nobody here knows: some of these it takes back. What it says meanwhile is
    /// seen of the run.
    async fn asked_again<T, F: Future<Output = Result<T, bollard::errors::Error>>>(
        &self,
        plan: &Plan,
        ask: impl Fn() -> F,
    ) -> Result<T, bollard::errors::Error> {
        let mut waits = AGAIN.into_iter();
        loop {
            let error = match ask().await {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            let is_known = triage::is_taken(&error) || triage::not_started(&error).is_some();
            let wait = waits
                .next()
                .filter(|_| !is_known && triage::status(&error).is_some());
            let Some(wait) = wait else {
                return Err(error);
            };
            let Failure { cause, words } = triage::unknown_refusal(&error);
            tracing::warn!(run = %plan.name, words, ?wait, "the engine refuses; asked again");
            self.hub
                .see(&plan.name, Observation::Waiting { cause, words });
            tokio::time::sleep(wait).await;
        }
    }

    /// Takes over a container of the plan's name, if it is the same work and not over.
    async fn adopt(&self, plan: &Plan) -> Result<(), SubmitError> {
        let name = self.container(&plan.name);
        let goes = || {
            let error = self.error(format!("create {name}"), "the one before is going away");
            SubmitError::Executor(error)
        };
        let found = self.containers().await?;
        let same = found.into_iter().find(|found| found.plan.name == plan.name);
        match same {
            // that of the attempt before; taken over, it would be started once more
            Some(found) if found.has_ended => Err(goes()),
            None if !self.is_there(&name).await? => Err(goes()),
            Some(found) if found.plan.is_same_as(plan) => {
                self.take_over(&found);
                Ok(())
            }
            _ => Err(SubmitError::Other(plan.name.clone())),
        }
    }

    fn take_over(&self, found: &body::Found) {
        self.hub.adopt(&found.plan, &found.token_sha256);
        self.hub.has(&found.plan.name, &found.id);
        for network in &found.networks {
            self.rooms.has(&found.plan.name, network);
        }
    }

    /// Starts a container that whoever created it did not live to start. One that can't be started holds none of the others back.
    async fn start_late(&self, run: &RunName) -> Result<(), ExecutorError> {
        let name = self.container(run);
        let started = self
            .docker
            .start_container(&name, None::<StartContainerOptions>);
        match started.await {
            Ok(()) => Ok(()),
            // the engine answered: it is this container's affair
            Err(error) if triage::status(&error).is_some() => {
                tracing::warn!(container = name, %error, "it was created and can't be started");
                let words = || format!("{name} was created and can't be started: {error}");
                let seen = match triage::not_started(&error).filter(|_| !triage::is_absent(&error))
                {
                    Some(failure) => Observation::Failed(failure),
                    None => Observation::Missing { words: words() },
                };
                self.hub.see(run, seen);
                Ok(())
            }
            Err(error) => Err(self.error(format!("start {name}"), error)),
        }
    }

    /// What is known of a run that is gone.
    fn forget(&self, run: &RunName) {
        self.hub.forget(run);
        self.rooms.leaves(run);
    }

    async fn remove(&self, name: &str) -> Result<(), ExecutorError> {
        let options = RemoveContainerOptionsBuilder::new()
            .force(true)
            .v(true)
            .build();
        match self.docker.remove_container(name, Some(options)).await {
            Ok(()) => Ok(()),
            Err(error) if triage::is_absent(&error) => Ok(()),
            Err(error) => Err(self.error(format!("remove {name}"), error)),
        }
    }

    async fn is_there(&self, name: &str) -> Result<bool, ExecutorError> {
        let there = self.docker.has(name).await;
        there.map_err(|error| self.error(format!("inspect {name}"), error))
    }
}

impl Executor for Engine {
    async fn runs(&self, inputs: KeptInputs) -> Result<Vec<Plan>, ExecutorError> {
        self.hub.has_kept(inputs);
        let found = self.containers().await?;
        for found in &found {
            self.take_over(found);
            if found.is_only_created {
                self.start_late(&found.plan.name).await?;
            }
        }
        Ok(found.into_iter().map(|found| found.plan).collect())
    }

    fn watch(&self) -> mpsc::UnboundedReceiver<Seen> {
        self.hub.watch()
    }

    async fn prepare(&self, plan: &Plan) -> Result<(), SubmitError> {
        // what can never run needs no image
        self.fits(plan).await?;
        let pending = self.pending.add(plan);
        let cancelled = async {
            match &pending {
                Some(pending) => pending.cancelled().await,
                None => std::future::pending().await,
            }
        };
        let ready = tokio::select! {
            ready = images::ready(&self.docker, &plan.container.image) => {
                ready.map(drop).map_err(|error| self.no_image(plan, error))
            }
            () = cancelled => Ok(()),
        };
        // what is asked for again still waits
        if matches!(ready, Err(SubmitError::Executor(_))) {
            return ready;
        }
        if self.pending.remove(&plan.name) {
            let words = Said::CancelledByOthers;
            return Err(SubmitError::Refused(failure(Cause::Cancelled, words)));
        }
        ready
    }

    async fn submit(&self, plan: &Plan) -> Result<(), SubmitError> {
        match self.hub.known(&plan.name) {
            Some(known) if known.is_same_as(plan) => return Ok(()),
            Some(_) => return Err(SubmitError::Other(plan.name.clone())),
            None => {}
        }
        let machine = self.fits(plan).await?;
        let image = images::there(&self.docker, &plan.container.image).await;
        let image = image.map_err(|error| self.no_image(plan, error))?;
        let begun = self.begin(machine, plan, &image).await;
        match &begun {
            Ok(()) => {}
            // the container may be there, with only the answer lost: its room is nobody else's
            Err(SubmitError::Executor(_)) => self.hub.forget(&plan.name),
            Err(_) => self.forget(&plan.name),
        }
        begun
    }

    fn renew_every(&self) -> Duration {
        self.settings.lease.unsigned_abs() / 6
    }

    async fn renew(&self, runs: &[RunName]) -> Result<(), ExecutorError> {
        for run in runs {
            self.hub.say(run, ToRun::Renew);
        }
        self.hub
            .bury(self.settings.lease.unsigned_abs(), Instant::now());
        Ok(())
    }

    async fn take(&self, plan: &Plan) -> Result<mpsc::Receiver<Part>, ExecutorError> {
        self.hub.take(plan).await.ok_or_else(|| {
            self.error(
                format!("reach the first process of {}", plan.name),
                "it is not connected",
            )
        })
    }

    async fn address(&self, plan: &Plan) -> Result<SocketAddr, ExecutorError> {
        let name = self.container(&plan.name);
        let Work::Session { port, .. } = &plan.work else {
            return Err(self.error(format!("reach {name}"), "it is no session"));
        };
        let inspected = self
            .docker
            .inspect_container(&name, None::<InspectContainerOptions>)
            .await;
        let inspected = inspected.map_err(|error| self.error(format!("inspect {name}"), error))?;
        let networks = inspected
            .network_settings
            .and_then(|settings| settings.networks);
        let mut addresses = networks.into_iter().flatten().filter_map(|(_, network)| {
            let address: Ipv4Addr = network.ip_address?.parse().ok()?;
            Some(SocketAddr::from((address, *port)))
        });
        addresses
            .next()
            .ok_or_else(|| self.error(format!("tell the address of {name}"), "it has none yet"))
    }

    fn logs(
        &self,
        run: &RunName,
        from: Option<LogPlace>,
        follow: bool,
    ) -> BoxStream<'static, Result<LogLine, ExecutorError>> {
        let part = watch::Part::After { from, follow };
        watch::logs(&self.docker, self.name(), self.container(run), part)
    }

    async fn stop(&self, plan: &Plan) -> Result<bool, ExecutorError> {
        Ok(self.hub.stop(&plan.name).await)
    }

    async fn last_lines(&self, run: &RunName, most: usize) -> Result<Vec<LogLine>, ExecutorError> {
        let read = |part| watch::logs(&self.docker, self.name(), self.container(run), part);
        // Podman (4.3) loses lines that were written in parts when it is asked for the last ones alone
        let all = watch::Part::After {
            from: None,
            follow: false,
        };
        let mut last = VecDeque::with_capacity(most);
        let whole = async {
            let mut lines = read(all);
            while let Some(line) = lines.try_next().await? {
                if last.len() == most {
                    last.pop_front();
                }
                last.push_back(line);
            }
            Ok(last.into())
        };
        let lines: Vec<LogLine> = match tokio::time::timeout(WHOLE_LOG, whole).await {
            Ok(lines) => lines?,
            Err(_) => read(watch::Part::Last(most)).try_collect().await?,
        };
        // of a container that has gone meanwhile the engine tells that, as if it were its log
        let name = self.container(run);
        match self.is_there(&name).await? {
            true => Ok(lines),
            false => Err(self.error(format!("give the log of {name}"), "it is gone")),
        }
    }

    async fn ran(&self, plan: &Plan) -> Option<Ran> {
        let name = self.container(&plan.name);
        let inspected = self
            .docker
            .inspect_container(&name, None::<InspectContainerOptions>)
            .await
            .ok()?;
        let image_id = inspected.image?;
        let image = self.docker.inspect_image(&image_id).await.ok()?;
        let version = self.docker.version().await.ok()?;
        let platform = version.platform.map(|platform| platform.name);
        Some(Ran {
            image_digest: self
                .digests
                .of(&self.docker, &plan.container.image, &image)
                .await,
            image_id,
            executor: [
                version
                    .components
                    .into_iter()
                    .flatten()
                    .next()
                    .map(|component| component.name),
                version.version,
                platform,
            ]
            .into_iter()
            .flatten()
            .collect::<Vec<_>>()
            .join(", "),
        })
    }

    async fn destroy(&self, plan: &Plan) -> Result<Vec<Remains>, ExecutorError> {
        self.pending.remove(&plan.name);
        let name = self.container(&plan.name);
        let was_there = self.hub.known(&plan.name).is_some();
        let gone = || {
            self.forget(&plan.name);
            let container = Remains {
                kind: "container",
                name: name.clone(),
            };
            Ok(was_there.then_some(container).into_iter().collect())
        };
        let grace = i32::try_from(plan.grace.as_secs()).unwrap_or(i32::MAX);
        // its first process ends the command and then itself, and the engine removes what is left
        self.hub.say(&plan.name, ToRun::Release);
        let options = StopContainerOptionsBuilder::new()
            .t(grace.saturating_add(5))
            .build();
        match self.docker.stop_container(&name, Some(options)).await {
            Ok(()) => {}
            // one that was stopped already, or that was never started
            Err(error) if triage::is_absent(&error) || triage::status(&error) == Some(304) => {}
            Err(error) => tracing::debug!(container = name, %error, "the engine does not stop it"),
        }
        for wait in [0, 50, 100, 200, 400] {
            tokio::time::sleep(Duration::from_millis(wait)).await;
            if !self.is_there(&name).await? {
                return gone();
            }
        }
        self.remove(&name).await?;
        if self.is_there(&name).await? {
            return Err(self.error(format!("remove {name}"), "it is still there"));
        }
        gone()
    }

    async fn remains(&self) -> Result<Vec<Remains>, ExecutorError> {
        let listed = watch::listed(&self.docker, Some(&self.settings.owner)).await;
        let listed = listed.map_err(|error| self.error("list its containers", error))?;
        let remains = listed.into_iter().map(|container| Remains {
            kind: "container",
            name: container.name(),
        });
        Ok(remains.collect())
    }
}

/// Where the engine's API is.
fn engine_socket(chosen: Option<&Path>) -> PathBuf {
    let usual = ["/run/podman/podman.sock", "/var/run/docker.sock"];
    let mut usual = usual.into_iter().map(PathBuf::from);
    let chosen = chosen.map(Path::to_owned);
    let there = || usual.clone().find(|socket| socket.exists());
    chosen
        .or_else(there)
        .or_else(|| usual.next())
        .unwrap_or_default()
}

/// Connects to the engine, and asks whether it answers.
async fn dial(chosen: Option<&Path>) -> Result<Client, EngineError> {
    let socket = engine_socket(chosen);
    let unreachable = |source| EngineError::Unreachable {
        socket: socket.clone(),
        source: Box::new(source),
    };
    let address = socket.to_string_lossy();
    let docker = Docker::connect_with_unix(&address, ANSWER_S, bollard::API_DEFAULT_VERSION)
        .map_err(unreachable)?;
    let docker = docker.negotiate_version().await.map_err(unreachable)?;
    Ok(Client::new(docker, &socket))
}

/// How an engine is named in errors.
fn engine_name(chosen: Option<&Path>) -> String {
    format!(
        "the container engine at {}",
        engine_socket(chosen).display()
    )
}

/// Whether it is `mkys-init`, as a program for any Linux container: one without an interpreter, which the container would have to have.
#[must_use]
pub fn is_static(path: &Path) -> bool {
    const INTERPRETER: u32 = 3;
    let Ok(program) = fs::read(path) else {
        return false;
    };
    // a 64-bit ELF file, of this machine's byte order
    let number = |at: usize, length: usize| {
        let bytes = program.get(at..at + length)?;
        Some(
            bytes
                .iter()
                .rev()
                .fold(0_u64, |sum, byte| sum << 8 | u64::from(*byte)),
        )
    };
    let headers = || {
        let (first, size, count) = (number(32, 8)?, number(54, 2)?, number(56, 2)?);
        (0..count)
            .map(|header| number(usize::try_from(first + header * size).ok()?, 4))
            .collect::<Option<Vec<_>>>()
    };
    let identity = mkys_init::IDENTITY.as_bytes();
    program.starts_with(b"\x7fELF\x02\x01")
        && program.windows(identity.len()).any(|part| part == identity)
        && headers().is_some_and(|kinds| !kinds.contains(&u64::from(INTERPRETER)))
}

fn failed(path: &Path) -> impl Fn(io::Error) -> EngineError {
    let path = path.to_owned();
    move |source| EngineError::Io {
        path: path.clone(),
        source,
    }
}

/// The file of an owner's lock, beside the owner's directory: that is mounted into containers, whose commands could take the lock there.
fn lock_file(directory: &Path, owner: &Owner) -> PathBuf {
    // no owner has a dot in its name
    directory.join(format!("{owner}.lock"))
}

/// Takes the owner's lock, which one process at a time has.
fn lock(owner: &Owner, directory: &Path) -> Result<File, EngineError> {
    fs::create_dir_all(directory).map_err(failed(directory))?;
    // nobody takes the file away meanwhile
    let _there = sweep::taking_lock(directory).map_err(failed(directory))?;
    let file = lock_file(directory, owner);
    let lock = File::options()
        .create(true)
        .append(true)
        .mode(0o600)
        .open(&file)
        .map_err(failed(&file))?;
    match flock(&lock, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(lock),
        Err(_) => Err(EngineError::Owned {
            owner: owner.clone(),
            file,
        }),
    }
}

/// Makes the owner's directory and its socket.
fn own(directory: &Path) -> Result<UnixListener, EngineError> {
    fs::create_dir_all(directory).map_err(failed(directory))?;
    // the runs' users pass through it to the socket, and may do nothing else
    fs::set_permissions(directory, Permissions::from_mode(0o711)).map_err(failed(directory))?;
    let socket = directory.join(SOCKET);
    match fs::remove_file(&socket) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return Err(failed(&socket)(error));
        }
        _ => {}
    }
    let listener = UnixListener::bind(&socket).map_err(failed(&socket))?;
    fs::set_permissions(&socket, Permissions::from_mode(0o666)).map_err(failed(&socket))?;
    Ok(listener)
}

/// A failure to start, in the engine's words.
fn failure(cause: Cause, words: impl Into<String>) -> Failure {
    Failure::new(cause, words)
}

//! What stories stand on: an executor with an owner of its own, and an image that has a shell.

use std::future::Future;
use std::net::UdpSocket;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{OnceLock, PoisonError, RwLock};
use std::time::Duration;

use jiff::SignedDuration;
use mkys_acceptance::place::Place;
use mkys_acceptance::platform::built;
use mkys_acceptance::platform::engine::ContainerEngine;
use mkys_runner::engine::{Engine, EngineSettings};
use mkys_runner::{
    Cause, Computation, Container, Executor, Input, Outcome, Resources, Run, Runner, Verdict,
};
use tempfile::TempDir;
use uuid::Uuid;

/// Nothing in these stories takes this long, however slow the machine.
pub(crate) const LIMIT: Duration = Duration::from_secs(120);

/// An executor for a story.
pub(crate) trait Bench: Sized {
    type Executor: Executor;

    /// The same bench for another owner.
    fn other(&self) -> Self;
    /// The owner.
    fn owner(&self) -> &str;
    /// `mkys-run` on this executor, as anybody has it.
    fn mkys_run(&self) -> Command;
    /// The executor as its owner has it; again after it was dropped.
    async fn executor(&self) -> Self::Executor;
    /// An image with `/bin/sh` and what busybox has beside it.
    fn image(&self) -> &str;
    /// How long its leases are.
    fn lease(&self) -> Duration;
    /// Puts a secret where the executor finds it.
    async fn secret(&self, name: &str, keys: &[(&str, &str)]);
    /// What is there under the story's owner, looked up without the runner.
    async fn left(&self) -> Vec<String>;
    /// Takes a run away as an operator would, without its owner.
    async fn take_away(&self, run: &str);
    /// The machine's address, as a run would reach it.
    fn host(&self) -> String;
    /// Whether it tells lines of the standard error from those of the standard output.
    fn tells_errors_apart(&self) -> bool;
    /// Whether it pulls an image before it makes anything.
    fn pulls_first(&self) -> bool;
}

/// Stories go on beside each other, but for those that take the executor away from all of them.
static EXECUTOR: RwLock<()> = RwLock::new(());

/// Tells a story, within the limit.
pub(crate) fn tell(story: impl Future<Output = ()>) {
    let _beside_others = EXECUTOR.read().unwrap_or_else(PoisonError::into_inner);
    run(story);
}

/// Tells a story while no other is told.
pub(crate) fn tell_alone(story: impl Future<Output = ()>) {
    let _alone = EXECUTOR.write().unwrap_or_else(PoisonError::into_inner);
    run(story);
}

fn run(story: impl Future<Output = ()>) {
    // what a story's runner said is shown when it fails, and there is one for all stories of this process
    let _ = tracing_subscriber::fmt()
        .with_env_filter("mkys_runner=debug")
        .with_test_writer()
        .try_init();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .worker_threads(2)
        .build();
    let told = runtime
        .unwrap()
        .block_on(async { tokio::time::timeout(LIMIT, story).await });
    told.expect("the story does not end");
}

/// A container engine.
pub(crate) struct EngineBench {
    pub(crate) engine: ContainerEngine,
    pub(crate) owner: String,
    pub(crate) folder: TempDir,
    pub(crate) image: &'static str,
}

pub(crate) fn engine() -> &'static (ContainerEngine, String) {
    static ENGINE: OnceLock<(ContainerEngine, String)> = OnceLock::new();
    ENGINE.get_or_init(|| {
        let engine = ContainerEngine::new(&Place::from_environment().state().join("engine"));
        engine.start().unwrap();
        let image = engine
            .image("shell", &shell(), &["CMD=[\"/bin/sh\"]"])
            .unwrap();
        (engine, image)
    })
}

/// A program that runs in any container.
pub(crate) fn static_program(name: &str) -> PathBuf {
    let folder =
        std::env::var_os("MKYS_STATIC").expect("MKYS_STATIC names the folder of static programs");
    PathBuf::from(folder).join(name)
}

/// A file tree with busybox alone.
pub(crate) fn shell() -> PathBuf {
    let tree = Place::from_environment().state().join("shell");
    let bin = tree.join("bin");
    std::fs::create_dir_all(&bin).unwrap();
    let program = bin.join("busybox");
    if !program.exists() {
        std::fs::copy("/bin/busybox", &program).unwrap();
        let list = std::process::Command::new(&program)
            .arg("--list")
            .output()
            .unwrap();
        for name in String::from_utf8(list.stdout)
            .unwrap()
            .lines()
            .filter(|name| *name != "busybox")
        {
            std::os::unix::fs::symlink("busybox", bin.join(name)).unwrap();
        }
    }
    tree
}

/// The name of an owner that nobody else is.
pub(crate) fn owner() -> String {
    format!("story-{}", &Uuid::new_v4().simple().to_string()[..8])
}

impl EngineBench {
    pub(crate) async fn new() -> Self {
        let (engine, image) = tokio::task::spawn_blocking(engine).await.unwrap();
        Self::of(engine.clone(), image)
    }

    fn of(engine: ContainerEngine, image: &'static str) -> Self {
        Self {
            engine,
            owner: owner(),
            folder: tempfile::tempdir().unwrap(),
            image,
        }
    }

    /// The networks of the story's owner.
    pub(crate) async fn networks(&self) -> Vec<String> {
        let label = format!("label=mkys.room-of={}", self.owner);
        let words = ["network", "ls", "--filter", &label, "--format", "{{.Name}}"];
        self.listed(&words).await
    }

    /// The lines that a command of podman's prints.
    pub(crate) async fn listed(&self, words: &[&str]) -> Vec<String> {
        let engine = self.engine.clone();
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        let names = tokio::task::spawn_blocking(move || {
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            engine.run(&words).unwrap()
        });
        names.await.unwrap().lines().map(str::to_owned).collect()
    }

    pub(crate) fn settings(&self) -> EngineSettings {
        EngineSettings::builder()
            .owner(self.owner.parse().unwrap())
            .init(static_program("mkys-init"))
            .socket(self.engine.socket())
            .directory(self.folder.path().join("owners"))
            .secrets(self.folder.path().join("secrets"))
            .lease(SignedDuration::try_from(self.lease()).unwrap())
            .build()
    }
}

impl Bench for EngineBench {
    type Executor = Engine;

    fn other(&self) -> Self {
        Self::of(self.engine.clone(), self.image)
    }

    fn owner(&self) -> &str {
        &self.owner
    }

    fn mkys_run(&self) -> Command {
        let settings = self.settings();
        let mut command = Command::new(built("mkys-run").unwrap());
        command
            .env("MKYS_ENGINE", self.engine.socket())
            .env("MKYS_INIT_PROGRAM", settings.init)
            .env("MKYS_RUN_DIRECTORY", settings.directory);
        command
    }

    async fn executor(&self) -> Engine {
        Engine::connect(self.settings()).await.unwrap()
    }

    fn image(&self) -> &str {
        self.image
    }

    fn lease(&self) -> Duration {
        Duration::from_secs(6)
    }

    async fn secret(&self, name: &str, keys: &[(&str, &str)]) {
        write(&self.folder.path().join("secrets").join(name), keys);
    }

    async fn left(&self) -> Vec<String> {
        let label = format!("label=mkys.owner={}", self.owner);
        let words = ["ps", "--all", "--filter", &label, "--format", "{{.Names}}"];
        self.listed(&words).await
    }

    async fn take_away(&self, run: &str) {
        self.listed(&["stop", &format!("mkys.{}.{run}", self.owner)])
            .await;
    }

    fn host(&self) -> String {
        // asks nobody: the machine's own address on the way out
        let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
        socket.connect("192.0.2.1:9").unwrap();
        socket.local_addr().unwrap().ip().to_string()
    }

    fn tells_errors_apart(&self) -> bool {
        true
    }

    fn pulls_first(&self) -> bool {
        true
    }
}

fn write(folder: &Path, files: &[(&str, &str)]) {
    std::fs::create_dir_all(folder).unwrap();
    for (name, text) in files {
        std::fs::write(folder.join(name), text).unwrap();
    }
}

/// A runner on a bench.
pub(crate) async fn runner<B: Bench>(bench: &B) -> Runner<B::Executor> {
    Runner::start(bench.executor().await).await.unwrap()
}

/// A container whose command is a line of shell.
pub(crate) fn shell_line(bench: &impl Bench, line: &str) -> Container {
    Container::builder()
        .image(bench.image().parse().unwrap())
        .command(["/bin/sh", "-c", line])
        // stories that go on beside each other are to find room on one machine
        .resources(Resources::builder().cpu_millis(200).memory_mib(256).build())
        .build()
}

/// A computation that is a line of shell.
pub(crate) fn line(bench: &impl Bench, line: &str) -> Computation {
    Computation::builder()
        .name("one".parse().unwrap())
        .container(shell_line(bench, line))
        .build()
}

/// A computation whose result is its input.
pub(crate) fn with_input(bench: &impl Bench) -> Computation {
    let mut computation = line(bench, "cat /mkys/in/question >/mkys/out/answer");
    let question = Input::Text("42".into());
    computation
        .inputs
        .insert("question".parse().unwrap(), question);
    computation.results = vec!["answer".parse().unwrap()];
    computation
}

/// Runs a computation to its end on a runner of its own, and sees that nothing is left.
pub(crate) async fn outcome<B: Bench>(bench: &B, computation: Computation) -> Outcome {
    let runner = runner(bench).await;
    let run = runner.compute(computation).await.unwrap();
    let outcome = run.finish().await.unwrap();
    assert_eq!(
        bench.left().await,
        Vec::<String>::new(),
        "something is left"
    );
    assert_eq!(runner.audit().await.unwrap(), []);
    Outcome::clone(&outcome)
}

/// What a run failed for, if it did.
pub(crate) fn cause(outcome: &Outcome) -> Option<Cause> {
    match &outcome.verdict {
        Verdict::Failed(failure) => Some(failure.cause),
        _ => None,
    }
}

/// How a computation fails, in whose words.
pub(crate) async fn fails<B: Bench>(bench: &B, computation: Computation) -> (Cause, String) {
    match outcome(bench, computation).await.verdict {
        Verdict::Failed(failure) => (failure.cause, failure.words),
        other => panic!("it does not fail but is {other:?}"),
    }
}

/// Waits until a run has written a line.
pub(crate) async fn until_running(run: &Run) {
    use futures_util::StreamExt;
    let mut states = std::pin::pin!(run.states());
    while let Some(state) = states.next().await {
        match state {
            mkys_runner::State::Running { .. } => return,
            state => assert!(
                state.verdict().is_none(),
                "it ended before it ran: {state:?}"
            ),
        }
    }
    panic!("it never ran");
}

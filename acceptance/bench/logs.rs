//! The memory that following many logs takes, beside as many followers of the engine's own.

use std::path::Path;
use std::process::{Child, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::Context as _;
use futures_util::StreamExt as _;
use futures_util::future::try_join_all;
use mkys_acceptance::platform::engine::ContainerEngine;
use mkys_runner::engine::Engine;
use mkys_runner::{Computation, Container, Resources, Run, Runner, State};

use crate::Bench;
use crate::executors::{self, OnEngine};
use crate::report::{Section, memory_kib};

const RUNS: usize = 100;
/// How long they are followed.
const FOLLOWED: Duration = Duration::from_secs(30);
/// Twenty lines of 80 bytes a second.
const WRITES: &str = "while :; do /busybox echo 0123456789012345678901234567890123456789012345678901234567890123456789012345678; /busybox usleep 50000; done";

pub(crate) fn measure(bench: &Bench) -> anyhow::Result<Section> {
    let runtime = executors::runtime()?;
    let on_engine = OnEngine::start(bench)?;
    let engine = &on_engine.engine;
    let image = engine.image_of("shell", Path::new("/bin/busybox"))?;
    let progress = &bench.lab.progress;
    let (ours, peer) = runtime.block_on(async {
        let runner = Runner::start(on_engine.executor().await?).await?;
        let before = memory_kib("self")?;
        let runs = start(&runner, &image).await?;
        progress.line(format!("            {RUNS} runs write"));
        let ours = followed(&runner, &runs, before).await?;
        let peer = peer(engine, &runs, &bench.folder).await?;
        try_join_all(runs.iter().map(async |run| {
            run.end();
            run.finish().await.context("the runner ended")
        }))
        .await?;
        anyhow::Ok((ours, peer))
    })?;
    #[expect(clippy::cast_precision_loss, reason = "some MiB")]
    let row = |what: &str, (kib, lines): (u64, u64)| {
        vec![
            what.to_owned(),
            format!("{:.1} MiB", kib as f64 / 1024.0),
            format!("{:.0} KiB", kib as f64 / RUNS as f64),
            format!("{:.3}", kib as f64 / peer.0 as f64),
            lines.to_string(),
        ]
    };
    let about = format!(
        "{RUNS} containers on one engine write 20 lines of 80 bytes a second each, and are followed for {} s. Ours: what the process that \
         embeds the runner has more than before it started the runs, with all that it knows of them, and each log read twice (by the runner, and by \
         whoever asked for it). The peer: `podman logs --follow` for each, all processes together; it comes second and \
         reads from the logs' beginning, so it has the lines of both times.",
        FOLLOWED.as_secs()
    );
    let head = ["", "memory", "a log", "ratio", "lines"];
    let rows = [
        row("one `podman logs --follow` each", peer),
        row("MKYS", ours),
    ];
    Ok(Section::table("Following many logs", &about, &head, &rows))
}

/// Starts all, and waits until all run.
async fn start(runner: &Runner<Engine>, image: &str) -> anyhow::Result<Vec<Run>> {
    let mut runs = Vec::new();
    for number in 0..RUNS {
        let resources = Resources::builder()
            .cpu_millis(10)
            .memory_mib(16)
            .files_mib(1)
            .build();
        let container = Container::builder()
            .image(image.parse()?)
            .command(["/busybox", "sh", "-c", WRITES])
            .resources(resources)
            .build();
        let computation = Computation::builder()
            .name(format!("log-{number}").parse()?)
            .container(container)
            .build();
        runs.push(runner.compute(computation).await?);
    }
    for run in &runs {
        let mut states = std::pin::pin!(run.states());
        while let Some(state) = states.next().await {
            if let Some(verdict) = state.verdict() {
                anyhow::bail!("{} ended before it was followed: {verdict:?}", run.name());
            }
            if matches!(state, State::Running { .. }) {
                break;
            }
        }
    }
    Ok(runs)
}

/// The memory of this process beyond what it had, and how many lines came.
async fn followed(
    runner: &Runner<Engine>,
    runs: &[Run],
    before: u64,
) -> anyhow::Result<(u64, u64)> {
    let lines = Arc::new(AtomicU64::new(0));
    let mut followers = tokio::task::JoinSet::new();
    for run in runs {
        let (mut log, lines) = (runner.logs(run, None), Arc::clone(&lines));
        followers.spawn(async move {
            while let Some(Ok(_)) = log.next().await {
                lines.fetch_add(1, Ordering::Relaxed);
            }
        });
    }
    tokio::time::sleep(FOLLOWED).await;
    let taken = memory_kib("self")?.saturating_sub(before);
    anyhow::ensure!(
        followers.try_join_next().is_none(),
        "a log ended before its run"
    );
    Ok((taken, lines.load(Ordering::Relaxed)))
}

/// The same by one process of the engine's client each.
async fn peer(engine: &ContainerEngine, runs: &[Run], files: &Path) -> anyhow::Result<(u64, u64)> {
    let names = engine.run(&["ps", "--format", "{{.Names}}"])?;
    let mut followers = Followers(Vec::new());
    let files = files.join("followed");
    std::fs::create_dir_all(&files)?;
    for name in names.lines().filter(|name| name.contains(".bench.")) {
        let file = std::fs::File::create(files.join(name))?;
        let follower = engine
            .command(&["logs", "--follow", name])
            .stdin(Stdio::null())
            .stdout(file)
            .spawn();
        followers.0.push(follower.context("podman cannot be run")?);
    }
    anyhow::ensure!(
        followers.0.len() == runs.len(),
        "{} of {} containers are there",
        followers.0.len(),
        runs.len()
    );
    tokio::time::sleep(FOLLOWED).await;
    let mut kib = 0;
    for follower in &followers.0 {
        kib += memory_kib(&follower.id().to_string())?;
    }
    let mut lines = 0;
    for entry in std::fs::read_dir(&files)? {
        let written = std::fs::read(entry?.path())?;
        lines += written.iter().filter(|byte| **byte == b'\n').count() as u64;
    }
    std::fs::remove_dir_all(&files)?;
    Ok((kib, lines))
}

/// Ends them, however the measurement ends.
struct Followers(Vec<Child>);

impl Drop for Followers {
    fn drop(&mut self) {
        for follower in &mut self.0 {
            let _ = follower.kill();
            let _ = follower.wait();
        }
    }
}

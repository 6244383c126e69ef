//! Games and computations in containers that are gone afterwards: on a container engine, and on Kubernetes where there is one.

mod cluster;
mod computation;
mod session;
mod stage;

use std::net::SocketAddr;

use anyhow::Context as _;
use mkys_acceptance::platform;
use mkys_acceptance::progress::Progress;
use mkys_runner::engine::{Engine, EngineSettings};
use mkys_runner::kubernetes::Kubernetes;
use mkys_runner::{EdgeDoor, EdgeSettings, Executor, Keep, Runner};

use crate::by_hand::recipes;
use crate::story::title;
use cluster::Cluster;
pub(crate) use stage::Stage;
use stage::{Images, LEASE, OWNER, TTL};

/// What is there after it was shown.
pub(crate) struct Shown {
    images: Images,
    cluster: Option<Cluster>,
}

/// Shows it and leaves engine, registry and edge up.
pub(crate) fn up(stage: &Stage<'_>) -> anyhow::Result<Shown> {
    let progress = &stage.lab.progress;
    title(progress, "A container engine, its registry, an edge");
    let images = stage.prepare(progress)?;
    let token = progress.run("edge beside NGINX, /automathon delegated", || stage.open())?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .worker_threads(2)
        .build()
        .context("no threads can be had")?;
    runtime.block_on(async {
        let settings = EngineSettings::builder()
            .owner(OWNER.parse()?)
            .init(&images.init)
            .socket(stage.engine.socket())
            .directory(stage.folder().join("owners"))
            .lease(LEASE)
            .build();
        let engine = Engine::connect(settings).await?;
        show(stage, engine, &token, &images, "container").await
    })?;
    let cluster = Cluster::find(stage)?;
    if let Some(cluster) = &cluster {
        runtime.block_on(async {
            let images = cluster.images(&images)?;
            let kubernetes = Kubernetes::connect(cluster.settings(&images)?).await?;
            show(stage, kubernetes, &token, &images, "pod").await
        })?;
    }
    Ok(Shown { images, cluster })
}

/// Shows both kinds of runs on one executor.
async fn show<E: Executor>(
    stage: &Stage<'_>,
    executor: E,
    token: &str,
    images: &Images,
    place: &str,
) -> anyhow::Result<()> {
    let settings = EdgeSettings::builder()
        .client(stage.holder(token)?)
        .listener(SocketAddr::from(stage.users()))
        .ttl(TTL)
        .build();
    let door = EdgeDoor::connect(settings).await?;
    let runner = Runner::start_with(executor, Keep::Memory, door).await?;
    let progress = &stage.lab.progress;
    end_what_was_left(progress, &runner).await;
    title(progress, &format!("A game, in a {place} of its own"));
    session::show(stage, &runner, token, &images.game).await?;
    title(progress, &format!("A computation, in a {place} of its own"));
    computation::show(progress, &runner, &images.sampler).await?;
    runner.close().await;
    Ok(())
}

/// A demo that was interrupted leaves its runs to their leases, or to this one.
async fn end_what_was_left<E: Executor>(progress: &Progress, runner: &Runner<E>) {
    for run in runner.runs() {
        run.end();
        run.finish().await;
        let text = format!(
            "            {}, left by an earlier demo, is ended",
            run.name()
        );
        progress.line(text);
    }
}

/// Nothing of an owner's runs is there, whoever is asked.
async fn prove_nothing_is_left<E: Executor>(
    progress: &Progress,
    runner: &Runner<E>,
) -> anyhow::Result<()> {
    let left = runner.audit().await?;
    anyhow::ensure!(left.is_empty(), "something of it is left: {left:?}");
    progress.line("            audit: nothing of any run is left");
    Ok(())
}

/// What there is to try by hand.
pub(crate) fn summary(stage: &Stage<'_>, shown: &Shown) -> anyhow::Result<()> {
    let progress = &stage.lab.progress;
    let files = stage.write_files(&shown.images)?;
    let [game, sample] = files.each_ref().map(|file| file.display().to_string());
    let program = platform::built("mkys-run")?.display().to_string();
    let results = stage.folder().join("by-hand").display().to_string();
    let programs = program.rsplit_once('/').map_or("", |(folder, _)| folder);
    title(progress, "Games and computations by hand");
    let exports = format!(
        "export PATH=$PATH:{programs} MKYS_ENGINE={} MKYS_INIT_PROGRAM={} MKYS_RUN_DIRECTORY={}",
        stage.engine.socket().display(),
        shown.images.init.display(),
        stage.folder().join("owners").display(),
    );
    let edge = stage.edge_by_hand();
    let port = stage.users().port();
    let base = format!("{}:{port}{}", stage::HOST, stage::PREFIX);
    let lines = |words: &str, folder: &str| {
        let results = format!("{results}/{folder}");
        let run = format!("mkys-run{words}");
        [
            (
                "a game, for two who come within two minutes",
                format!("{run} session {game} {edge}"),
            ),
            (
                "a computation",
                format!("{run} run {sample} --results {results}"),
            ),
            (
                "the same again, compared",
                format!("{run} replay {results}/sample --results {results}/again"),
            ),
            (
                "what there is, and that there is nothing",
                format!("{run} list; {run} audit"),
            ),
        ]
    };
    recipes(progress, &[("once in a shell", exports)]);
    recipes(progress, &lines("", "engine"));
    title(
        progress,
        "The game's pages, in a browser or for an automaton",
    );
    recipes(
        progress,
        &[
            (
                "once: the edge's name, a line that is yours to take out again",
                format!("echo '127.0.0.1 {}' >>/etc/hosts", stage::HOST),
            ),
            ("the lobby", format!("curl -s http://{base}/")),
            (
                "somebody to play against, while the game is open",
                format!(
                    "node {} ws://{base}/hex/play NAME",
                    stage.automaton().display()
                ),
            ),
            (
                "from your own machine, which needs that name too; the game is then at",
                format!(
                    "ssh -L {port}:{} root@THIS   # http://{base}/hex/",
                    stage.users()
                ),
            ),
        ],
    );
    if let Some(cluster) = &shown.cluster {
        title(progress, "The same on Kubernetes, by hand");
        let words = cluster.by_hand(&cluster.images(&shown.images)?)?;
        let path = format!("export PATH=$PATH:{programs}; on_cluster='{words}'");
        recipes(progress, &[("once in a shell", path)]);
        recipes(progress, &lines(" $on_cluster", "kubernetes"));
    }
    Ok(())
}

/// Takes engine, registry, edge and what it has on a cluster away, and proves it.
pub(crate) fn down(stage: &Stage<'_>) -> anyhow::Result<()> {
    let progress = &stage.lab.progress;
    cluster::away(stage)?;
    progress.run("edge, engine and registry away", || stage.take_away())?;
    let left = stage.left();
    anyhow::ensure!(left.is_empty(), "still there:\n  {}", left.join("\n  "));
    progress
        .note("looked for processes, mounts, networks, ports and files of runs: nothing is left");
    Ok(())
}

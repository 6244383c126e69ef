//! Games and computations in containers that are gone afterwards: on a container engine, and on Kubernetes where there is one.

mod cluster;
mod computation;
mod session;
mod stage;

use std::net::SocketAddr;

use anyhow::Context as _;
use mkys_acceptance::progress::Progress;
use mkys_runner::engine::{Engine, EngineSettings};
use mkys_runner::kubernetes::Kubernetes;
use mkys_runner::{EdgeDoor, EdgeSettings, Executor, Keep, Runner};

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
    let program = "target/debug/mkys-run";
    let show = |exports: &str, lines: &[(&str, String)]| {
        progress.line(format!("  {exports}"));
        for (what, how) in lines {
            progress.line(format!("  {what:<50} {how}"));
        }
    };
    progress.line("\nGames and computations by hand:");
    let exports = format!(
        "export MKYS_ENGINE={} MKYS_INIT_PROGRAM={}",
        stage.engine.socket().display(),
        shown.images.init.display()
    );
    let lobby = format!(
        "curl -s -H 'Host: {}' http://{}{}/",
        stage::HOST,
        stage.users(),
        stage::PREFIX
    );
    let lines = [
        (
            "a game, for two who come within two minutes",
            format!("{program} session {game}"),
        ),
        (
            "somebody to play against",
            "(cd examples/games/hex && npm ci && node automaton.js ws://…/play NAME)".to_owned(),
        ),
        (
            "a computation",
            format!("{program} run {sample} --results /tmp/results"),
        ),
        (
            "the same again, compared",
            format!("{program} replay /tmp/results/sample --results /tmp/replayed"),
        ),
        (
            "what there is, and that there is nothing",
            format!("{program} list; {program} audit"),
        ),
        ("the lobby, through the edge", lobby),
    ];
    show(&exports, &lines);
    if let Some(cluster) = &shown.cluster {
        progress.line("\nOn Kubernetes:");
        let (exports, words) = cluster.by_hand(&cluster.images(&shown.images)?)?;
        let lines = [
            ("a game", format!("{program} {words} session {game}")),
            (
                "a computation",
                format!("{program} {words} run {sample} --results /tmp/results"),
            ),
        ];
        show(&exports, &lines);
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

//! A game from its start until its first player has a seat, beside the same image in a bare container and in a bare pod.

use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use futures_util::{StreamExt as _, TryStreamExt as _};
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::api::{DeleteParams, PostParams, WatchEvent, WatchParams};
use mkys_acceptance::platform::engine::ContainerEngine;
use mkys_acceptance::platform::game::{self, Player};
use mkys_runner::{
    Answers, Container, EdgeDoor, EdgeSettings, Executor, Keep, Resources, Runner, Session,
};
use serde_json::json;

use crate::Bench;
use crate::delegated::Delegated;
use crate::executors::{self, NAMESPACE, OnCluster, OnEngine, bare_pod, limits};
use crate::report::{Section, median, quantile};

const ROUNDS: usize = 10;
const PORT: u16 = 8080;
const CPU_MILLIS: u32 = 500;
const MEMORY_MIB: u32 = 256;
/// Nothing of it takes this long.
const LIMIT: Duration = Duration::from_secs(60);
/// How often a bare game is tried.
const AGAIN: Duration = Duration::from_millis(20);

pub(crate) fn measure(bench: &Bench) -> anyhow::Result<Section> {
    let runtime = executors::runtime()?;
    let on_engine = OnEngine::start(bench)?;
    let engine = &on_engine.engine;
    let image = game::image(engine, &bench.lab.place.cache().join("npm"))?;
    let edge = Delegated::start(bench, 10)?;
    let (engines, bare) = runtime.block_on(async {
        let runner = runner(on_engine.executor().await?, &edge).await?;
        let (mut ours, mut bare) = (Vec::new(), Vec::new());
        for round in 0..ROUNDS {
            ours.push(session(&runner, &edge, &image, round).await?);
            bare.push(container(engine, &image).await?);
        }
        anyhow::Ok((ours, bare))
    })?;
    let mut rows = vec![
        row("`podman run`, tried at its own address", &bare, &bare),
        row("MKYS on podman, through the edge", &engines, &bare),
    ];
    let on_cluster = OnCluster::start(bench, &on_engine)?;
    let (pods, bare) = runtime.block_on(async {
        let runner = runner(on_cluster.executor().await?, &edge).await?;
        let api: Api<Pod> = Api::namespaced(on_cluster.client().await?, NAMESPACE);
        // the first of each pulls the images
        session(&runner, &edge, &image, ROUNDS).await?;
        pod(&api, &image).await?;
        let (mut ours, mut bare) = (Vec::new(), Vec::new());
        for round in 0..ROUNDS {
            ours.push(session(&runner, &edge, &image, round).await?);
            bare.push(pod(&api, &image).await?);
        }
        anyhow::Ok((ours, bare))
    })?;
    rows.push(row("a bare pod, tried at its own address", &bare, &bare));
    rows.push(row("MKYS on Kubernetes, through the edge", &pods, &bare));
    let about = format!(
        "{ROUNDS} of each, in turn: `examples/games/hex` (NodeJS), cold but for its image, until a player who came by websocket has a seat. \
         The bare ones are tried every {} ms at the address that the engine or the API server tells; ours are open once the edge has \
         their route and a handshake through NGINX has succeeded.",
        AGAIN.as_millis()
    );
    let head = ["", "median", "slowest", "ratio"];
    Ok(Section::table(
        "A session until its first player sits",
        &about,
        &head,
        &rows,
    ))
}

fn row(what: &str, times: &[f64], beside: &[f64]) -> Vec<String> {
    vec![
        what.to_owned(),
        format!("{:.2} s", median(times)),
        format!("{:.2} s", quantile(times, 1.0)),
        format!("{:.2}", median(times) / median(beside)),
    ]
}

async fn runner<E: Executor>(executor: E, edge: &Delegated) -> anyhow::Result<Runner<E>> {
    let settings = EdgeSettings::builder()
        .client(edge.holder()?)
        .listener(SocketAddr::from(edge.listener()))
        .build();
    let door = EdgeDoor::connect(settings).await?;
    Ok(Runner::start_with(executor, Keep::Memory, door).await?)
}

async fn session<E: Executor>(
    runner: &Runner<E>,
    edge: &Delegated,
    image: &str,
    round: usize,
) -> anyhow::Result<f64> {
    let resources = Resources::builder()
        .cpu_millis(CPU_MILLIS)
        .memory_mib(MEMORY_MIB)
        .build();
    let container = Container::builder()
        .image(image.parse()?)
        .resources(resources)
        .build();
    let session = Session::builder()
        .name(format!("hex-{round}").parse()?)
        .container(container)
        .port(PORT)
        .answers(Answers::Websocket {
            path: "/play".to_owned(),
        })
        .build();
    let began = Instant::now();
    let run = runner.play(session)?;
    let url = match run.answers().await {
        Some(url) => url,
        None => bail!("the session never answers: {:?}", run.finish().await),
    };
    let player = Player::sit(TcpStream::connect(edge.listener())?, &url, "Ada").await?;
    let took = began.elapsed();
    drop(player);
    run.end();
    run.finish().await.context("the runner ended")?;
    Ok(took.as_secs_f64())
}

/// Tries a bare game until somebody has a seat.
async fn sit(address: SocketAddr) -> anyhow::Result<()> {
    let url = format!("ws://{address}/play");
    let sits = async {
        loop {
            if let Ok(stream) = TcpStream::connect(address)
                && Player::sit(stream, &url, "Ada").await.is_ok()
            {
                return;
            }
            tokio::time::sleep(AGAIN).await;
        }
    };
    let sits = tokio::time::timeout(LIMIT, sits).await;
    sits.with_context(|| format!("nobody answers at {address}"))
}

async fn container(engine: &ContainerEngine, image: &str) -> anyhow::Result<f64> {
    const NAME: &str = "bare";
    let memory = format!("{MEMORY_MIB}m");
    let began = Instant::now();
    let words = [
        "run", "--detach", "--name", NAME, "--memory", &memory, "--cpus", "0.5", image,
    ];
    engine.run(&words)?;
    let format = "{{.NetworkSettings.IPAddress}}";
    let address = engine.run(&["inspect", "--format", format, NAME])?;
    let sat = sit(format!("{}:{PORT}", address.trim()).parse()?).await;
    let took = began.elapsed();
    engine.run(&["rm", "--force", "--time=0", NAME])?;
    sat.map(|()| took.as_secs_f64())
}

async fn pod(pods: &Api<Pod>, image: &str) -> anyhow::Result<f64> {
    const NAME: &str = "bare-game";
    let limits = limits(CPU_MILLIS, MEMORY_MIB);
    let mut pod = bare_pod(NAME, &json!({ "image": image, "resources": limits }))?;
    if let Some(spec) = &mut pod.spec {
        spec.termination_grace_period_seconds = Some(0);
    }
    let began = Instant::now();
    let made = pods.create(&PostParams::default(), &pod).await?;
    let version = made.metadata.resource_version.unwrap_or_default();
    let only = WatchParams::default().fields(&format!("metadata.name={NAME}"));
    let mut seen = pods.watch(&only, &version).await?.boxed();
    let mut took = None;
    let ends = async {
        while let Some(event) = seen.try_next().await? {
            match event {
                WatchEvent::Modified(pod) if took.is_none() => {
                    let status = pod.status.unwrap_or_default();
                    let runs = status.phase.as_deref() == Some("Running");
                    if let Some(address) = status.pod_ip.filter(|_| runs) {
                        sit(format!("{address}:{PORT}").parse()?).await?;
                        took = Some(began.elapsed());
                        pods.delete(NAME, &DeleteParams::default()).await?;
                    }
                }
                WatchEvent::Deleted(_) => {
                    let took = took.context("the bare pod went away")?;
                    return Ok(took.as_secs_f64());
                }
                _ => {}
            }
        }
        bail!("the watch ended")
    };
    tokio::time::timeout(LIMIT, ends).await?
}

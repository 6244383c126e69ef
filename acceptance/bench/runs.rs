//! A computation from its start to its result, beside the same command in a bare container and in a bare pod.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use futures_util::{StreamExt as _, TryStreamExt as _};
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::api::{DeleteParams, LogParams, PostParams, WatchEvent, WatchParams};
use mkys_acceptance::platform::cluster::Cluster;
use mkys_acceptance::platform::engine::ContainerEngine;
use mkys_runner::{Computation, Container, Executor, Resources, Runner, Verdict};
use serde_json::json;

use crate::Bench;
use crate::executors::{self, NAMESPACE, OnCluster, OnEngine, bare_pod, limits};
use crate::report::{Section, median};

const ROUNDS: usize = 15;
/// What each of them takes of the machine.
const CPU_MILLIS: u32 = 200;
const MEMORY_MIB: u32 = 64;
/// Nothing of it takes this long.
const LIMIT: Duration = Duration::from_secs(60);

/// Seconds to the result, and until nothing is left.
#[derive(Default)]
struct Times {
    result: Vec<f64>,
    gone: Vec<f64>,
}

impl Times {
    fn row(&self, what: &str, beside: &Self) -> Vec<String> {
        let (result, gone) = (median(&self.result), median(&self.gone));
        vec![
            what.to_owned(),
            format!("{result:.2} s"),
            format!("{:.2}", result / median(&beside.result)),
            format!("{gone:.2} s"),
            format!("{:.2}", gone / median(&beside.gone)),
        ]
    }
}

pub(crate) fn measure(bench: &Bench) -> anyhow::Result<Section> {
    let runtime = executors::runtime()?;
    let on_engine = OnEngine::start(bench)?;
    let engine = &on_engine.engine;
    let image = engine.image_of("busybox", Path::new("/bin/busybox"))?;
    let (mut ours, mut bare) = (Times::default(), Times::default());
    let runner = runtime
        .block_on(async { anyhow::Ok(Runner::start(on_engine.executor().await?).await?) })?;
    for _ in 0..ROUNDS {
        runtime.block_on(compute(&runner, &image, &mut ours))?;
        container(engine, &image, &mut bare)?;
    }
    let first = [
        bare.row("`podman run --rm`", &bare),
        ours.row("MKYS on podman", &bare),
    ];

    let on_cluster = OnCluster::start(bench, &on_engine)?;
    let cluster = &on_cluster.cluster;
    let (mut ours, mut bare) = (Times::default(), Times::default());
    let writes = runtime.block_on(async {
        let runner = Runner::start(on_cluster.executor().await?).await?;
        let pods: Api<Pod> = Api::namespaced(on_cluster.client().await?, NAMESPACE);
        // the first of each pulls its images
        compute(&runner, &image, &mut Times::default()).await?;
        pod(&pods, &image, &mut Times::default()).await?;
        let before = writes(cluster)?;
        for _ in 0..ROUNDS {
            compute(&runner, &image, &mut ours).await?;
            pod(&pods, &image, &mut bare).await?;
        }
        anyhow::Ok(difference(&before, &writes(cluster)?))
    })?;
    let rows = first.into_iter().chain([
        bare.row("a bare pod", &bare),
        ours.row("MKYS on Kubernetes", &bare),
    ]);
    let about = format!(
        "Medians of {ROUNDS}, in turn, of a command that writes two bytes. To the result: for MKYS until its result file is here, checked by \
         its hash; for the bare ones until the line that they print is here. Until nothing is left: of MKYS proved by asking, of the pod \
         until it is deleted. A run of MKYS has results, so on Kubernetes its pod has a second container that keeps them."
    );
    let head = [
        "",
        "to the result",
        "ratio",
        "until nothing is left",
        "ratio",
    ];
    let section = Section::table(
        "A computation from start to result",
        &about,
        &head,
        &rows.collect::<Vec<_>>(),
    );
    Ok(section.and(&format!(
        "Writes of MKYS to the API server in {ROUNDS} runs, by the server's own metrics: {writes}. To reach: two a run beside renewals, of \
         which there is one every 30 s."
    )))
}

/// The command, writing to a place.
fn words(to: &str) -> [String; 4] {
    ["/busybox", "sh", "-c", &format!("printf 42{to}")].map(str::to_owned)
}

async fn compute<E: Executor>(
    runner: &Runner<E>,
    image: &str,
    times: &mut Times,
) -> anyhow::Result<()> {
    let resources = Resources::builder()
        .cpu_millis(CPU_MILLIS)
        .memory_mib(MEMORY_MIB)
        .files_mib(8)
        .build();
    let container = Container::builder()
        .image(image.parse()?)
        .command(words(" >/mkys/out/result"))
        .resources(resources)
        .build();
    let computation = Computation::builder()
        .name("one".parse()?)
        .container(container)
        .results(vec!["result".parse()?])
        .build();
    let began = Instant::now();
    let run = runner.compute(computation).await?;
    let mut states = std::pin::pin!(run.states());
    while let Some(state) = states.next().await {
        if state.verdict().is_some() {
            break;
        }
    }
    times.result.push(began.elapsed().as_secs_f64());
    let outcome = run.finish().await.context("the runner ended")?;
    times.gone.push(began.elapsed().as_secs_f64());
    ensure!(
        outcome.verdict == Verdict::Succeeded,
        "{:?}",
        outcome.verdict
    );
    Ok(())
}

fn container(engine: &ContainerEngine, image: &str, times: &mut Times) -> anyhow::Result<()> {
    let words = words("");
    let mut all = vec!["run", "--rm", "--network", "none", "--read-only", image];
    all.extend(words.iter().map(String::as_str));
    let began = Instant::now();
    let printed = engine.run(&all)?;
    let took = began.elapsed().as_secs_f64();
    ensure!(printed == "42", "it prints {printed:?}");
    times.result.push(took);
    times.gone.push(took);
    Ok(())
}

async fn pod(pods: &Api<Pod>, image: &str, times: &mut Times) -> anyhow::Result<()> {
    let limits = limits(CPU_MILLIS, MEMORY_MIB);
    let container = json!({ "image": image, "command": words(""), "resources": limits });
    let pod = bare_pod("bare", &container)?;
    let began = Instant::now();
    let made = pods.create(&PostParams::default(), &pod).await?;
    let version = made.metadata.resource_version.unwrap_or_default();
    let only = WatchParams::default().fields("metadata.name=bare");
    let mut seen = pods.watch(&only, &version).await?.boxed();
    let mut ended = false;
    let gone = async {
        while let Some(event) = seen.try_next().await? {
            match event {
                WatchEvent::Modified(pod) if !ended => {
                    let status = pod.status.unwrap_or_default();
                    ended = status.phase.as_deref() == Some("Succeeded");
                    if ended {
                        let printed = pods.logs("bare", &LogParams::default()).await?;
                        ensure!(printed == "42", "it prints {printed:?}");
                        times.result.push(began.elapsed().as_secs_f64());
                        pods.delete("bare", &DeleteParams::default()).await?;
                    }
                }
                WatchEvent::Deleted(_) => {
                    times.gone.push(began.elapsed().as_secs_f64());
                    return Ok(());
                }
                _ => {}
            }
        }
        anyhow::bail!("the watch ended")
    };
    tokio::time::timeout(LIMIT, gone).await?
}

/// How often which object of the runner's was written, by the API server's metrics.
fn writes(cluster: &Cluster) -> anyhow::Result<BTreeMap<String, f64>> {
    let metrics = cluster.kubectl(&["get", "--raw", "/metrics"])?;
    let mut found = BTreeMap::new();
    let lines = metrics
        .lines()
        .filter(|line| line.starts_with("apiserver_request_total{"));
    for line in lines {
        let label = |name: &str| {
            let (_, rest) = line.split_once(&format!("{name}=\""))?;
            rest.split_once('"').map(|(value, _)| value)
        };
        let (resource, verb) = (
            label("resource").unwrap_or_default(),
            label("verb").unwrap_or_default(),
        );
        let is_write = ["POST", "PUT", "PATCH", "DELETE"].contains(&verb);
        // pods and a job's status are written by the cluster itself
        let is_ours = ["jobs", "services", "secrets", "configmaps"].contains(&resource);
        if is_write && is_ours && label("subresource") == Some("") {
            let count = line
                .rsplit(' ')
                .next()
                .and_then(|count| count.parse::<f64>().ok());
            *found.entry(format!("{verb} {resource}")).or_default() += count.unwrap_or_default();
        }
    }
    Ok(found)
}

fn difference(before: &BTreeMap<String, f64>, after: &BTreeMap<String, f64>) -> String {
    let more = after.iter().map(|(what, count)| {
        let more = count - before.get(what).copied().unwrap_or_default();
        (what, more)
    });
    let more: Vec<_> = more
        .filter(|(_, more)| *more > 0.0)
        .map(|(what, more)| format!("{what} {more:.0}"))
        .collect();
    more.join(", ")
}

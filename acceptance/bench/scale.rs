//! Thousands of runs on nodes that are played, beside a bare loop that creates, watches and deletes as many jobs by the same client.

mod bare;
mod nodes;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use futures_util::{StreamExt as _, TryStreamExt as _};
use mkys_runner::{
    Computation, Container, Executor, Placement, Resources, Runner, Toleration, Verdict,
};

use crate::Bench;
use crate::executors::{self, OnCluster, OnEngine};
use crate::report::{Section, memory_kib};
use nodes::{KEY, Nodes, VALUE};

const RUNS: usize = 5_000;
/// How many are under way at once.
const AT_ONCE: usize = 100;
/// Before either is timed.
const FIRST: usize = 200;
const CPU_MILLIS: u32 = 100;
const MEMORY_MIB: u32 = 64;
const NODES: usize = 20;

pub(crate) fn measure(bench: &Bench) -> anyhow::Result<Section> {
    let runtime = executors::runtime()?;
    let on_engine = OnEngine::start(bench)?;
    // its digest is enough: no node pulls it
    let image = on_engine
        .engine
        .image_of("busybox", Path::new("/bin/busybox"))?;
    let on_cluster = OnCluster::start(bench, &on_engine)?;
    let nodes = Nodes::start(&on_cluster.cluster, &bench.folder, NODES)?;
    let progress = &bench.lab.progress;
    let (ours, most, bare) = runtime.block_on(async {
        let runner = Runner::start(on_cluster.executor().await?).await?;
        let loops = bare::Loops::start(on_cluster.client().await?).await?;
        many(FIRST, |number| compute(&runner, &image, number)).await?;
        many(FIRST, |number| loops.job(&image, number)).await?;
        let before = memory_kib("self")?;
        let watched = Memory::watch();
        let ours = many(RUNS, |number| compute(&runner, &image, number)).await?;
        let most = watched.most().saturating_sub(before);
        progress.line(format!("            {RUNS} runs: {ours:.0} s"));
        let bare = many(RUNS, |number| loops.job(&image, number)).await?;
        progress.line(format!("            {RUNS} bare jobs: {bare:.0} s"));
        anyhow::Ok((ours, most, bare))
    })?;
    drop(nodes);
    let row = |what: &str, seconds: f64, memory: String| {
        #[expect(clippy::cast_precision_loss, reason = "a few thousand")]
        let rate = RUNS as f64 / seconds;
        vec![
            what.to_owned(),
            format!("{seconds:.0} s"),
            format!("{rate:.1}"),
            format!("{:.2}", bare / seconds),
            memory,
        ]
    };
    let rows = [
        row("the bare loop", bare, String::new()),
        row("MKYS", ours, format!("{} MiB", most >> 10)),
    ];
    let about = format!(
        "{RUNS} of each, {AT_ONCE} at once, on {NODES} nodes that kwok plays beside the real API server, controllers, scheduler and etcd, all on \
         the same cores. The bare loop creates a job, sees by one shared watch that its pod has succeeded, deletes it and sees that it is \
         gone; a run of MKYS is the same with its lease, its log, its verdict and its proof. Memory: the most that the process had more than before. To reach: 0.9."
    );
    let head = [
        "",
        "in all",
        "a second",
        "rate over the bare loop",
        "memory",
    ];
    Ok(Section::table("Thousands of runs", &about, &head, &rows))
}

/// Does so many, some at once; gives the seconds.
async fn many<F: Future<Output = anyhow::Result<()>>>(
    number: usize,
    each: impl Fn(usize) -> F,
) -> anyhow::Result<f64> {
    let began = Instant::now();
    futures_util::stream::iter(0..number)
        .map(each)
        .buffer_unordered(AT_ONCE)
        .try_collect::<()>()
        .await?;
    Ok(began.elapsed().as_secs_f64())
}

async fn compute<E: Executor>(
    runner: &Runner<E>,
    image: &str,
    number: usize,
) -> anyhow::Result<()> {
    let toleration = Toleration::builder().key(KEY).value(VALUE).build();
    let placement = Placement::builder()
        .node_selector([(KEY.to_owned(), VALUE.to_owned())].into())
        .tolerations(vec![toleration])
        .build();
    let resources = Resources::builder()
        .cpu_millis(CPU_MILLIS)
        .memory_mib(MEMORY_MIB)
        .build();
    let container = Container::builder()
        .image(image.parse()?)
        .command(["/busybox", "true"])
        .resources(resources)
        .placement(placement)
        .build();
    let computation = Computation::builder()
        .name(format!("run-{number}").parse()?)
        .container(container)
        .build();
    let run = runner.compute(computation).await?;
    let outcome = run.finish().await.context("the runner ended")?;
    let verdict = &outcome.verdict;
    ensure!(*verdict == Verdict::Succeeded, "run {number}: {verdict:?}");
    Ok(())
}

/// Watches this process' memory.
struct Memory {
    most: Arc<AtomicU64>,
    watches: tokio::task::JoinHandle<()>,
}

impl Memory {
    fn watch() -> Self {
        let most = Arc::new(AtomicU64::new(0));
        let seen = Arc::clone(&most);
        let watches = tokio::spawn(async move {
            loop {
                seen.fetch_max(memory_kib("self").unwrap_or_default(), Ordering::Relaxed);
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        });
        Self { most, watches }
    }

    /// The most that it had, in KiB.
    fn most(self) -> u64 {
        self.watches.abort();
        self.most.load(Ordering::Relaxed)
    }
}

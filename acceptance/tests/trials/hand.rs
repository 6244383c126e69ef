//! What the trials do to an executor, and ask it, without the runner.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use mkys_acceptance::platform::built;
use mkys_acceptance::platform::cluster::NODE_ADDRESS;
use mkys_acceptance::platform::engine::ContainerEngine;
use serde_json::Value;
use tempfile::TempDir;

use crate::bench::{engine, static_program};
use crate::cluster_bench::{NAMESPACE, Shared, shared};
use crate::images;
use crate::proxy::Proxy;
use crate::table::Image;
use crate::tally::{Happened, Tally};
use crate::weather::Storm;
use mkys_acceptance::chance::Chance;

/// An executor in the hand of the trials.
pub(crate) trait Hand: Send + Sync + 'static {
    /// An image.
    fn image(&self, image: Image) -> &str;
    /// `mkys-run` on it; on a bad line, if there is one.
    fn mkys_run(&self, bad_line: bool) -> Command;
    /// What there is of an owner; `None` when the executor is away.
    fn left(&self, owner: &str) -> Option<Vec<String>>;
    /// What there is that is not promised to go away by itself.
    fn stays(&self, _owner: &str) -> Vec<String> {
        Vec::new()
    }
    /// How the runs of an owner stand, by ids that are never given again; `None` when the executor is away.
    fn standing(&self, owner: &str) -> Option<BTreeMap<String, Standing>>;
    /// Something of it that goes away.
    fn storm(&self, chance: &mut Chance) -> Storm;
    /// What goes away whatever is drawn, in a short run or a long one.
    fn certain(&self, is_long: bool) -> Vec<Storm>;
    /// What has to happen on this executor, beside what has to on any and what is certain to go away.
    fn wanted(&self) -> Vec<Happened>;
    /// Takes something of it away and brings it back.
    fn blow(&self, storm: Storm);
    /// Stops an owner's runs, as an administrator does. Says whether that could be asked for.
    fn stop(&self, owner: &str) -> bool;
}

/// An image that is not the one with a shell.
fn odd(image: Image) -> Option<&'static str> {
    match image {
        Image::Shell => None,
        Image::Programs => Some(images::programs()),
        Image::Volumes => Some(images::volumes()),
    }
}

/// Has all images there, before an engine goes away.
fn make_images() {
    images::programs();
    images::volumes();
}

/// How a run stands, without its owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// Nothing has ended it.
    UnderWay {
        /// For how long it lives on without its owner, as far as the executor says.
        leased_for: Duration,
    },
    /// It ended by itself, and is still there.
    Ended,
    /// Its lease has ended it, or somebody.
    Over,
}

/// The only thing of the engine that goes away.
const ENGINE: &str = "the engine";
const API_SERVER: &str = "kube-apiserver";
const KUBELET: &str = "kubelet";
/// The parts of the cluster that go away.
const COMPONENTS: [&str; 5] = [
    API_SERVER,
    KUBELET,
    "kube-controller-manager",
    "containerd",
    "kube-scheduler",
];

/// The container engine.
pub(crate) struct Engine {
    engine: ContainerEngine,
    image: String,
    folder: TempDir,
}

impl Engine {
    pub(crate) fn new() -> Self {
        let (engine, image) = engine();
        make_images();
        Self {
            engine: engine.clone(),
            image: image.clone(),
            folder: tempfile::tempdir().unwrap(),
        }
    }
}

impl Hand for Engine {
    fn image(&self, image: Image) -> &str {
        odd(image).unwrap_or(&self.image)
    }

    fn mkys_run(&self, _bad_line: bool) -> Command {
        let mut command = Command::new(built("mkys-run").unwrap());
        command
            .env("MKYS_ENGINE", self.engine.socket())
            .env("MKYS_INIT_PROGRAM", static_program("mkys-init"))
            .env("MKYS_RUN_DIRECTORY", self.folder.path());
        command
    }

    fn left(&self, owner: &str) -> Option<Vec<String>> {
        let label = format!("label=mkys.owner={owner}");
        let words = ["ps", "--all", "--filter", &label, "--format", "{{.Names}}"];
        let names = self.engine.run(&words).ok()?;
        Some(names.lines().map(str::to_owned).collect())
    }

    /// A container that was created and never started: see `docs/runner/guarantees.md`.
    fn stays(&self, owner: &str) -> Vec<String> {
        let label = format!("label=mkys.owner={owner}");
        let created = ["--filter", "status=created", "--format", "{{.Names}}"];
        let words = [&["ps", "--all", "--filter", &label][..], &created].concat();
        let names = self.engine.run(&words).unwrap_or_default();
        names.lines().map(str::to_owned).collect()
    }

    /// A container's first process waits for the owner, or the end of its lease, when the command has ended.
    fn standing(&self, owner: &str) -> Option<BTreeMap<String, Standing>> {
        let label = format!("label=mkys.owner={owner}");
        let words = [
            "ps",
            "--filter",
            &label,
            "--no-trunc",
            "--format",
            "{{.ID}}",
        ];
        let running = self.engine.run(&words).ok()?;
        let under_way = Standing::UnderWay {
            leased_for: Duration::MAX,
        };
        Some(
            running
                .lines()
                .map(|id| (id.to_owned(), under_way))
                .collect(),
        )
    }

    fn storm(&self, chance: &mut Chance) -> Storm {
        Storm {
            what: ENGINE,
            away_ms: chance.between(0, 10_000),
        }
    }

    fn certain(&self, _is_long: bool) -> Vec<Storm> {
        vec![Storm::short(ENGINE)]
    }

    fn wanted(&self) -> Vec<Happened> {
        Vec::new()
    }

    fn blow(&self, storm: Storm) {
        self.engine.stop_service();
        std::thread::sleep(Duration::from_millis(storm.away_ms));
        self.engine.start_service().unwrap();
    }

    fn stop(&self, owner: &str) -> bool {
        let names = self.left(owner).unwrap_or_default();
        let stopped = |name: &String| self.engine.run(&["stop", name]).is_ok();
        !names.is_empty() && names.iter().all(stopped)
    }
}

/// The cluster.
pub(crate) struct Cluster {
    shared: &'static Shared,
    proxy: Proxy,
    bad: PathBuf,
    _folder: TempDir,
}

impl Cluster {
    pub(crate) fn new(tally: &Arc<Tally>) -> Self {
        let shared = shared();
        make_images();
        let folder = tempfile::tempdir().unwrap();
        let proxy = Proxy::begin(shared.kubeconfig(), Arc::clone(tally));
        let bad = folder.path().join("kubeconfig");
        std::fs::write(&bad, proxy.kubeconfig(shared.kubeconfig())).unwrap();
        Self {
            shared,
            proxy,
            bad,
            _folder: folder,
        }
    }
}

impl Hand for Cluster {
    fn image(&self, image: Image) -> &str {
        odd(image).unwrap_or(self.shared.image)
    }

    fn mkys_run(&self, bad_line: bool) -> Command {
        let kubeconfig = if bad_line {
            &self.bad
        } else {
            self.shared.kubeconfig()
        };
        let mut command = Command::new(built("mkys-run").unwrap());
        command
            .args([
                "--kubernetes",
                "--namespace",
                NAMESPACE,
                "--keeper",
                &self.shared.keeper,
            ])
            .arg("--edge")
            .arg(format!("{NODE_ADDRESS}/32"))
            .arg("--kubeconfig")
            .arg(kubeconfig);
        command
    }

    fn left(&self, owner: &str) -> Option<Vec<String>> {
        let label = format!("mkys.univ-lille.fr/owner={owner}");
        let words = [
            "get",
            "jobs,pods,services",
            "--namespace",
            NAMESPACE,
            "--selector",
            &label,
            "--output",
            "name",
            "--request-timeout",
            "5s",
        ];
        let names = self.shared.cluster.kubectl(&words).ok()?;
        Some(names.lines().map(str::to_owned).collect())
    }

    fn standing(&self, owner: &str) -> Option<BTreeMap<String, Standing>> {
        let label = format!("mkys.univ-lille.fr/owner={owner}");
        let words = [
            "get",
            "jobs",
            "--namespace",
            NAMESPACE,
            "--selector",
            &label,
            "--output",
            "json",
            "--request-timeout",
            "5s",
        ];
        let listed = self.shared.cluster.kubectl(&words).ok()?;
        let listed: Value = serde_json::from_str(&listed).ok()?;
        let jobs = listed["items"].as_array()?.iter();
        jobs.map(|job| Some((job["metadata"]["uid"].as_str()?.to_owned(), standing(job))))
            .collect()
    }

    fn storm(&self, chance: &mut Chance) -> Storm {
        let what = chance.one_of(&COMPONENTS);
        // what is longer than a minute is what leases are for
        if what == API_SERVER && chance.once_in(4) {
            return Storm::long(what);
        }
        let away_ms = chance.between(0, 12_000);
        Storm { what, away_ms }
    }

    fn certain(&self, is_long: bool) -> Vec<Storm> {
        if !is_long {
            return vec![Storm::short(API_SERVER), Storm::short(KUBELET)];
        }
        let others = COMPONENTS[2..].iter().copied().map(Storm::short);
        // the long one early, so that runs of every kind go on meanwhile
        [Storm::short(KUBELET), Storm::long(API_SERVER)]
            .into_iter()
            .chain(others)
            .collect()
    }

    fn wanted(&self) -> Vec<Happened> {
        let refused = [409, 410, 429, 500, 504].map(Happened::Refused);
        let others = [
            Happened::AnswerLost,
            Happened::WatchCut,
            Happened::WatchExpired,
        ];
        refused.into_iter().chain(others).collect()
    }

    fn blow(&self, storm: Storm) {
        let cluster = &self.shared.cluster;
        cluster.stop_component(storm.what).unwrap();
        std::thread::sleep(Duration::from_millis(storm.away_ms));
        cluster.start_component(storm.what).unwrap();
        self.proxy.reset();
    }

    fn stop(&self, owner: &str) -> bool {
        let label = format!("mkys.univ-lille.fr/owner={owner}");
        let words = [
            "delete",
            "pods",
            "--namespace",
            NAMESPACE,
            "--selector",
            &label,
        ];
        let more = ["--wait=false", "--request-timeout", "5s"];
        self.shared
            .cluster
            .kubectl(&[&words[..], &more].concat())
            .is_ok()
    }
}

/// How a run stands by its job.
fn standing(job: &Value) -> Standing {
    let conditions = job["status"]["conditions"].as_array();
    let conditions = || conditions.into_iter().flatten();
    let is_late = |one: &Value| one["reason"] == "DeadlineExceeded";
    if !job["metadata"]["deletionTimestamp"].is_null() || conditions().any(is_late) {
        return Standing::Over;
    }
    let ends = ["Complete", "Failed", "SuccessCriteriaMet", "FailureTarget"];
    let is_end = |one: &Value| ends.iter().any(|end| one["type"] == *end);
    if conditions().any(is_end) {
        return Standing::Ended;
    }
    let started = job["status"]["startTime"].as_str();
    let started = started.and_then(|started| started.parse::<Timestamp>().ok());
    let ends = started.and_then(|started| {
        let seconds = job["spec"]["activeDeadlineSeconds"].as_i64()?;
        started.checked_add(SignedDuration::from_secs(seconds)).ok()
    });
    let left = ends.map(|ends| ends.duration_since(Timestamp::now()));
    // one that is over, or not begun, is leased for no time
    let leased_for = left.and_then(|left| left.try_into().ok());
    Standing::UnderWay {
        leased_for: leased_for.unwrap_or_default(),
    }
}

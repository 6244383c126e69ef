//! What the trials do to an executor, and ask it, without the runner.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use mkys_acceptance::platform::built;
use mkys_acceptance::platform::cluster::NODE_ADDRESS;
use mkys_acceptance::platform::engine::ContainerEngine;
use tempfile::TempDir;

use crate::bench::{engine, static_program};
use crate::chance::Chance;
use crate::cluster_bench::{NAMESPACE, Shared, shared};
use crate::proxy::Proxy;

/// An executor in the hand of the trials.
pub(crate) trait Hand: Send + Sync + 'static {
    /// An image with a shell.
    fn image(&self) -> &str;
    /// `mkys-run` on it; on a bad line, if there is one.
    fn mkys_run(&self, bad_line: bool) -> Command;
    /// What there is of an owner; `None` when the executor is away.
    fn left(&self, owner: &str) -> Option<Vec<String>>;
    /// What there is that is not promised to go away by itself.
    fn stays(&self, _owner: &str) -> Vec<String> {
        Vec::new()
    }
    /// Takes something of it away and brings it back; says what.
    fn storm(&self, chance: &mut Chance) -> &'static str;
}

/// The container engine.
pub(crate) struct Engine {
    engine: ContainerEngine,
    image: String,
    folder: TempDir,
}

impl Engine {
    pub(crate) fn new() -> Self {
        let (engine, image) = engine();
        Self {
            engine: engine.clone(),
            image: image.clone(),
            folder: tempfile::tempdir().unwrap(),
        }
    }
}

impl Hand for Engine {
    fn image(&self) -> &str {
        &self.image
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

    fn storm(&self, chance: &mut Chance) -> &'static str {
        self.engine.stop_service();
        std::thread::sleep(Duration::from_millis(chance.between(0, 10_000)));
        self.engine.start_service().unwrap();
        "the engine"
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
    pub(crate) fn new() -> Self {
        let shared = shared();
        let folder = tempfile::tempdir().unwrap();
        let proxy = Proxy::begin(shared.kubeconfig());
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
    fn image(&self) -> &str {
        self.shared.image
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

    fn storm(&self, chance: &mut Chance) -> &'static str {
        let cluster = &self.shared.cluster;
        let component = chance.one_of(&[
            "kube-apiserver",
            "kubelet",
            "kube-controller-manager",
            "containerd",
            "kube-scheduler",
        ]);
        // what is longer than a minute is what leases are for
        let away_ms = match component {
            "kube-apiserver" if chance.once_in(4) => 60_000,
            _ => chance.between(0, 12_000),
        };
        cluster.stop_component(component).unwrap();
        std::thread::sleep(Duration::from_millis(away_ms));
        cluster.start_component(component).unwrap();
        self.proxy.reset();
        component
    }
}

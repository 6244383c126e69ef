//! A Kubernetes cluster that stories stand on, used with the rights that `docs/runner/role.yaml` gives and no more.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

use jiff::SignedDuration;
use mkys_acceptance::place::Place;
use mkys_acceptance::platform::built;
use mkys_acceptance::platform::cluster::{self, Cluster};
use mkys_runner::kubernetes::Place as Where;
use mkys_runner::kubernetes::{Kubernetes, KubernetesSettings};
use serde_json::Value;

use crate::bench::{Bench, engine, owner, static_program};

/// Where stories are, unless they need a namespace of their own.
pub(crate) const NAMESPACE: &str = "stories";

/// What all stories on the cluster share.
pub(crate) struct Shared {
    pub(crate) cluster: Cluster,
    pub(crate) image: &'static str,
    pub(crate) keeper: String,
    kubeconfig: PathBuf,
}

/// A Kubernetes cluster.
pub(crate) struct ClusterBench {
    pub(crate) shared: &'static Shared,
    pub(crate) owner: String,
    namespace: String,
    kubeconfig: PathBuf,
}

pub(crate) fn shared() -> &'static Shared {
    static SHARED: OnceLock<Shared> = OnceLock::new();
    SHARED.get_or_init(|| {
        let (engine, image) = engine();
        let keeper = engine
            .image_of("keeper", &static_program("mkys-keeper"))
            .unwrap();
        let binaries = std::env::var_os("MKYS_KUBERNETES").expect(
            "MKYS_KUBERNETES names the folder that acceptance/cli/build-kubernetes.sh prints",
        );
        let cluster = Cluster::new(Path::new(cluster::STATE), Path::new(&binaries));
        cluster.start().unwrap();
        let shared = Shared {
            image,
            keeper,
            kubeconfig: Place::from_environment().state().join("stories.kubeconfig"),
            cluster,
        };
        shared.cluster.namespace(NAMESPACE).unwrap();
        let account = shared.cluster.account(NAMESPACE, &shared.kubeconfig);
        account.unwrap();
        shared
    })
}

impl Shared {
    /// A kubeconfig for an account in the stories' namespace.
    pub(crate) fn kubeconfig(&self) -> &Path {
        &self.kubeconfig
    }

    fn kubectl(&self, words: &[&str]) -> String {
        self.cluster.kubectl(words).unwrap()
    }
}

impl ClusterBench {
    pub(crate) async fn new() -> Self {
        let shared = tokio::task::spawn_blocking(shared).await.unwrap();
        Self {
            shared,
            owner: owner(),
            namespace: NAMESPACE.to_owned(),
            kubeconfig: shared.kubeconfig.clone(),
        }
    }

    /// In a namespace of its own, with something in it.
    pub(crate) async fn with(manifest: &'static str) -> Self {
        let mut bench = Self::new().await;
        bench.namespace.clone_from(&bench.owner);
        bench.kubeconfig = bench
            .shared
            .kubeconfig
            .with_file_name(format!("{}.kubeconfig", bench.owner));
        let (shared, namespace, kubeconfig) = (
            bench.shared,
            bench.namespace.clone(),
            bench.kubeconfig.clone(),
        );
        let made = tokio::task::spawn_blocking(move || {
            shared.cluster.namespace(&namespace).unwrap();
            shared.cluster.account(&namespace, &kubeconfig).unwrap();
            shared.cluster.apply(&namespace, manifest).unwrap();
        });
        made.await.unwrap();
        bench
    }

    /// The other of the two: a namespace of a story's own is not needed any more.
    pub(crate) async fn gone(self) {
        let words = ["delete", "namespace", &self.namespace, "--wait=false"];
        self.kubectl(&words).await;
        std::fs::remove_file(&self.kubeconfig).unwrap();
    }

    pub(crate) fn settings(&self) -> KubernetesSettings {
        let place = Where::builder()
            .kubeconfig(&self.kubeconfig)
            .namespace(&self.namespace)
            .build();
        KubernetesSettings::builder()
            .owner(self.owner.parse().unwrap())
            .keeper(self.shared.keeper.parse().unwrap())
            .place(place)
            .edge(vec![format!("{}/32", self.host()).parse().unwrap()])
            .lease(SignedDuration::try_from(self.lease()).unwrap())
            .build()
    }

    /// What `kubectl` prints.
    pub(crate) async fn kubectl(&self, words: &[&str]) -> String {
        let shared = self.shared;
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        let printed = tokio::task::spawn_blocking(move || {
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            shared.kubectl(&words)
        });
        printed.await.unwrap()
    }

    /// Makes something of a manifest.
    pub(crate) async fn apply(&self, manifest: String) {
        let (shared, namespace) = (self.shared, self.namespace.clone());
        let made = tokio::task::spawn_blocking(move || {
            shared.cluster.apply(&namespace, &manifest).unwrap();
        });
        made.await.unwrap();
    }

    /// What Kubernetes tells of an object, such as `job/one`.
    pub(crate) async fn read(&self, object: &str) -> Value {
        let as_json = ["--output", "json"];
        let words = ["get", object, "--namespace", &self.namespace];
        let printed = self.kubectl(&[&words[..], &as_json].concat()).await;
        serde_json::from_str(&printed).unwrap()
    }

    /// What there is of a kind under the story's owner, by name.
    pub(crate) async fn listed(&self, kinds: &str) -> Vec<String> {
        let label = format!("mkys.univ-lille.fr/owner={}", self.owner);
        let words = [
            "get",
            kinds,
            "--namespace",
            &self.namespace,
            "--selector",
            &label,
            "--output",
            "name",
        ];
        let names = self.kubectl(&words).await;
        names.lines().map(str::to_owned).collect()
    }
}

impl Bench for ClusterBench {
    type Executor = Kubernetes;

    fn other(&self) -> Self {
        Self {
            shared: self.shared,
            owner: owner(),
            namespace: self.namespace.clone(),
            kubeconfig: self.kubeconfig.clone(),
        }
    }

    fn owner(&self) -> &str {
        &self.owner
    }

    fn mkys_run(&self) -> Command {
        let mut command = Command::new(built("mkys-run").unwrap());
        command
            .args(["--kubernetes", "--namespace", &self.namespace])
            .args(["--keeper", &self.shared.keeper])
            .args(["--edge", &format!("{}/32", self.host())])
            .arg("--kubeconfig")
            .arg(&self.kubeconfig);
        command
    }

    async fn executor(&self) -> Kubernetes {
        Kubernetes::connect(self.settings()).await.unwrap()
    }

    fn image(&self) -> &str {
        self.shared.image
    }

    fn lease(&self) -> Duration {
        Duration::from_secs(10)
    }

    async fn secret(&self, name: &str, keys: &[(&str, &str)]) {
        let words = [
            "delete",
            "secret",
            name,
            "--namespace",
            &self.namespace,
            "--ignore-not-found",
        ];
        self.kubectl(&words).await;
        let mut words: Vec<String> = [
            "create",
            "secret",
            "generic",
            name,
            "--namespace",
            &self.namespace,
        ]
        .map(str::to_owned)
        .into();
        words.extend(
            keys.iter()
                .map(|(key, value)| format!("--from-literal={key}={value}")),
        );
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        self.kubectl(&words).await;
    }

    async fn left(&self) -> Vec<String> {
        // a job and its pod are one run
        self.listed("jobs").await
    }

    async fn take_away(&self, run: &str) {
        let label = format!(
            "mkys.univ-lille.fr/owner={},mkys.univ-lille.fr/run={run}",
            self.owner
        );
        let namespace = &self.namespace;
        let words = [
            "delete",
            "pods",
            "--selector",
            &label,
            "--namespace",
            namespace,
        ];
        self.kubectl(&words).await;
    }

    fn host(&self) -> String {
        cluster::NODE_ADDRESS.to_owned()
    }

    fn tells_errors_apart(&self) -> bool {
        false
    }

    fn pulls_first(&self) -> bool {
        false
    }
}

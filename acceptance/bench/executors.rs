//! What runs are measured on: a container engine and a cluster, both of this machine, each used with no more rights than it needs.

use std::net::IpAddr;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use k8s_openapi::api::core::v1::Pod;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use mkys_acceptance::platform::cluster::{self, Cluster};
use mkys_acceptance::platform::engine::ContainerEngine;
use mkys_acceptance::platform::programs;
use mkys_runner::engine::{Engine, EngineSettings};
use mkys_runner::kubernetes::{Kubernetes, KubernetesSettings, Place};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use crate::Bench;

/// The namespace on the cluster.
pub(crate) const NAMESPACE: &str = "bench";
const OWNER: &str = "bench";

/// What asynchronous measurements run on.
pub(crate) fn runtime() -> anyhow::Result<Runtime> {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder
        .enable_all()
        .build()
        .context("no threads can be had")
}

/// A container engine with its registry.
pub(crate) struct OnEngine {
    pub(crate) engine: ContainerEngine,
    pub(crate) statics: PathBuf,
    owners: PathBuf,
}

impl OnEngine {
    pub(crate) fn start(bench: &Bench) -> anyhow::Result<Self> {
        let engine = ContainerEngine::new(&bench.lab.place.state().join("engine"));
        engine.start()?;
        Ok(Self {
            engine,
            statics: programs::statics(&["mkys-init"])?,
            owners: bench.folder.join("owners"),
        })
    }

    pub(crate) async fn executor(&self) -> anyhow::Result<Engine> {
        let settings = EngineSettings::builder()
            .owner(OWNER.parse()?)
            .init(self.statics.join("mkys-init"))
            .socket(self.engine.socket())
            .directory(&self.owners)
            .build();
        Ok(Engine::connect(settings).await?)
    }
}

/// A cluster that pulls from the engine's registry.
pub(crate) struct OnCluster {
    pub(crate) cluster: Cluster,
    kubeconfig: PathBuf,
    keeper: String,
}

impl OnCluster {
    pub(crate) fn start(bench: &Bench, beside: &OnEngine) -> anyhow::Result<Self> {
        let keeper = beside.statics.join("mkys-keeper");
        let keeper = beside.engine.image_of("keeper", &keeper)?;
        let cluster = Cluster::new(Path::new(cluster::STATE), &cluster::binaries()?);
        cluster.start()?;
        cluster.namespace(NAMESPACE)?;
        // what a measurement left that was cut off would be taken over by the next one
        let mut away = vec!["--namespace", NAMESPACE, "delete", "jobs,pods", "--all"];
        away.extend(["--force", "--grace-period=0", "--wait=false"]);
        cluster.kubectl(&away)?;
        std::fs::create_dir_all(&bench.folder)?;
        let kubeconfig = bench.folder.join("kubeconfig");
        cluster.account(NAMESPACE, &kubeconfig)?;
        Ok(Self {
            cluster,
            kubeconfig,
            keeper,
        })
    }

    pub(crate) async fn executor(&self) -> anyhow::Result<Kubernetes> {
        let place = Place::builder()
            .kubeconfig(&self.kubeconfig)
            .namespace(NAMESPACE)
            .build();
        // the edge is on the node
        let node: IpAddr = cluster::NODE_ADDRESS.parse()?;
        let settings = KubernetesSettings::builder()
            .owner(OWNER.parse()?)
            .keeper(self.keeper.parse()?)
            .place(place)
            .edge(vec![node.into()])
            .build();
        Ok(Kubernetes::connect(settings).await?)
    }

    /// A client of the administrator's, for what is bare.
    pub(crate) async fn client(&self) -> anyhow::Result<Client> {
        let read = Kubeconfig::read_from(self.cluster.kubeconfig())?;
        let config = Config::from_custom_kubeconfig(read, &KubeConfigOptions::default()).await?;
        Ok(Client::try_from(config)?)
    }
}

/// A pod as somebody would write it who has no runner, as safe as a run's.
pub(crate) fn bare_pod(name: &str, container: &Value) -> anyhow::Result<Pod> {
    let mut container = container.clone();
    container["name"] = "bare".into();
    container["securityContext"] =
        json!({ "allowPrivilegeEscalation": false, "capabilities": { "drop": ["ALL"] } });
    Ok(serde_json::from_value(json!({
        "metadata": { "name": name },
        "spec": {
            "restartPolicy": "Never",
            "automountServiceAccountToken": false,
            "securityContext": {
                "runAsNonRoot": true,
                "runAsUser": 65532,
                "seccompProfile": { "type": "RuntimeDefault" },
            },
            "containers": [container],
        },
    }))?)
}

/// What a container may take, as Kubernetes has it.
pub(crate) fn limits(cpu_millis: u32, memory_mib: u32) -> Value {
    json!({ "limits": { "cpu": format!("{cpu_millis}m"), "memory": format!("{memory_mib}Mi") } })
}

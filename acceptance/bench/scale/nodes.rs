//! Nodes that kwok plays: what is put there seems to run, and to succeed at once.

use std::path::Path;
use std::process::{Child, Command, Stdio};

use anyhow::{Context as _, ensure};
use mkys_acceptance::platform::SOURCE;
use mkys_acceptance::platform::cluster::Cluster;
use serde_json::json;

/// The nodes' label and taint: nothing else is put there.
pub(super) const KEY: &str = "bench.mkys/played";
pub(super) const VALUE: &str = "yes";

/// The nodes; they go with the measurement.
pub(super) struct Nodes {
    cluster: Cluster,
    kwok: Child,
}

impl Nodes {
    pub(super) fn start(cluster: &Cluster, folder: &Path, number: usize) -> anyhow::Result<Self> {
        let built = Command::new(Path::new(SOURCE).join("acceptance/cli/build-kwok.sh"))
            .stderr(Stdio::inherit())
            .output()?;
        ensure!(built.status.success(), "kwok could not be built");
        let built = String::from_utf8(built.stdout)?;
        let built = Path::new(built.trim());
        let log = std::fs::File::create(folder.join("kwok.log"))?;
        let mut command = Command::new(built.join("kwok"));
        command.arg("--kubeconfig").arg(cluster.kubeconfig());
        command.arg("--config").arg(built.join("stages.yaml"));
        let kwok = command
            .args([
                "--manage-nodes-with-label-selector",
                &format!("{KEY}={VALUE}"),
            ])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .context("kwok cannot be run")?;
        let nodes = Self {
            cluster: cluster.clone(),
            kwok,
        };
        let all: Vec<_> = (0..number).map(node).collect();
        let list = json!({ "apiVersion": "v1", "kind": "List", "items": all });
        cluster.apply("default", &list.to_string())?;
        let label = format!("{KEY}={VALUE}");
        let words = [
            "wait",
            "nodes",
            "--for=condition=Ready",
            "--timeout=60s",
            "--selector",
            &label,
        ];
        cluster.kubectl(&words)?;
        Ok(nodes)
    }
}

fn node(number: usize) -> serde_json::Value {
    let room = json!({ "cpu": "64", "memory": "256Gi", "pods": "500", "ephemeral-storage": "1Ti" });
    json!({
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": { "name": format!("played-{number}"), "labels": { KEY: VALUE } },
        "spec": { "taints": [{ "key": KEY, "value": VALUE, "effect": "NoSchedule" }] },
        "status": { "allocatable": room, "capacity": room },
    })
}

impl Drop for Nodes {
    fn drop(&mut self) {
        let label = format!("{KEY}={VALUE}");
        let _ = self
            .cluster
            .kubectl(&["delete", "nodes", "--selector", &label]);
        let _ = self.kwok.kill();
        let _ = self.kwok.wait();
    }
}

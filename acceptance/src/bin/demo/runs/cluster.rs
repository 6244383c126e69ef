//! The cluster that runs are shown on as well: one that `KUBECONFIG` names, or, with `WITH_KUBERNETES=1`, the lab's own.
//!
//! One that can't pull from this machine's registry has the images elsewhere: `MKYS_KEEPER`, `MKYS_GAME` and `MKYS_SAMPLER` name them. One
//! whose pods have other addresses than the lab's has `MKYS_PODS`; this machine must have a way to them.

use std::net::{IpAddr, Ipv4Addr, UdpSocket};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use ipnet::{IpNet, Ipv4Net};
use mkys_acceptance::platform::cluster::{self, Cluster as LabCluster};
use mkys_runner::kubernetes::{KubernetesSettings, Place};
use serde::{Deserialize, Serialize};

use super::stage::{Images, LEASE, OWNER, Stage};
use crate::story::title;

/// The namespace on the lab's own cluster.
const NAMESPACE: &str = "mkys-demo";
/// What is written down of a cluster that was used, for whoever takes it away.
const RECORD: &str = "cluster.json";

/// A namespace of a cluster.
#[derive(Serialize, Deserialize)]
pub(crate) struct Cluster {
    kubeconfig: PathBuf,
    /// That of the kubeconfig's context, if none.
    namespace: Option<String>,
    /// Whether the cluster was started for the demo.
    is_ours: bool,
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// Where the cluster's pods have their addresses: `MKYS_PODS`, else as the lab's has it.
pub(super) fn pods() -> anyhow::Result<Ipv4Net> {
    let pods = variable("MKYS_PODS").unwrap_or_else(|| cluster::PODS.to_owned());
    let network = pods.parse();
    network.with_context(|| format!("MKYS_PODS is no network: {pods}"))
}

/// Says what is wrong with what was chosen; changes nothing.
pub(super) fn check() -> anyhow::Result<()> {
    pods()?;
    match variable("KUBECONFIG") {
        Some(file) if !Path::new(&file).is_file() => bail!("KUBECONFIG names no file: {file}"),
        _ => Ok(()),
    }
}

/// This machine's address, as pods see it.
fn own_address() -> anyhow::Result<IpAddr> {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
    // nothing is sent: the kernel chooses the way, and with it the address
    socket.connect((pods()?.addr(), 9))?;
    Ok(socket.local_addr()?.ip())
}

impl Cluster {
    /// The cluster that was chosen, brought up if it is the lab's; none if none was.
    pub(super) fn find(stage: &Stage<'_>) -> anyhow::Result<Option<Self>> {
        let progress = &stage.lab.progress;
        let there = Self::read(stage);
        // one that an earlier demo started is taken away at last, whichever is used now
        let was_ours = there.as_ref().is_some_and(|there| there.is_ours);
        let found = match variable("KUBECONFIG") {
            Some(file) => Self {
                kubeconfig: std::path::absolute(file)?,
                namespace: None,
                is_ours: was_ours,
            },
            None if variable("WITH_KUBERNETES").is_some_and(|value| value != "0") => {
                title(progress, "A Kubernetes of one node, on this machine");
                let was_up = Path::new(cluster::STATE).exists();
                let cluster = LabCluster::new(Path::new(cluster::STATE), &cluster::binaries()?);
                let found = Self {
                    kubeconfig: stage.folder().join("kubeconfig"),
                    namespace: Some(NAMESPACE.to_owned()),
                    is_ours: was_ours || !was_up,
                };
                // before it is up: an interrupted start is taken away as well
                found.write(stage)?;
                progress.run("the cluster", || cluster.start())?;
                cluster.namespace(NAMESPACE)?;
                cluster.account(NAMESPACE, &found.kubeconfig)?;
                found
            }
            None => return Ok(None),
        };
        if let Some(there) = there.filter(|there| there.kubeconfig != found.kubeconfig) {
            there.leave(stage);
        }
        found.write(stage)?;
        Ok(Some(found))
    }

    fn write(&self, stage: &Stage<'_>) -> anyhow::Result<()> {
        Ok(std::fs::write(
            stage.folder().join(RECORD),
            serde_json::to_string(self)?,
        )?)
    }

    fn read(stage: &Stage<'_>) -> Option<Self> {
        let text = std::fs::read_to_string(stage.folder().join(RECORD)).ok()?;
        serde_json::from_str(&text).ok()
    }

    /// The images as this cluster has them.
    pub(super) fn images(&self, own: &Images) -> anyhow::Result<Images> {
        let mut images = own.clone();
        for (name, image) in [
            ("MKYS_KEEPER", &mut images.keeper),
            ("MKYS_GAME", &mut images.game),
            ("MKYS_SAMPLER", &mut images.sampler),
        ] {
            if let Some(named) = variable(name) {
                *image = named.parse().with_context(|| format!("{name}={named}"))?;
            }
        }
        Ok(images)
    }

    /// How the runner uses it.
    pub(super) fn settings(&self, images: &Images) -> anyhow::Result<KubernetesSettings> {
        let place = Place::builder()
            .kubeconfig(&self.kubeconfig)
            .maybe_namespace(self.namespace.clone())
            .build();
        Ok(KubernetesSettings::builder()
            .owner(OWNER.parse()?)
            .keeper(images.keeper.clone())
            .place(place)
            .edge(vec![IpNet::from(own_address()?)])
            .lease(LEASE)
            .build())
    }

    /// The same, as a person types it. Nothing of it is exported: the next demo in that shell would take the cluster for the person's own.
    pub(super) fn by_hand(&self, images: &Images) -> anyhow::Result<String> {
        let (kubeconfig, keeper) = (self.kubeconfig.display(), &images.keeper);
        let edge = IpNet::from(own_address()?);
        Ok(format!(
            "--kubernetes --kubeconfig {kubeconfig} --keeper {keeper} --edge {edge}"
        ))
    }

    /// Takes away what the demo has there. Where that can't be done it says so: the cluster may be gone.
    fn leave(&self, stage: &Stage<'_>) {
        let progress = &stage.lab.progress;
        let cluster = self.kubeconfig.display();
        let Some(namespace) = &self.namespace else {
            progress.note(format!(
                "the namespace's network policies stay on {cluster}: they are for all who run things there"
            ));
            return;
        };
        let left = progress.run("what it had on the cluster away", || self.clear(namespace));
        if let Err(error) = left {
            progress.note(format!("{namespace} stays on {cluster}: {error:#}"));
        }
    }

    fn clear(&self, namespace: &str) -> anyhow::Result<()> {
        if Path::new(cluster::STATE).exists() {
            let lab = LabCluster::at(Path::new(cluster::STATE));
            lab.kubectl(&["delete", "namespace", namespace, "--ignore-not-found"])?;
        }
        Ok(())
    }
}

/// Takes away what the demo has on a cluster, and the cluster if it was started for the demo.
pub(super) fn away(stage: &Stage<'_>) -> anyhow::Result<()> {
    let Some(used) = Cluster::read(stage) else {
        return Ok(());
    };
    used.leave(stage);
    let progress = &stage.lab.progress;
    if used.is_ours {
        let lab = LabCluster::at(Path::new(cluster::STATE));
        progress.run("the cluster away", || lab.destroy())?;
    } else if used.namespace.is_some() && Path::new(cluster::STATE).exists() {
        progress.note(
            "the lab's Kubernetes stays, as the demo did not start it: `target/debug/lab cluster down` takes it away",
        );
    }
    Ok(())
}

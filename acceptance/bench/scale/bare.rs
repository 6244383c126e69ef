//! Jobs as somebody would run them without a runner: create, see by a watch, delete, see by the watch.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Context as _;
use futures_util::TryStreamExt as _;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::Pod;
use kube::api::{DeleteParams, ListParams, PostParams, WatchEvent, WatchParams};
use kube::{Api, Client};
use serde_json::json;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::nodes::{KEY, VALUE};
use super::{CPU_MILLIS, MEMORY_MIB};
use crate::executors::{NAMESPACE, bare_pod, limits};

const LABEL: &str = "bench.mkys/bare";

/// What is seen of a job's pod.
enum Seen {
    Succeeded,
    Gone,
}

type Waiting = Arc<Mutex<HashMap<String, mpsc::UnboundedSender<Seen>>>>;

/// Many jobs, with one watch for all of them.
pub(super) struct Loops {
    jobs: Api<Job>,
    waiting: Waiting,
    watches: JoinHandle<()>,
}

impl Loops {
    pub(super) async fn start(client: Client) -> anyhow::Result<Self> {
        let pods: Api<Pod> = Api::namespaced(client.clone(), NAMESPACE);
        let waiting = Waiting::default();
        let listed = pods.list(&ListParams::default().limit(1)).await?;
        let version = listed.metadata.resource_version.unwrap_or_default();
        let watches = tokio::spawn(watch(pods, version, Arc::clone(&waiting)));
        Ok(Self {
            jobs: Api::namespaced(client, NAMESPACE),
            waiting,
            watches,
        })
    }

    pub(super) async fn job(&self, image: &str, number: usize) -> anyhow::Result<()> {
        let name = format!("bare-{number}");
        let container = json!({
            "image": image, "command": ["/busybox", "true"], "resources": limits(CPU_MILLIS, MEMORY_MIB),
        });
        let mut pod = serde_json::to_value(bare_pod(&name, &container)?)?;
        pod["metadata"] = json!({ "labels": { LABEL: name } });
        pod["spec"]["nodeSelector"] = json!({ KEY: VALUE });
        pod["spec"]["tolerations"] = json!([{ "key": KEY, "value": VALUE }]);
        let job: Job = serde_json::from_value(json!({
            "metadata": { "name": name },
            "spec": { "backoffLimit": 0, "template": pod },
        }))?;
        let (tell, mut told) = mpsc::unbounded_channel();
        self.lock().insert(name.clone(), tell);
        self.jobs.create(&PostParams::default(), &job).await?;
        while let Some(seen) = told.recv().await {
            match seen {
                Seen::Succeeded => {
                    let background = DeleteParams::background();
                    self.jobs.delete(&name, &background).await?;
                }
                Seen::Gone => {
                    self.lock().remove(&name);
                    return Ok(());
                }
            }
        }
        anyhow::bail!("{name}: the watch ended")
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, mpsc::UnboundedSender<Seen>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Loops {
    fn drop(&mut self) {
        self.watches.abort();
    }
}

async fn watch(pods: Api<Pod>, mut version: String, waiting: Waiting) {
    let mut succeeded = HashSet::new();
    // the server ends each after some minutes
    loop {
        if let Err(error) = watch_once(&pods, &mut version, &mut succeeded, &waiting).await {
            #[expect(clippy::print_stderr, reason = "a measurement that stops says why")]
            {
                eprintln!("the bare loop's watch: {error:#}");
            }
            return;
        }
    }
}

async fn watch_once(
    pods: &Api<Pod>,
    version: &mut String,
    succeeded: &mut HashSet<Option<String>>,
    waiting: &Waiting,
) -> anyhow::Result<()> {
    let params = WatchParams::default().labels(LABEL);
    let mut events = std::pin::pin!(pods.watch(&params, version).await?);
    while let Some(event) = events.try_next().await? {
        let (pod, seen) = match event {
            WatchEvent::Added(pod) | WatchEvent::Modified(pod) => {
                let status = pod.status.as_ref();
                let phase = status.and_then(|status| status.phase.as_deref());
                let first =
                    phase == Some("Succeeded") && succeeded.insert(pod.metadata.uid.clone());
                (pod, first.then_some(Seen::Succeeded))
            }
            WatchEvent::Deleted(pod) => (pod, Some(Seen::Gone)),
            WatchEvent::Bookmark(_) => continue,
            WatchEvent::Error(status) => anyhow::bail!("{status:?}"),
        };
        let metadata = pod.metadata;
        *version = metadata.resource_version.unwrap_or_default();
        let labels = metadata.labels.unwrap_or_default();
        let name = labels.get(LABEL).context("a pod without its label")?;
        let waiting = waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if let (Some(tell), Some(seen)) = (waiting.get(name), seen) {
            let _ = tell.send(seen);
        }
    }
    Ok(())
}

//! What Kubernetes says of an owner's runs: one watch of its pods and one of warnings, for all runs together.

use std::collections::HashSet;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};
use futures_util::StreamExt;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{Event as Warning, Pod};
use kube::runtime::watcher::{self, Config, Event, watcher};
use kube::{Api, ResourceExt};
use tokio::task::JoinSet;

use super::hub::Hub;
use super::{keeper, names, triage, within};
use crate::plan::Plan;
use crate::spec::{Owner, RunName};

/// Before a watch that broke is made again; an API server that is away is asked often enough to be seen soon after it is back.
fn again() -> ExponentialBackoff {
    ExponentialBuilder::default()
        .with_min_delay(Duration::from_millis(200))
        .with_max_delay(Duration::from_secs(5))
        .with_jitter()
        .without_max_times()
        .build()
}

/// Follows the owner's pods for as long as it is let, and gives runs their inputs when they want them.
pub(super) async fn pods(api: Api<Pod>, jobs: Api<Job>, owner: Owner, hub: Arc<Hub>) {
    let config = Config::default().labels(&names::of_owner(&owner));
    let mut events = pin!(watcher(api.clone(), config));
    // they end with this
    let mut feeding = JoinSet::new();
    let mut waits = again();
    let mut listed = HashSet::new();
    let feed = |feeding: &mut JoinSet<()>, plan: Plan, pod: String| {
        let (api, hub) = (api.clone(), Arc::clone(&hub));
        feeding.spawn(async move { keeper::feed(&api, &hub, &plan, &pod).await });
    };
    loop {
        while feeding.try_join_next().is_some() {}
        let event = tokio::select! {
            event = events.next() => match event {
                Some(event) => event,
                None => break,
            },
            unfed = hub.unfed() => {
                for (plan, pod) in unfed {
                    feed(&mut feeding, plan, pod);
                }
                continue;
            }
        };
        let pod = match event {
            Ok(Event::Apply(pod)) => pod,
            Ok(Event::InitApply(pod)) => {
                listed.extend(names::run_of(&pod.metadata));
                pod
            }
            Ok(Event::Delete(pod)) => {
                // one that no node has is gone at once
                if let Some(run) = hub.wonders(&pod, true) {
                    hub.is_cancelled(&run, is_noted(&jobs, &owner, &run).await);
                }
                hub.pod_gone(&pod);
                continue;
            }
            Ok(Event::Init) => {
                listed.clear();
                continue;
            }
            Ok(Event::InitDone) => {
                waits = again();
                hub.only(&listed);
                continue;
            }
            Err(error) => {
                pause(&mut waits, &error, "pods").await;
                continue;
            }
        };
        if let Some(run) = hub.wonders(&pod, false) {
            hub.is_cancelled(&run, is_noted(&jobs, &owner, &run).await);
        }
        let name = pod.metadata.name.clone().unwrap_or_default();
        if let Some(plan) = hub.pod(pod) {
            feed(&mut feeding, plan, name);
        }
    }
}

/// Whether a run's job has the note that somebody cancelled it.
async fn is_noted(jobs: &Api<Job>, owner: &Owner, run: &RunName) -> bool {
    let job = within(jobs.get_metadata_opt(&names::job_name(owner, run))).await;
    // one that nobody can be asked of was deleted, and that is all that is known
    let job = job.ok().flatten();
    job.is_some_and(|job| job.annotations().contains_key(names::CANCELLED))
}

/// Follows warnings about the owner's jobs and pods for as long as it is let: a refusal of the quota is told nowhere else.
pub(super) async fn warnings(api: Api<Warning>, hub: Arc<Hub>) {
    let config = Config::default().fields("type=Warning");
    let mut events = pin!(watcher(api, config));
    let mut waits = again();
    while let Some(event) = events.next().await {
        let warning = match event {
            Ok(Event::Apply(warning) | Event::InitApply(warning)) => warning,
            Ok(Event::InitDone) => {
                waits = again();
                continue;
            }
            Ok(Event::Init | Event::Delete(_)) => continue,
            Err(error) => {
                pause(&mut waits, &error, "warnings").await;
                continue;
            }
        };
        let about = &warning.involved_object;
        let uid = about.uid.as_deref().unwrap_or_default();
        let name = about.name.as_deref().unwrap_or_default();
        if let Some(run) = hub.run_of(uid, name)
            && let Some(observation) = triage::warned(&warning)
        {
            hub.see(&run, observation);
        }
    }
}

async fn pause(waits: &mut ExponentialBackoff, error: &watcher::Error, what: &'static str) {
    let wait = waits.next().unwrap_or(Duration::from_secs(5));
    tracing::debug!(%error, ?wait, what, "Kubernetes can't be watched; asked again");
    tokio::time::sleep(wait).await;
}

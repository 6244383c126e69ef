//! Network policies made true: follows pods, namespaces and policies, and keeps one table of nft as they want it.
//!
//! Runs as a component of the cluster's. Ended, it leaves the table as it was: what runs on stays as it was isolated.

mod rule;
mod selector;
mod table;

use std::fmt::Debug;
use std::hash::Hash;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use k8s_openapi::api::core::v1::{Namespace, Pod};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use kube::runtime::reflector::{self, Store};
use kube::runtime::utils::Backoff;
use kube::runtime::{WatchStreamExt as _, watcher};
use kube::{Api, Client, Resource};
use serde::de::DeserializeOwned;
use tokio::sync::Notify;

use super::api;
use super::layout::POLICIES;
use crate::lab::{Error, external};
use crate::progress::Progress;
use table::World;

/// Changes come in heaps; what comes within this time is one.
const HEAP: Duration = Duration::from_millis(20);
const RETRY: Duration = Duration::from_millis(500);

/// Follows the API of a kubeconfig, for ever.
///
/// # Errors
/// When the API can't be reached at all, or nft refuses.
pub fn enforce(kubeconfig: &Path) -> Result<(), Error> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(Error::io("start a runtime"))?
        .block_on(follow(kubeconfig))
}

async fn follow(kubeconfig: &Path) -> Result<(), Error> {
    let progress = Arc::new(Progress::new());
    let client = api::client(kubeconfig).await?;
    let changed = Arc::new(Notify::new());
    let policies = known::<NetworkPolicy>(&client, &changed, &progress);
    let pods = known::<Pod>(&client, &changed, &progress);
    let namespaces = known::<Namespace>(&client, &changed, &progress);
    // half of the world known would be another one
    let ended = |error: reflector::store::WriterDropped| Error::Unexpected(error.to_string());
    policies.wait_until_ready().await.map_err(ended)?;
    pods.wait_until_ready().await.map_err(ended)?;
    namespaces.wait_until_ready().await.map_err(ended)?;
    let mut applied = String::new();
    loop {
        let world = World {
            policies: policies.state(),
            pods: pods.state(),
            namespaces: namespaces.state(),
        };
        let wanted = table::table(&world);
        if wanted != applied {
            // in one transaction: there is no moment without
            let text = format!("table inet {POLICIES}\ndelete table inet {POLICIES}\n{wanted}");
            external::feed(&["nft", "--file", "-"], &text)?;
            let (pods, policies) = (world.pods.len(), world.policies.len());
            progress.note(format!("{policies} policies for {pods} pods"));
            applied = wanted;
        }
        changed.notified().await;
        tokio::time::sleep(HEAP).await;
    }
}

/// All objects of a kind, kept as they are by a task of their own.
fn known<K>(client: &Client, changed: &Arc<Notify>, progress: &Arc<Progress>) -> Store<K>
where
    K: Resource + Clone + Debug + DeserializeOwned + Send + Sync + 'static,
    K::DynamicType: Default + Eq + Hash + Clone + Send + Sync,
{
    let (store, writer) = reflector::store();
    let (changed, progress) = (Arc::clone(changed), Arc::clone(progress));
    let watched = watcher(Api::<K>::all(client.clone()), watcher::Config::default());
    let kept = kube::runtime::reflector(writer, watched).backoff(Soon);
    tokio::spawn(kept.for_each(move |event| {
        match event {
            Ok(_) => changed.notify_one(),
            Err(error) => progress.note(format!("asking again: {error}")),
        }
        std::future::ready(())
    }));
    store
}

/// An API that was away is asked again soon: its policies may have changed with it.
struct Soon;

impl Iterator for Soon {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        Some(RETRY)
    }
}

impl Backoff for Soon {
    fn reset(&mut self) {}
}

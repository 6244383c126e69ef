//! The cluster's API, asked with its administrator's certificate.

use std::future::Future;
use std::path::Path;
use std::thread;
use std::time::Duration;

use k8s_openapi::api::core::v1::Node;
use kube::api::GetParams;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Api, Client, Config};

use super::layout::NODE;
use crate::lab::Error;

const PATIENCE: Duration = Duration::from_secs(5);

/// A client for whoever a kubeconfig is for.
pub(super) async fn client(kubeconfig: &Path) -> Result<Client, Error> {
    let config = config(kubeconfig).await?;
    Client::try_from(config).map_err(wrong)
}

async fn config(kubeconfig: &Path) -> Result<Config, Error> {
    let read = Kubeconfig::read_from(kubeconfig).map_err(wrong)?;
    let options = KubeConfigOptions::default();
    Config::from_custom_kubeconfig(read, &options)
        .await
        .map_err(wrong)
}

/// Whether one of the cluster's addresses, the API's or another component's, answers with success.
pub(super) fn answers(kubeconfig: &Path, address: &str) -> bool {
    let asked = apart(async {
        let rest = address.strip_prefix("https://")?;
        let (host, path) = rest.split_once('/')?;
        let mut config = config(kubeconfig).await.ok()?;
        config.cluster_url = format!("https://{host}").parse().ok()?;
        config.default_retry = false;
        let client = Client::try_from(config).ok()?;
        // it is no resource's, but its path is made the same
        let request = kube::core::Request::new("").get(path, &GetParams::default());
        client.request_text(request.ok()?).await.ok()
    });
    asked.is_some()
}

/// The cluster's node, if it is known.
pub(super) fn node(kubeconfig: &Path) -> Option<Node> {
    apart(async {
        let client = client(kubeconfig).await.ok()?;
        Api::<Node>::all(client).get(NODE).await.ok()
    })
}

/// Runs something on a thread of its own: whoever asks may be within a runtime, and there are none within another.
fn apart<T: Send>(work: impl Future<Output = Option<T>> + Send) -> Option<T> {
    let run = || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .ok()?;
        runtime
            .block_on(async { tokio::time::timeout(PATIENCE, work).await })
            .ok()?
    };
    thread::scope(|scope| scope.spawn(run).join().ok().flatten())
}

fn wrong(error: impl std::fmt::Display) -> Error {
    Error::Unexpected(format!("the cluster's API can't be reached: {error}"))
}

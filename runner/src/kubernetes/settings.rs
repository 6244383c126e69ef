//! Where the cluster is, whose runs they are, and what is made sure of before the first of them.

use std::path::PathBuf;

use futures_util::future;
use ipnet::IpNet;
use jiff::fmt::rfc2822;
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use kube::api::{Patch, PatchParams};
use kube::client::Body;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::core::Status;
use kube::{Api, Client, Config, ResourceExt};
use serde::Deserialize;

use super::{patient, policy};
use crate::spec::{Image, Owner};

/// Who makes the network policies, as the cluster writes it down.
const MANAGER: &str = "mkys-runner";

/// Where the cluster is, and whose runs they are.
///
/// ```
/// use mkys_runner::kubernetes::{KubernetesSettings, Place};
///
/// let settings = KubernetesSettings::builder()
///     .owner("tournament".parse()?)
///     .keeper("registry.example.org/mkys/keeper:0.1".parse()?)
///     .place(Place::builder().namespace("games").build())
///     .edge(vec!["10.20.0.0/24".parse()?])
///     .build();
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, bon::Builder)]
pub struct KubernetesSettings {
    /// Whose runs they are. One process at a time is an owner.
    pub owner: Owner,
    /// The image that has the static `/mkys-keeper`, which stands beside computations that have inputs or results.
    pub keeper: Image,
    /// Where they are; by default the cluster and the namespace that `kubectl` would use.
    #[builder(default)]
    pub place: Place,
    /// How long a run lives on when its owner does not: three minutes by default.
    #[builder(default = SignedDuration::from_mins(3))]
    pub lease: SignedDuration,
    /// The networks that sessions are reached from: the edge's. Without any, no session is started.
    #[builder(default)]
    pub edge: Vec<IpNet>,
    /// How the edge reaches them.
    #[builder(default)]
    pub reach: Reach,
}

/// A namespace of a cluster.
#[derive(Clone, Debug, Default, bon::Builder)]
pub struct Place {
    /// A kubeconfig; by default that of `KUBECONFIG`, else `~/.kube/config`, else the service account of the pod that this is in.
    #[builder(into)]
    pub kubeconfig: Option<PathBuf>,
    /// The context in it; its current one by default.
    #[builder(into)]
    pub context: Option<String>,
    /// The namespace; that of the context by default.
    #[builder(into)]
    pub namespace: Option<String>,
}

/// How sessions are reached.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reach {
    /// At the addresses of their pods: the edge is in the cluster, or has a route to the network of its pods.
    #[default]
    Pod,
    /// At a port of their node: each has a service for it.
    NodePort,
}

/// Why a cluster can't be used.
#[derive(Debug, thiserror::Error)]
pub enum KubernetesError {
    /// There is no kubeconfig that can be used, and this is in no pod.
    #[error("no cluster is named: give a kubeconfig in Place::kubeconfig or KUBECONFIG")]
    Config(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// It does not answer.
    #[error("no Kubernetes answers at {cluster}")]
    Unreachable {
        /// Its API server.
        cluster: String,
        /// Its reason.
        source: Box<kube::Error>,
    },
    /// It does not know who asks: the kubeconfig's token or certificate is over, or is another cluster's.
    #[error("Kubernetes at {cluster} refuses the credential of the kubeconfig")]
    Credential {
        /// Its API server.
        cluster: String,
        /// Its reason.
        source: Box<kube::Error>,
    },
    /// There are rights missing.
    #[error("rights are missing in namespace {namespace}: {}", missing.join(", "))]
    Rights {
        /// Where.
        namespace: String,
        /// Each as a verb and a resource.
        missing: Vec<String>,
    },
    /// The network policies can't be made.
    #[error("the network policies can't be made in namespace {namespace}")]
    Policies {
        /// Where.
        namespace: String,
        /// Kubernetes' reason.
        source: Box<kube::Error>,
    },
}

impl KubernetesSettings {
    /// The lease, in seconds.
    pub(super) fn lease_s(&self) -> i64 {
        self.lease.as_secs().max(1)
    }
}

impl Place {
    /// The namespace, of a configuration that was read.
    pub(super) fn namespace(&self, config: &Config) -> String {
        let own = self.namespace.clone();
        own.unwrap_or_else(|| config.default_namespace.clone())
    }

    pub(super) async fn config(&self) -> Result<Config, KubernetesError> {
        let boxed =
            |error: Box<dyn std::error::Error + Send + Sync>| KubernetesError::Config(error);
        let options = KubeConfigOptions {
            context: self.context.clone(),
            ..KubeConfigOptions::default()
        };
        let config = match &self.kubeconfig {
            Some(file) => {
                let read = Kubeconfig::read_from(file).map_err(|error| boxed(error.into()))?;
                Config::from_custom_kubeconfig(read, &options)
                    .await
                    .map_err(|error| boxed(error.into()))
            }
            None if self.context.is_some() => Config::from_kubeconfig(&options)
                .await
                .map_err(|error| boxed(error.into())),
            None => Config::infer().await.map_err(|error| boxed(error.into())),
        };
        config.map(|mut config| {
            // what is asked again, when, and for how long is decided where it is known what for
            config.default_retry = false;
            config.connect_timeout = Some(std::time::Duration::from_secs(10));
            config
        })
    }
}

/// What an error is when nobody answers there.
pub(super) fn unreachable(cluster: &str) -> impl Fn(kube::Error) -> KubernetesError {
    move |source| {
        let is_refused =
            matches!(&source, kube::Error::Api(status) if [401, 403].contains(&status.code));
        let (cluster, source) = (cluster.to_owned(), Box::new(source));
        match is_refused {
            true => KubernetesError::Credential { cluster, source },
            false => KubernetesError::Unreachable { cluster, source },
        }
    }
}

#[derive(Deserialize)]
struct Version {
    #[serde(rename = "gitVersion")]
    git_version: String,
}

/// The cluster's version, and its time.
pub(super) async fn greet(client: &Client) -> Result<(String, Timestamp), kube::Error> {
    patient(|| ask(client)).await
}

/// The same, asked for once.
pub(super) async fn ask(client: &Client) -> Result<(String, Timestamp), kube::Error> {
    let request = http::Request::get("/version").body(Body::empty());
    let answer = client
        .send(request.map_err(kube::Error::HttpError)?)
        .await?;
    let said = said(&answer);
    let status = answer.status();
    let body = answer.into_body().collect_bytes().await?;
    if matches!(status.as_u16(), 401 | 403) {
        let refused = serde_json::from_slice::<Status>(&body).unwrap_or_default();
        return Err(kube::Error::Api(Box::new(Status {
            code: status.as_u16(),
            ..refused
        })));
    }
    // what says something else is no API server that is up
    let version: Version =
        serde_json::from_slice(&body).map_err(|error| kube::Error::Service(error.into()))?;
    Ok((version.git_version, said))
}

/// The server's time, by an answer.
fn said<B>(answer: &http::Response<B>) -> Timestamp {
    let date = answer.headers().get(http::header::DATE);
    let date = date.and_then(|date| date.to_str().ok()).map(rfc2822::parse);
    // a cluster whose answers have no date has this machine's time
    date.and_then(Result::ok)
        .map_or_else(Timestamp::now, |date| date.timestamp())
}

/// Makes the network policies, as they are to be.
pub(super) async fn close(
    client: &Client,
    namespace: &str,
    settings: &KubernetesSettings,
) -> Result<(), kube::Error> {
    let api: Api<NetworkPolicy> = Api::namespaced(client.clone(), namespace);
    let parameters = PatchParams::apply(MANAGER).force();
    let applied = policy::policies(&settings.edge).into_iter().map(|policy| {
        let (api, parameters) = (&api, &parameters);
        async move {
            let name = policy.name_any();
            let patch = Patch::Apply(&policy);
            patient(|| api.patch(&name, parameters, &patch)).await
        }
    });
    future::try_join_all(applied).await.map(drop)
}

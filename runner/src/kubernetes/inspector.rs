//! Looks at runs on a cluster without being their owner.

use futures_util::stream::BoxStream;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{Pod, Service};
use kube::api::{DeleteParams, ListParams, Patch, PatchParams};
use kube::{Api, Client, ResourceExt};

use serde_json::json;

use super::settings::{Place, unreachable};
use super::{KubernetesError, logs, names, plan_of, unless_absent, within};
use crate::executor::ExecutorError;
use crate::listed::Listed;
use crate::log::{LogLine, LogPlace};
use crate::spec::Owner;
use crate::trace::Trace;

/// The status of what was deleted and is still there.
const GOING: &str = "going";

/// Looks at runs of one namespace, whoever's they are. It owns none, so it can be there beside their owners.
#[derive(Clone, Debug)]
pub struct Inspector {
    jobs: Api<Job>,
    pods: Api<Pod>,
    services: Api<Service>,
    name: String,
}

impl Inspector {
    /// Connects to a cluster.
    ///
    /// # Errors
    ///
    /// [`KubernetesError`] when none is named or it does not answer.
    pub async fn connect(place: &Place) -> Result<Self, KubernetesError> {
        let config = place.config().await?;
        let namespace = place.namespace(&config);
        let cluster = config.cluster_url.to_string();
        let client = Client::try_from(config).map_err(unreachable(&cluster))?;
        within(super::settings::greet(&client))
            .await
            .map_err(unreachable(&cluster))?;
        Ok(Self {
            jobs: Api::namespaced(client.clone(), &namespace),
            pods: Api::namespaced(client.clone(), &namespace),
            services: Api::namespaced(client, &namespace),
            name: format!("Kubernetes at {cluster}, namespace {namespace}"),
        })
    }

    fn error(&self, action: String, source: kube::Error) -> ExecutorError {
        ExecutorError {
            executor: self.name.clone(),
            action,
            source: source.into(),
        }
    }

    /// The runs of an owner, or of all owners, the oldest first.
    ///
    /// # Errors
    ///
    /// When the cluster does not answer, or does not let its caller look.
    pub async fn runs(&self, owner: Option<&Owner>) -> Result<Vec<Listed>, ExecutorError> {
        let (key, value) = names::MANAGED_BY;
        let of = owner.map_or_else(|| format!("{key}={value}"), names::of_owner);
        let listed = within(self.jobs.list(&ListParams::default().labels(&of))).await;
        let listed = listed.map_err(|error| self.error("list jobs".to_owned(), error))?;
        let mut runs: Vec<Listed> = listed.into_iter().filter_map(listed_of).collect();
        runs.sort_by_key(|run| run.plan.submitted);
        Ok(runs)
    }

    /// Everything that carries the label of an owner, or of any: jobs, pods whose job is gone as well, and services. The namespace's
    /// network policies are nobody's, and not among them.
    ///
    /// # Errors
    ///
    /// When the cluster does not answer, or does not let its caller look.
    pub async fn traces(&self, owner: Option<&Owner>) -> Result<Vec<Trace>, ExecutorError> {
        let of = owner.map_or_else(|| names::OWNER.to_owned(), names::of_owner);
        let of = ListParams::default().labels(&of);
        let failed = |what| move |error| self.error(format!("list {what}"), error);
        let jobs = within(self.jobs.list(&of)).await;
        let pods = within(self.pods.list(&of)).await;
        let services = within(self.services.list_metadata(&of)).await;
        let jobs = jobs.map_err(failed("jobs"))?.into_iter();
        let jobs = jobs.map(|job| trace("job", &job, status(&job)));
        let pods = pods.map_err(failed("pods"))?.into_iter();
        let pods = pods.map(|pod| {
            let phase = pod.status.as_ref().and_then(|status| status.phase.clone());
            trace("pod", &pod, phase.unwrap_or_default().to_lowercase())
        });
        let services = services.map_err(failed("services"))?.into_iter();
        let services = services.map(|service| trace("service", &service, "active".to_owned()));
        let mut traces: Vec<_> = jobs.chain(pods).chain(services).collect();
        traces.sort();
        Ok(traces)
    }

    /// What a run writes, as [`Runner::logs`](crate::Runner::logs) gives it.
    #[must_use]
    pub fn logs(
        &self,
        run: &Listed,
        from: Option<LogPlace>,
        follow: bool,
    ) -> BoxStream<'static, Result<LogLine, ExecutorError>> {
        let of = names::of_run(&run.owner, &run.plan.name);
        logs::read(
            self.pods.clone(),
            || None,
            self.name.clone(),
            of,
            from,
            follow,
        )
    }

    /// Cancels a run by deleting its job; its owner says that somebody did. One that is gone already is no error.
    ///
    /// # Errors
    ///
    /// When the cluster does not answer, or does not let its caller do that.
    pub async fn stop(&self, run: &Listed) -> Result<(), ExecutorError> {
        let name = names::job_name(&run.owner, &run.plan.name);
        let note = json!({ "metadata": { "annotations": { names::CANCELLED: "yes" } } });
        let (parameters, note) = (PatchParams::default(), Patch::Merge(note));
        let noted = self.jobs.patch(&name, &parameters, &note);
        // who may delete it and not change it deletes it all the same
        if let Err(error) = within(noted).await {
            tracing::debug!(job = name, %error, "why it is deleted is not noted");
        }
        // it stays until its pod is gone, so that its owner finds why
        let deleted = within(self.jobs.delete(&name, &DeleteParams::foreground())).await;
        unless_absent(deleted).map_err(|error| self.error(format!("delete job {name}"), error))
    }
}

fn listed_of(job: Job) -> Option<Listed> {
    let plan = plan_of(&job)?;
    let status = match job.metadata.deletion_timestamp {
        Some(_) => GOING.to_owned(),
        None => status(&job),
    };
    let owner = job.metadata.labels?.get(names::OWNER)?.parse().ok()?;
    Some(Listed {
        owner,
        plan,
        status,
    })
}

/// How a job that nobody has deleted is.
fn status(job: &Job) -> String {
    let status = job.status.as_ref();
    let conditions = status.and_then(|status| status.conditions.as_ref());
    let ended = conditions.into_iter().flatten();
    let ended = ended
        .filter(|condition| condition.status == "True")
        .find(|condition| ["Complete", "Failed"].contains(&condition.type_.as_str()));
    match (ended, status.and_then(|status| status.active)) {
        (Some(ended), _) => ended.type_.to_lowercase(),
        (None, Some(1..)) => "active".to_owned(),
        (None, _) => "waiting".to_owned(),
    }
}

fn trace(kind: &'static str, of: &impl ResourceExt, status: String) -> Trace {
    let owner = of.labels().get(names::OWNER).cloned();
    let is_going = of.meta().deletion_timestamp.is_some();
    Trace {
        owner: owner.unwrap_or_default(),
        kind,
        name: of.name_any(),
        status: if is_going { GOING.to_owned() } else { status },
    }
}

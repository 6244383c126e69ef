//! Runs on Kubernetes: a job for each, in one namespace, with rights in that namespace alone and nothing installed in the cluster.
//!
//! The job is a dead-man's switch. Its `activeDeadlineSeconds` lie a lease ahead, and the living owner moves them forward; when nobody
//! does, Kubernetes ends the pod, and after as long again removes the job with all that it owns. So an application that is killed
//! leaves nothing behind, and one that is started anew in time goes on with its runs. One process at a time is an owner.

mod clock;
mod hub;
mod inspector;
mod job;
mod keeper;
mod logs;
mod names;
mod policy;
mod rights;
mod service;
mod settings;
mod triage;
mod watch;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBuilder, Retryable};
use futures_util::StreamExt;
use futures_util::stream::{self, BoxStream};
use jiff::SignedDuration;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{Pod, Service};
use kube::api::{DeleteParams, ListParams, Patch, PatchParams, PostParams, VersionMatch};
use kube::{Api, Client, ResourceExt};
use serde_json::json;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::executor::{Executor, ExecutorError, Part, Remains, Seen, SubmitError};
use crate::kept::KeptInputs;
use crate::log::{LogLine, LogPlace};
use crate::plan::{Plan, Work};
use crate::record::Ran;
use crate::spec::RunName;
use crate::state::Observation;
use crate::verdict::{Cause, Failure};
use clock::{Clock, deadline_s};
use hub::Hub;
use settings::unreachable;

pub use inspector::Inspector;
pub use settings::{KubernetesError, KubernetesSettings, Place, Reach};

/// How long Kubernetes may take for one answer.
const ANSWER: Duration = Duration::from_secs(30);
/// How often a call is asked again that nobody else asks again; ten seconds in all.
const TRIES: usize = 8;
/// How long it may take to tell its time; leases are renewed without that then.
const TELLS_TIME: Duration = Duration::from_secs(5);
/// Where clouds tell of a machine and its rights.
const METADATA: [SocketAddr; 1] = [SocketAddr::new(
    IpAddr::V4(Ipv4Addr::new(169, 254, 169, 254)),
    80,
)];
/// The most bytes of a plan: all annotations of an object have 256 KiB (<https://kubernetes.io/docs/concepts/overview/working-with-objects/annotations/>),
/// and its name is one of them.
const MOST_WRITTEN: usize = 256 * 1024 - 1024;
/// Leases that are renewed at once.
const AT_ONCE: usize = 16;
/// Beside its grace period, how long what is left of a run may take to go away before it is looked for again.
const GOES_WITHIN: Duration = Duration::from_secs(20);
/// How long it is looked for, unless a lease is shorter.
const LOOKED_FOR: SignedDuration = SignedDuration::from_secs(60);

/// A Kubernetes namespace, with the runs of one owner.
#[derive(Debug)]
pub struct Kubernetes {
    settings: KubernetesSettings,
    namespace: String,
    /// How it is named in errors.
    name: String,
    version: String,
    clock: Clock,
    hub: Arc<Hub>,
    /// What answers where nothing is closed: closed runs are to reach none of it.
    closed: Vec<SocketAddr>,
    jobs: Api<Job>,
    pods: Api<Pod>,
    services: Api<Service>,
    /// They end with it.
    _tasks: JoinSet<()>,
}

impl Kubernetes {
    /// Connects to the cluster, makes sure of its rights there and of the network policies, and follows the owner's runs.
    ///
    /// # Errors
    ///
    /// [`KubernetesError`] when the cluster is not named, does not answer, or gives too few rights.
    pub async fn connect(settings: KubernetesSettings) -> Result<Self, KubernetesError> {
        let config = settings.place.config().await?;
        let namespace = settings.place.namespace(&config);
        let cluster = config.cluster_url.to_string();
        let closed = METADATA.into_iter().chain(address(&config.cluster_url));
        let closed = closed.collect();
        let unreachable = unreachable(&cluster);
        let client = Client::try_from(config).map_err(&unreachable)?;
        let (version, said) = settings::greet(&client).await.map_err(&unreachable)?;
        let missing = rights::missing(&client, &namespace, settings.reach).await;
        let missing = missing.map_err(&unreachable)?;
        if !missing.is_empty() {
            return Err(KubernetesError::Rights { namespace, missing });
        }
        settings::close(&client, &namespace, &settings)
            .await
            .map_err(|source| KubernetesError::Policies {
                namespace: namespace.clone(),
                source: Box::new(source),
            })?;
        let hub = Arc::new(Hub::new());
        let pods = Api::namespaced(client.clone(), &namespace);
        let warnings = Api::namespaced(client.clone(), &namespace);
        let mut tasks = JoinSet::new();
        tasks.spawn(watch::pods(
            pods.clone(),
            Api::namespaced(client.clone(), &namespace),
            settings.owner.clone(),
            Arc::clone(&hub),
        ));
        tasks.spawn(watch::warnings(warnings, Arc::clone(&hub)));
        Ok(Self {
            name: format!("Kubernetes at {cluster}, namespace {namespace}"),
            jobs: Api::namespaced(client.clone(), &namespace),
            services: Api::namespaced(client, &namespace),
            clock: Clock::new(said),
            pods,
            closed,
            version,
            settings,
            namespace,
            hub,
            _tasks: tasks,
        })
    }

    /// The namespace that runs are in.
    #[must_use]
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    fn job(&self, run: &RunName) -> String {
        names::job_name(&self.settings.owner, run)
    }

    fn of_run(&self, run: &RunName) -> ListParams {
        ListParams::default().labels(&names::of_run(&self.settings.owner, run))
    }

    fn error(
        &self,
        action: impl Into<String>,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> ExecutorError {
        ExecutorError {
            executor: self.name.clone(),
            action: action.into(),
            source: source.into(),
        }
    }

    /// Asks, for as long as an answer may take.
    async fn ask<T>(
        &self,
        action: impl FnOnce() -> String,
        call: impl Future<Output = Result<T, kube::Error>>,
    ) -> Result<T, ExecutorError> {
        within(call)
            .await
            .map_err(|error| self.error(action(), error))
    }

    fn refuse(&self, action: String, error: kube::Error) -> SubmitError {
        match &error {
            kube::Error::Api(status) => match triage::refusal(status) {
                Some(failure) => SubmitError::Refused(failure),
                None => SubmitError::Executor(self.error(action, error)),
            },
            _ => SubmitError::Executor(self.error(action, error)),
        }
    }

    /// Takes over a job of the plan's name, if it is the same work.
    async fn adopt(&self, plan: &Plan) -> Result<Job, SubmitError> {
        let name = self.job(&plan.name);
        let there = self
            .ask(|| format!("read job {name}"), self.jobs.get(&name))
            .await?;
        if there.metadata.deletion_timestamp.is_some() {
            let error = self.error(
                format!("create job {name}"),
                "the one before it is going away",
            );
            return Err(error.into());
        }
        match plan_of(&there) {
            Some(found) if found.is_same_as(plan) => Ok(there),
            _ => Err(SubmitError::Other(plan.name.clone())),
        }
    }

    async fn begin(&self, plan: &Plan) -> Result<(), SubmitError> {
        let unwritten = |error: serde_json::Error| {
            SubmitError::Refused(Failure::new(Cause::AdmissionRefused, error.to_string()))
        };
        let job = job::create(&self.settings, plan, &self.closed).map_err(unwritten)?;
        let name = self.job(&plan.name);
        let created = match within(self.jobs.create(&PostParams::default(), &job)).await {
            Ok(created) => created,
            // asked again after an answer that was lost
            Err(kube::Error::Api(status)) if status.code == 409 => self.adopt(plan).await?,
            Err(error) => return Err(self.refuse(format!("create job {name}"), error)),
        };
        self.hub.has(&plan.name, &created);
        if let (Work::Session { port, .. }, Reach::NodePort) = (&plan.work, self.settings.reach) {
            let service = service::create(&self.settings.owner, plan, *port, &created);
            match within(self.services.create(&PostParams::default(), &service)).await {
                Ok(_) => {}
                Err(kube::Error::Api(status)) if status.code == 409 => {}
                Err(error) => return Err(self.refuse(format!("create service {name}"), error)),
            }
        }
        // a pod that was seen meanwhile says more
        if self.hub.pod_of(&plan.name).is_none() {
            self.hub.see(&plan.name, triage::podless(&name));
        }
        Ok(())
    }

    /// Asks for the time that leases are counted by. Whether this machine was suspended since nobody here can tell: one that is a guest
    /// has no clock of its own that went on.
    async fn look_at_the_clock(&self) {
        let client = self.jobs.clone().into_client();
        match answered(TELLS_TIME, settings::ask(&client)).await {
            Ok((_, said)) => self.clock.learn(said),
            Err(error) => tracing::debug!(%error, "the cluster's time is carried on"),
        }
    }

    async fn renew_one(&self, run: &RunName) -> Result<(), ExecutorError> {
        let Some(started) = self.hub.started(run) else {
            return Ok(());
        };
        let name = self.job(run);
        let seconds = deadline_s(started, self.clock.now(), self.settings.lease_s());
        let patch = Patch::Merge(json!({ "spec": { "activeDeadlineSeconds": seconds } }));
        let parameters = PatchParams::default();
        let patched = self.jobs.patch(&name, &parameters, &patch);
        // an answer that is waited for until the next is due is of no use
        let limit = self.renew_every().min(ANSWER);
        match answered(limit, patched).await {
            Ok(job) => {
                self.hub.has(run, &job);
                Ok(())
            }
            Err(kube::Error::Api(status)) if status.code == 404 => {
                let words = format!("job {name} is not there any more");
                match self.hub.pod_of(run) {
                    None => self.hub.see(run, Observation::Missing { words }),
                    // one that goes away tells its end itself, and why; one that stays has no lease any more
                    Some(pod) if pod.metadata.deletion_timestamp.is_none() => {
                        let failure = Failure::new(Cause::Evicted, words);
                        self.hub.see(run, Observation::Failed(failure));
                    }
                    Some(_) => {}
                }
                Ok(())
            }
            Err(error) => Err(self.error(format!("renew the lease of job {name}"), error)),
        }
    }

    /// What there is of a run. Pods may be told of as they were at a version, so that the API server need not ask its store.
    async fn left(
        &self,
        run: &RunName,
        version: Option<&str>,
    ) -> Result<Vec<Remains>, ExecutorError> {
        let name = self.job(run);
        let of = match version {
            Some(version) => {
                let of = self.of_run(run).at(version);
                of.matching(VersionMatch::NotOlderThan)
            }
            None => self.of_run(run),
        };
        // first, since it might make another pod
        let job = self.jobs.get_metadata_opt(&name);
        let job = self.ask(|| format!("read job {name}"), job).await?;
        let pods = self.pods.list_metadata(&of);
        let pods = self.ask(|| "list pods".to_owned(), pods).await?;
        let mut found: Vec<_> = job.iter().map(|job| remains("job", job)).collect();
        found.extend(pods.iter().map(|pod| remains("pod", pod)));
        if self.settings.reach == Reach::NodePort {
            let service = self.services.get_metadata_opt(&name);
            let service = self.ask(|| format!("read service {name}"), service).await?;
            found.extend(service.iter().map(|service| remains("service", service)));
        }
        Ok(found)
    }

    /// The name of a run's pod, seen or looked up.
    async fn pod(&self, run: &RunName) -> Result<String, ExecutorError> {
        if let Some(pod) = self.hub.pod_of(run) {
            return Ok(pod.name_any());
        }
        let of = self.of_run(run);
        let pods = self
            .ask(|| "list pods".to_owned(), self.pods.list_metadata(&of))
            .await?;
        let pod = pods.iter().next();
        pod.map(ResourceExt::name_any)
            .ok_or_else(|| self.error(format!("tell the pod of {run}"), "there is none"))
    }

    /// A pod whose node does not answer is going away for good: it is taken out of the cluster's books, long after it should be gone.
    async fn give_up_on(&self, run: &RunName) -> Result<(), ExecutorError> {
        let of = self.of_run(run);
        let pods = self
            .ask(|| "list pods".to_owned(), self.pods.list(&of))
            .await?;
        let late = |pod: &&Pod| {
            let going = pod.metadata.deletion_timestamp.as_ref();
            going.is_some_and(|since| {
                self.clock.now().duration_since(clock::at(since)) > self.settings.lease
            })
        };
        for pod in pods.iter().filter(late) {
            let name = pod.name_any();
            tracing::warn!(
                pod = name,
                "its node does not say that it is gone; it is given up on"
            );
            let at_once = DeleteParams {
                grace_period_seconds: Some(0),
                ..DeleteParams::default()
            };
            let deleted = within(self.pods.delete(&name, &at_once)).await;
            unless_absent(deleted)
                .map_err(|error| self.error(format!("delete pod {name}"), error))?;
        }
        Ok(())
    }
}

impl Executor for Kubernetes {
    async fn runs(&self, inputs: KeptInputs) -> Result<Vec<Plan>, ExecutorError> {
        self.hub.has_kept(inputs);
        let of = ListParams::default().labels(&names::of_owner(&self.settings.owner));
        let jobs = self
            .ask(|| "list jobs".to_owned(), self.jobs.list(&of))
            .await?;
        // the watch may not have told of them yet, and a run whose pod is there is judged by its pod
        let pods = self
            .ask(|| "list pods".to_owned(), self.pods.list(&of))
            .await?;
        for pod in pods {
            self.hub.first_seen(pod);
        }
        let going = |job: &Job| job.metadata.deletion_timestamp.is_some();
        let found = jobs
            .into_iter()
            .filter(|job| !going(job))
            .filter_map(|job| {
                let plan = plan_of(&job)?;
                self.hub.expect(&plan);
                self.hub.has(&plan.name, &job);
                if self.hub.pod_of(&plan.name).is_none() {
                    let waits = || {
                        triage::has_begun_nothing(&job).then(|| triage::podless(&job.name_any()))
                    };
                    if let Some(observation) = triage::ended(&job).or_else(waits) {
                        self.hub.see(&plan.name, observation);
                    }
                }
                Some(plan)
            });
        Ok(found.collect())
    }

    fn watch(&self) -> mpsc::UnboundedReceiver<Seen> {
        self.hub.watch()
    }

    /// Nodes pull images themselves.
    async fn prepare(&self, plan: &Plan) -> Result<(), SubmitError> {
        let written = serde_json::to_string(plan).unwrap_or_default().len();
        if written > MOST_WRITTEN {
            let words = format!(
                "what it is to do has {written} bytes written down, and Kubernetes keeps {MOST_WRITTEN} with a job: give fewer or shorter inputs, results, words of the command or variables"
            );
            let failure = Failure::new(Cause::AdmissionRefused, words);
            return Err(SubmitError::Refused(failure));
        }
        if matches!(plan.work, Work::Session { .. }) && self.settings.edge.is_empty() {
            let words =
                "nobody could reach it: give the edge's networks in KubernetesSettings::edge";
            return Err(SubmitError::Refused(Failure::new(
                Cause::AdmissionRefused,
                words,
            )));
        }
        Ok(())
    }

    async fn submit(&self, plan: &Plan) -> Result<(), SubmitError> {
        match self.hub.known(&plan.name) {
            Some(known) if !known.is_same_as(plan) => {
                return Err(SubmitError::Other(plan.name.clone()));
            }
            Some(_) => {}
            None => self.hub.expect(plan),
        }
        let begun = self.begin(plan).await;
        if matches!(begun, Err(SubmitError::Other(_))) {
            self.hub.forget(&plan.name);
        }
        begun
    }

    fn renew_every(&self) -> Duration {
        self.settings.lease.unsigned_abs() / 6
    }

    async fn renew(&self, runs: &[RunName]) -> Result<(), ExecutorError> {
        if !runs.is_empty() {
            self.look_at_the_clock().await;
        }
        // collected, since a stream of borrowed names is of no use to a task
        let renewed: Vec<_> = runs.iter().map(|run| self.renew_one(run)).collect();
        let renewed: Vec<_> = stream::iter(renewed)
            .buffer_unordered(AT_ONCE)
            .collect()
            .await;
        renewed.into_iter().collect()
    }

    async fn take(&self, plan: &Plan) -> Result<mpsc::Receiver<Part>, ExecutorError> {
        let pod = self.pod(&plan.name).await?;
        let taken = keeper::take(&self.pods, plan, &pod).await;
        taken.map_err(|error| self.error(format!("give the results of pod {pod}"), error))
    }

    async fn address(&self, plan: &Plan) -> Result<SocketAddr, ExecutorError> {
        let name = self.job(&plan.name);
        let nowhere = |why: &str| self.error(format!("tell the address of {name}"), why);
        let Work::Session { port, .. } = &plan.work else {
            return Err(nowhere("it is no session"));
        };
        let pod = self.hub.pod_of(&plan.name).and_then(|pod| pod.status);
        let status = pod.ok_or_else(|| nowhere("its pod is not seen"))?;
        let (address, port) = match self.settings.reach {
            Reach::Pod => (status.pod_ip, *port),
            Reach::NodePort => {
                let service = self.services.get(&name);
                let service = self.ask(|| format!("read service {name}"), service).await?;
                let port =
                    service::node_port(&service).ok_or_else(|| nowhere("it has no port yet"))?;
                (status.host_ip, port)
            }
        };
        let address = address.and_then(|address| address.parse::<IpAddr>().ok());
        let address = address.ok_or_else(|| nowhere("it has none yet"))?;
        Ok(SocketAddr::from((address, port)))
    }

    fn logs(
        &self,
        run: &RunName,
        from: Option<LogPlace>,
        follow: bool,
    ) -> BoxStream<'static, Result<LogLine, ExecutorError>> {
        let of = names::of_run(&self.settings.owner, run);
        let (hub, run) = (Arc::clone(&self.hub), run.clone());
        let seen = move || hub.pod_of(&run);
        logs::read(self.pods.clone(), seen, self.name.clone(), of, from, follow)
    }

    /// A command can't be ended without its pod, and its log goes with that.
    async fn stop(&self, plan: &Plan) -> Result<bool, ExecutorError> {
        let pod = self.hub.pod_of(&plan.name);
        Ok(pod.is_some_and(|pod| logs::is_over(&pod) == Some(true)))
    }

    async fn last_lines(&self, run: &RunName, most: usize) -> Result<Vec<LogLine>, ExecutorError> {
        let Some(pod) = self.hub.pod_of(run) else {
            return Ok(Vec::new());
        };
        let lines = logs::last(&self.pods, &pod, most).await;
        lines.map_err(|error| self.error(format!("give the log of {run}"), error))
    }

    async fn ran(&self, plan: &Plan) -> Option<Ran> {
        let pod = self.hub.pod_of(&plan.name)?;
        let node = pod.spec.and_then(|spec| spec.node_name);
        let statuses = pod.status?.container_statuses?;
        let run = statuses
            .into_iter()
            .find(|status| status.name == job::RUN)?;
        if run.image_id.is_empty() {
            return None;
        }
        let asked = plan.container.image.digest();
        let digest = asked.or_else(|| run.image_id.split_once('@').map(|(_, digest)| digest));
        let digest = digest.map(str::to_owned);
        let on = node
            .map(|node| format!(", node {node}"))
            .unwrap_or_default();
        Some(Ran {
            image_digest: digest,
            image_id: run.image_id,
            executor: format!("Kubernetes, {}{on}", self.version),
        })
    }

    async fn destroy(&self, plan: &Plan) -> Result<Vec<Remains>, ExecutorError> {
        let name = self.job(&plan.name);
        // a pod that is seen need not be asked for
        let seen = self.hub.pod_of(&plan.name);
        let seen = seen.filter(|_| self.settings.reach == Reach::Pod);
        let mut there = match &seen {
            Some(pod) => vec![remains("pod", pod)],
            None => self.left(&plan.name, None).await?,
        };
        // what the job owns goes with it; without the word, its pods would stay
        let deleted = within(self.jobs.delete(&name, &DeleteParams::background())).await;
        // a pod whose job somebody took away from it goes with nothing
        if let (Some(pod), Err(kube::Error::Api(status))) = (&seen, &deleted)
            && status.code == 404
        {
            let name = pod.name_any();
            let gone = within(self.pods.delete(&name, &DeleteParams::default())).await;
            unless_absent(gone).map_err(|error| self.error(format!("delete pod {name}"), error))?;
        }
        if seen.is_some() && deleted.is_ok() {
            let name = name.clone();
            there.insert(0, Remains { kind: "job", name });
        }
        unless_absent(deleted).map_err(|error| self.error(format!("delete job {name}"), error))?;
        let within_grace = plan.grace.unsigned_abs() + GOES_WITHIN;
        // whether all is gone is asked below
        let went = tokio::time::timeout(within_grace, self.hub.until_gone(&plan.name)).await;
        // a pod that went with its job was the last one
        let with_it = seen.is_some_and(|pod| pod.metadata.deletion_timestamp.is_none());
        let version = went.ok().flatten().filter(|_| with_it);
        let mut waits = ExponentialBuilder::default()
            .with_min_delay(Duration::from_millis(50))
            .with_max_delay(Duration::from_secs(2))
            .without_max_times()
            .build();
        let until = self.clock.now() + LOOKED_FOR.min(self.settings.lease);
        loop {
            let left = self.left(&plan.name, version.as_deref()).await?;
            if left.is_empty() {
                self.hub.forget(&plan.name);
                return Ok(there);
            }
            if self.clock.now() > until {
                self.give_up_on(&plan.name).await?;
                let left: Vec<_> = left
                    .iter()
                    .map(|one| format!("{} {}", one.kind, one.name))
                    .collect();
                let error = format!("still there: {}", left.join(", "));
                return Err(self.error(format!("destroy {}", plan.name), error));
            }
            tokio::time::sleep(waits.next().unwrap_or(Duration::from_secs(2))).await;
        }
    }

    async fn remains(&self) -> Result<Vec<Remains>, ExecutorError> {
        let of = ListParams::default().labels(&names::of_owner(&self.settings.owner));
        let jobs = self
            .ask(|| "list jobs".to_owned(), self.jobs.list_metadata(&of))
            .await?;
        let pods = self
            .ask(|| "list pods".to_owned(), self.pods.list_metadata(&of))
            .await?;
        let mut found: Vec<_> = jobs.iter().map(|job| remains("job", job)).collect();
        found.extend(pods.iter().map(|pod| remains("pod", pod)));
        if self.settings.reach == Reach::NodePort {
            let services = self.services.list_metadata(&of);
            let services = self.ask(|| "list services".to_owned(), services).await?;
            found.extend(services.iter().map(|service| remains("service", service)));
        }
        found.sort();
        Ok(found)
    }
}

/// Where the API server listens, if it is named by its address: a closed run asks nobody for names.
fn address(cluster: &http::Uri) -> Option<SocketAddr> {
    let host = cluster
        .host()?
        .trim_start_matches('[')
        .trim_end_matches(']');
    let port = cluster.port_u16().unwrap_or(443);
    Some(SocketAddr::new(host.parse().ok()?, port))
}

fn remains(kind: &'static str, of: &impl ResourceExt) -> Remains {
    let name = of.name_any();
    Remains { kind, name }
}

/// What was written down with a job.
fn plan_of(job: &Job) -> Option<Plan> {
    let annotations = job.metadata.annotations.as_ref()?;
    serde_json::from_str(annotations.get(names::PLAN)?).ok()
}

/// As [`answered`], in the time that Kubernetes has for any answer.
async fn within<T>(call: impl Future<Output = Result<T, kube::Error>>) -> Result<T, kube::Error> {
    answered(ANSWER, call).await
}

/// An answer that does not come in time is none.
async fn answered<T>(
    limit: Duration,
    call: impl Future<Output = Result<T, kube::Error>>,
) -> Result<T, kube::Error> {
    match tokio::time::timeout(limit, call).await {
        Ok(answer) => answer,
        Err(_) => {
            let late = format!("no answer within {} s", limit.as_secs_f64());
            Err(kube::Error::Service(late.into()))
        }
    }
}

/// As [`within`], and asks again what may be answered the next time: for the calls that nobody else asks again.
async fn patient<T, F: Future<Output = Result<T, kube::Error>>>(
    call: impl Fn() -> F,
) -> Result<T, kube::Error> {
    let waits = ExponentialBuilder::default()
        .with_min_delay(Duration::from_millis(200))
        .with_max_delay(Duration::from_secs(2))
        .with_max_times(TRIES)
        .with_jitter();
    let asked = (|| within(call())).retry(waits).when(is_passing);
    asked.await
}

/// Whether the same call may be answered the next time: the server has too much to do, or is being started.
fn is_passing(error: &kube::Error) -> bool {
    match error {
        kube::Error::Api(status) => matches!(status.code, 429 | 500..=599),
        kube::Error::SerdeError(_) | kube::Error::BuildRequest(_) => false,
        _ => true,
    }
}

fn unless_absent<T>(deleted: Result<T, kube::Error>) -> Result<(), kube::Error> {
    match deleted {
        Err(kube::Error::Api(status)) if status.code == 404 => Ok(()),
        other => other.map(drop),
    }
}

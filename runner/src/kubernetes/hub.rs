//! What is known of the runs of an owner on a cluster.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use jiff::Timestamp;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::Pod;
use tokio::sync::{Notify, mpsc, watch};

use super::{clock, names, triage};
use crate::executor::Seen;
use crate::kept::KeptInputs;
use crate::plan::Plan;
use crate::said::Said;
use crate::spec::RunName;
use crate::state::Observation;
use crate::verdict::{Cause, Failure};
use crate::watchers::Watchers;

/// The runs of an owner.
#[derive(Debug)]
pub(super) struct Hub {
    state: Mutex<Runs>,
    kept: OnceLock<KeptInputs>,
    /// Told whenever a pod goes away.
    went: watch::Sender<()>,
    /// Told when a pod turns out to be a run's that waited for its inputs before that was known.
    waits: Notify,
}

#[derive(Debug, Default)]
struct Runs {
    entries: HashMap<RunName, Entry>,
    /// Pods that are there, of runs that are known or not yet.
    pods: HashMap<RunName, Pod>,
    watchers: Watchers,
}

#[derive(Debug)]
struct Entry {
    plan: Plan,
    /// The job's own id, once Kubernetes has told it.
    uid: Option<String>,
    started: Option<Timestamp>,
    seen: Option<Observation>,
    ended: bool,
    /// Somebody cancelled it, who is not its owner; it is not known before it is looked for.
    cancelled: Option<bool>,
    /// The version at which its pod was seen to be gone.
    went: Option<String>,
    /// Somebody gives it its inputs.
    fed: bool,
}

impl Hub {
    pub(super) fn new() -> Self {
        let (went, _) = watch::channel(());
        Self {
            state: Mutex::default(),
            kept: OnceLock::new(),
            went,
            waits: Notify::new(),
        }
    }

    /// Runs of an earlier process are about to be taken over, whose inputs it kept there.
    pub(super) fn has_kept(&self, inputs: KeptInputs) {
        // whoever asks for the runs once more has the same
        let _ = self.kept.set(inputs);
    }

    pub(super) fn kept(&self) -> KeptInputs {
        self.kept.get().cloned().unwrap_or_default()
    }

    fn runs(&self) -> MutexGuard<'_, Runs> {
        // nothing panics while it is held
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells what is seen from now on, and first what was seen last of each run.
    pub(super) fn watch(&self) -> mpsc::UnboundedReceiver<Seen> {
        let mut runs = self.runs();
        let Runs {
            entries, watchers, ..
        } = &mut *runs;
        watchers.join(entries.iter().map(|(run, entry)| (run, &entry.seen)))
    }

    /// A run's job is about to be created.
    pub(super) fn expect(&self, plan: &Plan) {
        let entry = Entry {
            plan: plan.clone(),
            uid: None,
            started: None,
            seen: None,
            ended: false,
            cancelled: None,
            went: None,
            fed: false,
        };
        self.runs()
            .entries
            .entry(plan.name.clone())
            .or_insert(entry);
    }

    /// A run's job is there.
    pub(super) fn has(&self, run: &RunName, job: &Job) {
        let mut runs = self.runs();
        if let Some(entry) = runs.entries.get_mut(run) {
            entry.uid.clone_from(&job.metadata.uid);
            entry.started = started(job);
        }
        let Some(pod) = runs.pods.get(run) else {
            return;
        };
        match runs.whose(run, pod) {
            Whose::Its => {
                let observation = triage::observe(pod);
                if triage::wants_inputs(pod) {
                    self.waits.notify_one();
                }
                runs.see_unless_ended(run, observation);
            }
            Whose::Other => {
                runs.pods.remove(run);
            }
            Whose::Unknown => {}
        }
    }

    pub(super) fn known(&self, run: &RunName) -> Option<Plan> {
        self.runs().entries.get(run).map(|entry| entry.plan.clone())
    }

    pub(super) fn forget(&self, run: &RunName) {
        self.runs().entries.remove(run);
    }

    /// When a run's job started, by the cluster's clock, `None` inside for one that is held; `None` at all before it is there.
    pub(super) fn started(&self, run: &RunName) -> Option<Option<Timestamp>> {
        let runs = self.runs();
        let entry = runs.entries.get(run)?;
        entry.uid.as_ref().map(|_| entry.started)
    }

    /// Something was seen of a run, unless its end was.
    pub(super) fn see(&self, run: &RunName, observation: Observation) {
        self.runs().see_unless_ended(run, observation);
    }

    /// A pod is there that the watch may tell of as well, and later.
    pub(super) fn first_seen(&self, pod: Pod) {
        if let Some(run) = names::run_of(&pod.metadata) {
            self.runs().pods.entry(run).or_insert(pod);
        }
    }

    /// A pod is there. Gives the plan of the run if it is to be given its inputs now.
    pub(super) fn pod(&self, mut pod: Pod) -> Option<Plan> {
        let run = names::run_of(&pod.metadata)?;
        // who changed which field is most of it, and of no use here
        pod.metadata.managed_fields = None;
        let mut runs = self.runs();
        let whose = runs.whose(&run, &pod);
        if whose == Whose::Other {
            return None;
        }
        let observation = triage::observe(&pod);
        let wants = triage::wants_inputs(&pod) && whose == Whose::Its;
        runs.pods.insert(run.clone(), pod);
        if whose == Whose::Its {
            runs.see_unless_ended(&run, observation);
        }
        let entry = runs.entries.get_mut(&run)?;
        let begins = wants && !entry.fed;
        entry.fed |= begins;
        entry.went = None;
        begins.then(|| entry.plan.clone())
    }

    /// Waits until there may be runs that want their inputs and of which no event tells any more. Gives their plans with their pods.
    pub(super) async fn unfed(&self) -> Vec<(Plan, String)> {
        self.waits.notified().await;
        let mut runs = self.runs();
        let Runs { entries, pods, .. } = &mut *runs;
        let mut unfed = Vec::new();
        for (run, entry) in entries.iter_mut().filter(|(_, entry)| !entry.fed) {
            let pod = pods.get(run).filter(|pod| triage::wants_inputs(pod));
            let uid = entry.uid.as_deref();
            if let Some(pod) = pod.filter(|pod| uid.is_some_and(|uid| is_of(pod, uid))) {
                unfed.push((
                    entry.plan.clone(),
                    pod.metadata.name.clone().unwrap_or_default(),
                ));
                entry.fed = true;
            }
        }
        unfed
    }

    /// Nobody gives a run its inputs any more, although it may still want them.
    pub(super) fn not_fed(&self, run: &RunName) {
        if let Some(entry) = self.runs().entries.get_mut(run) {
            entry.fed = false;
        }
    }

    /// A pod went away, at the version that it has now.
    pub(super) fn pod_gone(&self, last: &Pod) {
        if let Some(run) = names::run_of(&last.metadata) {
            self.gone(&run, last, last.metadata.resource_version.clone());
        }
    }

    /// Kubernetes could be asked again: these pods are there, and no others.
    pub(super) fn only(&self, there: &HashSet<RunName>) {
        let gone: Vec<(RunName, Pod)> = {
            let runs = self.runs();
            let gone = runs.pods.iter().filter(|(run, _)| !there.contains(*run));
            gone.map(|(run, pod)| (run.clone(), pod.clone())).collect()
        };
        for (run, last) in gone {
            self.gone(&run, &last, None);
        }
    }

    fn gone(&self, run: &RunName, last: &Pod, version: Option<String>) {
        {
            let mut runs = self.runs();
            let whose = runs.whose(run, last);
            if whose == Whose::Other {
                return;
            }
            runs.pods.remove(run);
            if whose == Whose::Its {
                runs.see_unless_ended(run, triage::gone(last));
                if let Some(entry) = runs.entries.get_mut(run) {
                    entry.went = version;
                }
            }
        }
        self.went.send_replace(());
    }

    /// Whether it is not known of a run whose pod is being deleted, or is gone, why that is.
    pub(super) fn wonders(&self, pod: &Pod, is_gone: bool) -> Option<RunName> {
        if !is_gone {
            pod.metadata.deletion_timestamp.as_ref()?;
        }
        let run = names::run_of(&pod.metadata)?;
        let runs = self.runs();
        let entry = runs.entries.get(&run)?;
        (!entry.ended && entry.cancelled.is_none()).then_some(run)
    }

    /// A run is being deleted, and it is known whether somebody cancelled it.
    pub(super) fn is_cancelled(&self, run: &RunName, cancelled: bool) {
        if let Some(entry) = self.runs().entries.get_mut(run) {
            entry.cancelled = Some(cancelled);
        }
    }

    /// A run's pod, as far as it is there.
    pub(super) fn pod_of(&self, run: &RunName) -> Option<Pod> {
        self.runs().pods.get(run).cloned()
    }

    /// The run that a warning is about, by the id of its job or the name of its pod.
    pub(super) fn run_of(&self, uid: &str, name: &str) -> Option<RunName> {
        let runs = self.runs();
        let by_job = runs
            .entries
            .iter()
            .find(|(_, entry)| entry.uid.as_deref() == Some(uid))
            .map(|(run, _)| run);
        let is_named = |pod: &Pod| pod.metadata.name.as_deref() == Some(name);
        let by_pod = || {
            runs.pods
                .iter()
                .find(|(_, pod)| is_named(pod))
                .map(|(run, _)| run)
        };
        by_job.or_else(by_pod).cloned()
    }

    /// Waits until no pod of a run is seen any more. Gives the version at which the last one went, if it was seen to go.
    pub(super) async fn until_gone(&self, run: &RunName) -> Option<String> {
        let mut went = self.went.subscribe();
        while self.runs().pods.contains_key(run) {
            went.changed().await.ok()?;
        }
        self.runs().entries.get(run)?.went.clone()
    }
}

/// Whose a pod is that carries a run's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Whose {
    /// The run's.
    Its,
    /// Of a run of that name before it, which is going away.
    Other,
    /// That is known once the run's job is there.
    Unknown,
}

impl Runs {
    fn whose(&self, run: &RunName, pod: &Pod) -> Whose {
        let known = self.entries.get(run).and_then(|entry| entry.uid.as_deref());
        match known {
            None => Whose::Unknown,
            Some(uid) if is_of(pod, uid) => Whose::Its,
            Some(_) => Whose::Other,
        }
    }

    fn see_unless_ended(&mut self, run: &RunName, observation: Observation) {
        let cancelled = self.entries.get(run).and_then(|entry| entry.cancelled);
        let is_why = match &observation {
            Observation::Failed(failure) => failure.cause == Cause::Evicted,
            // its command may not have begun
            Observation::Missing { .. } => true,
            _ => false,
        };
        let observation = match is_why && cancelled == Some(true) {
            true => Observation::Failed(Failure::new(Cause::Cancelled, Said::CancelledByOthers)),
            false => observation,
        };
        if self.entries.get(run).is_some_and(|entry| !entry.ended) {
            self.see(run, observation);
        }
    }

    fn see(&mut self, run: &RunName, observation: Observation) {
        if let Some(entry) = self.entries.get_mut(run) {
            if entry.seen.as_ref() == Some(&observation) {
                return;
            }
            entry.ended |= observation.is_end();
            entry.seen = Some(observation.clone());
        }
        self.watchers.tell(run, observation);
    }
}

fn is_of(pod: &Pod, job: &str) -> bool {
    let mut owners = pod.metadata.owner_references.iter().flatten();
    owners.any(|owner| owner.uid == job)
}

/// When a job started; `None` while it is held, unless it had started before: its deadline is counted from then until it goes on.
fn started(job: &Job) -> Option<Timestamp> {
    let is_held = job.spec.as_ref()?.suspend == Some(true);
    let started = job
        .status
        .as_ref()
        .and_then(|status| status.start_time.as_ref());
    // one that was created a moment ago starts a moment later
    let created = job.metadata.creation_timestamp.as_ref();
    started.or(created.filter(|_| !is_held)).map(clock::at)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may stop at once")]
mod tests {
    use std::time::Duration;

    use serde_json::json;

    use super::*;
    use crate::spec::Computation;

    async fn plan() -> Plan {
        let computation = json!({ "name": "one", "container": { "image": "a" } });
        let computation: Computation = serde_json::from_value(computation).unwrap();
        Plan::computation(computation, Timestamp::UNIX_EPOCH)
            .await
            .unwrap()
    }

    fn job(uid: &str) -> Job {
        serde_json::from_value(json!({ "metadata": { "uid": uid } })).unwrap()
    }

    fn ended_pod(uid: &str, code: i32) -> Pod {
        let owner = json!({ "apiVersion": "batch/v1", "kind": "Job", "name": "one-x", "uid": uid });
        let status = json!({ "name": "run", "image": "a", "imageID": "", "ready": false, "restartCount": 0,
            "state": { "terminated": { "exitCode": code } } });
        serde_json::from_value(json!({
            "metadata": { "name": format!("one-{uid}"), "labels": { names::RUN: "one" }, "ownerReferences": [owner] },
            "status": { "containerStatuses": [status] },
        }))
        .unwrap()
    }

    #[tokio::test]
    async fn a_pod_of_the_run_before_it_says_nothing_of_a_run() {
        let (hub, plan) = (Hub::new(), plan().await);
        let mut seen = hub.watch();
        hub.pod(ended_pod("before", 143));
        hub.expect(&plan);
        hub.pod(ended_pod("before", 143));
        hub.pod_gone(&ended_pod("before", 143));
        assert!(seen.try_recv().is_err(), "its job is not there yet");
        hub.has(&plan.name, &job("own"));
        hub.pod(ended_pod("before", 143));
        assert!(seen.try_recv().is_err());
        hub.pod(ended_pod("own", 0));
        let ended = seen.try_recv().unwrap().observation;
        assert!(
            matches!(ended, Observation::Exited { code: 0, .. }),
            "{ended:?}"
        );
    }

    #[tokio::test]
    async fn run_cancelled_before_its_command_is_no_lost_one() {
        for (cancelled, expected) in [(true, Some(Cause::Cancelled)), (false, None)] {
            let (hub, plan) = (Hub::new(), plan().await);
            let mut seen = hub.watch();
            hub.expect(&plan);
            hub.has(&plan.name, &job("own"));
            let mut pulling = ended_pod("own", 0);
            pulling.status = None;
            hub.pod(pulling.clone());
            assert_eq!(hub.wonders(&pulling, true), Some(plan.name.clone()));
            hub.is_cancelled(&plan.name, cancelled);
            hub.pod_gone(&pulling);
            let mut last = None;
            while let Ok(one) = seen.try_recv() {
                last = Some(one.observation);
            }
            let cause = match last {
                Some(Observation::Failed(failure)) => Some(failure.cause),
                Some(Observation::Missing { .. }) => None,
                other => panic!("{other:?}"),
            };
            assert_eq!(cause, expected);
        }
    }

    #[test]
    fn a_held_job_is_counted_from_its_start_if_it_had_one() {
        let job = |suspend: bool, start: Option<&str>| {
            let job = json!({ "metadata": { "creationTimestamp": "2026-11-25T10:00:00Z" },
                "spec": { "suspend": suspend, "template": {} }, "status": { "startTime": start } });
            started(&serde_json::from_value(job).unwrap()).map(|at| at.to_string())
        };
        let (created, later) = ("2026-11-25T10:00:00Z", "2026-11-25T10:00:30Z");
        assert_eq!(job(false, None).as_deref(), Some(created));
        assert_eq!(job(false, Some(later)).as_deref(), Some(later));
        assert_eq!(job(true, None), None);
        // Kubernetes would end it when it goes on, before it counts anew
        assert_eq!(job(true, Some(later)).as_deref(), Some(later));
    }

    #[tokio::test]
    async fn a_pod_that_came_before_its_job_was_known_is_seen() {
        let (hub, plan) = (Hub::new(), plan().await);
        let mut seen = hub.watch();
        hub.pod(ended_pod("own", 7));
        hub.expect(&plan);
        hub.has(&plan.name, &job("own"));
        let ended = seen.try_recv().unwrap().observation;
        assert!(
            matches!(ended, Observation::Exited { code: 7, .. }),
            "{ended:?}"
        );
        assert!(seen.try_recv().is_err(), "its end is said once");
    }

    #[tokio::test]
    async fn inputs_that_were_wanted_before_the_job_was_known_are_given_once() {
        let (hub, plan) = (Hub::new(), plan().await);
        let mut pod = ended_pod("own", 0);
        let status = json!({ "name": "inputs", "image": "a", "imageID": "", "ready": false, "restartCount": 0,
            "state": { "running": { "startedAt": "2026-11-25T10:00:00Z" } } });
        let status = json!({ "initContainerStatuses": [status] });
        pod.status = Some(serde_json::from_value(status).unwrap());
        assert_eq!(hub.pod(pod.clone()), None, "its job is not there yet");
        hub.expect(&plan);
        hub.has(&plan.name, &job("own"));
        let unfed = [(plan.clone(), "one-own".to_owned())];
        let told = async || tokio::time::timeout(Duration::from_secs(10), hub.unfed()).await;
        assert_eq!(told().await.unwrap(), unfed);
        hub.waits.notify_one();
        assert_eq!(told().await.unwrap(), [], "somebody gives them");
        assert_eq!(hub.pod(pod), None, "somebody gives them");
    }
}

//! What Kubernetes' words mean. Pure.

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{
    ContainerState, ContainerStateTerminated, ContainerStateWaiting, ContainerStatus, Event, Pod,
    PodStatus,
};
use kube::core::Status;
use mkys_init::Unstartable;

use super::{clock, job};
use crate::said::{self, Said};
use crate::state::Observation;
use crate::verdict::{Cause, Failure};
use crate::words::is_full;

/// What is seen of a run in its pod.
pub(super) fn observe(pod: &Pod) -> Observation {
    let empty = PodStatus::default();
    let status = pod.status.as_ref().unwrap_or(&empty);
    let run = state(&status.container_statuses, job::RUN);
    let ended = run.and_then(|state| state.terminated.as_ref());
    let before = BEFORE.iter().find_map(|(name, _)| {
        let before = state(&status.init_container_statuses, name)?;
        let failed = before
            .terminated
            .as_ref()
            .filter(|ended| ended.exit_code != 0)?;
        Some((*name, failed))
    });
    if let Some(failure) = taken_away(pod, status, ended.or(before.map(|(_, failed)| failed))) {
        return Observation::Failed(failure);
    }
    if let Some(ended) = ended {
        let giver = state(&status.container_statuses, job::RESULTS);
        let giver = giver.and_then(|giver| giver.terminated.as_ref());
        return match (exited(ended), giver) {
            // it stands until its pod is taken away, and is not started again
            (Observation::Exited { code: 0, .. }, Some(giver)) => Observation::Missing {
                words: format!("what would give its results ended: {}", words_of(giver)),
            },
            (exited, _) => exited,
        };
    }
    if let Some(running) = run.and_then(|state| state.running.as_ref()) {
        let since = running
            .started_at
            .as_ref()
            .map_or(Timestamp::MIN, clock::at);
        return Observation::Running { since };
    }
    if let Some((name, failed)) = before {
        return Observation::Failed(not_begun(name, failed));
    }
    for (name, waits_for) in BEFORE {
        let Some(before) = state(&status.init_container_statuses, name) else {
            continue;
        };
        if before.running.is_some() {
            return waiting(Cause::Files, waits_for);
        }
    }
    let all = [&status.init_container_statuses, &status.container_statuses];
    let waits = all.into_iter().flatten().flatten().find_map(|container| {
        let waiting = container.state.as_ref()?.waiting.as_ref()?;
        image_trouble(&container.image, waiting)
    });
    if let Some(waits) = waits {
        return waits;
    }
    let scheduled = condition(status, "PodScheduled").filter(|(is_true, ..)| !is_true);
    if let Some((_, reason, message)) = scheduled {
        let words = if message.is_empty() { reason } else { message };
        return waiting(Cause::Unschedulable, words);
    }
    let node = pod.spec.as_ref().and_then(|spec| spec.node_name.as_deref());
    waiting(
        Cause::Unschedulable,
        format!("node {} has not started it", node.unwrap_or("(none yet)")),
    )
}

/// The containers before a run's own, and what it waits for while they run.
const BEFORE: [(&str, &str); 2] = [
    (job::INPUTS, "it waits for its inputs"),
    (job::NETWORK, "it waits until its network is closed"),
];

/// Why what is to come before a run's command did not end well.
fn not_begun(name: &str, failed: &ContainerStateTerminated) -> Failure {
    let words = words_of(failed);
    let what = match name {
        job::NETWORK => "it was not seen whether its network is closed",
        _ => "its inputs were not put in place",
    };
    match (failed.exit_code, failed.reason.as_deref()) {
        (OPEN, _) => Failure::new(
            Cause::Network,
            format!("{}: {words}", Said::OpenNetwork.words()),
        ),
        (_, Some("Error")) => {
            let cause = match name {
                job::NETWORK => Cause::Executor,
                _ => Cause::Files,
            };
            Failure::new(cause, format!("{what}: {words}"))
        }
        // no node can help that: it is what KubernetesSettings::keeper names
        (_, Some("StartError" | "ContainerCannotRun")) if is_commands(&words) => {
            let words = format!("the keeper's image is not that of mkys-keeper: {words}");
            Failure::new(Cause::Executor, words)
        }
        _ => Failure::new(Cause::NodeLost, format!("{what}: {words}")),
    }
}

/// What is seen of a run whose pod is gone, by what was last in it.
pub(super) fn gone(last: &Pod) -> Observation {
    match observe(last) {
        ended @ (Observation::Exited { .. } | Observation::Failed(_)) => ended,
        _ => Observation::Missing {
            words: "its pod went away before it was said how its command ended".to_owned(),
        },
    }
}

/// Whether a run waits for its inputs, so that they can be given.
pub(super) fn wants_inputs(pod: &Pod) -> bool {
    let statuses = pod
        .status
        .as_ref()
        .map(|status| &status.init_container_statuses);
    let inputs = statuses.and_then(|statuses| state(statuses, job::INPUTS));
    inputs.is_some_and(|state| state.running.is_some())
}

/// How a job ended of which there is no pod any more.
pub(super) fn ended(job: &Job) -> Option<Observation> {
    let conditions = job.status.as_ref()?.conditions.as_ref()?;
    let failed = conditions
        .iter()
        .find(|condition| condition.type_ == "Failed" && condition.status == "True")?;
    let message = failed.message.clone().unwrap_or_default();
    Some(match failed.reason.as_deref() {
        Some("DeadlineExceeded") => {
            let words = format!("{}: {message}", Said::Lease.words());
            Observation::Failed(Failure::new(Cause::Cancelled, words))
        }
        _ => Observation::Missing { words: message },
    })
}

/// What is seen of a run whose job has no pod yet: its queue holds it, a quota has no room for it, or it was created a moment ago.
pub(super) fn podless(job: &str) -> Observation {
    waiting(Cause::Unschedulable, format!("job {job} has no pod yet"))
}

/// Whether a job never had a pod, as far as it says.
pub(super) fn has_begun_nothing(job: &Job) -> bool {
    let Some(status) = &job.status else {
        return true;
    };
    let counted = [
        status.active,
        status.succeeded,
        status.failed,
        status.terminating,
    ];
    let uncounted = status.uncounted_terminated_pods.as_ref();
    let uncounted = uncounted
        .into_iter()
        .flat_map(|pods| [&pods.succeeded, &pods.failed]);
    counted.into_iter().flatten().all(|pods| pods == 0)
        && uncounted.flatten().flatten().next().is_none()
}

fn state<'a>(statuses: &'a Option<Vec<ContainerStatus>>, name: &str) -> Option<&'a ContainerState> {
    let mut statuses = statuses.iter().flatten();
    statuses.find(|status| status.name == name)?.state.as_ref()
}

/// A condition: whether it holds, its reason and its message.
fn condition<'a>(status: &'a PodStatus, kind: &str) -> Option<(bool, &'a str, &'a str)> {
    let mut conditions = status.conditions.iter().flatten();
    let condition = conditions.find(|condition| condition.type_ == kind)?;
    let text = |text: &'a Option<String>| text.as_deref().unwrap_or_default();
    Some((
        condition.status == "True",
        text(&condition.reason),
        text(&condition.message),
    ))
}

fn waiting(cause: Cause, words: impl Into<String>) -> Observation {
    let words = words.into();
    Observation::Waiting { cause, words }
}

/// Whether somebody other than its command ended it: its node, its cluster, a person.
fn taken_away(
    pod: &Pod,
    status: &PodStatus,
    ended: Option<&ContainerStateTerminated>,
) -> Option<Failure> {
    let message = status.message.as_deref().unwrap_or_default();
    let failed = |cause, words: &str| Some(Failure::new(cause, words));
    match status.reason.as_deref().unwrap_or_default() {
        "Evicted" => return failed(Cause::Evicted, message),
        "NodeLost" => return failed(Cause::NodeLost, message),
        "DeadlineExceeded" => {
            return failed(Cause::Deadline, Said::BeyondItsLimit.words());
        }
        // the node found that it does not fit after all
        reason if reason.starts_with("OutOf") || REFUSED_BY_NODE.contains(&reason) => {
            return failed(Cause::Unschedulable, &format!("{reason}: {message}"));
        }
        _ => {}
    }
    if let Some((true, reason, message)) = condition(status, "DisruptionTarget") {
        let cause = match reason {
            "DeletionByTaintManager" | "DeletionByPodGC" => Cause::NodeLost,
            _ => Cause::Evicted,
        };
        return failed(cause, &format!("{reason}: {message}"));
    }
    let deleted = clock::at(pod.metadata.deletion_timestamp.as_ref()?);
    let grace = SignedDuration::from_secs(pod.metadata.deletion_grace_period_seconds.unwrap_or(0));
    let asked = deleted.saturating_sub(grace).unwrap_or(deleted);
    // both times are whole seconds: what ended in the second before may have ended because of it
    let ended_before = ended
        .and_then(|ended| ended.finished_at.as_ref())
        .is_some_and(|at| clock::at(at) < asked);
    let is_over = ended.is_some() && !ended_before;
    let words = "somebody deleted its pod, or nobody renewed its lease";
    is_over.then(|| Failure::new(Cause::Evicted, words))
}

/// Reasons of a node that does not take a pod which was given to it.
const REFUSED_BY_NODE: [&str; 4] = [
    "NodeAffinity",
    "NodePorts",
    "UnexpectedAdmissionError",
    "UnsupportedPodSpec",
];

fn exited(ended: &ContainerStateTerminated) -> Observation {
    let failed = |cause, words: String| Observation::Failed(Failure::new(cause, words));
    let killed = ended.reason.as_deref() == Some("OOMKilled");
    match ended.reason.as_deref() {
        // a node says so as well of one that went on without a process of its own
        Some("OOMKilled") if ended.exit_code == KILLED => {
            failed(Cause::OutOfMemory, Said::OutOfMemory.into())
        }
        Some("StartError" | "ContainerCannotRun") => {
            let words = words_of(ended);
            if let Some(words) = unstartable(&words) {
                return failed(Cause::CommandMissing, words);
            }
            let cause = if is_commands(&words) {
                Cause::CommandMissing
            } else if is_full(&words) {
                Cause::Disk
            } else {
                Cause::NodeLost
            };
            failed(cause, words)
        }
        // containerd's word, with an exit code of its own making, for one that it lost sight of while it was started anew
        Some("Unknown") => Observation::Missing {
            words: format!("its node lost sight of it: {}", words_of(ended)),
        },
        Some("ContainerStatusUnknown") => Observation::Missing {
            words: words_of(ended),
        },
        _ => match not_executed(ended) {
            Some(words) => failed(Cause::CommandMissing, words),
            None => Observation::Exited {
                code: ended.exit_code,
                words: said::of_exit(ended.exit_code, killed),
            },
        },
    }
}

/// The exit code of what was ended by SIGKILL.
const KILLED: i32 = 137;
/// That of a keeper that found its network open.
const OPEN: i32 = mkys_init::OPEN_NETWORK;

/// The words of a command that its container's runtime could not execute after all: it says so in the container's log, and ends with 1
/// (<https://github.com/opencontainers/runc/blob/main/libcontainer/standard_init_linux.go>).
fn not_executed(ended: &ContainerStateTerminated) -> Option<String> {
    let said = ended.message.as_deref()?.trim();
    let (program, reason) = said.strip_prefix("exec ")?.rsplit_once(": ")?;
    let is_alone = !said.contains('\n') && [1, 255].contains(&ended.exit_code);
    let why = match reason {
        "exec format error" => Unstartable::Format,
        "no such file or directory" => Unstartable::Interpreter,
        "permission denied" => Unstartable::Denied,
        _ => return None,
    };
    is_alone.then(|| why.of(program))
}

/// The words of a command that can't be started, as on any executor, by those of the container's runtime.
fn unstartable(message: &str) -> Option<String> {
    let (_, said) = message.split_once("exec: \"")?;
    let (program, reason) = said.split_once("\": ")?;
    let why = if reason.contains("executable file not found")
        || reason.contains("stat ") && reason.contains("no such file or directory")
    {
        Unstartable::Missing
    } else if reason.contains("permission denied") {
        Unstartable::Denied
    } else if reason.contains("exec format error") {
        Unstartable::Format
    } else if reason.contains("no such file or directory") {
        Unstartable::Interpreter
    } else {
        return None;
    };
    Some(why.of(program))
}

/// What containerd says of an image without a command, for which none was given.
const NO_COMMAND: &str = "no command specified";
/// What a node says when the command itself can't be started; anything else is the node's own trouble.
const COMMAND_WORDS: [&str; 4] = [
    "executable file not found",
    "no such file or directory",
    "permission denied",
    "exec format error",
];

fn is_commands(message: &str) -> bool {
    COMMAND_WORDS.iter().any(|word| message.contains(word))
}

fn words_of(ended: &ContainerStateTerminated) -> String {
    let said = ended.message.as_deref().or(ended.reason.as_deref());
    said.map_or_else(
        || format!("exit code {}", ended.exit_code),
        |said| said.trim().to_owned(),
    )
}

/// What a container that is not there yet waits for, if it is its image or a part of its definition.
fn image_trouble(image: &str, waiting: &ContainerStateWaiting) -> Option<Observation> {
    let reason = waiting.reason.as_deref().unwrap_or_default();
    let message = waiting.message.as_deref().unwrap_or(reason);
    let failed = |cause| Some(Observation::Failed(Failure::new(cause, message)));
    match reason {
        "InvalidImageName" | "ErrImageNeverPull" => failed(Cause::ImageMissing),
        "ErrImagePull" | "ImagePullBackOff" | "RegistryUnavailable" | "ErrImageInspect" => {
            match image_cause(message) {
                // a registry may be there again in a moment, and the node asks it again
                None => Some(self::waiting(
                    Cause::ImageRefused,
                    format!("{image} is not pulled: {message}"),
                )),
                Some(cause) => failed(cause),
            }
        }
        "CreateContainerConfigError" if is_secret_missing(message) => failed(Cause::SecretMissing),
        "CreateContainerError" | "RunContainerError" if message.contains(NO_COMMAND) => {
            let failure = Failure::new(Cause::CommandMissing, Said::NoCommand.words());
            Some(Observation::Failed(failure))
        }
        "CreateContainerError" | "RunContainerError" if is_commands(message) => {
            let words = unstartable(message).unwrap_or_else(|| message.to_owned());
            Some(Observation::Failed(Failure::new(
                Cause::CommandMissing,
                words,
            )))
        }
        "CreateContainerConfigError" | "CreateContainerError" | "RunContainerError" => {
            Some(node_trouble(message))
        }
        _ => None,
    }
}

/// What keeps a node from making a container, and may not the next time it tries.
fn node_trouble(message: &str) -> Observation {
    let cause = if is_full(message) {
        Cause::Disk
    } else {
        Cause::Unschedulable
    };
    waiting(cause, message)
}

/// Whether a secret or a key of it is not there, in a node's words. It says as well when it could not ask yet.
fn is_secret_missing(message: &str) -> bool {
    message.contains("secret") && message.contains("not found")
        || message.contains("couldn't find key") && message.contains("Secret")
}

/// What a registry's refusal is, in the words of containerd and CRI-O; `None` for one that may be none the next time.
fn image_cause(message: &str) -> Option<Cause> {
    let said = message.to_lowercase();
    let has = |words: &[&str]| words.iter().any(|words| said.contains(words));
    if is_full(message) {
        Some(Cause::Disk)
    } else if has(&[
        "not found",
        "manifest unknown",
        "name unknown",
        "repository does not exist",
        "no match for platform",
    ]) {
        Some(Cause::ImageMissing)
    } else if has(&[
        "unauthorized",
        "forbidden",
        "denied",
        "authorization failed",
        "authentication required",
    ]) {
        Some(Cause::ImageRefused)
    } else {
        None
    }
}

/// What a warning about a run's job or pod means for it, where its pod does not show it.
pub(super) fn warned(event: &Event) -> Option<Observation> {
    let message = event.message.as_deref().unwrap_or_default();
    let failed = |cause| Some(Observation::Failed(Failure::new(cause, message)));
    match event.reason.as_deref()? {
        "FailedCreate" if message.contains("exceeded quota") => {
            // others end and leave room, and the job is tried again
            Some(waiting(Cause::Quota, message))
        }
        "FailedCreate" if message.contains("forbidden") || message.contains("denied") => {
            failed(Cause::AdmissionRefused)
        }
        "FailedCreate" => Some(waiting(Cause::AdmissionRefused, message)),
        "FailedMount" if is_secret_missing(message) => failed(Cause::SecretMissing),
        "FailedMount" | "FailedCreatePodSandBox" => Some(node_trouble(message)),
        _ => None,
    }
}

/// A refusal that asking again does not change.
pub(super) fn refusal(status: &Status) -> Option<Failure> {
    let message = status.message.as_str();
    let cause = match status.code {
        403 if message.contains("exceeded quota") => Cause::Quota,
        403 if message.contains("cannot ") => Cause::Forbidden,
        403 if message.contains("is being terminated") => Cause::AdmissionRefused,
        401 => Cause::Forbidden,
        400 | 403 | 404 | 405 | 406 | 413 | 415 | 422 => Cause::AdmissionRefused,
        _ => return None,
    };
    Some(Failure::new(cause, message))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may stop at once")]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn pod(status: Value) -> Pod {
        let metadata = json!({ "name": "one-xyz" });
        serde_json::from_value(json!({ "metadata": metadata, "status": status })).unwrap()
    }

    fn run(state: Value) -> Value {
        json!([{ "name": "run", "image": "a", "imageID": "", "ready": false, "restartCount": 0, "state": state }])
    }

    fn cause(observation: Observation) -> (Option<Cause>, String) {
        match observation {
            Observation::Failed(Failure { cause, words })
            | Observation::Waiting { cause, words } => (Some(cause), words),
            other => (None, format!("{other:?}")),
        }
    }

    fn is_failed(observation: &Observation) -> bool {
        matches!(observation, Observation::Failed(_))
    }

    #[test]
    fn ends_are_told_apart() {
        let ended = |code: i32, reason: &str, message: &str| {
            let state =
                json!({ "terminated": { "exitCode": code, "reason": reason, "message": message } });
            observe(&pod(json!({ "containerStatuses": run(state) })))
        };
        let exited = |code, words: &str| Observation::Exited {
            code,
            words: words.to_owned(),
        };
        assert_eq!(ended(0, "Completed", ""), exited(0, ""));
        assert_eq!(ended(7, "Error", ""), exited(7, ""));
        assert_eq!(ended(139, "Error", ""), exited(139, "SIGSEGV"));
        assert_eq!(
            cause(ended(137, "OOMKilled", "")).0,
            Some(Cause::OutOfMemory)
        );
        assert_eq!(
            ended(0, "OOMKilled", ""),
            exited(0, Said::KilledAProcess.words())
        );
        assert_eq!(
            ended(3, "OOMKilled", ""),
            exited(3, Said::KilledAProcess.words())
        );
        let said = "exec /bin/sh: exec format error\n";
        let (found, words) = cause(ended(1, "Error", said));
        assert_eq!(found, Some(Cause::CommandMissing));
        assert_eq!(words, Unstartable::Format.of("/bin/sh"));
        let own = "warning\nexec /bin/sh: exec format error\n";
        assert_eq!(ended(1, "Error", own), exited(1, ""), "its own words");
        let (found, words) = cause(ended(
            128,
            "StartError",
            "exec: \"/bin/kdpp\": no such file or directory",
        ));
        assert_eq!(found, Some(Cause::CommandMissing));
        assert!(words.contains("/bin/kdpp"));
        let trouble =
            "failed to create containerd task: failed to create shim task: context canceled";
        assert_eq!(
            cause(ended(128, "StartError", trouble)).0,
            Some(Cause::NodeLost)
        );
        let unknown = "The container could not be located when the pod was terminated";
        let seen = ended(137, "ContainerStatusUnknown", unknown);
        assert!(matches!(seen, Observation::Missing { .. }), "{seen:?}");
        let seen = ended(255, "Unknown", "");
        assert!(matches!(seen, Observation::Missing { .. }), "{seen:?}");
    }

    #[test]
    fn what_ended_well_is_lost_if_nobody_is_left_to_give_its_results() {
        let seen = |code: i32, giver: Value| {
            let ended = json!({ "terminated": { "exitCode": code, "reason": "Completed" } });
            let mut containers = run(ended);
            containers
                .as_array_mut()
                .unwrap()
                .extend(run(giver).as_array().cloned().unwrap());
            containers[1]["name"] = json!("results");
            observe(&pod(json!({ "containerStatuses": containers })))
        };
        let stands = json!({ "running": { "startedAt": "2026-11-25T10:00:30Z" } });
        let gone = json!({ "terminated": { "exitCode": 255, "reason": "Unknown" } });
        let exited = |seen: &Observation| matches!(seen, Observation::Exited { .. });
        assert!(exited(&seen(0, stands)));
        assert!(exited(&seen(3, gone.clone())), "it has none to give");
        let words = "what would give its results ended: Unknown".to_owned();
        assert_eq!(seen(0, gone), Observation::Missing { words });
    }

    #[test]
    fn pod_deleted_before_the_command_is_evicted() {
        let before = |name: &str, code: i32, reason: &str| {
            let ended = json!({ "terminated": { "exitCode": code, "reason": reason } });
            let mut containers = run(ended);
            containers[0]["name"] = json!(name);
            pod(json!({ "initContainerStatuses": containers }))
        };
        let deleted = |mut pod: Pod| {
            let at = serde_json::from_value(json!("2026-11-25T10:00:40Z"));
            pod.metadata.deletion_timestamp = Some(at.unwrap());
            cause(observe(&pod))
        };
        for (name, code, reason) in [
            (job::NETWORK, 137, "ContainerStatusUnknown"),
            (job::NETWORK, 143, "Error"),
            (job::INPUTS, 137, "Error"),
        ] {
            let (found, words) = deleted(before(name, code, reason));
            assert_eq!(found, Some(Cause::Evicted), "{name} {reason}: {words}");
        }
        let (found, words) = cause(observe(&before(job::NETWORK, 255, "Unknown")));
        assert_eq!(found, Some(Cause::NodeLost));
        assert_eq!(
            words,
            "it was not seen whether its network is closed: Unknown"
        );
    }

    #[test]
    fn what_others_end_is_no_exit_of_its_command() {
        let state = json!({ "terminated": { "exitCode": 143, "reason": "Error", "finishedAt": "2026-11-25T10:00:30Z" } });
        let mut deleted = pod(json!({ "containerStatuses": run(state) }));
        assert!(matches!(
            observe(&deleted),
            Observation::Exited { code: 143, .. }
        ));
        let at = |time: &str| serde_json::from_value(json!(time)).unwrap();
        // asked for at half a minute past, with ten seconds to end
        deleted.metadata.deletion_timestamp = Some(at("2026-11-25T10:00:40Z"));
        deleted.metadata.deletion_grace_period_seconds = Some(10);
        assert_eq!(cause(observe(&deleted)).0, Some(Cause::Evicted));
        deleted.metadata.deletion_timestamp = Some(at("2026-11-25T10:01:40Z"));
        assert!(
            matches!(observe(&deleted), Observation::Exited { code: 143, .. }),
            "it had ended before"
        );

        let table = [
            (
                json!({ "reason": "Evicted", "message": "The node was low on resource: memory." }),
                Cause::Evicted,
            ),
            (
                json!({ "reason": "NodeLost", "message": "x" }),
                Cause::NodeLost,
            ),
            (
                json!({ "reason": "OutOfcpu", "message": "Node didn't have enough resource: cpu" }),
                Cause::Unschedulable,
            ),
            (json!({ "reason": "DeadlineExceeded" }), Cause::Deadline),
            (
                json!({ "conditions": [{ "type": "DisruptionTarget", "status": "True", "reason": "PreemptionByScheduler" }] }),
                Cause::Evicted,
            ),
            (
                json!({ "conditions": [{ "type": "DisruptionTarget", "status": "True", "reason": "DeletionByTaintManager" }] }),
                Cause::NodeLost,
            ),
        ];
        for (status, expected) in table {
            let seen = observe(&pod(status.clone()));
            assert!(is_failed(&seen), "{status}");
            assert_eq!(cause(seen).0, Some(expected), "{status}");
        }
    }

    #[test]
    fn waiting_has_a_cause_and_only_what_stays_so_is_a_failure() {
        let image = |reason: &str, message: &str| {
            let state = json!({ "waiting": { "reason": reason, "message": message } });
            observe(&pod(
                json!({ "phase": "Pending", "containerStatuses": run(state) }),
            ))
        };
        let table = [
            (
                "ErrImagePull",
                "failed to resolve reference \"a/b:1\": a/b:1: not found",
                true,
                Cause::ImageMissing,
            ),
            (
                "ImagePullBackOff",
                "Back-off pulling image \"a\": ErrImagePull: pull access denied",
                true,
                Cause::ImageRefused,
            ),
            (
                "ErrImagePull",
                "dial tcp 127.0.0.1:9: connect: connection refused",
                false,
                Cause::ImageRefused,
            ),
            (
                "ErrImagePull",
                "write /x: no space left on device",
                true,
                Cause::Disk,
            ),
            ("ContainerCreating", "", false, Cause::Unschedulable),
            (
                "CreateContainerError",
                "exec: \"kdpp\": executable file not found in $PATH",
                true,
                Cause::CommandMissing,
            ),
            (
                "CreateContainerError",
                "failed to reserve container name \"run_one\": it is reserved for \"a1\"",
                false,
                Cause::Unschedulable,
            ),
            (
                "CreateContainerError",
                "failed to create containerd container: write /x: no space left on device",
                false,
                Cause::Disk,
            ),
            (
                "CreateContainerConfigError",
                "secret \"nowhere\" not found",
                true,
                Cause::SecretMissing,
            ),
            (
                "CreateContainerConfigError",
                "failed to sync secret cache: timed out waiting for the condition",
                false,
                Cause::Unschedulable,
            ),
        ];
        for (reason, message, fails, expected) in table {
            let seen = image(reason, message);
            assert_eq!(is_failed(&seen), fails, "{message}");
            assert_eq!(cause(seen).0, Some(expected), "{message}");
        }
        let message = "0/1 nodes are available: 1 Insufficient nvidia.com/gpu.";
        let unscheduled = json!({ "conditions": [{ "type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": message }] });
        assert_eq!(
            cause(observe(&pod(unscheduled))),
            (Some(Cause::Unschedulable), message.to_owned())
        );
    }

    #[test]
    fn warnings_tell_what_no_pod_shows() {
        let warned = |reason: &str, message: &str| {
            let event = json!({ "metadata": {}, "involvedObject": {}, "reason": reason, "message": message });
            warned(&serde_json::from_value(event).unwrap())
        };
        let quota = warned(
            "FailedCreate",
            "Error creating: pods \"one-x\" is forbidden: exceeded quota: small",
        )
        .unwrap();
        assert!(!is_failed(&quota));
        assert_eq!(cause(quota).0, Some(Cause::Quota));
        let refused = warned(
            "FailedCreate",
            "Error creating: pods \"one-x\" is forbidden: violates PodSecurity",
        )
        .unwrap();
        assert!(is_failed(&refused));
        assert_eq!(cause(refused).0, Some(Cause::AdmissionRefused));
        let secret = warned(
            "FailedMount",
            "MountVolume.SetUp failed for volume \"secret-0\" : secret \"nowhere\" not found",
        )
        .unwrap();
        assert_eq!(cause(secret).0, Some(Cause::SecretMissing));
        let full = "failed to create pod sandbox: mkdir /x: no space left on device";
        let full = warned("FailedCreatePodSandBox", full).unwrap();
        assert!(!is_failed(&full), "a node makes room");
        assert_eq!(cause(full).0, Some(Cause::Disk));
        assert_eq!(warned("BackOff", "x"), None);
    }

    #[test]
    fn a_job_waits_for_its_first_pod_until_it_says_of_any() {
        let waits = |status: serde_json::Value| {
            has_begun_nothing(&serde_json::from_value(json!({ "status": status })).unwrap())
        };
        for held in [
            json!(null),
            json!({}),
            json!({ "active": 0, "uncountedTerminatedPods": {} }),
            json!({ "conditions": [{ "type": "Suspended", "status": "True" }] }),
        ] {
            assert!(waits(held.clone()), "{held}");
        }
        for begun in [
            json!({ "active": 1 }),
            json!({ "succeeded": 1 }),
            json!({ "failed": 1 }),
            json!({ "terminating": 1 }),
            json!({ "uncountedTerminatedPods": { "succeeded": ["x"] } }),
        ] {
            assert!(!waits(begun.clone()), "{begun}");
        }
    }

    #[test]
    fn what_is_gone_without_a_word_is_missing() {
        let running = pod(json!({ "containerStatuses": run(json!({ "running": {} })) }));
        assert!(matches!(gone(&running), Observation::Missing { .. }));
        let ended =
            pod(json!({ "containerStatuses": run(json!({ "terminated": { "exitCode": 0 } })) }));
        assert!(matches!(gone(&ended), Observation::Exited { code: 0, .. }));
    }
}

//! What Kubernetes is asked to create for a run. Pure.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use k8s_openapi::api::batch::v1::{Job, JobSpec};
use k8s_openapi::api::core::v1::{
    Capabilities, Container as Box, ContainerPort, EmptyDirVolumeSource, EnvVar,
    PodSecurityContext, PodSpec, PodTemplateSpec, ResourceRequirements, SeccompProfile,
    SecretVolumeSource, SecurityContext, Toleration, Volume, VolumeMount,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::{KubernetesSettings, names};
use crate::plan::{Plan, Work};
use crate::spec::{Container, Resources};

/// The container that is the run's.
pub(super) const RUN: &str = "run";
/// The container that waits for inputs before it.
pub(super) const INPUTS: &str = "inputs";
/// The container that sees to it that its network is closed before it, where nothing waits for inputs.
pub(super) const NETWORK: &str = "network";
/// The container that keeps results beside it.
pub(super) const RESULTS: &str = "results";
/// What these two start.
pub(super) const KEEPER: &str = "/mkys-keeper";

const FILES: &str = "files";
const TMP: &str = "tmp";
const SHM: &str = "shm";
/// Where a node finds a container's last words.
const FROM_LOG: &str = "FallbackToLogsOnError";
/// Where a secret's files are.
const SECRETS: &str = "/mkys/secrets";
/// A keeper takes little: so many MiB are there for it whatever else is.
const KEEPER_MIB: u64 = 32;
/// Beside what the run's limits say: its owner ends it in time, this is for the case that it does not.
const BESIDE_LIMITS_S: i64 = 60;

/// The job of a run that is not to reach any of `closed` unless it may reach out.
pub(super) fn create(
    settings: &KubernetesSettings,
    plan: &Plan,
    closed: &[SocketAddr],
) -> Result<Job, serde_json::Error> {
    let mut labels = names::labels(&settings.owner, plan);
    if let Work::Session { .. } = plan.work {
        labels.insert(names::EDGE.to_owned(), names::edge(&settings.edge));
    }
    let template = PodTemplateSpec {
        metadata: Some(ObjectMeta {
            labels: Some(labels.clone()),
            ..ObjectMeta::default()
        }),
        spec: Some(pod(settings, plan, closed)),
    };
    if let Some(queue) = &plan.container.placement.queue {
        labels.insert(names::QUEUE.to_owned(), queue.clone());
    }
    let annotations = [(names::PLAN.to_owned(), serde_json::to_string(plan)?)];
    let lease = settings.lease_s();
    Ok(Job {
        metadata: ObjectMeta {
            name: Some(names::job_name(&settings.owner, &plan.name)),
            namespace: None,
            labels: Some(labels),
            annotations: Some(annotations.into()),
            ..ObjectMeta::default()
        },
        spec: Some(JobSpec {
            parallelism: Some(1),
            completions: Some(1),
            // a run is run once: what to do about one that failed is the caller's to say
            backoff_limit: Some(0),
            pod_replacement_policy: Some("Failed".to_owned()),
            active_deadline_seconds: Some(lease),
            // as long as an owner may be away and still learn how it ended
            ttl_seconds_after_finished: Some(i32::try_from(lease).unwrap_or(i32::MAX)),
            template,
            ..JobSpec::default()
        }),
        status: None,
    })
}

fn pod(settings: &KubernetesSettings, plan: &Plan, closed: &[SocketAddr]) -> PodSpec {
    let container = &plan.container;
    let placement = &container.placement;
    let limits = &plan.limits;
    let longest = limits.start + limits.run + limits.collect.max(limits.room);
    let user = i64::from(container.user);
    let tolerations = placement.tolerations.iter().map(|one| Toleration {
        key: Some(one.key.clone()),
        operator: Some(
            if one.value.is_some() {
                "Equal"
            } else {
                "Exists"
            }
            .to_owned(),
        ),
        value: one.value.clone(),
        ..Toleration::default()
    });
    let selector = placement.node_selector.clone();
    let mut containers = vec![run(plan)];
    // whatever the run is, it does not begin where there is no keeper
    let mut before = keeper(settings, NETWORK, "pass", KEEPER_MIB);
    if let Work::Computation {
        inputs: given,
        results,
    } = &plan.work
    {
        // files in memory are counted to the container that writes them
        let length: u64 = given.values().map(|content| content.length).sum();
        let mib = KEEPER_MIB + length.div_ceil(1024 * 1024);
        if !given.is_empty() {
            before = keeper(settings, INPUTS, "wait", mib);
        }
        if !results.is_empty() {
            containers.push(keeper(settings, RESULTS, "wait", KEEPER_MIB));
        }
    }
    if !container.egress {
        let closed = closed.iter().map(ToString::to_string);
        before.command.get_or_insert_default().extend(closed);
    }
    PodSpec {
        restart_policy: Some("Never".to_owned()),
        active_deadline_seconds: Some(longest.as_secs().saturating_add(BESIDE_LIMITS_S)),
        termination_grace_period_seconds: Some(plan.grace.as_secs()),
        automount_service_account_token: Some(false),
        enable_service_links: Some(false),
        security_context: Some(PodSecurityContext {
            run_as_non_root: Some(true),
            run_as_user: Some(user),
            run_as_group: Some(user),
            fs_group: Some(user),
            seccomp_profile: Some(SeccompProfile {
                type_: "RuntimeDefault".to_owned(),
                ..SeccompProfile::default()
            }),
            ..PodSecurityContext::default()
        }),
        priority_class_name: placement.priority_class.clone(),
        runtime_class_name: placement.runtime_class.clone(),
        node_selector: (!selector.is_empty()).then_some(selector),
        tolerations: (!placement.tolerations.is_empty()).then(|| tolerations.collect()),
        volumes: Some(volumes(container)),
        init_containers: Some(vec![before]),
        containers,
        ..PodSpec::default()
    }
}

fn run(plan: &Plan) -> Box {
    let container = &plan.container;
    let env = plan.environment().into_iter();
    let env = env.map(|(name, value)| variable(name, literal(&value)));
    let mut ports = None;
    if let Work::Session { port, .. } = &plan.work {
        ports = Some(vec![ContainerPort {
            container_port: i32::from(*port),
            ..ContainerPort::default()
        }]);
    }
    let mut mounts = files();
    for (name, place) in [(TMP, "/tmp"), (SHM, "/dev/shm")] {
        mounts.push(VolumeMount {
            name: name.to_owned(),
            mount_path: place.to_owned(),
            ..VolumeMount::default()
        });
    }
    for (number, secret) in container.secrets.iter().enumerate() {
        mounts.push(VolumeMount {
            name: secret_volume(number),
            mount_path: format!("{SECRETS}/{secret}"),
            read_only: Some(true),
            ..VolumeMount::default()
        });
    }
    let command: Vec<String> = container.command.iter().map(|word| literal(word)).collect();
    Box {
        name: RUN.to_owned(),
        image: Some(container.image.to_string()),
        command: (!command.is_empty()).then_some(command),
        env: Some(env.collect()),
        ports,
        resources: Some(resources(&container.resources)),
        security_context: Some(restricted()),
        volume_mounts: Some(mounts),
        // what the container's runtime says of a command that it can't execute is in the log alone
        termination_message_policy: Some(FROM_LOG.to_owned()),
        ..Box::default()
    }
}

fn keeper(settings: &KubernetesSettings, name: &str, action: &str, memory_mib: u64) -> Box {
    let memory = format!("{memory_mib}Mi");
    let of = |pairs: &[(&str, &str)]| -> BTreeMap<String, Quantity> {
        let pairs = pairs.iter();
        pairs
            .map(|(name, value)| ((*name).to_owned(), Quantity((*value).to_owned())))
            .collect()
    };
    Box {
        name: name.to_owned(),
        image: Some(settings.keeper.to_string()),
        command: Some([KEEPER, action].map(str::to_owned).into()),
        resources: Some(ResourceRequirements {
            requests: Some(of(&[("cpu", "10m"), ("memory", &memory)])),
            limits: Some(of(&[("cpu", "500m"), ("memory", &memory)])),
            ..ResourceRequirements::default()
        }),
        security_context: Some(restricted()),
        volume_mounts: Some(files()),
        termination_message_policy: Some(FROM_LOG.to_owned()),
        ..Box::default()
    }
}

/// Inputs and results are one volume, so that the limit is for both together.
fn files() -> Vec<VolumeMount> {
    let mount = |name: &str| VolumeMount {
        name: FILES.to_owned(),
        mount_path: format!("/mkys/{name}"),
        sub_path: Some(name.to_owned()),
        ..VolumeMount::default()
    };
    vec![mount("in"), mount("out")]
}

fn volumes(container: &Container) -> Vec<Volume> {
    let resources = &container.resources;
    let sizes = [
        (FILES, resources.files_mib),
        (TMP, resources.files_mib),
        (SHM, resources.memory_mib),
    ];
    // in memory, where the limit is the kernel's: one of a disk is looked after now and then, and ends the pod
    let empty = |(name, mib): (&str, u32)| Volume {
        name: name.to_owned(),
        empty_dir: Some(EmptyDirVolumeSource {
            medium: Some("Memory".to_owned()),
            size_limit: Some(Quantity(format!("{mib}Mi"))),
        }),
        ..Volume::default()
    };
    let mut volumes: Vec<_> = sizes.map(empty).into();
    for (number, secret) in container.secrets.iter().enumerate() {
        volumes.push(Volume {
            name: secret_volume(number),
            secret: Some(SecretVolumeSource {
                secret_name: Some(secret.to_string()),
                default_mode: Some(0o440),
                ..SecretVolumeSource::default()
            }),
            ..Volume::default()
        });
    }
    volumes
}

/// A secret's own name may be longer than a volume's.
fn secret_volume(number: usize) -> String {
    format!("secret-{number}")
}

fn resources(resources: &Resources) -> ResourceRequirements {
    let mut limits: BTreeMap<String, Quantity> = [
        (
            "cpu".to_owned(),
            Quantity(format!("{}m", resources.cpu_millis)),
        ),
        (
            "memory".to_owned(),
            Quantity(format!("{}Mi", resources.memory_mib)),
        ),
    ]
    .into();
    if let Some(gpu) = &resources.gpu {
        limits.insert(gpu.resource.clone(), Quantity(gpu.count.to_string()));
    }
    ResourceRequirements {
        requests: Some(limits.clone()),
        limits: Some(limits),
        ..ResourceRequirements::default()
    }
}

/// What the Pod Security standard `restricted` asks for, and a file system that can't be written.
fn restricted() -> SecurityContext {
    SecurityContext {
        allow_privilege_escalation: Some(false),
        read_only_root_filesystem: Some(true),
        capabilities: Some(Capabilities {
            drop: Some(vec!["ALL".to_owned()]),
            add: None,
        }),
        ..SecurityContext::default()
    }
}

fn variable(name: &str, value: String) -> EnvVar {
    EnvVar {
        name: name.to_owned(),
        value: Some(value),
        value_from: None,
    }
}

/// Kubernetes puts variables in for `$(NAME)`, where a container engine does not, and takes `$$` for one `$`.
fn literal(text: &str) -> String {
    text.replace('$', "$$")
}

//! What the engine is asked to create for a run. Pure.

use std::collections::HashMap;
use std::path::Path;

use bollard::models::{
    ContainerCreateBody, ContainerSummary, ContainerSummaryStateEnum, HostConfig,
    HostConfigLogConfig, ResourcesUlimits,
};
use mkys_init::Settings;
use rustix::process::{Resource, getrlimit};
use sha2::{Digest, Sha256};

use super::images::Ready;
use super::{EngineSettings, INIT, OWNER_DIRECTORY, SOCKET, failure};
use crate::plan::{Plan, Work, hex};
use crate::spec::{Owner, RunName};
use crate::trace::Trace;
use crate::verdict::{Cause, Failure};

const OWNER: &str = "mkys.owner";
const PLAN: &str = "mkys.plan";
const TOKEN: &str = "mkys.token-sha256";
const ROOM: &str = "mkys.room-of";
/// Which directory its owner's socket is in: who is an owner there can be told there alone.
const ROOM_AT: &str = "mkys.room-at";

/// Where a run's files are.
pub(super) const FILES: &str = "/mkys";
const RESULTS: &str = "/mkys/out";
/// Beside what the run's limit says: its owner ends it in time, this is for the case that it does not.
const BESIDE_LIMIT_S: u64 = 60;
const MIB: i64 = 1024 * 1024;

pub(super) fn container_name(owner: &Owner, run: &RunName) -> String {
    // neither can have a dot
    format!("mkys.{owner}.{run}")
}

/// The run that a container's name is of, if it is one of the owner's.
pub(super) fn run_of(owner: &Owner, container: &str) -> Option<RunName> {
    let rest = container.trim_start_matches('/').strip_prefix("mkys.")?;
    rest.strip_prefix(owner.as_str())?
        .strip_prefix('.')?
        .parse()
        .ok()
}

/// The label of what is an owner's, or anybody's.
pub(super) fn owner_label(owner: Option<&Owner>) -> String {
    owner.map_or_else(|| OWNER.to_owned(), |owner| format!("{OWNER}={owner}"))
}

/// A container of a run that is there.
#[derive(Debug)]
pub(super) struct Found {
    /// The engine's own name for it; no other container ever has it.
    pub(super) id: String,
    pub(super) owner: Owner,
    pub(super) plan: Plan,
    pub(super) token_sha256: String,
    /// Whether whoever created it went away before it was started.
    pub(super) is_only_created: bool,
    /// Whether its command is over, so that it goes away.
    pub(super) has_ended: bool,
    /// The networks it is in, by name.
    pub(super) networks: Vec<String>,
}

/// Reads what was written down with a container; `None` for one that nothing was written down with.
pub(super) fn found(container: ContainerSummary) -> Option<Found> {
    let mut labels = container.labels?;
    let plan = serde_json::from_str(&labels.remove(PLAN)?).ok()?;
    let token_sha256 = labels.remove(TOKEN)?;
    let owner = labels.remove(OWNER)?.parse().ok()?;
    let networks = container
        .network_settings
        .and_then(|settings| settings.networks);
    use ContainerSummaryStateEnum::{CREATED, PAUSED, RESTARTING, RUNNING};
    let lives = [CREATED, PAUSED, RESTARTING, RUNNING];
    Some(Found {
        id: container.id?,
        owner,
        plan,
        token_sha256,
        is_only_created: container.state == Some(CREATED),
        has_ended: !container.state.is_some_and(|state| lives.contains(&state)),
        networks: networks.unwrap_or_default().into_keys().collect(),
    })
}

/// What is seen of a container from outside.
pub(super) fn trace(container: ContainerSummary) -> Trace {
    let owner = container.labels.and_then(|mut labels| labels.remove(OWNER));
    let names = container.names.unwrap_or_default().join(" ");
    Trace {
        owner: owner.unwrap_or_default(),
        kind: "container",
        name: names.trim_start_matches('/').to_owned(),
        status: container.status.unwrap_or_default(),
    }
}

/// What a room carries.
pub(super) fn labels_of_room(owner: &Owner, directory: &Path) -> HashMap<String, String> {
    let at = directory.display().to_string();
    [
        (ROOM.to_owned(), owner.to_string()),
        (ROOM_AT.to_owned(), at),
    ]
    .into()
}

/// The label of rooms whose owners have their sockets in a directory.
pub(super) fn room_label(directory: &Path) -> String {
    format!("{ROOM_AT}={}", directory.display())
}

/// Whose a room is.
pub(super) fn owner_of_room(labels: &HashMap<String, String>) -> Option<Owner> {
    labels.get(ROOM)?.parse().ok()
}

/// The networks that a container is in, by name.
pub(super) fn networks(container: ContainerSummary) -> Vec<String> {
    let networks = container
        .network_settings
        .and_then(|settings| settings.networks);
    networks.unwrap_or_default().into_keys().collect()
}

pub(super) fn token_sha256(token: &str) -> String {
    hex(&Sha256::digest(token))
}

/// What is to be created.
pub(super) fn create(
    settings: &EngineSettings,
    plan: &Plan,
    image: &Ready,
    token: &str,
    room: Option<&str>,
) -> Result<ContainerCreateBody, Failure> {
    let container = &plan.container;
    let resources = &container.resources;
    let command = match container.command.is_empty() {
        true => image.command.clone(),
        false => container.command.clone(),
    };
    if command.is_empty() {
        let words = format!("{} has no command, and none was given", container.image);
        return Err(failure(Cause::CommandMissing, words));
    }
    let init = Settings {
        run: plan.name.to_string(),
        token: token.to_owned(),
        socket: format!("{OWNER_DIRECTORY}/{SOCKET}").into(),
        files: FILES.into(),
        results: RESULTS.into(),
        lease_s: settings.lease.unsigned_abs().as_secs().max(1),
        limit_s: plan.limits.run.unsigned_abs().as_secs() + BESIDE_LIMIT_S,
        grace_s: plan.grace.unsigned_abs().as_secs(),
    };
    let written = |error: serde_json::Error| failure(Cause::AdmissionRefused, error.to_string());
    let mut env: Vec<String> = container
        .env
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    env.push(format!("MKYS_RUN={}", plan.name));
    if let Work::Session { base, .. } = &plan.work {
        env.push(format!("MKYS_PATH={base}"));
    }
    env.push(format!(
        "{}={}",
        Settings::VARIABLE,
        serde_json::to_string(&init).map_err(written)?
    ));
    let labels = [
        (OWNER, settings.owner.to_string()),
        (PLAN, serde_json::to_string(plan).map_err(written)?),
        (TOKEN, token_sha256(token)),
    ];
    let labels = labels.map(|(name, value)| (name.to_owned(), value));

    let files = format!("rw,nosuid,nodev,mode=1777,size={}m", resources.files_mib);
    let owner = settings.directory.join(settings.owner.as_str());
    let host = HostConfig {
        auto_remove: Some(true),
        network_mode: Some(room.unwrap_or("none").to_owned()),
        readonly_rootfs: Some(true),
        memory: Some(i64::from(resources.memory_mib) * MIB),
        // no swap beside it
        memory_swap: Some(i64::from(resources.memory_mib) * MIB),
        nano_cpus: Some(i64::from(resources.cpu_millis) * 1_000_000),
        // the first process and its threads count as well
        pids_limit: Some(i64::from(resources.processes) + 4),
        ulimits: Some(ulimits()),
        log_config: Some(log(settings.log_mib)),
        cap_drop: Some(vec!["ALL".to_owned()]),
        security_opt: Some(vec!["no-new-privileges".to_owned()]),
        tmpfs: Some(
            [
                (FILES.to_owned(), files.clone()),
                ("/tmp".to_owned(), files),
            ]
            .into(),
        ),
        binds: Some(vec![
            format!("{}:{INIT}:ro", settings.init.display()),
            format!("{}:{OWNER_DIRECTORY}:ro", owner.display()),
        ]),
        ..HostConfig::default()
    };
    Ok(ContainerCreateBody {
        image: Some(image.id.clone()),
        entrypoint: Some(vec![INIT.to_owned()]),
        cmd: Some(command),
        user: Some(format!("{0}:{0}", container.user)),
        env: Some(env),
        labels: Some(HashMap::from(labels)),
        host_config: Some(host),
        ..ContainerCreateBody::default()
    })
}

/// A file of its own: of what engines have it is what both have, what has a limit, and what can be read again.
fn log(mib: u32) -> HostConfigLogConfig {
    let bytes = i64::from(mib) * MIB;
    HostConfigLogConfig {
        typ: Some("json-file".to_owned()),
        config: Some([("max-size".to_owned(), bytes.to_string())].into()),
    }
}

/// An engine's defaults may be above what a process in a container can have itself, and then nothing starts. The number of processes is
/// counted for all runs that have the same user.
fn ulimits() -> Vec<ResourcesUlimits> {
    let limit = |name: &str, resource, most: u64| {
        let own = getrlimit(resource).maximum.unwrap_or(u64::MAX);
        let limit = i64::try_from(own.min(most)).unwrap_or(i64::MAX);
        ResourcesUlimits {
            name: Some(name.to_owned()),
            soft: Some(limit),
            hard: Some(limit),
        }
    };
    vec![
        limit("nofile", Resource::Nofile, 65_536),
        limit("nproc", Resource::Nproc, 16_384),
    ]
}

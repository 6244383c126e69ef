//! What the engine is asked to create for a run. Pure.

use std::collections::HashMap;
use std::path::Path;

use bollard::models::{
    ContainerCreateBody, HostConfig, HostConfigLogConfig, Mount, MountType, ResourcesUlimits,
};
use mkys_init::Settings;
use rustix::process::{Resource, getrlimit};
use sha2::{Digest, Sha256};

use super::client::Listed;
use super::images::Ready;
use super::machine::Machine;
use super::{EngineSettings, INIT, OWNER_DIRECTORY, SOCKET, failure};
use crate::plan::{Plan, hex};
use crate::said::Said;
use crate::spec::{Owner, RunName};
use crate::trace::Trace;
use crate::verdict::{Cause, Failure};

const OWNER: &str = "mkys.owner";
const PLAN: &str = "mkys.plan";
const TOKEN: &str = "mkys.token-sha256";
const ROOM: &str = "mkys.room-of";
/// Which directory its owner's socket is in: who is an owner there can be told there alone.
const ROOM_AT: &str = "mkys.room-at";

/// Which directory the socket of a container's owner is in, and for how long the container is there without that owner.
const AT: &str = "mkys.at";
const LEASE: &str = "mkys.lease-s";

/// Where a run's files are.
pub(super) const FILES: &str = "/mkys";
const RESULTS: &str = "/mkys/out";
/// Beside what the run's limit says: its owner ends it in time, this is for the case that it does not.
const BESIDE_LIMIT_S: u64 = 60;
/// Beside its grace period, how long whoever stops a container waits until it is killed.
const BESIDE_GRACE_S: i64 = 5;
const MIB: i64 = 1024 * 1024;
/// What is held in memory whatever the image says of it.
const IN_MEMORY: [&str; 4] = [FILES, "/tmp", "/var/tmp", "/run"];

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
pub(super) fn found(container: Listed) -> Option<Found> {
    let (is_only_created, has_ended) = (container.is_only_created(), container.has_ended());
    let (id, mut labels) = (container.id.clone(), container.labels.clone());
    let plan = serde_json::from_str(&labels.remove(PLAN)?).ok()?;
    let token_sha256 = labels.remove(TOKEN)?;
    let owner = labels.remove(OWNER)?.parse().ok()?;
    Some(Found {
        id,
        owner,
        plan,
        token_sha256,
        is_only_created,
        has_ended,
        networks: container.networks(),
    })
}

/// What is seen of a container from outside.
pub(super) fn trace(mut container: Listed) -> Trace {
    Trace {
        owner: container.labels.remove(OWNER).unwrap_or_default(),
        kind: "container",
        name: container.name(),
        status: container.status,
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

/// Whom a container was created for.
pub(super) struct CreatedFor {
    pub(super) owner: Owner,
    pub(super) lease_s: i64,
}

/// Whom a container was created for whose owner's socket is in a directory; `None` for one that was started, or that is another's.
pub(super) fn created_for(container: &Listed, directory: &Path) -> Option<CreatedFor> {
    let label = |name: &str| container.labels.get(name);
    let is_here = label(AT)? == &directory.display().to_string();
    let (owner, lease_s) = (label(OWNER)?.parse().ok()?, label(LEASE)?.parse().ok()?);
    (is_here && container.is_only_created()).then_some(CreatedFor { owner, lease_s })
}

pub(super) fn token_sha256(token: &str) -> String {
    hex(&Sha256::digest(token))
}

/// What is to be created.
pub(super) fn create(
    settings: &EngineSettings,
    machine: &Machine,
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
        return Err(failure(Cause::CommandMissing, Said::NoCommand.words()));
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
    let env = plan.environment().into_iter();
    let mut env: Vec<String> = env.map(|(name, value)| format!("{name}={value}")).collect();
    env.push(format!(
        "{}={}",
        Settings::VARIABLE,
        serde_json::to_string(&init).map_err(written)?
    ));
    let labels = [
        (OWNER, settings.owner.to_string()),
        (PLAN, serde_json::to_string(plan).map_err(written)?),
        (TOKEN, token_sha256(token)),
        (AT, settings.directory.display().to_string()),
        (LEASE, init.lease_s.to_string()),
    ];
    let labels = labels.map(|(name, value)| (name.to_owned(), value));

    let grace = plan.grace.as_secs().saturating_add(BESIDE_GRACE_S);
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
        tmpfs: Some(in_memory(
            resources.files_mib,
            container.user,
            image,
            machine,
        )),
        shm_size: Some(i64::from(resources.memory_mib) * MIB),
        sysctls: room.is_some().then(sysctls).flatten(),
        mounts: Some(mounts(&settings.init, &owner, image)),
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
        // whatever the image says: it is what the first process understands, and it needs its time
        stop_signal: Some("SIGTERM".to_owned()),
        stop_timeout: Some(grace),
        ..ContainerCreateBody::default()
    })
}

/// What can be written, with its limits. `/run` and `/var/tmp` are there since Podman makes them writable without any limit otherwise
/// (its `--read-only-tmpfs`), and nobody but root can write to them.
///
/// They are the run's user's, whose first process gives them their mode: runc gives them that of the image's directories, if it has them.
fn in_memory(
    files_mib: u32,
    user: u32,
    image: &Ready,
    machine: &Machine,
) -> HashMap<String, String> {
    // Podman copies what the image has there unless it is told not to; Docker does not know its words
    let own = match machine.is_podman {
        true => "notmpcopyup,U".to_owned(),
        false => format!("uid={user},gid={user}"),
    };
    let files = format!("rw,nosuid,nodev,mode=1777,size={files_mib}m,{own}");
    let closed = "rw,nosuid,nodev,noexec,mode=0755,size=1m,notmpcopyup".to_owned();
    let mut all = HashMap::from([
        (FILES.to_owned(), files.clone()),
        ("/tmp".to_owned(), files.clone()),
    ]);
    // what an image declares there is no volume
    let below = |volume: &&String| volume.starts_with("/mkys/");
    all.extend(
        image
            .volumes
            .iter()
            .filter(below)
            .map(|volume| (volume.clone(), files.clone())),
    );
    if machine.is_podman {
        all.extend(["/run", "/var/tmp"].map(|directory| (directory.to_owned(), closed.clone())));
    }
    all
}

/// The first process and its way to the owner. What the image declares as volumes is there as the image has it, and can't be written: a
/// volume has no limit. Why: docs/adr/0015.
fn mounts(init: &Path, owner: &Path, image: &Ready) -> Vec<Mount> {
    let mount = |typ, source: Option<&Path>, target: &str| Mount {
        typ: Some(typ),
        source: source.map(|source| source.display().to_string()),
        target: Some(target.to_owned()),
        read_only: Some(true),
        ..Mount::default()
    };
    let own = [
        mount(MountType::BIND, Some(init), INIT),
        mount(MountType::BIND, Some(owner), OWNER_DIRECTORY),
    ];
    let is_ours = |volume: &&String| {
        let volume = volume.trim_end_matches('/');
        IN_MEMORY.contains(&volume) || volume.starts_with("/mkys/")
    };
    let volumes = image.volumes.iter().filter(|volume| !is_ours(volume));
    let volumes = volumes.map(|volume| mount(MountType::VOLUME, None, volume));
    own.into_iter().chain(volumes).collect()
}

/// A run that is in a network has no addresses of IPv6: with one of a link it would reach what listens on this machine.
fn sysctls() -> Option<HashMap<String, String>> {
    let is_known = Path::new("/proc/sys/net/ipv6/conf/all/disable_ipv6").exists();
    let off = ("net.ipv6.conf.all.disable_ipv6".to_owned(), "1".to_owned());
    is_known.then(|| HashMap::from([off]))
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

//! Taking away what a story made: past the provider, so also when that failed.
//!
//! Names and folders begin with the id of the test's process. What belongs to a process that is no
//! more was left by a run that somebody killed, and goes first.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Once;
use std::time::Duration;

use super::cloud::{Api, Cloud, text};
use super::wait;

/// Where stories have their folders. NGINX' workers must get through, so it is open to read.
pub(crate) const FOLDER: &str = "/var/tmp/mkys-scenarios";

/// What every name of this process begins with.
pub(crate) fn prefix() -> String {
    format!("t{:x}-", std::process::id())
}

/// Takes away, once a run, what killed runs left.
pub(crate) fn sweep(cloud: &Cloud) {
    static SWEPT: Once = Once::new();
    SWEPT.call_once(|| {
        for entry in std::fs::read_dir(FOLDER).into_iter().flatten().flatten() {
            if is_dead(&entry.file_name().to_string_lossy()) {
                remove_folder(&entry.path());
            }
        }
        let projects = cloud.list(Api::Identity, "/projects", "projects");
        let names = projects.iter().map(|one| text(&one["name"]));
        for name in names.filter(|name| is_dead(name)) {
            remove_project(cloud, &name);
        }
        // those of projects that are gone already, too
        let volumes = cloud.list(Api::Volume, "/volumes?all_tenants=1", "volumes");
        for volume in volumes.iter().filter(|one| is_dead(&text(&one["name"]))) {
            let path = format!("/volumes/{}", text(&volume["id"]));
            let _ = cloud.ask("DELETE", Api::Volume, &path, None);
        }
        let groups = cloud.list(Api::Identity, "/groups", "groups");
        for group in groups.iter().filter(|one| is_dead(&text(&one["name"]))) {
            let path = format!("/groups/{}", text(&group["id"]));
            let _ = cloud.ask("DELETE", Api::Identity, &path, None);
        }
    });
}

/// Whether a name is that of a process that is no more.
pub(crate) fn is_dead(name: &str) -> bool {
    let id = name.strip_prefix('t').and_then(|rest| rest.split_once('-'));
    let id = id.and_then(|(id, _)| u32::from_str_radix(id, 16).ok());
    id.is_some_and(|id| !Path::new(&format!("/proc/{id}")).exists())
}

/// Takes a story's folder away, with the processes that work in it.
pub(crate) fn remove_folder(folder: &Path) {
    kill_in(folder);
    let _ = std::fs::remove_dir_all(folder);
}

/// Kills the processes that work in a folder, and their children: NGINX' workers do not name it.
pub(crate) fn kill_in(folder: &Path) {
    // all known before the first dies: an orphan has no parent. The master first: it would start
    // another worker, and that one would hold the listeners of all
    let masters = working_in(folder);
    let children = masters.iter().flat_map(|pid| {
        let listed = Command::new("ps")
            .args(["-o", "pid=", "--ppid", pid])
            .output();
        let listed = listed.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
        let listed = listed.unwrap_or_default();
        listed
            .split_whitespace()
            .map(str::to_owned)
            .collect::<Vec<_>>()
    });
    let all: Vec<_> = masters.iter().cloned().chain(children).collect();
    if !all.is_empty() {
        let _ = Command::new("kill").arg("-9").args(&all).status();
    }
}

/// Processes that were started with a file of the folder in their command line.
fn working_in(folder: &Path) -> Vec<String> {
    let folder = format!("{}/", folder.display());
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let of_folder = |path: PathBuf| {
        let line = std::fs::read_to_string(path.join("cmdline")).unwrap_or_default();
        line.contains(&folder)
    };
    let pids = entries.filter(|entry| of_folder(entry.path()));
    pids.map(|entry| entry.file_name().to_string_lossy().into_owned())
        .filter(|name| name.parse::<u32>().is_ok_and(|id| id != std::process::id()))
        .collect()
}

/// Takes a project away, with all that lives in it and the blade's group.
pub(crate) fn remove_project(cloud: &Cloud, name: &str) {
    for group in cloud.named("groups", &format!("{name}-admin")) {
        let _ = cloud.ask("DELETE", Api::Identity, &format!("/groups/{group}"), None);
    }
    for id in cloud.projects(name) {
        let inside = cloud.within(&id);
        remove_snapshots(&inside);
        remove_stacks(&inside);
        remove_volumes(&inside);
        remove_things(&inside);
        let _ = cloud.ask("DELETE", Api::Identity, &format!("/projects/{id}"), None);
    }
}

/// A volume with a snapshot would stay, and its stack with it.
fn remove_snapshots(inside: &Cloud) {
    let snapshots = || inside.list(Api::Volume, "/snapshots", "snapshots");
    for snapshot in snapshots() {
        let path = format!("/snapshots/{}", text(&snapshot["id"]));
        let _ = inside.ask("DELETE", Api::Volume, &path, None);
    }
    let gone = || snapshots().is_empty().then_some(());
    let _ = wait::look(Duration::from_secs(30), gone);
}

fn remove_stacks(inside: &Cloud) {
    let stacks = || inside.list(Api::Heat, "/stacks", "stacks");
    // Heat trips over its own order now and then; the second time it does not
    for _ in 0..2 {
        for stack in stacks() {
            let (name, id) = (text(&stack["stack_name"]), text(&stack["id"]));
            let _ = inside.ask("DELETE", Api::Heat, &format!("/stacks/{name}/{id}"), None);
        }
        let settled = || {
            let busy =
                |stack: &serde_json::Value| text(&stack["stack_status"]).ends_with("_IN_PROGRESS");
            (!stacks().iter().any(busy)).then_some(())
        };
        let _ = wait::look(Duration::from_secs(90), settled);
        if stacks().is_empty() {
            break;
        }
    }
}

/// Heat keeps the volumes of a blade whose stack is deleted.
fn remove_volumes(inside: &Cloud) {
    let volumes = || inside.list(Api::Volume, "/volumes", "volumes");
    for volume in volumes() {
        let path = format!("/volumes/{}", text(&volume["id"]));
        let _ = inside.ask("DELETE", Api::Volume, &path, None);
    }
    let gone = || volumes().is_empty().then_some(());
    let _ = wait::look(Duration::from_secs(30), gone);
}

/// What a story put beside the blade.
fn remove_things(inside: &Cloud) {
    let project = &inside.project;
    for port in inside.list(
        Api::Network,
        &format!("/ports?project_id={project}"),
        "ports",
    ) {
        let (id, owner) = (text(&port["id"]), text(&port["device_owner"]));
        if owner == "network:router_interface" {
            let path = format!(
                "/routers/{}/remove_router_interface",
                text(&port["device_id"])
            );
            let body = serde_json::json!({ "port_id": id });
            let _ = inside.ask("PUT", Api::Network, &path, Some(&body));
        } else if owner.is_empty() {
            let _ = inside.ask("DELETE", Api::Network, &format!("/ports/{id}"), None);
        }
    }
    for (path, key) in [("routers", "routers"), ("networks", "networks")] {
        let of_project = format!("/{path}?project_id={project}");
        for thing in inside.list(Api::Network, &of_project, key) {
            let path = format!("/{path}/{}", text(&thing["id"]));
            let _ = inside.ask("DELETE", Api::Network, &path, None);
        }
    }
}

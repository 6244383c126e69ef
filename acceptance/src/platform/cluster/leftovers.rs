//! What of a cluster is on the machine, whoever left it: processes, control groups, mounts, links, tables, files elsewhere. Looks,
//! changes nothing.

use std::collections::HashSet;
use std::fs;
use std::os::unix::fs::FileTypeExt as _;
use std::path::{Path, PathBuf};

use super::layout::{BRIDGE, CONTROL_GROUP, Layout, TABLES};
use super::node::hierarchies;
use crate::lab::external::run;
use crate::lab::leftovers::{mounts, names};
use crate::lab::procfs::{Process, processes, with_descendants};
use crate::place::CLUSTER_MARK_VARIABLE;

/// What was found; empty when the machine is clean.
#[derive(Debug, Default)]
pub(super) struct Leftovers {
    pub(super) processes: Vec<Process>,
    /// Control groups, the deepest first.
    pub(super) groups: Vec<PathBuf>,
    /// Mount points, the deepest first.
    pub(super) mounts: Vec<String>,
    /// The bridge's ends of pods' links, then the bridge.
    pub(super) links: Vec<String>,
    /// Family and name.
    pub(super) tables: Vec<String>,
    pub(super) files: Vec<PathBuf>,
}

const LOGS: &str = "/var/log/containers";
const RESULTS: &str = "/var/lib/cni/results";
const PLUGINS: &str = "/var/lib/kubelet/device-plugins";
const SHIMS: &str = "/run/containerd/s";
/// Where others write for a cluster, wherever its own state is.
pub(super) const ELSEWHERE: [&str; 4] = [LOGS, RESULTS, PLUGINS, SHIMS];
const PROXYS: [&str; 2] = ["ip kube-proxy", "ip6 kube-proxy"];

impl Leftovers {
    /// Looks at the machine.
    pub(super) fn look(layout: &Layout) -> Self {
        let groups = groups();
        let table = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
        Self {
            processes: ours(layout, &groups),
            groups,
            mounts: mounts(&table, layout.state()),
            links: links(),
            tables: run(&["nft", "list", "tables"])
                .unwrap_or_default()
                .lines()
                .filter_map(|line| line.strip_prefix("table "))
                .filter(|table| is_table(table))
                .map(str::to_owned)
                .collect(),
            files: files(layout),
        }
    }

    /// A line for each thing; none when the machine is clean.
    pub(super) fn lines(&self) -> Vec<String> {
        let Self {
            processes,
            groups,
            mounts,
            links,
            tables,
            files,
        } = self;
        let processes = processes.iter().map(|one| {
            let command: String = one.command.chars().take(90).collect();
            format!("process {} ({command})", one.pid)
        });
        let path = |what: &'static str| move |path: &PathBuf| format!("{what} {}", path.display());
        let name = |what: &'static str| move |name: &String| format!("{what} {name}");
        processes
            .chain(groups.iter().map(path("control group")))
            .chain(mounts.iter().map(name("mount")))
            .chain(links.iter().map(name("link")))
            .chain(tables.iter().map(name("table of nft")))
            .chain(files.iter().map(path("file")))
            .collect()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.lines().is_empty()
    }
}

/// Whether a process runs in one of the cluster's containers.
pub(in crate::platform) fn holds(pid: i32) -> bool {
    let group = format!(":/{CONTROL_GROUP}/");
    fs::read_to_string(format!("/proc/{pid}/cgroup")).is_ok_and(|groups| groups.contains(&group))
}

/// Our control groups in every hierarchy, the deepest first.
fn groups() -> Vec<PathBuf> {
    let roots = hierarchies()
        .into_iter()
        .map(|hierarchy| hierarchy.join(CONTROL_GROUP));
    let mut found = Vec::new();
    for root in roots.filter(|root| root.is_dir()) {
        below(root, &mut found);
    }
    found
}

fn below(group: PathBuf, found: &mut Vec<PathBuf>) {
    let entries = fs::read_dir(&group).into_iter().flatten().flatten();
    for entry in entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir())) {
        below(entry.path(), found);
    }
    found.push(group);
}

/// Components and shims carry the cluster's mark, what runs in containers is in its control groups.
fn ours(layout: &Layout, groups: &[PathBuf]) -> Vec<Process> {
    let members = groups
        .iter()
        .filter_map(|group| fs::read_to_string(group.join("cgroup.procs")).ok());
    let members: Vec<String> = members.collect();
    let mut found: HashSet<i32> = members
        .iter()
        .flat_map(|text| text.lines())
        .filter_map(|pid| pid.parse().ok())
        .collect();
    let all = processes();
    let socket = layout.containerd().display().to_string();
    let is_shim =
        |one: &Process| one.command.contains("containerd-shim") && one.command.contains(&socket);
    let marked = all
        .iter()
        .filter(|one| one.is_marked(CLUSTER_MARK_VARIABLE, layout.state()) || is_shim(one));
    found.extend(marked.map(|one| one.pid));
    let found = with_descendants(&all, found);
    all.into_iter()
        .filter(|one| found.contains(&one.pid))
        .collect()
}

fn links() -> Vec<String> {
    let bridge = Path::new("/sys/class/net").join(BRIDGE);
    if !bridge.exists() {
        return Vec::new();
    }
    let mut found = names(&bridge.join("brif").display().to_string());
    found.push(BRIDGE.to_owned());
    found
}

fn is_table(table: &str) -> bool {
    let name = table.split(' ').nth(1).unwrap_or_default();
    PROXYS.contains(&table) || name.starts_with(TABLES)
}

fn files(layout: &Layout) -> Vec<PathBuf> {
    let sockets = fs::read_to_string("/proc/net/unix").unwrap_or_default();
    let state = format!("{}/", layout.state().display());
    let is_ours = |folder: &str, path: &Path| match folder {
        LOGS => fs::read_link(path).is_ok_and(|to| to.starts_with(&state)),
        // what is written down of a pod's network names the namespace, which is below the state
        RESULTS => fs::read_to_string(path).is_ok_and(|text| text.contains(&state)),
        PLUGINS => true,
        // a shim's socket tells nothing of whose it is; but nobody needs one that nobody listens at
        SHIMS => is_socket(path) && !sockets.contains(&path.display().to_string()),
        _ => false,
    };
    let below = |folder: &'static str| {
        let paths = names(folder).into_iter();
        let paths = paths.map(move |name| Path::new(folder).join(name));
        paths
            .filter(move |path| is_ours(folder, path))
            .collect::<Vec<_>>()
    };
    ELSEWHERE.into_iter().flat_map(below).collect()
}

fn is_socket(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|there| there.file_type().is_socket())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_of_ours_are_told_from_others() {
        for (table, ours) in [
            ("inet mkys-cluster-policies", true),
            ("ip kube-proxy", true),
            ("ip filter", false),
            ("inet mkys-other", false),
        ] {
            assert_eq!(is_table(table), ours, "{table}");
        }
    }

    #[test]
    fn groups_come_deepest_first() {
        let folder = tempfile::tempdir().unwrap();
        let deep = folder.path().join("pods/one");
        fs::create_dir_all(&deep).unwrap();
        let mut found = Vec::new();
        below(folder.path().to_owned(), &mut found);
        assert_eq!(
            found,
            [deep, folder.path().join("pods"), folder.path().to_owned()]
        );
    }
}

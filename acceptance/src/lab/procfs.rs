//! The machine's processes, read from /proc: which are the lab's, and who they are.

use std::collections::HashSet;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use crate::place::{CLUSTER_MARK_VARIABLE, MARK_VARIABLE};

const MARKS: [&str; 2] = [MARK_VARIABLE, CLUSTER_MARK_VARIABLE];

/// What is known of a process.
#[derive(Debug, Clone, Default)]
pub(crate) struct Process {
    pub(crate) pid: i32,
    parent: i32,
    group: i32,
    /// Words of the command line, joined by spaces; empty for a kernel thread or a zombie.
    pub(crate) command: String,
    /// `NAME=value` of the variables that say whose it is.
    marks: Vec<String>,
    network: Option<u64>,
}

impl Process {
    /// Whether it carries a mark, set to that state directory.
    pub(crate) fn is_marked(&self, variable: &str, state: &Path) -> bool {
        let values = self
            .marks
            .iter()
            .filter_map(|mark| mark.strip_prefix(variable)?.strip_prefix('='));
        values.into_iter().any(|value| Path::new(value) == state)
    }

    /// Its process group: that of the service whose child it is.
    pub(crate) fn group(&self) -> i32 {
        self.group
    }
}

/// All processes that can be read. One that ends meanwhile is left out.
pub(crate) fn processes() -> Vec<Process> {
    let Ok(entries) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    entries
        .flatten()
        .filter_map(|entry| read(entry.file_name().to_str()?.parse().ok()?))
        .collect()
}

fn read(pid: i32) -> Option<Process> {
    let base = PathBuf::from(format!("/proc/{pid}"));
    let stat = Stat::of(pid)?;
    let words = fs::read(base.join("cmdline")).ok()?;
    let environment = fs::read(base.join("environ")).unwrap_or_default();
    Some(Process {
        pid,
        parent: stat.parent,
        group: stat.group,
        command: words
            .split(|byte| *byte == 0)
            .map(String::from_utf8_lossy)
            .collect::<Vec<_>>()
            .join(" ")
            .trim()
            .to_owned(),
        marks: environment
            .split(|byte| *byte == 0)
            .map(String::from_utf8_lossy)
            .filter(|entry| MARKS.iter().any(|name| entry.starts_with(name)))
            .map(Into::into)
            .collect(),
        network: fs::metadata(base.join("ns/net"))
            .ok()
            .map(|there| there.ino()),
    })
}

/// The fields of /proc/PID/stat that matter here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stat {
    parent: i32,
    group: i32,
    state: char,
    /// In clock ticks since boot: with the pid it names one process for ever.
    pub(crate) started: u64,
}

impl Stat {
    pub(crate) fn of(pid: i32) -> Option<Self> {
        Self::parse(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
    }

    /// The second field is the name in parentheses and may hold anything, so fields count from the last `)`.
    fn parse(line: &str) -> Option<Self> {
        let fields: Vec<&str> = line.rsplit_once(')')?.1.split_whitespace().collect();
        Some(Self {
            state: fields.first()?.chars().next()?,
            parent: fields.get(1)?.parse().ok()?,
            group: fields.get(2)?.parse().ok()?,
            started: fields.get(19)?.parse().ok()?,
        })
    }

    pub(crate) fn is_running(&self) -> bool {
        !matches!(self.state, 'Z' | 'X')
    }
}

/// Resident memory in KiB.
pub(crate) fn resident_kib(pid: i32) -> u64 {
    kib_of(
        &fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default(),
        "VmRSS:",
    )
}

/// A field such as `VmRSS:` or `MemTotal:`, in KiB; 0 where it is missing.
pub(crate) fn kib_of(text: &str, field: &str) -> u64 {
    text.lines()
        .find_map(|line| {
            line.strip_prefix(field)?
                .split_whitespace()
                .next()?
                .parse()
                .ok()
        })
        .unwrap_or_default()
}

/// How a lab's processes are told from others.
pub(crate) struct Ours {
    state: PathBuf,
    namespaces: HashSet<u64>,
}

impl Ours {
    /// By the state directory, and by the namespaces (paths of their files) that are the lab's.
    pub(crate) fn new(state: &Path, namespaces: &[PathBuf]) -> Self {
        let node = fs::metadata("/proc/1/ns/net").ok().map(|there| there.ino());
        let inode = |path: &PathBuf| fs::metadata(path).ok().map(|there| there.ino());
        let namespaces = namespaces
            .iter()
            .filter_map(inode)
            .filter(|it| Some(*it) != node)
            .collect();
        Self {
            state: state.to_owned(),
            namespaces,
        }
    }

    /// It carries the mark, names a file below the state directory, or lives in one of our namespaces.
    pub(crate) fn has(&self, process: &Process) -> bool {
        let below = format!("{}/", self.state.display());
        process.is_marked(MARK_VARIABLE, &self.state)
            || (process.command.contains(&below) && is_a_services(&process.command, &below))
            || process
                .network
                .is_some_and(|network| self.namespaces.contains(&network))
    }

    /// Those among `processes` with what they have started, leaving out this process and its ancestors.
    pub(crate) fn among(&self, processes: Vec<Process>) -> Vec<Process> {
        let spared = lineage(
            &processes,
            i32::try_from(std::process::id()).unwrap_or_default(),
        );
        let is_ours = |one: &&Process| !spared.contains(&one.pid) && self.has(one);
        let direct: HashSet<i32> = processes
            .iter()
            .filter(is_ours)
            .map(|one| one.pid)
            .collect();
        let ours = with_descendants(&processes, direct);
        processes
            .into_iter()
            .filter(|one| ours.contains(&one.pid) && !spared.contains(&one.pid))
            .collect()
    }
}

/// What a container's shim has started carries neither mark nor name of the lab.
pub(crate) fn with_descendants(processes: &[Process], mut found: HashSet<i32>) -> HashSet<i32> {
    loop {
        let children = processes.iter().filter(|one| found.contains(&one.parent));
        let children: Vec<i32> = children.map(|one| one.pid).collect();
        let before = found.len();
        found.extend(children);
        if found.len() == before {
            return found;
        }
    }
}

/// A person's shell, editor or client may name the state directory too. These do not: what agents leave behind, and services
/// that write their title over their environment, and with it over the mark.
fn is_a_services(command: &str, below: &str) -> bool {
    let configured = command.contains(&format!("--config-file {below}"));
    let left = [
        "qemu-system",
        "dnsmasq",
        "haproxy",
        "privsep-helper",
        "keepalived",
        "httpd",
        "conmon",
    ];
    configured || left.iter().any(|name| command.contains(name))
}

fn lineage(processes: &[Process], from: i32) -> HashSet<i32> {
    let mut line = HashSet::from([from]);
    let mut current = from;
    while let Some(process) = processes.iter().find(|process| process.pid == current) {
        current = process.parent;
        if !line.insert(current) {
            break;
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_parentheses_does_not_shift_the_fields() {
        let line = "12 (a) b) S 7 12 12 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 4242 1 1";
        let stat = Stat::parse(line).unwrap();
        assert_eq!(
            (stat.parent, stat.started, stat.is_running()),
            (7, 4242, true)
        );
    }

    #[test]
    fn what_is_ours_is_told_from_what_is_not() {
        let ours = Ours {
            state: "/var/lib/mkys-lab".into(),
            namespaces: HashSet::from([77]),
        };
        let process = |command: &str, mark: &str, network| Process {
            command: command.into(),
            marks: vec![format!("{MARK_VARIABLE}={mark}")],
            network: Some(network),
            ..Process::default()
        };
        for (process, expected) in [
            (
                process("/usr/bin/python3 /usr/bin/nova-api", "/var/lib/mkys-lab", 1),
                true,
            ),
            (process("/usr/bin/python3 /usr/bin/nova-api", "", 1), false),
            (
                process(
                    "qemu-system-x86_64 -drive file=/var/lib/mkys-lab/nova/x",
                    "",
                    1,
                ),
                true,
            ),
            (
                process("less /var/lib/mkys-lab/log/nova-api.log", "", 1),
                false,
            ),
            (
                process("dnsmasq --conf=/var/lib/mkys-lab-2/x", "", 1),
                false,
            ),
            (process("nginx", "", 77), true),
        ] {
            assert_eq!(ours.has(&process), expected, "{process:?}");
        }
    }

    #[test]
    fn what_a_containers_shim_started_is_ours_as_well() {
        let process = |pid, parent, command: &str| Process {
            pid,
            parent,
            command: command.into(),
            ..Process::default()
        };
        let ours = Ours {
            state: "/var/lib/mkys-lab".into(),
            namespaces: HashSet::new(),
        };
        let all = vec![
            process(3_000_001, 1, "conmon -b /var/lib/mkys-lab/engine/root/x"),
            process(3_000_003, 3_000_002, "sleep 100"),
            process(3_000_002, 3_000_001, "/.mkys/init sleep 100"),
            process(3_000_004, 1, "sleep 100"),
        ];
        let found: Vec<i32> = ours.among(all).iter().map(|one| one.pid).collect();
        assert_eq!(found, [3_000_001, 3_000_003, 3_000_002]);
    }

    #[test]
    fn ancestors_are_spared() {
        let process = |pid, parent| Process {
            pid,
            parent,
            ..Process::default()
        };
        let all = [process(9, 5), process(5, 1), process(1, 0), process(8, 1)];
        assert_eq!(lineage(&all, 9), HashSet::from([9, 5, 1, 0]));
    }
}

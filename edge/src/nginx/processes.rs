//! Finds the NGINX processes of a state folder (docs/adr/0011-one-nginx.md).
//!
//! A pid file can be lost, and workers survive a killed master. A process belongs to the state folder if it runs in it or holds its error
//! log open. Both are compared by device and inode: a folder of the same name on another root file system is another one.

use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

/// How long a process may take to end before it is killed.
const END: Duration = Duration::from_secs(2);

/// A process of NGINX.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Process {
    /// Its id.
    pub(super) pid: i32,
    parent: i32,
    is_master: bool,
}

/// The processes of a state folder.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Found {
    /// The master to keep.
    pub(super) master: Option<i32>,
    /// Its workers.
    pub(super) workers: Vec<i32>,
    /// Processes to end: workers whose master was killed, and further masters with their workers.
    pub(super) strays: Vec<i32>,
}

/// Finds the processes of a state folder. Of several masters it keeps the one that the pid file names.
pub(super) fn find(state: &Path) -> Found {
    let folder = fs::metadata(state).ok();
    let log = fs::metadata(state.join("error.log")).ok();
    let known = [folder, log].map(|metadata| metadata.as_ref().map(identity));
    let all = fs::read_dir("/proc").into_iter().flatten().flatten();
    let all = all.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let all: Vec<_> = all.filter_map(|pid| process(pid, &known)).collect();
    let written = fs::read_to_string(state.join("nginx.pid"));
    sort(&all, written.unwrap_or_default().trim().parse().ok())
}

fn sort(all: &[Process], written: Option<i32>) -> Found {
    let is_master = |pid: i32| all.iter().any(|one| one.pid == pid && one.is_master);
    // a worker has its master's title until it has given itself another one
    let masters = all
        .iter()
        .filter(|one| one.is_master && !is_master(one.parent));
    let mut masters = masters.map(|one| one.pid);
    let first = masters.clone().min();
    let master = masters.find(|pid| Some(*pid) == written).or(first);
    let mut found = Found {
        master,
        ..Found::default()
    };
    for process in all.iter().filter(|one| Some(one.pid) != master) {
        match Some(process.parent) == master {
            true => found.workers.push(process.pid),
            false => found.strays.push(process.pid),
        }
    }
    found
}

fn identity(metadata: &Metadata) -> (u64, u64) {
    (metadata.dev(), metadata.ino())
}

fn process(pid: i32, known: &[Option<(u64, u64)>; 2]) -> Option<Process> {
    // the title that NGINX gives itself; `nginx -s reload` and `nginx -t` have none
    let title = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
    let title = title.strip_prefix(b"nginx: ")?;
    let is_of = |path: &Path| {
        let identity = fs::metadata(path).ok().as_ref().map(identity);
        identity.is_some() && known.contains(&identity)
    };
    let process = Path::new("/proc").join(pid.to_string());
    let mut files = fs::read_dir(process.join("fd"))
        .into_iter()
        .flatten()
        .flatten();
    if !is_of(&process.join("cwd")) && !files.any(|file| is_of(&file.path())) {
        return None;
    }
    let stat = fs::read_to_string(process.join("stat")).ok()?;
    let (_, rest) = stat.rsplit_once(") ")?;
    let mut fields = rest.split(' ');
    let is_zombie = fields.next()? == "Z";
    let parent = fields.next()?.parse().ok()?;
    (!is_zombie).then_some(Process {
        pid,
        parent,
        is_master: title.starts_with(b"master process"),
    })
}

/// Whether a process that was found still runs: its id may be another's by now.
pub(crate) fn is_master(pid: i32) -> bool {
    let title = fs::read(format!("/proc/{pid}/cmdline"));
    title.is_ok_and(|title| title.starts_with(b"nginx: master process"))
}

/// Sends a signal; a process that is gone needs none.
pub(super) fn signal(pid: i32, signal: Signal) {
    if let Some(pid) = Pid::from_raw(pid) {
        let _ = kill_process(pid, signal);
    }
}

/// Ends processes: at once if they let, by force if not.
pub(super) async fn end(pids: &[i32]) {
    let lives = |pid: &i32| {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat"));
        stat.is_ok_and(|stat| !stat.contains(") Z "))
    };
    for (kind, limit) in [(Signal::TERM, END), (Signal::KILL, END)] {
        let left: Vec<_> = pids.iter().filter(|pid| lives(pid)).collect();
        left.iter().for_each(|pid| signal(**pid, kind));
        let until = tokio::time::Instant::now() + limit;
        while pids.iter().any(lives) && tokio::time::Instant::now() < until {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn process(pid: i32, parent: i32, is_master: bool) -> Process {
        Process {
            pid,
            parent,
            is_master,
        }
    }

    #[test]
    fn one_master_is_kept_and_strays_are_named() {
        let (one, other) = (process(10, 1, true), process(20, 1, true));
        let of_one = process(11, 10, false);
        let of_other = process(21, 20, false);
        let orphan = process(31, 1, false);
        let found = |master, workers: &[i32], strays: &[i32]| Found {
            master,
            workers: workers.into(),
            strays: strays.into(),
        };
        let young = process(12, 10, true);
        let cases: [(&[Process], Option<i32>, Found); 6] = [
            (&[young, one, of_one], None, found(Some(10), &[12, 11], &[])),
            (&[], Some(10), found(None, &[], &[])),
            (&[one, of_one], Some(10), found(Some(10), &[11], &[])),
            // a lost pid file
            (&[one, of_one], None, found(Some(10), &[11], &[])),
            // a killed master
            (&[orphan], Some(10), found(None, &[], &[31])),
            (
                &[one, of_one, other, of_other, orphan],
                Some(20),
                found(Some(20), &[21], &[10, 11, 31]),
            ),
        ];
        for (all, written, expected) in cases {
            assert_eq!(sort(all, written), expected, "{all:?} {written:?}");
        }
    }
}

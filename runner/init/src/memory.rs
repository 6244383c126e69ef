//! Whether the kernel killed something here because the run took more memory than it may.

use std::fs::{self, File};
use std::io::{self, Write};

use rustix::fs::{CWD, Mode, OFlags, openat};

/// Where the kernel counts it: version 2 of control groups, then version 1.
const COUNTERS: [&str; 2] = [
    "/sys/fs/cgroup/memory.events",
    "/sys/fs/cgroup/memory/memory.oom_control",
];

/// What the kernel is told of which process to kill first.
const SCORE: &str = "/proc/self/oom_score_adj";
/// What is given up for the end of a command that took all of its memory, in bytes.
const RESERVE: usize = 512 * 1024;

/// Which process the kernel takes when memory is over: the command and whatever it starts, before the process that tells how it ended.
#[derive(Debug)]
pub(crate) struct Order {
    score: File,
    usual: String,
}

impl Order {
    /// Opened while this process may still be looked at: afterwards its files in /proc belong to root.
    pub(crate) fn open() -> io::Result<Self> {
        let usual = fs::read_to_string(SCORE)?.trim().to_owned();
        let score = openat(CWD, SCORE, OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty())?;
        let score = score.into();
        Ok(Self { score, usual })
    }

    /// Does something that starts a process, which is killed first. What a process has when it is started it hands down.
    pub(crate) fn first<T>(&mut self, start: impl FnOnce() -> T) -> T {
        // a kernel that lets nobody say so takes whichever is the largest
        let _ = self.score.write_all(b"1000");
        let started = start();
        // without rights, nobody goes below what he had at first
        let _ = self.score.write_all(self.usual.as_bytes());
        started
    }
}

/// Memory that is had beforehand, and given back when all else is used up.
#[derive(Debug)]
pub(crate) struct Reserve(Vec<u8>);

impl Reserve {
    pub(crate) fn new() -> Self {
        // written to, so that it is there
        Self(vec![1; RESERVE])
    }

    pub(crate) fn give_back(&mut self) {
        self.0 = Vec::new();
    }
}

/// How often that happened; 0 where the container is not shown it.
pub(crate) fn kills() -> u64 {
    COUNTERS
        .iter()
        .filter_map(|file| fs::read_to_string(file).ok())
        .find_map(|text| count(&text))
        .unwrap_or(0)
}

fn count(text: &str) -> Option<u64> {
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("oom_kill "))?;
    line.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::count;

    #[test]
    fn both_versions_of_control_groups_are_read() {
        let v1 = "oom_kill_disable 0\nunder_oom 0\noom_kill 2\n";
        let v2 = "low 0\nhigh 0\nmax 12\noom 1\noom_kill 1\noom_group_kill 0\n";
        assert_eq!(count(v1), Some(2));
        assert_eq!(count(v2), Some(1));
        assert_eq!(count("oom_kill_disable 0\n"), None);
    }
}

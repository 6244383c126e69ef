//! Whether the kernel killed something here because the run took more memory than it may.

use std::fs;

/// Where the kernel counts it: version 2 of control groups, then version 1.
const COUNTERS: [&str; 2] = [
    "/sys/fs/cgroup/memory.events",
    "/sys/fs/cgroup/memory/memory.oom_control",
];

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

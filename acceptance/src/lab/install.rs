//! Debian's packages: installs what is missing in one transaction; starts none of their services.

use std::collections::{BTreeSet, HashSet};
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use super::{Error, Lab, embedded, external};
use crate::place::CACHE;
use crate::progress::Progress;

const POLICY: &str = "/usr/sbin/policy-rc.d";
const DBCONFIG: &str = "/etc/dbconfig-common/config";
/// The list that only the cluster needs.
const CLUSTER: &str = "cluster.txt";
/// The list that only the demo of runs needs, and what it shares with the lab.
const RUNS: [&str; 3] = ["runs.txt", "runner.txt", "edge.txt"];

/// Whose packages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Packages {
    /// The lab's, and of what runs on it.
    Lab,
    /// The cluster's.
    Cluster,
    /// Of a container engine, an edge and a game, without the lab.
    Runs,
}

impl Packages {
    fn are_in(self, list: &str) -> bool {
        match self {
            Self::Lab => ![CLUSTER, RUNS[0]].contains(&list),
            Self::Cluster => list == CLUSTER,
            Self::Runs => RUNS.contains(&list),
        }
    }
}

/// Installs what is missing of the lab's package lists.
///
/// # Errors
/// When apt can't.
pub fn install(lab: &Lab) -> Result<(), Error> {
    if !rustix::process::getuid().is_root() {
        return Err(Error::NotRoot);
    }
    if !install_missing(Packages::Lab, &lab.progress)? {
        lab.progress.note("packages: all are there");
    }
    Ok(())
}

/// Installs what is missing of what a container engine, an edge and a game need.
///
/// # Errors
/// When apt can't.
pub fn install_for_runs(progress: &Progress) -> Result<(), Error> {
    install_missing(Packages::Runs, progress).map(drop)
}

/// The same, silent when there is nothing to do. Gives whether anything was.
pub(crate) fn install_missing(whose: Packages, progress: &Progress) -> Result<bool, Error> {
    let missing = missing(whose)?;
    if missing.is_empty() {
        return Ok(false);
    }
    let start = Instant::now();
    let before = used_mib();
    progress.note(format!(
        "packages: {} are missing, installing them",
        missing.len()
    ));
    fs::create_dir_all(CACHE).map_err(Error::io(format!("make {CACHE}")))?;
    let log = Path::new(CACHE).join("apt.log");
    let quiet = NoStart::set()?;
    let result = apt(&log, &["update", "-q"]).and_then(|()| {
        let mut words = vec!["install", "-y", "-q", "--no-install-recommends"];
        words.extend(missing);
        apt(&log, &words)
    });
    drop(quiet);
    result?;
    progress.stage("packages", start.elapsed());
    progress.note(format!(
        "packages: {} MiB on disk",
        used_mib().saturating_sub(before)
    ));
    Ok(true)
}

/// Packages of the lists that are not installed.
pub(crate) fn missing(whose: Packages) -> Result<Vec<&'static str>, Error> {
    let format = "${db:Status-Status} ${Package}, ${Provides}\n";
    let known = external::run(&["dpkg-query", "-W", "-f", format])?;
    let installed: HashSet<&str> = known
        .lines()
        .filter_map(|line| line.strip_prefix("installed "))
        .flat_map(provided)
        .collect();
    let wanted: BTreeSet<&str> = embedded::below("packages")
        .filter(|(file, _)| whose.are_in(file))
        .flat_map(|(_, list)| names(list))
        .collect();
    let missing = wanted.into_iter().filter(|name| !installed.contains(name));
    Ok(missing.collect())
}

/// What a package is, and stands for: somebody else's Node.js has its own npm, and refuses Debian's beside it.
fn provided(names: &str) -> impl Iterator<Item = &str> {
    names
        .split(',')
        .filter_map(|name| name.split_whitespace().next())
}

fn names(list: &str) -> impl Iterator<Item = &str> {
    list.lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
}

fn apt(log: &Path, words: &[&str]) -> Result<(), Error> {
    let doing = || Error::io(format!("write {}", log.display()));
    let output = fs::File::options()
        .create(true)
        .append(true)
        .open(log)
        .map_err(doing())?;
    let errors = output.try_clone().map_err(doing())?;
    let status = Command::new("apt-get")
        .args(["-o", "DPkg::Lock::Timeout=900", "-o", "Dpkg::Use-Pty=0"])
        .args([
            "-o",
            "Dpkg::Options::=--force-confdef",
            "-o",
            "Dpkg::Options::=--force-confold",
        ])
        // Packages can be had again: no need to wait for the disk at each file.
        .args(["-o", "Dpkg::Options::=--force-unsafe-io"])
        .args(words)
        .env("PATH", external::PATH)
        .env("DEBIAN_FRONTEND", "noninteractive")
        .env("LC_ALL", "C.UTF-8")
        .stdin(Stdio::null())
        .stdout(output)
        .stderr(errors)
        .status()
        .map_err(doing())?;
    if status.success() {
        return Ok(());
    }
    let said = external::last(&fs::read_to_string(log).unwrap_or_default(), 20);
    let command = format!("apt-get {}", words.first().unwrap_or(&""));
    Err(Error::Command {
        command,
        reason: format!("{status}\n{said}\nthe whole log is {}", log.display()),
    })
}

fn used_mib() -> u64 {
    rustix::fs::statvfs("/")
        .map(|there| (there.f_blocks - there.f_bfree) * there.f_frsize / 1_048_576)
        .unwrap_or_default()
}

/// While it lives no package starts a service or asks for a database. What was not there before goes again, and what was
/// there stays as it was.
struct NoStart {
    made: Vec<&'static str>,
}

impl NoStart {
    fn set() -> Result<Self, Error> {
        let mut quiet = Self { made: Vec::new() };
        quiet.make(POLICY, "#!/bin/sh\nexit 101\n")?;
        external::run(&["chmod", "755", POLICY])?;
        let remote = "dbc_remember_admin_pass='false'\ndbc_remote_questions_default='false'\n";
        quiet.make(DBCONFIG, remote)?;
        Ok(quiet)
    }

    fn make(&mut self, path: &'static str, content: &str) -> Result<(), Error> {
        if Path::new(path).exists() {
            return Ok(());
        }
        let doing = || Error::io(format!("write {path}"));
        if let Some(folder) = Path::new(path).parent() {
            fs::create_dir_all(folder).map_err(doing())?;
        }
        fs::write(path, content).map_err(doing())?;
        self.made.push(path);
        Ok(())
    }
}

impl Drop for NoStart {
    fn drop(&mut self) {
        for path in &self.made {
            let _ = fs::remove_file(path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_may_have_comments_and_empty_lines() {
        assert_eq!(names("# a\nb\n\n c \n").collect::<Vec<_>>(), ["b", "c"]);
    }

    #[test]
    fn a_package_counts_as_what_it_provides() {
        let found: Vec<_> = provided("nodejs, nodejs-dev, npm (= 9), ").collect();
        assert_eq!(found, ["nodejs", "nodejs-dev", "npm"]);
        assert_eq!(provided("bash, ").collect::<Vec<_>>(), ["bash"]);
    }
}

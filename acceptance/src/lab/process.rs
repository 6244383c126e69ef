//! A service's process: started apart from the lab's own, recorded, found again, ended.

use std::fs::{self, File};
use std::process::{Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use super::procfs::{self, Ours, Stat};
use super::unit::{Service, Unit};
use super::{Error, external, pause};
use crate::place::{MARK_VARIABLE, Place};

/// One process for ever: a pid is used again, a pid with its start isn't.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) pid: i32,
    started: u64,
}

impl Record {
    /// What was recorded for a service, if anything.
    pub(crate) fn read(place: &Place, name: &str) -> Option<Self> {
        let text = fs::read_to_string(place.run().join(format!("{name}.pid"))).ok()?;
        let (pid, started) = text.trim().split_once(' ')?;
        Some(Self {
            pid: pid.parse().ok()?,
            started: started.parse().ok()?,
        })
    }

    /// Whether that very process runs.
    pub(crate) fn is_alive(&self) -> bool {
        Stat::of(self.pid).is_some_and(|stat| stat.started == self.started && stat.is_running())
    }

    fn write(&self, place: &Place, name: &str) -> Result<(), Error> {
        let path = place.run().join(format!("{name}.pid"));
        fs::write(&path, format!("{} {}\n", self.pid, self.started))
            .map_err(Error::io(format!("write {}", path.display())))
    }
}

/// The record of a service's process if it is alive.
pub(crate) fn alive(place: &Place, name: &str) -> Option<Record> {
    Record::read(place, name).filter(Record::is_alive)
}

/// The services' search path: programs of the lab's own stand before the system's.
fn path(place: &Place) -> String {
    format!(
        "{}:{}",
        place.state().join("sbin").display(),
        external::PATH
    )
}

/// A command in the lab's own environment: nothing of the caller's shell reaches a service.
pub(crate) fn prepare(place: &Place, words: &[String], unit: &Unit) -> Command {
    let mut words = words.iter();
    let mut command = Command::new(words.next().map_or("false", String::as_str));
    command
        .args(words)
        .env_clear()
        .env("PATH", path(place))
        .env("LC_ALL", "C.UTF-8")
        .env("HOME", place.state().join("home"))
        .env(MARK_VARIABLE, place.state())
        // One arena a process: dozens of Python threads else keep hundreds of MiB.
        .env("MALLOC_ARENA_MAX", "1")
        .envs(&unit.environment)
        .current_dir(place.state())
        .stdin(Stdio::null());
    command
}

/// Where a row's output goes.
pub(crate) fn output(place: &Place, name: &str) -> Result<File, Error> {
    let path = place.log().join(format!("{name}.out"));
    File::options()
        .create(true)
        .append(true)
        .open(&path)
        .map_err(Error::io(format!("open {}", path.display())))
}

/// Starts a service in a session of its own, so that it outlives the lab's process and can be ended as a group.
pub(crate) fn start(place: &Place, unit: &Unit, service: &Service) -> Result<Record, Error> {
    // Both `setsid` and `nsenter` put the program in their own place: the pid stays.
    let mut words = vec!["setsid".to_owned()];
    if let Some(host) = &service.inside {
        let record =
            alive(place, host).ok_or_else(|| Error::Machine(format!("{host} does not run")))?;
        words.extend(["nsenter", "-m", "-t"].map(str::to_owned));
        words.extend([record.pid.to_string(), "--".to_owned()]);
    }
    words.extend(service.run.iter().cloned());
    let log = output(place, &unit.name)?;
    let errors = log.try_clone().map_err(Error::io("open a log"))?;
    let child = prepare(place, &words, unit)
        .stdout(log)
        .stderr(errors)
        .spawn()
        .map_err(Error::io(format!("start {}", unit.name)))?;
    let pid = i32::try_from(child.id()).unwrap_or_default();
    let started = Stat::of(pid).map(|stat| stat.started).unwrap_or_default();
    let record = Record { pid, started };
    record.write(place, &unit.name)?;
    Ok(record)
}

/// Asks a service to end, then ends what remains of its group.
pub(crate) fn stop(place: &Place, unit: &Unit, service: &Service) {
    let Some(record) = Record::read(place, &unit.name) else {
        return;
    };
    let gone = || (!record.is_alive()).then_some(());
    if record.is_alive() {
        signal(record.pid, Signal::TERM);
        let _ = pause::until(service.stops_within, gone);
    }
    // Also when it had died: its workers may live on. The mark tells them from a group that was given the same number.
    let ours = Ours::new(place.state(), &[]);
    for process in ours
        .among(procfs::processes())
        .iter()
        .filter(|one| one.group() == record.pid)
    {
        signal(process.pid, Signal::KILL);
    }
    let _ = pause::until(Duration::from_secs(5), gone);
    let _ = fs::remove_file(place.run().join(format!("{}.pid", unit.name)));
}

/// Signals one process; one that is gone is as wanted.
pub(crate) fn signal(pid: i32, signal: Signal) {
    if let Some(pid) = Pid::from_raw(pid) {
        let _ = kill_process(pid, signal);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pid_that_was_given_to_another_process_is_not_ours() {
        let pid = i32::try_from(std::process::id()).unwrap();
        let started = Stat::of(pid).unwrap().started;
        assert!(Record { pid, started }.is_alive());
        assert!(
            !Record {
                pid,
                started: started + 1
            }
            .is_alive()
        );
    }
}

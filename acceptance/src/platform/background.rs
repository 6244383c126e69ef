//! Processes that outlive the program that starts them, found again by pid and start.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use rustix::process::Signal;

use super::files;
use crate::lab::pause;
use crate::lab::process::signal;
use crate::lab::procfs::{Stat, processes};
use crate::lab::{Error, external};
use crate::place::{CLUSTER_MARK_VARIABLE, MARK_VARIABLE, Place};

/// A process with its log, in a folder.
#[derive(Debug, Clone)]
pub struct Background {
    name: String,
    folder: PathBuf,
    mark: (&'static str, PathBuf),
}

impl Background {
    /// The process of a name, in a folder.
    #[must_use]
    pub fn new(folder: &Path, name: &str) -> Self {
        Self {
            name: name.to_owned(),
            folder: folder.to_owned(),
            // so that a `lab down` takes it away as well
            mark: (MARK_VARIABLE, Place::from_environment().state().to_owned()),
        }
    }

    /// The same, but the cluster's: it carries that one's mark, and a `lab down` leaves it.
    #[must_use]
    pub(crate) fn of_cluster(self) -> Self {
        let mark = (CLUSTER_MARK_VARIABLE, self.folder.clone());
        Self { mark, ..self }
    }

    /// Where it says what it does.
    #[must_use]
    pub fn log(&self) -> PathBuf {
        self.folder.join("log").join(format!("{}.log", self.name))
    }

    fn record(&self) -> PathBuf {
        self.folder.join("run").join(format!("{}.pid", self.name))
    }

    /// Its pid if it runs.
    #[must_use]
    pub fn pid(&self) -> Option<i32> {
        let text = std::fs::read_to_string(self.record()).ok()?;
        let (pid, started) = text.trim().split_once(' ')?;
        let (pid, started) = (pid.parse().ok()?, started.parse::<u64>().ok()?);
        Stat::of(pid)
            .filter(|stat| stat.started == started && stat.is_running())
            .map(|_| pid)
    }

    /// Starts it unless it runs. `namespace` is the network it stands in.
    ///
    /// # Errors
    /// When it can't be started.
    pub fn start(&self, namespace: Option<&str>, words: &[String]) -> Result<(), Error> {
        if self.pid().is_some() {
            return Ok(());
        }
        files::make(&self.folder.join("log"))?;
        files::make(&self.folder.join("run"))?;
        let log = File::options().create(true).append(true).open(self.log());
        let log = log.map_err(Error::io(format!("open {}", self.log().display())))?;
        let errors = log.try_clone().map_err(Error::io("open a log"))?;
        let mut command = Command::new("setsid");
        if let Some(namespace) = namespace {
            command.args(["nsenter", &format!("--net=/run/netns/{namespace}"), "--"]);
        }
        let child = command
            .args(words)
            .env_clear()
            .env("PATH", external::PATH)
            .env("LC_ALL", "C.UTF-8")
            .env(self.mark.0, &self.mark.1)
            .current_dir(&self.folder)
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(errors)
            .spawn()
            .map_err(Error::io(format!("start {}", self.name)))?;
        let pid = i32::try_from(child.id()).unwrap_or_default();
        let started = Stat::of(pid).map(|stat| stat.started).unwrap_or_default();
        files::write(&self.record(), &format!("{pid} {started}\n"))
    }

    /// Kills it, and leaves what it has started.
    pub(crate) fn kill(&self) {
        if let Some(pid) = self.pid() {
            signal(pid, Signal::KILL);
            let gone = || self.pid().is_none().then_some(());
            let _ = pause::until(Duration::from_secs(5), gone);
        }
        let _ = std::fs::remove_file(self.record());
    }

    /// Ends it, with its group.
    pub fn stop(&self) {
        if let Some(pid) = self.pid() {
            signal(pid, Signal::TERM);
            let gone = || self.pid().is_none().then_some(());
            if pause::until(Duration::from_secs(10), gone).is_none() {
                for process in processes().iter().filter(|one| one.group() == pid) {
                    signal(process.pid, Signal::KILL);
                }
                let _ = pause::until(Duration::from_secs(5), gone);
            }
        }
        let _ = std::fs::remove_file(self.record());
    }

    /// Waits until something holds; else says what the process said last.
    ///
    /// # Errors
    /// When it does not within the limit, or the process ended.
    pub fn until<T>(
        &self,
        what: &str,
        limit: Duration,
        mut look: impl FnMut() -> Option<T>,
    ) -> Result<T, Error> {
        let found = pause::until(limit, || match look() {
            Some(found) => Some(Some(found)),
            None if self.pid().is_none() => Some(None),
            None => None,
        });
        let reason = match found {
            Some(Some(found)) => return Ok(found),
            Some(None) => format!("it ended before {what} came"),
            None => format!("{what} did not come within {} s", limit.as_secs()),
        };
        let text = std::fs::read_to_string(self.log()).unwrap_or_default();
        Err(Error::Unit {
            unit: self.name.clone(),
            reason,
            tail: format!("{}\n", external::last(&text, 20)),
            log: self.log(),
        })
    }
}

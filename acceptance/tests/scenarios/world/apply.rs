//! An apply that a story watches from outside, to break in on it.

use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use super::{Stage, wait};

/// An apply under way, in a process group of its own.
pub(crate) struct Apply(Child);

impl Apply {
    pub(crate) fn start(stage: &Stage) -> Self {
        Self::start_with(stage, &["apply", "-no-color", "-auto-approve"])
    }

    /// Another command of the CLI.
    pub(crate) fn start_with(stage: &Stage, words: &[&str]) -> Self {
        // shown with the story's other logs if it fails
        let log = stage.folder.join("log");
        std::fs::create_dir_all(&log).unwrap();
        let said = std::fs::File::create(log.join("apply-watched")).unwrap();
        let mut command = stage.command(words);
        let command = command
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(said.try_clone().unwrap())
            .stderr(said);
        Self(command.spawn().unwrap())
    }

    /// Waits until there is something that the apply makes.
    pub(crate) fn makes<T>(&mut self, what: &str, mut look: impl FnMut() -> Option<T>) -> T {
        let limit = Duration::from_secs(60);
        let found = wait::look(limit, || {
            let ended = self.0.try_wait().unwrap();
            match look() {
                Some(found) => Some(Ok(found)),
                None => ended.map(Err),
            }
        });
        match found {
            Some(Ok(found)) => found,
            Some(Err(status)) => panic!("the apply ended ({status}) before it made {what}"),
            None => panic!("the apply has not made {what} within {limit:?}"),
        }
    }

    /// Waits until a moment that is told by what is there and by the time since now. Gives whether it came before the end.
    pub(crate) fn is_at(&mut self, mut is_there: impl FnMut(Duration) -> bool) -> bool {
        let begun = Instant::now();
        let found = wait::look(Duration::from_secs(900), || {
            if self.0.try_wait().unwrap().is_some() {
                return Some(false);
            }
            is_there(begun.elapsed()).then_some(true)
        });
        found.expect("an end of the CLI")
    }

    /// Sends a signal to the group: the CLI and the provider that it started.
    pub(crate) fn signal(&self, name: &str) {
        let group = format!("-{}", self.0.id());
        let status = Command::new("kill").args([name, "--", &group]).status();
        assert!(status.unwrap().success());
    }

    pub(crate) fn kill(mut self) {
        self.signal("-KILL");
        self.0.wait().unwrap();
    }

    /// Its end, which comes soon.
    pub(crate) fn end(self) -> ExitStatus {
        self.end_within(60)
    }

    /// Its end, within so many seconds.
    pub(crate) fn end_within(mut self, seconds: u64) -> ExitStatus {
        wait::until("the CLI's end", seconds, || self.0.try_wait().unwrap())
    }
}

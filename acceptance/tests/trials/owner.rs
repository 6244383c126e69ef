//! An owner: `mkys-run` in a process of its own, listened to, and killed at its moment.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

use crate::hand::Hand;
use crate::trial::{STATES, Trial, When};

/// No trial takes this long, whatever the weather.
pub(crate) const LIMIT: Duration = Duration::from_secs(420);
/// Between two looks at what is on record.
const LOOK: Duration = Duration::from_millis(2);
/// What stands for the state of a run whose owner had not said one.
const NOTHING: &str = "no word";
/// The last of a run's states: nothing of it is left to be killed for.
const GONE: &str = "gone";

/// An owner's process, with what it says.
pub(crate) struct Owner {
    child: Child,
    said: Receiver<Value>,
    started: Instant,
    /// Where it writes down how its run ended.
    record: PathBuf,
    /// The state that it said last of its run.
    state: &'static str,
}

impl Drop for Owner {
    fn drop(&mut self) {
        // SIGKILL: whether it is killed at the end of a trial or in it is the same
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Starts one. It goes on with a run that one of its name has left.
pub(crate) fn start<H: Hand>(
    hand: &H,
    trial: &Trial,
    owner: &str,
    folder: &TempDir,
    results: Option<&Path>,
) -> Owner {
    let file = folder.path().join("spec.json");
    std::fs::write(&file, trial.spec(hand).to_string()).unwrap();
    let mut command = hand.mkys_run(trial.bad_line);
    command
        .args([
            trial.command(),
            file.to_str().unwrap(),
            "--json",
            "--owner",
            owner,
        ])
        .args(["--lease", &format!("{}s", trial.lease_s())])
        .args(
            results
                .iter()
                .flat_map(|place| ["--results".as_ref(), place.as_os_str()]),
        )
        .current_dir(folder.path())
        .stdin(Stdio::null())
        .stdout(Stdio::piped());
    let log = std::fs::File::options()
        .create(true)
        .append(true)
        .open(folder.path().join("stderr"))
        .unwrap();
    let mut child = command
        .stderr(log)
        .env("MKYS_LOG", "mkys_runner=debug")
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let (sender, said) = channel();
    std::thread::spawn(move || {
        for line in lines.map_while(Result::ok) {
            let event = serde_json::from_str(&line).unwrap_or(Value::Null);
            if sender.send(event).is_err() {
                return;
            }
        }
    });
    Owner {
        child,
        said,
        started: Instant::now(),
        record: record(folder),
        state: NOTHING,
    }
}

/// Where an owner writes down how its run ended. Sessions have nothing to be kept.
pub(crate) fn record(folder: &TempDir) -> PathBuf {
    folder.path().join("one/record.json")
}

/// What comes first of an owner that is to be killed.
pub(crate) enum Moment {
    /// It was killed, and this is the state that it had said last.
    Killed(&'static str),
    Outcome(Value),
    /// It ended by itself, as its executor was away.
    Ended,
    /// It goes on.
    GoesOn(Box<Owner>),
}

/// What is done to an owner at its moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Deed {
    Kill,
    HangUp,
    Nothing,
}

/// What an owner said before a time: an event, nothing more for good, or nothing yet.
enum Heard {
    Event(Value),
    Ended,
    Nothing,
}

impl Owner {
    fn hear(&mut self, until: Instant) -> Heard {
        let wait = until.saturating_duration_since(Instant::now());
        match self.said.recv_timeout(wait) {
            Ok(event) => {
                let state = event["state"]["state"].as_str();
                let known = STATES.into_iter().chain([GONE]);
                let known = |said| known.clone().find(|state| *state == said);
                self.state = state.and_then(known).unwrap_or(self.state);
                Heard::Event(event)
            }
            Err(RecvTimeoutError::Disconnected) => Heard::Ended,
            Err(RecvTimeoutError::Timeout) => Heard::Nothing,
        }
    }

    /// Waits for its moment and does what is to be done to it, unless something else comes first.
    pub(crate) fn at(mut self, when: &When, deed: Deed) -> Result<Moment, String> {
        let limit = self.started + LIMIT;
        let mut kill_at = match when {
            When::After { ms } => self.started + Duration::from_millis(*ms),
            When::At { .. } | When::OnRecord => limit,
        };
        loop {
            let until = match when {
                When::OnRecord => Instant::now() + LOOK,
                When::At { .. } | When::After { .. } => kill_at,
            };
            match self.hear(until) {
                Heard::Nothing if matches!(when, When::OnRecord) && Instant::now() < limit => {
                    if self.record.exists() {
                        return Ok(self.suffers(deed));
                    }
                }
                Heard::Event(event) => {
                    if let When::At { state, more_ms } = when
                        && event.get("state").is_some()
                        && self.is_at(state)
                        && kill_at == limit
                    {
                        kill_at = Instant::now() + Duration::from_millis(*more_ms);
                    }
                    if let Some(outcome) = event.get("outcome") {
                        return Ok(Moment::Outcome(outcome.clone()));
                    }
                }
                Heard::Ended => return Ok(Moment::Ended),
                Heard::Nothing if kill_at < limit => return Ok(self.suffers(deed)),
                Heard::Nothing => {
                    return Err("it never came to the state at which it is killed".to_owned());
                }
            }
        }
    }

    /// Whether its run is at a state. A new run leaves the first one before much else is done, and its owner may not say it at all:
    /// what it says then is the next, and nothing has been handed to the executor either.
    fn is_at(&self, state: &str) -> bool {
        self.state == state || (state == STATES[0] && self.state == STATES[1])
    }

    fn suffers(self, deed: Deed) -> Moment {
        match deed {
            Deed::Kill => return self.kill(),
            Deed::HangUp => {
                // one that has ended is no longer there to be told
                let _ = kill_process(Pid::from_child(&self.child), Signal::HUP);
            }
            Deed::Nothing => {}
        }
        Moment::GoesOn(Box::new(self))
    }

    /// SIGKILL. What it had said by then is still heard.
    fn kill(mut self) -> Moment {
        // whether it has ended by itself is seen by what it said
        let _ = self.child.kill();
        let _ = self.child.wait();
        loop {
            match self.hear(Instant::now() + LIMIT) {
                Heard::Event(event) => {
                    if let Some(outcome) = event.get("outcome") {
                        return Moment::Outcome(outcome.clone());
                    }
                }
                Heard::Ended | Heard::Nothing => return Moment::Killed(self.state),
            }
        }
    }

    /// Waits for the outcome; `None` when it ended without one.
    pub(crate) fn outcome(mut self) -> Result<Option<Value>, String> {
        let until = self.started + LIMIT;
        loop {
            match self.hear(until) {
                Heard::Event(event) => {
                    if let Some(outcome) = event.get("outcome") {
                        return Ok(Some(outcome.clone()));
                    }
                }
                Heard::Ended => return Ok(None),
                Heard::Nothing => return Err("it never ends".to_owned()),
            }
        }
    }
}

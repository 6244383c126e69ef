//! One trial: an owner, which is `mkys-run` in a process of its own, goes through what was drawn for it.

use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use crate::hand::Hand;
use crate::trial::{Fate, Trial, When};

/// No trial takes this long, whatever the weather.
const LIMIT: Duration = Duration::from_secs(420);
/// Beside its lease twice over and its grace period, how long what is left without an owner may take: the parts of a cluster that see to
/// it wait longer each time when they find another part away.
const SLACK: Duration = Duration::from_secs(300);

/// An owner's process, with what it says.
struct Owner {
    child: Child,
    said: Receiver<Value>,
    started: Instant,
}

impl Drop for Owner {
    fn drop(&mut self) {
        // SIGKILL: whether it is killed at the end of a trial or in it is the same
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn start<H: Hand>(hand: &H, trial: &Trial, owner: &str, folder: &TempDir) -> Owner {
    let file = folder.path().join("spec.json");
    std::fs::write(&file, trial.spec(hand.image()).to_string()).unwrap();
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
    }
}

/// What comes first of an owner that is to be killed.
enum Moment {
    Kill,
    Outcome(Value),
    /// It ended by itself, as its executor was away.
    Ended,
}

/// What an owner said before a time: an event, nothing more for good, or nothing yet.
enum Heard {
    Event(Value),
    Ended,
    Nothing,
}

impl Owner {
    fn hear(&self, until: Instant) -> Heard {
        match self
            .said
            .recv_timeout(until.saturating_duration_since(Instant::now()))
        {
            Ok(event) => Heard::Event(event),
            Err(RecvTimeoutError::Disconnected) => Heard::Ended,
            Err(RecvTimeoutError::Timeout) => Heard::Nothing,
        }
    }

    /// Waits until it is to be killed, unless something else comes first.
    fn until(&self, when: &When) -> Result<Moment, String> {
        let limit = self.started + LIMIT;
        let mut kill_at = match when {
            When::After { ms } => self.started + Duration::from_millis(*ms),
            When::At { .. } => limit,
        };
        loop {
            match self.hear(kill_at) {
                Heard::Event(event) => {
                    if let When::At { state, more_ms } = when
                        && event["state"]["state"] == *state
                        && kill_at == limit
                    {
                        kill_at = Instant::now() + Duration::from_millis(*more_ms);
                    }
                    if let Some(outcome) = event.get("outcome") {
                        return Ok(Moment::Outcome(outcome.clone()));
                    }
                }
                Heard::Ended => return Ok(Moment::Ended),
                Heard::Nothing if kill_at < limit => return Ok(Moment::Kill),
                Heard::Nothing => {
                    return Err("it never came to the state at which it is killed".to_owned());
                }
            }
        }
    }

    /// Waits for the outcome; `None` when it ended without one.
    fn outcome(&self) -> Result<Option<Value>, String> {
        loop {
            match self.hear(self.started + LIMIT) {
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

/// Goes through a trial.
pub(crate) fn undergo<H: Hand>(
    hand: &H,
    trial: &Trial,
    seed: u64,
    index: u64,
) -> Result<(), String> {
    let folder = tempfile::tempdir().unwrap();
    let owner = format!("trial-{}-{seed}-{index}", std::process::id());
    let begun = Instant::now();
    let done = go(hand, trial, &owner, &folder);
    eprintln!("  {index:>3} {:>4} s {trial:?}", begun.elapsed().as_secs());
    done.map_err(|reason| {
        let log = std::fs::read_to_string(folder.path().join("stderr")).unwrap_or_default();
        let lines: Vec<_> = log.lines().rev().take(40).collect();
        let log: Vec<_> = lines.into_iter().rev().collect();
        format!("{reason}\n{}", log.join("\n"))
    })
}

fn go<H: Hand>(hand: &H, trial: &Trial, owner: &str, folder: &TempDir) -> Result<(), String> {
    let first = start(hand, trial, owner, folder);
    match &trial.fate {
        Fate::Lives => {}
        Fate::ComesBack { when, after_ms } => {
            if let Some(outcome) = kill(hand, trial, owner, folder, first, when)? {
                return judge(hand, trial, owner, &outcome);
            }
            std::thread::sleep(Duration::from_millis(*after_ms));
            return ends(hand, trial, owner, folder, None);
        }
        Fate::Dies { when } => {
            if let Some(outcome) = kill(hand, trial, owner, folder, first, when)? {
                return judge(hand, trial, owner, &outcome);
            }
            let until = Instant::now() + Duration::from_secs(2 * trial.lease_s() + 10) + SLACK;
            while Instant::now() < until {
                let left = hand.left(owner);
                if left.is_some_and(|left| left.is_empty() || left == hand.stays(owner)) {
                    return Ok(());
                }
                std::thread::sleep(Duration::from_millis(500));
            }
            return Err(format!("left without an owner: {:?}", hand.left(owner)));
        }
    }
    ends(hand, trial, owner, folder, Some(first))
}

/// Kills an owner at its moment. Gives the outcome if that came first.
fn kill<H: Hand>(
    hand: &H,
    trial: &Trial,
    owner: &str,
    folder: &TempDir,
    first: Owner,
    when: &When,
) -> Result<Option<Value>, String> {
    let until = Instant::now() + LIMIT;
    let mut process = first;
    loop {
        match process.until(when)? {
            Moment::Kill => return Ok(None),
            Moment::Outcome(outcome) => return Ok(Some(outcome)),
            Moment::Ended if Instant::now() > until => {
                return Err("it could never be started".to_owned());
            }
            Moment::Ended => {
                drop(process);
                std::thread::sleep(Duration::from_millis(500));
                process = start(hand, trial, owner, folder);
            }
        }
    }
}

/// Sees it through to its end, with whoever starts an owner anew that ended because its executor was away.
fn ends<H: Hand>(
    hand: &H,
    trial: &Trial,
    owner: &str,
    folder: &TempDir,
    first: Option<Owner>,
) -> Result<(), String> {
    let until = Instant::now() + LIMIT;
    let mut process = first.unwrap_or_else(|| start(hand, trial, owner, folder));
    loop {
        if let Some(outcome) = process.outcome()? {
            return judge(hand, trial, owner, &outcome);
        }
        if Instant::now() > until {
            return Err("it could never be started anew".to_owned());
        }
        drop(process);
        std::thread::sleep(Duration::from_millis(500));
        process = start(hand, trial, owner, folder);
    }
}

fn judge<H: Hand>(hand: &H, trial: &Trial, owner: &str, outcome: &Value) -> Result<(), String> {
    if !trial.allows(outcome) {
        return Err(format!("it is judged wrongly: {}", outcome["verdict"]));
    }
    // an executor that is away can't be asked
    let until = Instant::now() + LIMIT;
    loop {
        match hand.left(owner) {
            Some(left) if left.is_empty() => return Ok(()),
            Some(left) => return Err(format!("left although its outcome was given: {left:?}")),
            None if Instant::now() > until => return Err("nobody says what is left".to_owned()),
            None => std::thread::sleep(Duration::from_millis(500)),
        }
    }
}

//! How a trial goes: its owner goes through what was drawn for it, and what comes of it is judged.

use std::collections::BTreeSet;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use crate::hand::{Hand, Standing};
use crate::owner::{self, Deed, LIMIT, Moment, Owner, start};
use crate::tally::{Happened, Tally};
use crate::trial::{Fate, STATES, Trial, When, Work};

/// Beside its lease twice over and its grace period, how long what is left without an owner may take: the parts of a cluster that see to
/// it wait longer each time when they find another part away.
const SLACK: Duration = Duration::from_secs(300);
/// Between two looks.
const PAUSE: Duration = Duration::from_millis(500);
/// A lease may be over so much before its end is looked at.
const LOOK: Duration = Duration::from_secs(2);

/// How it went.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Went {
    /// As it was drawn.
    AsDrawn,
    /// Well, but its owner was killed at a later state than it was to be.
    Later,
    /// Well, but its owner was to be killed, and its run was over before that.
    NotKilled,
}

/// What came of an owner that was to be killed.
enum Kill {
    /// It was, and this is the state that it had said last.
    At(&'static str),
    /// The outcome came first.
    TooLate(Value),
}

/// A disk of its own without room.
struct FullDisk(TempDir);

impl FullDisk {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().display();
        let line = format!(
            "mount -t tmpfs -o size=64k tmpfs {place} && ! dd if=/dev/zero of={place}/filled bs=1k count=100"
        );
        let made = Command::new("sh")
            .args(["-c", &line])
            .stderr(Stdio::null())
            .status();
        assert!(made.unwrap().success());
        Self(folder)
    }
}

impl Drop for FullDisk {
    fn drop(&mut self) {
        // one that is still used goes away with its last user
        let _ = Command::new("umount")
            .arg("--lazy")
            .arg(self.0.path())
            .status();
    }
}

/// A trial under way.
struct Course<'a, H> {
    hand: &'a H,
    trial: &'a Trial,
    tally: &'a Tally,
    owner: String,
    folder: TempDir,
}

/// Goes through a trial, under a name that no other has.
pub(crate) fn undergo<H: Hand>(
    hand: &H,
    trial: &Trial,
    tally: &Tally,
    name: &str,
) -> Result<Went, String> {
    let course = Course {
        hand,
        trial,
        tally,
        owner: format!("trial-{}-{name}", std::process::id()),
        folder: tempfile::tempdir().unwrap(),
    };
    let begun = Instant::now();
    let went = course.go();
    eprintln!(
        "  {name:>7} {:>4} s {trial:?} {}",
        begun.elapsed().as_secs(),
        match &went {
            Ok(Went::AsDrawn) => "",
            Ok(Went::Later) => "killed later than drawn",
            Ok(Went::NotKilled) => "ended before it was to be killed",
            Err(_) => "FAILED",
        }
    );
    let went_well = matches!(went, Ok(Went::AsDrawn | Went::Later));
    if went_well && trial.work == Work::IgnoresSignals {
        tally.count(Happened::IgnoredSignals);
    }
    went.map_err(|reason| {
        let log = std::fs::read_to_string(course.folder.path().join("stderr")).unwrap_or_default();
        let kept = std::env::temp_dir().join(format!("mkys-{}.log", course.owner));
        std::fs::write(&kept, &log).unwrap();
        let lines: Vec<_> = log.lines().rev().take(40).collect();
        let log: Vec<_> = lines.into_iter().rev().collect();
        format!(
            "{reason}; all that its owners said is in {}\n{}",
            kept.display(),
            log.join("\n")
        )
    })
}

impl<H: Hand> Course<'_, H> {
    fn start(&self) -> Owner {
        start(self.hand, self.trial, &self.owner, &self.folder, None)
    }

    fn go(&self) -> Result<Went, String> {
        let (when, after_ms) = match &self.trial.fate {
            Fate::Lives => {
                self.ends()?;
                self.tally.count(Happened::LivedOn);
                return Ok(Went::AsDrawn);
            }
            Fate::ComesBack { when, after_ms } => (when, Some(*after_ms)),
            Fate::Dies { when } => (when, None),
            Fate::HungUp { when } => return self.goes_on(when, Deed::HangUp),
            Fate::Stopped { when } => return self.goes_on(when, Deed::Nothing),
            Fate::HasNoRoom => return self.is_refused().map(|()| Went::AsDrawn),
        };
        let state = match self.kill(when)? {
            Kill::At(state) => state,
            Kill::TooLate(outcome) => return self.judge(&outcome).map(|()| Went::NotKilled),
        };
        let at = match when {
            // said or not: see `Owner::is_at`
            When::At { state, more_ms: 0 } if *state == STATES[0] => STATES[0],
            _ => state,
        };
        self.tally.count(Happened::Killed(at));
        let record = self.on_record();
        let went = match when {
            When::At { state, .. } if *state != at => Went::Later,
            _ => Went::AsDrawn,
        };
        if let Some(record) = &record {
            self.tally.count(Happened::KilledOnRecord);
            if !record["times"]["gone"].is_null() {
                // all was done but the telling, and who asks again wants it done again
                return self.judge(record).map(|()| went);
            }
        }
        let under_way = match ["running", "serving"].contains(&state) {
            true => self.under_way(),
            false => BTreeSet::new(),
        };
        let Some(after_ms) = after_ms else {
            self.lasts(&under_way)?;
            self.goes_away()?;
            self.tally.count(Happened::NeverCameBack);
            return Ok(went);
        };
        std::thread::sleep(Duration::from_millis(after_ms));
        self.still(&under_way)?;
        self.ends()?;
        record.map_or(Ok(()), |record| self.is_told(&record))?;
        self.tally.count(Happened::CameBack);
        Ok(went)
    }

    /// How the run ended, if its owner wrote that down.
    fn on_record(&self) -> Option<Value> {
        let file = owner::record(&self.folder);
        serde_json::from_slice(&std::fs::read(file).ok()?).ok()
    }

    /// What an owner wrote down and did not live to tell is what the next one told, and nothing was done anew for it.
    fn is_told(&self, record: &Value) -> Result<(), String> {
        let told = self.on_record().unwrap_or_default();
        let what = |record: &Value| {
            let results = record["results"].clone();
            (
                record["verdict"].clone(),
                results,
                record["plan"]["submitted"].clone(),
            )
        };
        match what(record) == what(&told) {
            true => Ok(()),
            false => Err(format!("{record} was on record, and {told} was told")),
        }
    }

    /// Kills an owner at its moment.
    fn kill(&self, when: &When) -> Result<Kill, String> {
        let until = Instant::now() + LIMIT;
        loop {
            match self.start().at(when, Deed::Kill)? {
                Moment::Killed(state) => return Ok(Kill::At(state)),
                Moment::Outcome(outcome) => return Ok(Kill::TooLate(outcome)),
                Moment::Ended if Instant::now() > until => {
                    return Err("it could never be started".to_owned());
                }
                Moment::Ended => std::thread::sleep(PAUSE),
                Moment::GoesOn(_) => return Err("it outlived being killed".to_owned()),
            }
        }
    }

    /// Its owner goes on, whatever was done to it or to its run.
    fn goes_on(&self, when: &When, deed: Deed) -> Result<Went, String> {
        let until = Instant::now() + LIMIT;
        loop {
            let owner = match self.start().at(when, deed)? {
                Moment::GoesOn(owner) => owner,
                Moment::Outcome(outcome) => {
                    return self.judge(&outcome).map(|()| Went::NotKilled);
                }
                Moment::Killed(_) | Moment::Ended if Instant::now() > until => {
                    return Err("it could never be started".to_owned());
                }
                Moment::Killed(_) | Moment::Ended => {
                    std::thread::sleep(PAUSE);
                    continue;
                }
            };
            let was_stopped = deed == Deed::Nothing && self.hand.stop(&self.owner);
            let Some(outcome) = owner.outcome()? else {
                // its executor was away
                return self.ends().map(|()| Went::Later);
            };
            if deed == Deed::HangUp {
                self.tally.count(Happened::HungUp);
            } else if was_stopped && outcome["verdict"]["cause"] == "evicted" {
                self.tally.count(Happened::Stopped);
            }
            return self.judge(&outcome).map(|()| Went::AsDrawn);
        }
    }

    /// Nothing is started whose results could not be kept.
    fn is_refused(&self) -> Result<(), String> {
        let disk = FullDisk::new();
        let place = Some(disk.0.path());
        let owner = start(self.hand, self.trial, &self.owner, &self.folder, place);
        if let Some(outcome) = owner.outcome()? {
            return Err(format!(
                "it was started without room for its results: {outcome}"
            ));
        }
        self.tally.count(Happened::NoRoom);
        match self.hand.left(&self.owner) {
            Some(left) if !left.is_empty() => Err(format!("left of what was refused: {left:?}")),
            _ => Ok(()),
        }
    }

    /// The runs that nobody has asked the end of; none when the executor is away.
    fn under_way(&self) -> BTreeSet<String> {
        let standing = self.hand.standing(&self.owner).unwrap_or_default();
        let under_way = standing.into_iter().filter(|(_, standing)| match standing {
            Standing::UnderWay { .. } => true,
            Standing::Ended | Standing::Over => false,
        });
        under_way.map(|(id, _)| id).collect()
    }

    /// Runs that were under way are still there, or ended by themselves, as far as it can be seen.
    fn still(&self, runs: &BTreeSet<String>) -> Result<(), String> {
        let Some(standing) = self.hand.standing(&self.owner) else {
            return Ok(());
        };
        let early = runs.iter().find(|run| match standing.get(*run) {
            Some(Standing::UnderWay { .. } | Standing::Ended) => false,
            Some(Standing::Over) | None => true,
        });
        early.map_or(Ok(()), |run| {
            let there: Vec<_> = standing.iter().collect();
            Err(format!(
                "{run} was destroyed before its lease was over; there are {there:?}"
            ))
        })
    }

    /// Runs whose owner was killed are there for as long as their lease lasts at least, which is renewed six times in its time.
    fn lasts(&self, runs: &BTreeSet<String>) -> Result<(), String> {
        let standing = self.hand.standing(&self.owner).unwrap_or_default();
        let leases = standing
            .iter()
            .filter_map(|(run, standing)| match standing {
                Standing::UnderWay { leased_for } if runs.contains(run) => Some(*leased_for),
                _ => None,
            });
        let Some(shortest) = leases.min().filter(|_| self.trial.outlasts_a_lease()) else {
            return Ok(());
        };
        let lasts = Duration::from_secs(self.trial.lease_s()) * 2 / 3;
        let until = Instant::now() + lasts.min(shortest.saturating_sub(LOOK));
        while Instant::now() < until {
            self.still(runs)?;
            std::thread::sleep(PAUSE);
        }
        self.tally.count(Happened::KeptForItsLease);
        Ok(())
    }

    /// Nothing is left without an owner, in time.
    fn goes_away(&self) -> Result<(), String> {
        let lease = Duration::from_secs(2 * self.trial.lease_s() + 10);
        let until = Instant::now() + lease + SLACK;
        while Instant::now() < until {
            let left = self.hand.left(&self.owner);
            if left.is_some_and(|left| left.is_empty() || left == self.hand.stays(&self.owner)) {
                return Ok(());
            }
            std::thread::sleep(PAUSE);
        }
        let left = self.hand.left(&self.owner);
        Err(format!("left without an owner: {left:?}"))
    }

    /// Sees it through to its end, with whoever starts an owner anew that ended because its executor was away.
    fn ends(&self) -> Result<(), String> {
        let until = Instant::now() + LIMIT;
        loop {
            if let Some(outcome) = self.start().outcome()? {
                return self.judge(&outcome);
            }
            if Instant::now() > until {
                return Err("it could never be started anew".to_owned());
            }
            std::thread::sleep(PAUSE);
        }
    }

    fn judge(&self, outcome: &Value) -> Result<(), String> {
        let record = self.on_record().unwrap_or_default();
        let remarks = record["remarks"].as_array().into_iter().flatten();
        let remarks: Vec<_> = remarks.filter_map(Value::as_str).collect();
        if self.trial.is_by_itself(outcome, &remarks) {
            self.tally
                .count(Happened::EndedByItself(self.trial.work.name()));
        } else if !self.trial.allows(outcome) {
            return Err(format!(
                "it is judged wrongly: {}, remarks: {remarks:?}",
                outcome["verdict"]
            ));
        }
        // an executor that is away can't be asked
        let until = Instant::now() + LIMIT;
        loop {
            match self.hand.left(&self.owner) {
                Some(left) if left.is_empty() => return Ok(()),
                Some(left) => return Err(format!("left although its outcome was given: {left:?}")),
                None if Instant::now() > until => return Err("nobody says what is left".to_owned()),
                None => std::thread::sleep(PAUSE),
            }
        }
    }
}

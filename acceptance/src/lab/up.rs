//! `lab up`: nothing when the lab is well, a repair when part of it died, a new one otherwise.

use std::collections::HashSet;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::thread;
use std::time::{Duration, Instant};

use super::lock::Lock;
use super::pause::{self, Cancel};
use super::procfs::Ours;
use super::template::Templates;
use super::unit::{Service, Table, Unit, Work};
use super::{
    Error, Lab, external, install, layout, leftovers, prerequisites, probe, process, schedule,
    seed, takeaway,
};

const LINES_SHOWN: usize = 20;
const GRACE: Duration = Duration::from_secs(20);

/// How the lab was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Found {
    /// Every service answers.
    Well,
    /// Whole once, and some of its services live.
    Wounded,
    /// Stopped by `down --keep`.
    Asleep,
    /// Not there, never whole, or all of it was killed: what it holds is worth nothing.
    Nothing,
}

/// Brings the lab up.
///
/// # Errors
/// When the machine can't, a stranger holds a port, or a service doesn't become ready within its limit.
pub fn up(lab: &Lab) -> Result<(), Error> {
    prerequisites::check(lab)?;
    let _lock = Lock::take(&lab.place, &lab.progress)?;
    if install::install_missing(install::Packages::Lab, &lab.progress)? {
        // Some of the looks need programs that were not there.
        prerequisites::check(lab)?;
    }
    let templates = Templates::new(&lab.place, &lab.settings);
    let table = Table::load(&templates)?;
    match look(lab, &table) {
        Found::Well => lab.progress.note("nothing to do: every service answers"),
        Found::Asleep => start(lab, &templates, &table, Found::Asleep)?,
        Found::Nothing => renew(lab, &templates, &table)?,
        Found::Wounded => {
            lab.progress.note("repairing the lab");
            if let Err(error) = start(lab, &templates, &table, Found::Wounded) {
                lab.progress
                    .note(format!("the repair failed ({error}); starting anew"));
                renew(lab, &templates, &table)?;
            }
        }
    }
    let took = lab.progress.elapsed().as_secs_f64();
    let clouds = lab.place.clouds_yaml();
    lab.progress.note(format!(
        "the lab is up after {took:.1} s: {}",
        clouds.display()
    ));
    Ok(())
}

/// From nothing: from the seed where there is one, else from the packages alone, keeping a seed for the next time.
fn renew(lab: &Lab, templates: &Templates, table: &Table) -> Result<(), Error> {
    clear(lab)?;
    if seed::sow(lab)? {
        match start(lab, templates, table, Found::Asleep) {
            Err(error @ Error::Unit { .. }) => {
                lab.progress.note(format!(
                    "the seed does not grow ({error}); starting without"
                ));
                seed::discard(lab)?;
                clear(lab)?;
            }
            result => return result,
        }
    }
    start(lab, templates, table, Found::Nothing)?;
    lab.progress.run("keep a seed", || seed::reap(lab, table))?;
    // The database was away for a moment: everybody finds it again.
    start(lab, templates, table, Found::Wounded)
}

/// Takes away what an earlier run left, whatever ended it.
fn clear(lab: &Lab) -> Result<(), Error> {
    let left = leftovers::Leftovers::look(&lab.place);
    if !left.is_empty() {
        lab.progress.run("take away what was left", || {
            takeaway::everything(&lab.place)
        })?;
        lab.progress.note(format!("took away {left}"));
    }
    takeaway::contents(&lab.place)
}

/// Whether there is a lab whose state [`up`] would keep, also one that sleeps or is damaged.
///
/// # Errors
/// When its own description can't be read.
pub fn is_there(lab: &Lab) -> Result<bool, Error> {
    let table = Table::load(&Templates::new(&lab.place, &lab.settings))?;
    Ok(lab.place.kept().exists() || is_alive(lab, &table))
}

fn is_alive(lab: &Lab, table: &Table) -> bool {
    let mut services = table.services();
    lab.place.ready().exists()
        && services.any(|(unit, _)| process::alive(&lab.place, &unit.name).is_some())
}

fn look(lab: &Lab, table: &Table) -> Found {
    if lab.place.kept().exists() {
        return Found::Asleep;
    }
    if !is_alive(lab, table) {
        return Found::Nothing;
    }
    let well = thread::scope(|scope| {
        let checks: Vec<_> = table
            .services()
            .map(|(unit, service)| scope.spawn(move || is_well(lab, unit, service)))
            .collect();
        checks
            .into_iter()
            .all(|check| check.join().unwrap_or_default())
    });
    if well { Found::Well } else { Found::Wounded }
}

/// It runs, where it should, and answers.
pub(crate) fn is_well(lab: &Lab, unit: &Unit, service: &Service) -> bool {
    let Some(record) = process::alive(&lab.place, &unit.name) else {
        return false;
    };
    let room = |pid: i32| {
        fs::metadata(format!("/proc/{pid}/ns/mnt"))
            .map(|there| there.ino())
            .ok()
    };
    let at_home = service.inside.as_ref().is_none_or(|host| {
        process::alive(&lab.place, host).is_some_and(|host| room(host.pid) == room(record.pid))
    });
    at_home && probe::answers(&lab.place, unit, &service.ready)
}

fn start(lab: &Lab, templates: &Templates, table: &Table, found: Found) -> Result<(), Error> {
    let place = &lab.place;
    let ours = Ours::new(place.state(), &[]).among(super::procfs::processes());
    let pids: HashSet<i32> = ours.iter().map(|one| one.pid).collect();
    if let Some(error) = prerequisites::taken_ports(table, |pid| pids.contains(&pid))
        .into_iter()
        .next()
    {
        return Err(error);
    }
    let _ = fs::remove_file(place.ready());
    layout::lay(lab, templates)?;
    schedule::run(&table.units, |unit, cancel| match &unit.work {
        Work::Service(service) => start_service(lab, unit, service, cancel),
        Work::Commands(commands) => once(lab, unit, || run_commands(lab, unit, commands)),
        Work::Builtin { which, once: true } => {
            once(lab, unit, || which.run(lab, table, found != Found::Wounded))
        }
        Work::Builtin { which, once: false } => {
            timed(lab, unit, || which.run(lab, table, found != Found::Wounded))
        }
    })?;
    fs::write(place.ready(), "").map_err(Error::io("write the mark that all is ready"))?;
    // Only now: a waking that was cut short must not cost the state.
    let _ = fs::remove_file(place.kept());
    Ok(())
}

fn start_service(lab: &Lab, unit: &Unit, service: &Service, cancel: &Cancel) -> Result<(), Error> {
    let place = &lab.place;
    let well = || is_well(lab, unit, service).then_some(());
    // What runs gets time to answer: what it reports to may have been repaired a moment ago.
    let grace = if process::alive(place, &unit.name).is_some() {
        GRACE
    } else {
        Duration::ZERO
    };
    if pause::until(grace, well).is_some() {
        return Ok(());
    }
    process::stop(place, unit, service);
    timed(lab, unit, || {
        let record = process::start(place, unit, service)?;
        let outcome = pause::until(service.starts_within, || {
            if cancel.is_set() {
                return Some(Err(Error::Cancelled));
            }
            // First the answer, then the process: a stranger's answer must not count for one that has died.
            let answered = probe::answers(place, unit, &service.ready);
            if !record.is_alive() {
                return Some(Err(failed(lab, unit, "its process ended")));
            }
            answered.then_some(Ok(()))
        });
        let limit = service.starts_within.as_secs();
        outcome.unwrap_or_else(|| Err(failed(lab, unit, &format!("not ready within {limit} s"))))
    })
}

fn run_commands(lab: &Lab, unit: &Unit, commands: &[Vec<String>]) -> Result<(), Error> {
    for words in commands {
        let log = process::output(&lab.place, &unit.name)?;
        let errors = log.try_clone().map_err(Error::io("open a log"))?;
        let status = process::prepare(&lab.place, words, unit)
            .stdout(log)
            .stderr(errors)
            .status()
            .map_err(Error::io(format!("run {}", words.join(" "))))?;
        if !status.success() {
            return Err(failed(
                lab,
                unit,
                &format!("`{}` ended with {status}", words.join(" ")),
            ));
        }
    }
    Ok(())
}

/// Once in the life of the state directory. The mark comes after the work: cut short, it is done again.
fn once(lab: &Lab, unit: &Unit, work: impl FnOnce() -> Result<(), Error>) -> Result<(), Error> {
    let mark = lab.place.done().join(&unit.name);
    if mark.exists() {
        return Ok(());
    }
    timed(lab, unit, work)?;
    fs::write(&mark, "").map_err(Error::io(format!("write {}", mark.display())))
}

fn timed(lab: &Lab, unit: &Unit, work: impl FnOnce() -> Result<(), Error>) -> Result<(), Error> {
    let start = Instant::now();
    work()?;
    lab.progress.stage(&unit.name, start.elapsed());
    Ok(())
}

/// A row's failure, with the last lines of whichever of its logs was written last.
fn failed(lab: &Lab, unit: &Unit, reason: &str) -> Error {
    let folder = lab.place.log();
    let changed =
        |path: &std::path::PathBuf| fs::metadata(path).and_then(|file| file.modified()).ok();
    let log = ["log", "out"]
        .iter()
        .map(|ending| folder.join(format!("{}.{ending}", unit.name)))
        .max_by_key(changed)
        .unwrap_or_default();
    let text = fs::read(&log).map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    let tail: String = external::last(&text.unwrap_or_default(), LINES_SHOWN)
        .lines()
        .map(|line| format!("  {line}\n"))
        .collect();
    Error::Unit {
        unit: unit.name.clone(),
        reason: reason.to_owned(),
        tail,
        log,
    }
}

//! Takes away what of a lab is on the machine, whoever left it, until nothing is found any more.

use std::fs;
use std::io::Write as _;
use std::process::{Command, Stdio};
use std::time::Duration;

use rustix::process::Signal;

use super::external::{self, run};
use super::leftovers::{Leftovers, without_chains};
use super::{Error, pause, process};
use crate::place::Place;

/// How long processes have to be gone after they were killed.
const PATIENCE: Duration = Duration::from_secs(20);

/// Takes everything away but files. Guests first: killed services can't restart them.
pub(crate) fn everything(place: &Place) -> Result<(), Error> {
    let mut left = Leftovers::look(place);
    if left.is_empty() {
        return Ok(());
    }
    let clean = pause::until(PATIENCE, || {
        processes(&left);
        // Links and namespaces of living processes come back: they go last.
        if left.processes.is_empty() {
            things(&left);
        }
        left = Leftovers::look(place);
        left.is_empty().then_some(())
    });
    clean.ok_or_else(|| Error::LeftBehind(left.lines()))
}

fn processes(left: &Leftovers) {
    let (guests, others): (Vec<_>, Vec<_>) = left
        .processes
        .iter()
        .partition(|one| one.command.contains("qemu-system"));
    for process in guests.into_iter().chain(others) {
        process::signal(process.pid, Signal::KILL);
    }
}

/// Each by itself: what fails is seen again by the next look.
fn things(left: &Leftovers) {
    for name in &left.namespaces {
        let _ = run(&["ip", "netns", "del", name]);
    }
    for name in &left.links {
        let _ = run(&["ip", "link", "del", name]);
    }
    for path in &left.mounts {
        let _ = run(&["umount", "--lazy", path]);
    }
    for firewall in &left.rules {
        let _ = restore_rules(firewall);
    }
    for name in &left.sets {
        let _ = run(&["ipset", "destroy", name]);
    }
}

fn restore_rules(firewall: &str) -> Result<(), Error> {
    let program = format!("{firewall}-restore");
    let rules = without_chains(&run(&[&format!("{firewall}-save")])?);
    let doing = || Error::io(format!("run {program}"));
    let mut child = Command::new(&program)
        .env("PATH", external::PATH)
        .stdin(Stdio::piped())
        .spawn()
        .map_err(doing())?;
    if let Some(mut input) = child.stdin.take() {
        input.write_all(rules.as_bytes()).map_err(doing())?;
    }
    child.wait().map(drop).map_err(doing())
}

/// Removes the state directory: everything but the lock first, then the lock with it.
pub(crate) fn files(place: &Place) -> Result<(), Error> {
    contents(place)?;
    let state = place.state();
    fs::remove_dir_all(state).map_err(Error::io(format!("remove {}", state.display())))
}

/// Empties the state directory but for the lock that is held there.
pub(crate) fn contents(place: &Place) -> Result<(), Error> {
    let state = place.state();
    let doing = || Error::io(format!("empty {}", state.display()));
    for entry in fs::read_dir(state).map_err(doing())? {
        let path = entry.map_err(doing())?.path();
        if path.file_name().is_some_and(|name| name == "lock") {
            continue;
        }
        let removed = if path.is_dir() {
            fs::remove_dir_all(&path)
        } else {
            fs::remove_file(&path)
        };
        removed.map_err(Error::io(format!("remove {}", path.display())))?;
    }
    Ok(())
}

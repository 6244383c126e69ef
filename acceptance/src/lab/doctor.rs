//! `lab doctor`: what is wrong, a sentence each; changes nothing.

use std::collections::HashSet;

use super::leftovers::Leftovers;
use super::template::Templates;
use super::unit::Table;
use super::{Error, Lab, install, prerequisites, process, up};

/// Prints what is wrong; true when nothing is.
///
/// # Errors
/// When the lab's own table is wrong.
pub fn doctor(lab: &Lab) -> Result<bool, Error> {
    let table = Table::load(&Templates::new(&lab.place, &lab.settings))?;
    let mut found: Vec<String> = prerequisites::problems(lab)
        .iter()
        .map(ToString::to_string)
        .collect();
    let missing = install::missing(install::Packages::Lab)?;
    if !missing.is_empty() {
        found.push(format!(
            "{} packages are missing ({}): `lab install`",
            missing.len(),
            missing.join(" ")
        ));
    }
    let left = Leftovers::look(&lab.place);
    let pids: HashSet<i32> = left.processes.iter().map(|one| one.pid).collect();
    let taken = prerequisites::taken_ports(&table, |pid| pids.contains(&pid));
    found.extend(taken.iter().map(ToString::to_string));
    if lab.place.ready().exists() {
        found.extend(
            table
                .services()
                .filter(|(unit, service)| !up::is_well(lab, unit, service))
                .map(|(unit, _)| {
                    let log = lab.place.log().join(format!("{}.out", unit.name));
                    let alive = process::alive(&lab.place, &unit.name).is_some();
                    let state = if alive {
                        "does not answer"
                    } else {
                        "does not run"
                    };
                    format!(
                        "{} {state}: see {}, `lab up` repairs it",
                        unit.name,
                        log.display()
                    )
                }),
        );
    } else {
        let leftover =
            |line| format!("left by an earlier run: {line}; `lab up` or `lab down` takes it away");
        found.extend(left.lines().into_iter().map(leftover));
    }
    for line in &found {
        lab.progress.line(line);
    }
    if found.is_empty() {
        let state = match (lab.place.ready().exists(), lab.place.kept().exists()) {
            (true, _) => "the lab is up and well",
            (false, true) => "the lab is down, its state kept",
            (false, false) => "there is no lab",
        };
        lab.progress.line(format!("nothing is wrong; {state}"));
    }
    Ok(found.is_empty())
}

//! `lab doctor`: what is wrong, a sentence each; changes nothing.

use std::collections::HashSet;
use std::fs;

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
    found.extend(retries(lab, &table));
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

/// Neutron's agents retry some commands without end and answer nothing else meanwhile, while the API lists them as alive: only their logs tell.
fn retries(lab: &Lab, table: &Table) -> Vec<String> {
    let agents = table.services().map(|(unit, _)| &unit.name);
    let agents = agents.filter(|name| name.starts_with("neutron-") && name.ends_with("-agent"));
    let failed = agents.filter_map(|name| {
        let log = lab.place.log().join(format!("{name}.log"));
        let text = fs::read(&log).ok()?;
        let text = String::from_utf8_lossy(&text);
        let count = text.lines().filter(|line| is_failure(line)).count();
        let last = text.lines().rfind(|line| is_failure(line))?;
        Some(format!(
            "{name} had {count} commands that failed, see {}; the last: {last}",
            log.display()
        ))
    });
    failed.collect()
}

/// As `neutron/agent/linux/utils.py` logs a command that ended with an error.
fn is_failure(line: &str) -> bool {
    line.contains("Exit code: ") && !line.contains("Exit code: 0")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failed_command_in_agent_log_is_found() {
        let line = "2026-01-01 10:00:00.000 1 ERROR neutron.agent.linux.utils [-] Exit code: 4; Cmd: ['ebtables']";
        assert!(is_failure(line));
        assert!(!is_failure(&line.replace("code: 4", "code: 0")));
    }
}

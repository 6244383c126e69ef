//! `lab doctor`: what is wrong, a sentence each; changes nothing.

use std::collections::{BTreeMap, HashSet};
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

/// How often one command must have failed to count as retried. A command may fail once or twice by itself, as where a router goes meanwhile.
const RETRIED: usize = 4;

/// Neutron's agents retry some commands without end and answer nothing else meanwhile, while the API lists them as alive: only their logs tell.
fn retries(lab: &Lab, table: &Table) -> Vec<String> {
    let agents = table.services().map(|(unit, _)| &unit.name);
    let agents = agents.filter(|name| name.starts_with("neutron-") && name.ends_with("-agent"));
    let mut found = Vec::new();
    for name in agents {
        let log = lab.place.log().join(format!("{name}.log"));
        let text = fs::read(&log).unwrap_or_default();
        for (command, count) in retried(&String::from_utf8_lossy(&text)) {
            let log = log.display();
            found.push(format!(
                "{name} had a command fail {count} times, see {log}: {command}"
            ));
        }
    }
    found
}

/// The commands that failed again and again, by a log of `neutron/agent/linux/utils.py`.
fn retried(log: &str) -> BTreeMap<&str, usize> {
    let mut failed = BTreeMap::new();
    for line in log.lines().filter(|line| line.contains(" ERROR ")) {
        let command = line
            .split_once("Exit code: ")
            .and_then(|(_, rest)| rest.split_once("; Stdin"));
        if let Some((command, _)) = command {
            *failed.entry(command).or_default() += 1;
        }
    }
    failed.retain(|_, count| *count >= RETRIED);
    failed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn command_is_retried_from_its_fourth_failure_on() {
        let line = |port: u32| {
            format!(
                "2026-01-01 10:00:00.000 1 ERROR neutron.agent.linux.utils [-] Exit code: 4; Cmd: ['ebtables', 'tap{port}']; Stdin: ; Stdout: ; Stderr: x\n"
            )
        };
        let log: String = (0..3).map(|_| line(1)).chain([line(2)]).collect();
        assert_eq!(retried(&log), BTreeMap::new());
        let log = log + &line(1);
        assert_eq!(
            retried(&log),
            BTreeMap::from([("4; Cmd: ['ebtables', 'tap1']", 4)])
        );
    }
}

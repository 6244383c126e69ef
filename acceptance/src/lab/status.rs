//! `lab status`: the services, as they are now.

use std::thread;

use super::procfs::{self, Process};
use super::template::Templates;
use super::unit::{Service, Table, Unit};
use super::{Error, Lab, process, up};

/// Prints the services; true when all are well.
///
/// # Errors
/// When the lab's own table is wrong.
pub fn status(lab: &Lab) -> Result<bool, Error> {
    let table = Table::load(&Templates::new(&lab.place, &lab.settings))?;
    let processes = procfs::processes();
    let rows: Vec<(String, bool)> = thread::scope(|scope| {
        let rows: Vec<_> = table
            .services()
            .map(|(unit, service)| {
                let processes = &processes;
                scope.spawn(move || row(lab, unit, service, processes))
            })
            .collect();
        rows.into_iter().filter_map(|row| row.join().ok()).collect()
    });
    lab.progress.line(format!(
        "{:<28} {:>8} {:<12} {:>7}  listens",
        "service", "pid", "state", "MiB"
    ));
    for (line, _) in &rows {
        lab.progress.line(line);
    }
    let total: u64 = processes
        .iter()
        .map(|one| procfs::resident_kib(one.pid))
        .sum::<u64>()
        / 1024;
    lab.progress.line(format!(
        "state in {}; {total} MiB used by all processes of the machine",
        lab.place.state().display()
    ));
    Ok(rows.iter().all(|(_, well)| *well))
}

fn row(lab: &Lab, unit: &Unit, service: &Service, processes: &[Process]) -> (String, bool) {
    let well = up::is_well(lab, unit, service);
    let alive = process::alive(&lab.place, &unit.name);
    let state = match (well, alive) {
        (true, _) => "answers",
        (false, Some(_)) => "no answer",
        (false, None) => "not running",
    };
    let pid = alive.map(|record| record.pid);
    let group = processes.iter().filter(|one| Some(one.group()) == pid);
    let memory: u64 = group.map(|one| procfs::resident_kib(one.pid)).sum::<u64>() / 1024;
    let listens: Vec<String> = service.listens.iter().map(ToString::to_string).collect();
    let pid = pid.map_or_else(|| "-".into(), |pid| pid.to_string());
    (
        format!(
            "{:<28} {pid:>8} {state:<12} {memory:>7}  {}",
            unit.name,
            listens.join(" ")
        ),
        well,
    )
}

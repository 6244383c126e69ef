//! Runs the table: every row in a thread of its own as soon as what it needs is ready.

use std::collections::HashSet;
use std::sync::mpsc;
use std::thread;

use super::pause::Cancel;
use super::unit::Unit;
use super::{Error, order};

/// Runs `work` for every row in an order that meets the needs. The first failure cancels what runs and starts nothing more.
pub(crate) fn run(
    units: &[Unit],
    work: impl Fn(&Unit, &Cancel) -> Result<(), Error> + Sync,
) -> Result<(), Error> {
    let cancel = Cancel::default();
    let mut started = HashSet::new();
    let mut done = HashSet::new();
    let mut failure = None;
    thread::scope(|scope| {
        let (sender, results) = mpsc::channel();
        loop {
            if failure.is_none() {
                let next: Vec<&Unit> = order::startable(units, &started, &done).collect();
                for unit in next {
                    started.insert(unit.name.as_str());
                    let (sender, work, cancel) = (sender.clone(), &work, &cancel);
                    scope.spawn(move || sender.send((unit, work(unit, cancel))));
                }
            }
            if done.len() == started.len() {
                break;
            }
            let Ok((unit, result)) = results.recv() else {
                break;
            };
            done.insert(unit.name.as_str());
            if let Err(error) = result {
                cancel.now();
                // What was cancelled in consequence says nothing of the cause.
                if failure.is_none() {
                    failure = Some(error);
                }
            }
        }
    });
    failure.map_or(Ok(()), Err)
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;
    use crate::lab::unit::tests::parse;

    const ROWS: &str = "databases: []
units:
  - {name: c, needs: [a, b], commands: [[x]]}
  - {name: a, commands: [[x]]}
  - {name: b, needs: [a], commands: [[x]]}";

    #[test]
    fn rows_run_in_an_order_that_meets_their_needs() {
        let table = parse(ROWS).unwrap();
        let seen = Mutex::new(Vec::new());
        run(&table.units, |unit, _| {
            seen.lock().unwrap().push(unit.name.clone());
            Ok(())
        })
        .unwrap();
        assert_eq!(*seen.lock().unwrap(), ["a", "b", "c"]);
    }

    #[test]
    fn after_a_failure_nothing_more_starts() {
        let table = parse(ROWS).unwrap();
        let seen = Mutex::new(Vec::new());
        let error = run(&table.units, |unit, _| {
            seen.lock().unwrap().push(unit.name.clone());
            if unit.name == "b" {
                Err(Error::Machine("no".into()))
            } else {
                Ok(())
            }
        })
        .unwrap_err();
        assert!(error.to_string().ends_with("no"));
        assert_eq!(*seen.lock().unwrap(), ["a", "b"]);
    }
}

//! Which rows of the table may start: pure, over names.

use std::collections::HashSet;

use super::unit::Unit;

/// Refuses a table with a name twice, a need that nobody meets, or needs that go round in a circle.
pub(crate) fn check(units: &[Unit]) -> Result<(), String> {
    let mut names = HashSet::new();
    for unit in units {
        if !names.insert(unit.name.as_str()) {
            return Err(format!("{} is there twice", unit.name));
        }
    }
    for unit in units {
        if let Some(missing) = unit
            .needs
            .iter()
            .find(|need| !names.contains(need.as_str()))
        {
            return Err(format!("{} needs {missing}, which is not there", unit.name));
        }
    }
    let done: HashSet<&str> = waves(units)
        .into_iter()
        .flatten()
        .map(|unit| unit.name.as_str())
        .collect();
    match units.iter().find(|unit| !done.contains(unit.name.as_str())) {
        Some(stuck) => Err(format!(
            "{} can never start: its needs go round in a circle",
            stuck.name
        )),
        None => Ok(()),
    }
}

/// Rows that were not started and whose needs are all done, in the table's order.
pub(crate) fn startable<'a>(
    units: &'a [Unit],
    started: &HashSet<&str>,
    done: &HashSet<&str>,
) -> impl Iterator<Item = &'a Unit> {
    units.iter().filter(move |unit| {
        !started.contains(unit.name.as_str())
            && unit.needs.iter().all(|need| done.contains(need.as_str()))
    })
}

/// The rows in waves: each wave needs only those before it.
pub(crate) fn waves(units: &[Unit]) -> Vec<Vec<&Unit>> {
    let mut done = HashSet::new();
    let mut waves = Vec::new();
    loop {
        let wave: Vec<&Unit> = startable(units, &done, &done).collect();
        if wave.is_empty() {
            return waves;
        }
        done.extend(wave.iter().map(|unit| unit.name.as_str()));
        waves.push(wave);
    }
}

#[cfg(test)]
mod tests {
    use crate::lab::unit::tests::parse;

    fn table(rows: &[(&str, &str)]) -> Result<crate::lab::unit::Table, String> {
        let rows: Vec<String> = rows
            .iter()
            .map(|(name, needs)| format!("{{name: {name}, needs: [{needs}], commands: [[x]]}}"))
            .collect();
        parse(&format!("databases: []\nunits: [{}]", rows.join(", ")))
    }

    #[test]
    fn circles_strangers_and_doubles_are_refused() {
        for (rows, says) in [
            (&[("a", "b"), ("b", "a")][..], "circle"),
            (&[("a", "c")], "needs c"),
            (&[("a", ""), ("a", "")], "twice"),
        ] {
            assert!(table(rows).unwrap_err().contains(says));
        }
    }

    #[test]
    fn what_needs_nothing_starts_first() {
        let table = table(&[("c", "a, b"), ("a", ""), ("b", "a")]).unwrap();
        let names = |started: &[&str], done: &[&str]| {
            let (started, done) = (
                started.iter().copied().collect(),
                done.iter().copied().collect(),
            );
            super::startable(&table.units, &started, &done)
                .map(|u| u.name.clone())
                .collect::<Vec<_>>()
        };
        assert_eq!(names(&[], &[]), ["a"]);
        assert_eq!(names(&["a"], &[]), [""; 0]);
        assert_eq!(names(&["a"], &["a"]), ["b"]);
        assert_eq!(names(&["a", "b"], &["a", "b"]), ["c"]);
    }
}

//! What happened in the trials, counted.

use std::collections::BTreeMap;
use std::fmt;

use super::happening::Happening;

/// Something that trials are about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Count {
    Happened(Happening),
    /// A change was acknowledged.
    Change,
    /// A change was refused for want of room.
    Refused,
    /// A visitor's connections went on.
    WentOn,
    /// A visitor's connections ended with their route.
    Ended,
}

#[derive(Debug, Default)]
pub(super) struct Tally(BTreeMap<Count, usize>);

impl Tally {
    pub(super) fn add(&mut self, what: Count, number: usize) {
        *self.0.entry(what).or_default() += number;
    }

    /// What never happened.
    pub(super) fn missing(&self) -> Vec<Count> {
        let others = [Count::Change, Count::Refused, Count::WentOn, Count::Ended];
        let all = Happening::ALL
            .map(Count::Happened)
            .into_iter()
            .chain(others);
        all.filter(|what| self.0.get(what).is_none_or(|number| *number == 0))
            .collect()
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (what, number) in &self.0 {
            match what {
                Count::Happened(happening) => writeln!(f, "{number:>6}  {happening:?}")?,
                Count::Change => writeln!(f, "{number:>6}  changes acknowledged")?,
                Count::Refused => writeln!(f, "{number:>6}  changes refused for want of room")?,
                Count::WentOn => {
                    writeln!(f, "{number:>6}  rounds that visitors noticed nothing of")?
                }
                Count::Ended => writeln!(f, "{number:>6}  connections ended with their route")?,
            }
        }
        Ok(())
    }
}

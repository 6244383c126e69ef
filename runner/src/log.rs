//! Lines that a run wrote, and the places in its log where reading can be taken up again.
//!
//! Engines and Kubernetes find a place by time alone, some of them by whole seconds; so a place is a time and how many lines of that
//! time were read.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// A place in a run's log: right after a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogPlace {
    /// The line's time, as the executor tells it.
    pub at: Timestamp,
    /// Lines of that time up to this one.
    pub lines: u64,
}

/// A line that a run wrote.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogLine {
    /// Where reading can be taken up again after it.
    pub place: LogPlace,
    /// Whether it was written to the standard error.
    pub error: bool,
    /// The line, without its end.
    pub text: String,
}

/// Finds the places of lines as they come, and leaves out those before the place that reading is taken up at.
#[derive(Debug)]
pub(crate) struct Reading {
    from: Option<LogPlace>,
    last: LogPlace,
}

impl Reading {
    pub(crate) fn from(from: Option<LogPlace>) -> Self {
        let last = LogPlace {
            at: Timestamp::MIN,
            lines: 0,
        };
        Self { from, last }
    }

    /// The time to ask an executor for, that gives all lines which may be after the place.
    pub(crate) fn since(from: Option<LogPlace>) -> Option<Timestamp> {
        from.map(|from| {
            from.at
                .saturating_sub(SignedDuration::from_secs(1))
                .unwrap_or(from.at)
        })
    }

    /// The next line, unless it was read before. One without a time is of the time of the line before it.
    pub(crate) fn line(
        &mut self,
        at: Option<Timestamp>,
        error: bool,
        text: String,
    ) -> Option<LogLine> {
        let at = at.unwrap_or(self.last.at);
        let lines = match at == self.last.at {
            true => self.last.lines + 1,
            false => 1,
        };
        let place = LogPlace { at, lines };
        self.last = place;
        let is_new = self
            .from
            .is_none_or(|from| (at, lines) > (from.at, from.lines));
        is_new.then_some(LogLine { place, error, text })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may stop at once")]
mod tests {
    use super::*;

    /// What an executor gives that counts in whole seconds.
    const LINES: [(i64, &str); 5] = [(1, "a"), (1, "b"), (1, "c"), (2, "d"), (2, "e")];

    fn read(from: Option<LogPlace>) -> Vec<LogLine> {
        let since = Reading::since(from).map_or(i64::MIN, Timestamp::as_second);
        let mut reading = Reading::from(from);
        let given = LINES.iter().filter(|(at, _)| *at > since);
        given
            .filter_map(|(at, text)| {
                let at = Timestamp::from_second(*at).unwrap();
                reading.line(Some(at), false, (*text).to_owned())
            })
            .collect()
    }

    #[test]
    fn no_line_comes_twice_and_none_is_missed_wherever_it_is_taken_up() {
        let all = read(None);
        assert_eq!(all.len(), LINES.len());
        for (index, line) in all.iter().enumerate() {
            assert_eq!(
                read(Some(line.place)),
                all[index + 1..],
                "after {}",
                line.text
            );
        }
    }
}

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

/// Beyond this, times of a log's lines are in order. What writes them down takes the standard output's and the standard error's
/// from two threads, so a line may have an earlier time than the one before it.
const DISORDER: SignedDuration = SignedDuration::from_secs(1);

/// The most bytes of a line that are kept until it ends: what is longer comes in pieces, each as a line of its own. A program that
/// never ends its line takes no more than that of its owner's memory.
pub(crate) const LONGEST: usize = 64 * 1024;

/// Why a log is not whole although it was read to its end.
pub(crate) const MISSING: &str =
    "it was longer than what is kept of a log, and lines may be missing";

/// A part of a line, as an executor gives it.
#[derive(Debug)]
struct Part {
    place: LogPlace,
    error: bool,
    text: String,
}

/// Puts lines together as their parts come, finds their places, and leaves out what is before the place that reading is taken up at.
///
/// What a program wrote of a line before it went on with it comes by itself. Whoever takes reading up between such parts misses those
/// that came before. A line that is too long is given in pieces.
#[derive(Debug)]
pub(crate) struct Reading {
    /// The place that reading is taken up at, for as long as its line has not come.
    sought: Option<LogPlace>,
    /// What came meanwhile and is later than it: left out once it comes, and given if it turns out to be there no more.
    held: Vec<Part>,
    last: LogPlace,
    /// Whether the place was there no more, so that lines after it may be missing.
    lost: bool,
    /// Lines that are not whole, of the standard output and of the standard error.
    begun: [Option<(LogPlace, String)>; 2],
}

impl Reading {
    pub(crate) fn from(from: Option<LogPlace>) -> Self {
        let last = LogPlace {
            at: Timestamp::MIN,
            lines: 0,
        };
        Self {
            sought: from,
            held: Vec::new(),
            last,
            lost: false,
            begun: [None, None],
        }
    }

    /// The time to ask an executor for, that gives all lines which may be after the place.
    pub(crate) fn since(from: Option<LogPlace>) -> Option<Timestamp> {
        from.map(|from| from.at.saturating_sub(DISORDER).unwrap_or(from.at))
    }

    /// The next part of a line, with its end if it is the last one. Gives the lines that are whole with it. A part without a time is of
    /// the time of the one before it.
    pub(crate) fn part(&mut self, at: Option<Timestamp>, error: bool, text: &str) -> Vec<LogLine> {
        let at = at.unwrap_or(self.last.at);
        let lines = match at == self.last.at {
            true => self.last.lines + 1,
            false => 1,
        };
        let place = LogPlace { at, lines };
        self.last = place;
        let text = text.to_owned();
        let part = Part { place, error, text };
        let Some(sought) = self.sought else {
            return self.put(part);
        };
        if place == sought {
            self.sought = None;
            self.held.clear();
            return Vec::new();
        }
        if at > sought.at {
            self.held.push(part);
        }
        if at.duration_since(sought.at) > DISORDER {
            return self.give_held();
        }
        Vec::new()
    }

    /// The place is there no more: what came after it is given.
    fn give_held(&mut self) -> Vec<LogLine> {
        self.lost |= self.sought.take().is_some();
        let held = std::mem::take(&mut self.held);
        held.into_iter().flat_map(|part| self.put(part)).collect()
    }

    /// Adds a part to its line. Gives the line once it is whole, and what is too long of it before.
    fn put(&mut self, part: Part) -> Vec<LogLine> {
        let Part { place, error, text } = part;
        let begun = &mut self.begun[usize::from(error)];
        let (_, mut line) = begun.take().unwrap_or((place, String::new()));
        let is_whole = text.ends_with('\n');
        let text = text.strip_suffix('\n').map_or(text.as_str(), |text| {
            text.strip_suffix('\r').unwrap_or(text)
        });
        line.push_str(text);
        let mut lines = Vec::new();
        let given = |text: String| LogLine { place, error, text };
        while line.len() > LONGEST {
            let rest = line.split_off(line.floor_char_boundary(LONGEST));
            lines.push(given(std::mem::replace(&mut line, rest)));
        }
        match is_whole {
            true => lines.push(given(line)),
            false => *begun = Some((place, line)),
        }
        lines
    }

    /// Whether the place that reading was taken up at has not come: what kept the log may have thrown lines after it away.
    pub(crate) const fn has_lost(&self) -> bool {
        self.lost || self.sought.is_some()
    }

    /// What is left at the end: what was held, and what was written of lines that never became whole.
    pub(crate) fn rest(&mut self) -> Vec<LogLine> {
        let mut lines = self.give_held();
        let rest = [false, true].map(|error| {
            let (place, text) = self.begun[usize::from(error)].take()?;
            Some(LogLine { place, error, text })
        });
        lines.extend(rest.into_iter().flatten());
        lines
    }
}

/// A line's time, which an executor wrote before it.
pub(crate) fn timed(line: &str) -> (Option<Timestamp>, &str) {
    let timed = line.split_once(' ').and_then(|(at, text)| {
        let at: Timestamp = at.parse().ok()?;
        Some((at, text))
    });
    timed.map_or((None, line), |(at, text)| (Some(at), text))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may stop at once")]
mod tests {
    use super::*;

    /// What an executor gives that counts in whole seconds.
    const LINES: [(i64, &str); 5] = [(1, "a"), (1, "b"), (1, "c"), (2, "d"), (2, "e")];

    fn read(from: Option<LogPlace>) -> Vec<LogLine> {
        let since = Reading::since(from).map_or(i64::MIN, Timestamp::as_second);
        let given = LINES.iter().filter(|(at, _)| *at > since);
        let given = given.map(|(at, text)| (at * 1_000, *text));
        read_of(&given.collect::<Vec<_>>(), from)
    }

    /// What is read of lines with times in milliseconds.
    fn read_of(given: &[(i64, &str)], from: Option<LogPlace>) -> Vec<LogLine> {
        let mut reading = Reading::from(from);
        let mut lines = Vec::new();
        for (at, text) in given {
            let at = Timestamp::from_millisecond(*at).unwrap();
            lines.extend(reading.part(Some(at), false, &format!("{text}\n")));
        }
        lines.extend(reading.rest());
        lines
    }

    #[test]
    fn times_may_be_in_disorder() {
        let given = [(10, "one"), (30, "three"), (20, "two"), (40, "four")];
        let all = read_of(&given, None);
        for (index, line) in all.iter().enumerate() {
            let rest = read_of(&given, Some(line.place));
            assert_eq!(rest, all[index + 1..], "after {}", line.text);
        }
    }

    #[test]
    fn a_place_that_is_there_no_more_is_passed() {
        let gone = Timestamp::from_millisecond(500).unwrap();
        let place = Some(LogPlace { at: gone, lines: 1 });
        let given = [(400, "before"), (900, "soon"), (5_000, "later")];
        let texts: Vec<_> = read_of(&given, place)
            .into_iter()
            .map(|line| line.text)
            .collect();
        assert_eq!(texts, ["soon", "later"]);
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

    #[test]
    fn a_line_comes_once_it_is_whole() {
        let mut reading = Reading::from(None);
        let mut part = |error, text| reading.part(None, error, text).pop().map(|line| line.text);
        assert_eq!(part(false, "50 %"), None);
        assert_eq!(part(true, "odd\r\n").as_deref(), Some("odd"));
        assert_eq!(part(false, " 60 %"), None);
        assert_eq!(part(false, " done\n").as_deref(), Some("50 % 60 % done"));
        assert_eq!(part(true, "the end"), None);
        let rest = reading.rest();
        assert_eq!(rest.len(), 1);
        assert_eq!((rest[0].text.as_str(), rest[0].error), ("the end", true));
    }
}

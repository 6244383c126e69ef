//! What happened in trials, counted: they say nothing of what never happened in them.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Something that trials are about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Happened {
    /// An owner was killed, and this is the state that it had said last of its run.
    Killed(&'static str),
    /// A run ended as its work does by itself, and this is the kind of work.
    EndedByItself(&'static str),
    /// Nothing happened to an owner.
    LivedOn,
    /// An owner was killed, and another of its name took its run over.
    CameBack,
    /// An owner was killed for good, and nothing was left.
    NeverCameBack,
    /// How its run had ended was on record when an owner was killed.
    KilledOnRecord,
    /// A run ended before its owner was to be killed, so that another trial was drawn.
    NotKilled,
    /// A run whose owner had been killed was looked at for as long as it was to be there.
    KeptForItsLease,
    /// An owner's terminal was closed.
    HungUp,
    /// A run was stopped from outside.
    Stopped,
    /// A run was refused since there was no room for its results.
    NoRoom,
    /// A command that ignores SIGTERM was ended.
    IgnoredSignals,
    /// A request was answered so, and never got there.
    Refused(u16),
    /// A request got there, and its answer did not come back.
    AnswerLost,
    /// A watch was cut off.
    WatchCut,
    /// A watch said of itself that it was too old, after it had been answered.
    WatchExpired,
    /// Something of the executor went away.
    Away(&'static str),
    /// The same, for a minute.
    AwayForAMinute(&'static str),
}

impl fmt::Display for Happened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Killed(state) => write!(f, "owners killed at {state}"),
            Self::EndedByItself(work) => write!(f, "runs judged by their work: {work}"),
            Self::LivedOn => f.write_str("owners that nothing happened to"),
            Self::CameBack => f.write_str("owners killed and started anew"),
            Self::NeverCameBack => f.write_str("owners killed for good"),
            Self::KilledOnRecord => f.write_str("owners killed with their run's end on record"),
            Self::NotKilled => f.write_str("runs that ended too early for a kill"),
            Self::KeptForItsLease => f.write_str("runs there for their lease"),
            Self::HungUp => f.write_str("terminals closed"),
            Self::Stopped => f.write_str("runs stopped from outside"),
            Self::NoRoom => f.write_str("runs refused for want of room"),
            Self::IgnoredSignals => f.write_str("commands that ignored SIGTERM"),
            Self::Refused(code) => write!(f, "requests refused with {code}"),
            Self::AnswerLost => f.write_str("answers lost"),
            Self::WatchCut => f.write_str("watches cut"),
            Self::WatchExpired => f.write_str("watches ended by a 410 in them"),
            Self::Away(what) => write!(f, "{what} away"),
            Self::AwayForAMinute(what) => write!(f, "{what} away for a minute"),
        }
    }
}

/// How often each happened.
#[derive(Debug, Default)]
pub(crate) struct Tally(Mutex<BTreeMap<Happened, u32>>);

impl Tally {
    fn seen(&self) -> MutexGuard<'_, BTreeMap<Happened, u32>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// It happened once more.
    pub(crate) fn count(&self, what: Happened) {
        *self.seen().entry(what).or_default() += 1;
    }

    /// Which of these never happened.
    pub(crate) fn missing(&self, wanted: &[Happened]) -> Vec<String> {
        let seen = self.seen();
        let missing = wanted.iter().filter(|what| !seen.contains_key(what));
        missing.map(ToString::to_string).collect()
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (what, times) in self.seen().iter() {
            writeln!(f, "{times:>6}  {what}")?;
        }
        Ok(())
    }
}

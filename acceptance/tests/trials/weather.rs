//! While trials go on, what they are on goes away now and then, and comes back.

use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::hand::Hand;
use crate::tally::{Happened, Tally};
use mkys_acceptance::chance::Chance;

/// Between two storms, in milliseconds: the least and the most.
const CALM: (u64, u64) = (8_000, 25_000);
/// The same, before those that are to come whatever is drawn: a short run is over soon.
const SOON: (u64, u64) = (2_000, 6_000);
/// What this long a storm is counted for beside others.
const MINUTE_MS: u64 = 60_000;

/// Something of an executor that is away for a while.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Storm {
    pub(crate) what: &'static str,
    pub(crate) away_ms: u64,
}

impl Storm {
    /// One of a few seconds.
    pub(crate) const fn short(what: &'static str) -> Self {
        let away_ms = 5_000;
        Self { what, away_ms }
    }

    /// One of a minute.
    pub(crate) const fn long(what: &'static str) -> Self {
        let away_ms = MINUTE_MS;
        Self { what, away_ms }
    }

    /// What it is counted for.
    pub(crate) fn counts(self) -> impl Iterator<Item = Happened> {
        let long = (self.away_ms >= MINUTE_MS).then_some(Happened::AwayForAMinute(self.what));
        long.into_iter().chain([Happened::Away(self.what)])
    }
}

/// The weather, until it is ended.
pub(crate) struct Weather {
    stop: Sender<()>,
    thread: JoinHandle<()>,
}

/// Lets it begin, with storms that are to come whatever is drawn.
pub(crate) fn begin<H: Hand>(
    hand: Arc<H>,
    tally: Arc<Tally>,
    seed: u64,
    certain: Vec<Storm>,
) -> Weather {
    let (stop, stopped) = channel();
    let thread = std::thread::spawn(move || {
        let mut chance = Chance::new(seed, u64::MAX);
        let mut certain = certain.into_iter();
        loop {
            let next = certain.next();
            let (least, most) = if next.is_some() { SOON } else { CALM };
            let calm = Duration::from_millis(chance.between(least, most));
            if stopped.recv_timeout(calm) != Err(RecvTimeoutError::Timeout) {
                return;
            }
            let storm = next.unwrap_or_else(|| hand.storm(&mut chance));
            hand.blow(storm);
            storm.counts().for_each(|what| tally.count(what));
        }
    });
    Weather { stop, thread }
}

impl Weather {
    /// Ends it once what is away is back.
    pub(crate) fn end(self) {
        drop(self.stop);
        self.thread.join().unwrap();
    }
}

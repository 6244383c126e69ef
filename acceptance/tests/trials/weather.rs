//! While trials go on, what they are on goes away now and then, and comes back.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::chance::Chance;
use crate::hand::Hand;

/// Between two storms, in milliseconds: the least and the most.
const CALM: (u64, u64) = (8_000, 25_000);

/// The weather, until it is ended.
pub(crate) struct Weather {
    stop: Sender<()>,
    thread: JoinHandle<String>,
}

/// Lets it begin.
pub(crate) fn begin<H: Hand>(hand: Arc<H>, seed: u64) -> Weather {
    let (stop, stopped) = channel();
    let thread = std::thread::spawn(move || {
        let mut chance = Chance::new(seed, u64::MAX);
        let mut seen = BTreeMap::<&str, u32>::new();
        loop {
            let calm = Duration::from_millis(chance.between(CALM.0, CALM.1));
            match stopped.recv_timeout(calm) {
                Err(RecvTimeoutError::Timeout) => {
                    let what = hand.storm(&mut chance);
                    *seen.entry(what).or_default() += 1;
                }
                _ => break,
            }
        }
        let seen: Vec<_> = seen
            .iter()
            .map(|(what, times)| format!("{what} {times} times"))
            .collect();
        format!("went away: {}", seen.join(", "))
    });
    Weather { stop, thread }
}

impl Weather {
    /// What it was like.
    pub(crate) fn end(self) -> String {
        drop(self.stop);
        self.thread.join().unwrap()
    }
}

//! Trials: runs whose owners are killed, whose executors go away, whose answers are lost; each ends as it should, and nothing of it is left.
//!
//! Every trial is drawn from a seed, so that one that failed can be had again: `make trials N=100 SEED=7`. `N` is how many there are on
//! each executor, 6 unless it is said; the first six are the same for every seed, and have each state in which an owner is killed. The others
//! are dealt, so that each kind of work and each fate comes as often as it should: 50 have them all. What happened is counted, and trials in which something never happened that they are about have failed as well. What they need is what the
//! stories of the runner need (`tests/runner`).

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test may stop at once"
)]
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "whoever makes trials by hand reads how they go"
)]
#![allow(
    clippy::disallowed_methods,
    reason = "what looks after owners are threads: the runner is in processes of its own"
)]

mod course;
mod hand;
mod owner;
mod proxy;
mod tally;
mod trial;
mod weather;

#[path = "../runner/bench.rs"]
#[allow(dead_code, reason = "stories need more of it")]
mod bench;
#[path = "../runner/cluster_bench.rs"]
#[allow(dead_code, reason = "stories need more of it")]
mod cluster_bench;
#[path = "../runner/images.rs"]
mod images;
#[path = "../runner/happenings/table.rs"]
mod table;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use course::Went;
use hand::{Cluster, Engine, Hand};
use tally::{Happened, Tally};
use trial::{Trial, Work};

/// How many trials go on beside each other.
const AT_ONCE: usize = 8;
/// How often a trial is made in which an owner was to be killed and was not.
const TRIES: u64 = 5;
/// So many take their time: all that can go away is to go away meanwhile.
const LONG: u64 = 50;

fn number(variable: &str, default: u64) -> u64 {
    let said = std::env::var(variable).ok();
    said.map_or(default, |said| said.parse().expect("a number"))
}

#[test]
fn on_the_engine() {
    all(|_| Arc::new(Engine::new()));
}

#[test]
fn on_kubernetes() {
    all(|tally| Arc::new(Cluster::new(tally)));
}

/// Makes a trial, and another where an owner outlived its run, or one of the certain ones was killed later than it was to be.
fn make(hand: &impl Hand, tally: &Tally, seed: u64, index: u64) -> Result<(), String> {
    let told = |trial: &Trial, reason| format!("SEED={seed}, trial {index}: {trial:?}: {reason}");
    let mut trial = trial::nth(seed, index, 0);
    for again in 1..=TRIES {
        let name = format!("{seed}-{index}-{again}");
        match course::undergo(hand, &trial, tally, &name) {
            Ok(Went::AsDrawn) => return Ok(()),
            // others have their states as it happens
            Ok(Went::Later) if index >= trial::CERTAIN => return Ok(()),
            Ok(Went::Later) => {}
            Ok(Went::NotKilled) => tally.count(Happened::NotKilled),
            Err(reason) => return Err(told(&trial, reason)),
        }
        trial = trial::nth(seed, index, again);
    }
    Err(told(
        &trial,
        "no owner could be killed where it was to be".to_owned(),
    ))
}

/// What has to have happened in so many trials.
fn wanted(hand: &impl Hand, count: u64, certain: &[weather::Storm]) -> Vec<Happened> {
    if count < trial::CERTAIN {
        return Vec::new();
    }
    let mut wanted: Vec<_> = trial::STATES.map(Happened::Killed).into();
    wanted.extend([Happened::KilledOnRecord, Happened::IgnoredSignals]);
    wanted.extend(hand.wanted());
    if count < LONG {
        // the first comes soon; whether the others do is a matter of how fast the machine is
        wanted.extend(certain.first().map(|storm| Happened::Away(storm.what)));
        return wanted;
    }
    wanted.extend(Work::names().map(Happened::EndedByItself));
    wanted.extend([
        Happened::KeptForItsLease,
        Happened::LivedOn,
        Happened::CameBack,
        Happened::NeverCameBack,
        Happened::HungUp,
        Happened::Stopped,
        Happened::NoRoom,
    ]);
    wanted.extend(certain.iter().flat_map(|storm| storm.counts()));
    wanted
}

/// Draws the trials and makes them, some at once, while the weather changes.
fn all<H: Hand>(hand: impl FnOnce(&Arc<Tally>) -> Arc<H>) {
    // both executors are on one machine
    static ONE: Mutex<()> = Mutex::new(());
    let _one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
    let (count, seed) = (number("N", 6), number("SEED", 1));
    let tally = Arc::new(Tally::default());
    let hand = hand(&tally);
    let certain = hand.certain(count >= LONG);
    let wanted = wanted(&*hand, count, &certain);
    let weather = weather::begin(Arc::clone(&hand), Arc::clone(&tally), seed, certain);
    let next = AtomicU64::new(0);
    let failed = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    if index >= count {
                        return;
                    }
                    if let Err(told) = make(&*hand, &tally, seed, index) {
                        eprintln!("{told}");
                        failed.lock().unwrap().push(told);
                    }
                }
            });
        }
    });
    weather.end();
    let failed = failed.into_inner().unwrap();
    println!("{count} trials, seed {seed}; meanwhile\n{tally}");
    assert!(
        failed.is_empty(),
        "{} of {count} failed:\n{}",
        failed.len(),
        failed.join("\n")
    );
    let missing = tally.missing(&wanted);
    assert!(
        missing.is_empty(),
        "there were no {}",
        missing.join(", no ")
    );
}

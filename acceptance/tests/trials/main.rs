//! Trials: runs whose owners are killed, whose executors go away, whose answers are lost; each ends as it should, and nothing of it is left.
//!
//! Every trial is drawn from a seed, so that one that failed can be had again: `make trials N=100 SEED=7`. `N` is how many there are on
//! each executor, 6 unless it is said. What they need is what the stories of the runner need (`tests/runner`).

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

mod chance;
mod hand;
mod owner;
mod proxy;
mod trial;
mod weather;

#[path = "../runner/bench.rs"]
#[allow(dead_code, reason = "stories need more of it")]
mod bench;
#[path = "../runner/cluster_bench.rs"]
#[allow(dead_code, reason = "stories need more of it")]
mod cluster_bench;

use hand::{Cluster, Engine, Hand};
use std::sync::Arc;

/// How many trials go on beside each other.
const AT_ONCE: usize = 8;

fn number(variable: &str, default: u64) -> u64 {
    let said = std::env::var(variable).ok();
    said.map_or(default, |said| said.parse().expect("a number"))
}

#[test]
fn on_the_engine() {
    all(|| Arc::new(Engine::new()));
}

#[test]
fn on_kubernetes() {
    all(|| Arc::new(Cluster::new()));
}

/// Draws the trials and makes them, some at once, while the weather changes.
fn all<H: Hand>(hand: impl FnOnce() -> Arc<H>) {
    // both executors are on one machine
    static ONE: std::sync::Mutex<()> = std::sync::Mutex::new(());
    let _one = ONE
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    let (count, seed) = (number("N", 6), number("SEED", 1));
    let hand = hand();
    let weather = weather::begin(Arc::clone(&hand), seed);
    let next = std::sync::atomic::AtomicU64::new(0);
    let failed = std::sync::Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                loop {
                    let index = next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                    if index >= count {
                        return;
                    }
                    let trial = trial::draw(seed, index);
                    if let Err(reason) = owner::undergo(&*hand, &trial, seed, index) {
                        let told = format!("SEED={seed}, trial {index}: {trial:?}: {reason}");
                        eprintln!("{told}");
                        failed.lock().unwrap().push(told);
                    }
                }
            });
        }
    });
    let seen = weather.end();
    let failed = failed.into_inner().unwrap();
    println!("{count} trials, seed {seed}; meanwhile {seen}");
    assert!(
        failed.is_empty(),
        "{} of {count} failed:\n{}",
        failed.len(),
        failed.join("\n")
    );
}

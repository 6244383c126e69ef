//! Trials of the provider: whatever is done to a platform, any version can be applied to it, and nothing is lost that no plan named.
//!
//! Every trial is drawn from a seed: `make trials N=100 SEED=7`, `N` with each CLI, one unless it is said. What happened is counted, and of
//! 100 trials or more each kind must have happened.

mod by_hand;
mod course;
mod happening;
mod platform;
mod standing;
mod version;

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;

use course::Trial;
use happening::Happening;
use platform::Platform;
use version::Version;

use mkys_acceptance::chance::Chance;

/// So many draw each kind of happening, by far.
const MANY: u64 = 100;

fn number(variable: &str, default: u64) -> u64 {
    let said = std::env::var(variable).ok();
    said.map_or(default, |said| said.parse().expect("a number"))
}

#[test]
fn platforms_survive_random_happenings() {
    let (count, seed) = (number("N", 1), number("SEED", 1));
    let clis = crate::world::stage::clis().len();
    let failed: Vec<String> = std::thread::scope(|scope| {
        let lanes: Vec<_> = (0..clis)
            .map(|turn| scope.spawn(move || lane(turn, count, seed)))
            .collect();
        let ended = lanes.into_iter().map(|lane| lane.join().unwrap());
        ended.flatten().collect()
    });
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

/// Makes the trials with one CLI. Gives those that failed.
#[expect(
    clippy::print_stdout,
    reason = "whoever makes trials by hand reads how they go"
)]
fn lane(turn: usize, count: u64, seed: u64) -> Vec<String> {
    let mut version = Version::first();
    let mut platform = None;
    let mut failed = Vec::new();
    let mut kinds = BTreeMap::<String, u64>::new();
    for index in 0..count {
        let mut chance = Chance::new(seed, index);
        let happening = match index {
            0 => Happening::certain(&mut chance, &version),
            _ => Happening::draw(&mut chance, &version),
        };
        let next = version.next(&mut chance);
        let trial = Trial { happening, next };
        let begun = Instant::now();
        let ended = catch_unwind(AssertUnwindSafe(|| {
            let name = format!("trial{turn}x{index}");
            let there = platform.get_or_insert_with(|| Platform::create(&name, turn, &version));
            course::undergo(there, &version, &trial);
        }));
        let seconds = begun.elapsed().as_secs();
        let word = if ended.is_ok() { "" } else { "FAILED" };
        println!("  cli {turn} SEED={seed} trial {index:>3} {seconds:>4} s {trial:?} {word}");
        *kinds.entry(trial.happening.to_string()).or_default() += 1;
        if let Err(reason) = ended {
            let text = reason.downcast_ref::<&str>().map(ToString::to_string);
            let reason = reason.downcast_ref::<String>().cloned().or(text);
            let reason = reason.unwrap_or_else(|| "it panicked".to_owned());
            failed.push(format!(
                "SEED={seed}, trial {index}, CLI {turn}: {trial:?}: {reason}"
            ));
            // the next one has a platform of its own
            platform = None;
        }
        version = trial.next;
    }
    println!("CLI {turn}: {count} trials, seed {seed}; {kinds:#?}");
    for kind in Happening::KINDS {
        if count >= MANY && !kinds.contains_key(kind) {
            failed.push(format!("there were no {kind}"));
        }
    }
    if let Some(platform) = platform {
        platform.stage.destroy();
        crate::life_cycle::is_gone(&platform.stage, &platform.blade);
    }
    failed
}

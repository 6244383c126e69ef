//! `demo`: MKYS' main job on real parts, visibly. Parses, runs, maps to an exit code.

mod by_hand;
mod interrupt;
mod runs;
mod stage;
mod story;
mod whole;

use std::io::Write as _;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use whole::Part;

/// A blade on a real cloud, a visitor through a real NGINX; games and computations in containers.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Builds, starts and shows everything, or one part of it, and leaves it up.
    Up { part: Option<Part> },
    /// Takes it away, the blade through the provider, and proves that nothing is left.
    Down { part: Option<Part> },
}

fn main() -> ExitCode {
    let action = Arguments::parse().action;
    interrupt::heed(move || run(action))
}

fn run(action: Action) -> ExitCode {
    let done = match action {
        Action::Up { part } => whole::up(part),
        Action::Down { part } => whole::down(part),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // nobody is left to tell when stderr is closed
            let _ = writeln!(std::io::stderr().lock(), "\ndemo: {error:#}");
            ExitCode::FAILURE
        }
    }
}

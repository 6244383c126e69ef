//! `demo`: MKYS' main job on real parts, visibly. Parses, runs, maps to an exit code.

mod stage;
mod story;

use std::io::Write as _;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// A blade on a real cloud, a visitor through a real NGINX.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Builds, starts and shows everything, and leaves it up.
    Up,
    /// Destroys it through the provider, stops the lab, and proves that nothing is left.
    Down,
}

fn main() -> ExitCode {
    let done = match Arguments::parse().action {
        Action::Up => story::up(),
        Action::Down => story::down(),
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

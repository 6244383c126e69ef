//! `lab`: brings the lab up and down on this machine. Parses, runs, maps to an exit code; the work is in the library.

use std::io::Write as _;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use mkys_acceptance::lab::{self, Lab};

/// Real OpenStack on one machine, for the demo and the scenarios.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Bring the lab up; repairs what died, does nothing when it is well.
    Up,
    /// Take the lab away and prove that nothing of it is left.
    Down {
        /// Stop everything but keep the state directory.
        #[arg(long)]
        keep: bool,
    },
    /// Show the services.
    Status,
    /// Say what is wrong with this machine or lab, changing nothing.
    Doctor,
    /// Install the Debian packages that are missing.
    Install,
}

fn main() -> ExitCode {
    match run(Arguments::parse().action) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            // `{:#}` is the chain of causes in one line: what a person needs, without a backtrace.
            let _ = writeln!(std::io::stderr().lock(), "lab: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(action: Action) -> anyhow::Result<bool> {
    let lab = Lab::from_environment()?;
    match action {
        Action::Up => lab::up(&lab)?,
        Action::Down { keep } => lab::down(&lab, keep)?,
        Action::Install => lab::install(&lab)?,
        Action::Status => return Ok(lab::status(&lab)?),
        Action::Doctor => return Ok(lab::doctor(&lab)?),
    }
    Ok(true)
}

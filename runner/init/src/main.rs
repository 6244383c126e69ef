//! `mkys-init`: the first process of a run's container on a container engine.
//!
//! It holds the run's lease: when nobody says anything for as long as the lease is, it ends the command and itself, and the engine
//! removes the container. Beside that it starts the command, passes signals on, reaps, and gives results back.

mod child;
mod life;
mod link;
mod memory;
mod output;

use std::env;
use std::ffi::OsString;
use std::process::ExitCode;

use mkys_init::{IDENTITY, Settings};
use rustix::process::{DumpableBehavior, set_dumpable_behavior};

fn main() -> ExitCode {
    match run() {
        Ok(code) => ExitCode::from(u8::try_from(code).unwrap_or(u8::MAX)),
        Err(reason) => {
            // into the run's log, where whoever looks for the reason looks
            #[allow(clippy::print_stderr, reason = "a first process has no other log")]
            {
                eprintln!("mkys-init: {reason}");
            }
            ExitCode::from(125)
        }
    }
}

fn run() -> Result<i32, String> {
    if !rustix::process::getpid().is_init() {
        return Err(IDENTITY.into());
    }
    let order = memory::Order::open().map_err(|error| format!("oom_score_adj: {error}"))?;
    // the command runs as the same user, and is to read neither the token nor this memory
    set_dumpable_behavior(DumpableBehavior::NotDumpable)
        .map_err(|error| format!("the kernel lets it not be kept private: {error}"))?;
    let variable = Settings::VARIABLE;
    let settings = env::var(variable).map_err(|error| format!("{variable}: {error}"))?;
    let settings: Settings =
        serde_json::from_str(&settings).map_err(|error| format!("{variable}: {error}"))?;
    let command: Vec<OsString> = env::args_os().skip(1).collect();
    if command.is_empty() {
        return Err("there is no command to start".into());
    }
    life::live(settings, command, order).map_err(|error| error.to_string())
}

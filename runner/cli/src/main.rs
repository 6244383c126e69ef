//! `mkys-run`: computations and sessions on a container engine or on Kubernetes, from a terminal.

mod arguments;
mod executor;
mod inspect;
mod progress;
mod start;
mod way;

use std::io::IsTerminal as _;
use std::process::ExitCode;

use clap::Parser;

use arguments::{Arguments, Command};

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    // what a verifier logs stands in the error of whoever asked it
    let log = std::env::var("MKYS_LOG");
    let log = log.unwrap_or_else(|_| "error,rustls_platform_verifier=off".to_owned());
    tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::new(log))
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .init();
    let Arguments { at, command } = arguments;
    let done = match command {
        Command::Run(run) => start::computation(&at, run).await,
        Command::Replay(replay) => start::replay(&at, replay).await,
        Command::Session(session) => start::session(&at, session).await,
        Command::List { json } => inspect::list(&at, json).await,
        Command::Logs { run, follow } => inspect::logs(&at, &run, follow).await,
        Command::Cancel { run } => inspect::cancel(&at, &run).await,
        Command::Audit { json } => inspect::audit(&at, json).await,
        Command::Doctor => inspect::doctor(&at).await,
        Command::Schema { of } => arguments::schema(of),
        Command::Completions { shell } => arguments::completions(shell),
    };
    match done {
        Ok(code) => code,
        Err(error) => {
            progress::say(&format!("mkys-run: {error:#}"));
            ExitCode::from(2)
        }
    }
}

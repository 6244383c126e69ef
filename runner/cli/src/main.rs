//! `mkys-run`: computations and sessions on a container engine, from a terminal.

mod arguments;
mod inspect;
mod progress;
mod start;

use std::process::ExitCode;

use clap::Parser;

use arguments::{Arguments, Command};

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::from_env("MKYS_LOG"))
        .with_writer(std::io::stderr)
        .init();
    let Arguments { engine, command } = arguments;
    let done = match command {
        Command::Run(run) => start::computation(&engine, run).await,
        Command::Replay(replay) => start::replay(&engine, replay).await,
        Command::Session(session) => start::session(&engine, session).await,
        Command::List { json } => inspect::list(&engine, json).await,
        Command::Logs { run, follow } => inspect::logs(&engine, &run, follow).await,
        Command::Cancel { run } => inspect::cancel(&engine, &run).await,
        Command::Audit { json } => inspect::audit(&engine, json).await,
        Command::Doctor => inspect::doctor(&engine).await,
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

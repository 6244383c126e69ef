//! The command line.

mod delegation;
mod serve;
mod token;

use std::io::{IsTerminal, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use anyhow::Context;
use clap::{Parser, Subcommand};
use mkys_edge::nginx::NginxProcess;
use mkys_edge::settings::Settings;
use mkys_edge::store::Store;

/// The web service beside NGINX that gives routes, and the portal.
#[derive(Debug, Parser)]
#[command(version, about)]
pub(crate) struct Cli {
    /// Settings of the edge, a YAML file.
    #[arg(
        long,
        env = "MKYS_EDGE_SETTINGS",
        default_value = "/etc/mkys-edge.yaml"
    )]
    settings: PathBuf,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serves the API and the portal, and keeps NGINX running: one that is gone is started again. NGINX goes on when this ends.
    Serve,
    /// Ends NGINX. The service must be stopped before, or it would start NGINX again.
    StopNginx,
    /// Shows the configuration that NGINX would be given.
    Render,
    /// Writes a copy of the database into a new file, also while the edge serves.
    Backup {
        /// The file.
        file: PathBuf,
    },
    /// Shows what was asked, decided, delegated and revoked, the last last.
    Journal {
        /// How many entries.
        #[arg(long, default_value_t = 100)]
        last: u32,
    },
    /// Manages tokens.
    #[command(subcommand)]
    Token(token::TokenCommand),
    /// Delegates routes' path prefixes to those who add session routes below them.
    #[command(subcommand)]
    Delegation(delegation::DelegationCommand),
}

/// Says what went wrong, with its causes.
pub(crate) fn complain(error: &anyhow::Error) {
    // nobody is left to tell when stderr is closed
    let _ = writeln!(std::io::stderr(), "mkys-edge: {error:#}");
}

fn say(text: &str) -> anyhow::Result<()> {
    Ok(writeln!(std::io::stdout(), "{text}")?)
}

pub(crate) fn run(cli: Cli) -> anyhow::Result<()> {
    tracing_subscriber::fmt()
        .with_env_filter(
            tracing_subscriber::EnvFilter::try_from_default_env().unwrap_or_else(|_| "info".into()),
        )
        .with_ansi(std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none())
        .with_writer(std::io::stderr)
        .init();
    let settings = Settings::read(&cli.settings)?;
    let runtime = tokio::runtime::Runtime::new()?;
    runtime.block_on(async {
        match cli.command {
            Command::Serve => serve::run(settings).await,
            Command::StopNginx => Ok(NginxProcess::new(settings).stop().await?),
            Command::Render => say(&NginxProcess::new(settings).render()?),
            Command::Backup { file } => Ok(open(&settings).await?.back_up(&file).await?),
            Command::Journal { last } => {
                for line in open(&settings).await?.journal(last).await? {
                    say(&line)?;
                }
                Ok(())
            }
            Command::Token(command) => token::run(&settings, command).await,
            Command::Delegation(command) => delegation::run(&settings, command).await,
        }
    })
}

async fn open(settings: &Settings) -> anyhow::Result<Store> {
    let state = &settings.state;
    std::fs::create_dir_all(state)
        .with_context(|| format!("failed to make {}", state.display()))?;
    // NGINX' workers must get through to their files, nobody else into the database
    std::fs::set_permissions(state, std::fs::Permissions::from_mode(0o711))
        .with_context(|| format!("failed to set the mode of {}", state.display()))?;
    Ok(Store::open(&state.join("edge.sqlite")).await?)
}

/// The user at the console, for the journal.
fn operator() -> String {
    format!("console, uid {}", rustix::process::getuid().as_raw())
}

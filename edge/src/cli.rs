//! The command line.

mod delegation;

use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use anyhow::{Context, bail};
use clap::{Args, Parser, Subcommand, ValueEnum};
use ipnet::Ipv4Net;
use mkys_edge::activity::Uses;
use mkys_edge::nginx::NginxProcess;
use mkys_edge::publish::Publisher;
use mkys_edge::reap;
use mkys_edge::settings::Settings;
use mkys_edge::store::Store;
use mkys_edge::token;
use mkys_edge::web::App;
use mkys_edge_client::{Actor, Role};
use tokio::signal::unix::{SignalKind, signal};

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
    /// Serves the API and the portal, and keeps NGINX running. NGINX goes on when this ends.
    Serve,
    /// Ends NGINX.
    StopNginx,
    /// Shows the configuration that NGINX would be given.
    Render,
    /// Manages tokens.
    #[command(subcommand)]
    Token(TokenCommand),
    /// Delegates routes' path prefixes to those who add session routes below them.
    #[command(subcommand)]
    Delegation(delegation::DelegationCommand),
}

#[derive(Debug, Subcommand)]
enum TokenCommand {
    /// Makes a token and shows it, this once.
    Create(Create),
    /// Lists tokens; they themselves are not known.
    List,
    /// Revokes a token for good.
    Revoke {
        /// Its name.
        name: String,
    },
}

#[derive(Debug, Args)]
struct Create {
    /// Whose it is: a person or a pipeline. Who asked for a route cannot decide on it.
    #[arg(long)]
    name: String,
    /// What it may do.
    #[arg(long, value_enum)]
    role: RoleName,
    /// A blade whose routes it may ask for; `*` for every blade. Repeatable.
    #[arg(long = "blade")]
    blades: Vec<String>,
    /// A network that its routes may lead into, such as 198.51.100.0/25. Repeatable.
    #[arg(long = "network")]
    networks: Vec<Ipv4Net>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum RoleName {
    Requester,
    Administrator,
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
        .with_writer(std::io::stderr)
        .init();
    let settings = Settings::read(&cli.settings)?;
    let runtime = tokio::runtime::Runtime::new()?;
    runtime.block_on(async {
        match cli.command {
            Command::Serve => serve(settings).await,
            Command::StopNginx => Ok(NginxProcess::new(settings).stop().await?),
            Command::Render => say(&NginxProcess::new(settings).render()?),
            Command::Token(command) => token_command(&settings, command).await,
            Command::Delegation(command) => delegation::run(&settings, command).await,
        }
    })
}

async fn open(settings: &Settings) -> anyhow::Result<Store> {
    let state = &settings.state;
    std::fs::create_dir_all(state)
        .with_context(|| format!("{} cannot be made", state.display()))?;
    // NGINX' workers must get through to their files, nobody else into the database
    std::fs::set_permissions(state, std::fs::Permissions::from_mode(0o711))?;
    Ok(Store::open(&state.join("edge.sqlite")).await?)
}

async fn serve(settings: Settings) -> anyhow::Result<()> {
    let store = open(&settings).await?;
    let api = tokio::net::TcpListener::bind(settings.api)
        .await
        .with_context(|| format!("the API cannot listen on {}", settings.api))?;
    let nginx = NginxProcess::new(settings.clone());
    nginx.ensure().await?;
    let portal_socket = settings.state.join("portal/portal.sock");
    let _ = std::fs::remove_file(&portal_socket);
    let portal = tokio::net::UnixListener::bind(&portal_socket)
        .with_context(|| format!("the portal cannot listen on {}", portal_socket.display()))?;
    // NGINX' workers run as another user; what they reach there, anybody reaches by the portal's host as well
    std::fs::set_permissions(&portal_socket, std::fs::Permissions::from_mode(0o666))?;
    let publisher = Publisher::start(nginx.control(), store.clone(), settings.portal_host.clone())?;
    tokio::spawn(reap::run(store.clone(), publisher.clone()));
    let uses = Uses::new(nginx.control())?;
    let (host, title) = (&settings.portal_host, &settings.title);
    let app = App::new(store, publisher, uses, host, title);
    tracing::info!(api = %settings.api, portal = settings.portal_host, "serving");
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let ended = |mut stopped: tokio::sync::watch::Receiver<bool>| async move {
        // an error means that the sender is gone, which is the end as well
        let _ = stopped.wait_for(|stopped| *stopped).await;
    };
    let api = axum::serve(api, app.clone().api()).with_graceful_shutdown(ended(stopped.clone()));
    let portal = axum::serve(portal, app.pages()).with_graceful_shutdown(ended(stopped));
    let (api, portal) = (
        tokio::spawn(api.into_future()),
        tokio::spawn(portal.into_future()),
    );
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    tracing::info!("stopping; NGINX goes on with the routes it knows");
    stop.send_replace(true);
    // a client that keeps its connection open does not keep the service up
    let patience = std::time::Duration::from_secs(5);
    let _ = tokio::time::timeout(patience, async { tokio::join!(api, portal) }).await;
    Ok(())
}

async fn token_command(settings: &Settings, command: TokenCommand) -> anyhow::Result<()> {
    let store = open(settings).await?;
    let now = jiff::Timestamp::now();
    match command {
        TokenCommand::Create(Create {
            name,
            role,
            blades,
            networks,
        }) => {
            let role = match role {
                RoleName::Requester => Role::Requester,
                RoleName::Administrator => Role::Administrator,
            };
            if role == Role::Requester && (blades.is_empty() || networks.is_empty()) {
                bail!("a requester's token needs at least one --blade and one --network");
            }
            let token = token::generate().context("no random bytes")?;
            store
                .add_token(
                    &Actor {
                        name,
                        role,
                        blades,
                        networks,
                    },
                    &token,
                    now,
                )
                .await?;
            say(&token)
        }
        TokenCommand::List => {
            for row in store.tokens().await? {
                let Actor {
                    name,
                    role,
                    blades,
                    networks,
                } = row.actor;
                let networks: Vec<_> = networks.iter().map(ToString::to_string).collect();
                let state = match row.revoked_at {
                    Some(at) => format!("revoked {at}"),
                    None => format!("since {}", row.created_at),
                };
                say(&format!(
                    "{name}\t{role:?}\t{}\t{}\t{state}",
                    blades.join(","),
                    networks.join(",")
                ))?;
            }
            Ok(())
        }
        TokenCommand::Revoke { name } => match store.revoke_token(&name, now).await? {
            true => Ok(()),
            false => bail!("there is no token named {name:?}"),
        },
    }
}

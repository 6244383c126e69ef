//! `mkys-edge serve`: the API, the portal, and the supervisor of NGINX.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use mkys_edge::activity::Uses;
use mkys_edge::cli_error::CliError;
use mkys_edge::clock::Clock;
use mkys_edge::health::Health;
use mkys_edge::nginx::{self, NginxProcess, Supervisor};
use mkys_edge::own::Own;
use mkys_edge::publish::Publisher;
use mkys_edge::reap;
use mkys_edge::settings::Settings;
use mkys_edge::web::{App, Parts};
use tokio::net::{TcpListener, UnixListener};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{Notify, watch};

use super::open;

/// How long a client that keeps its connection open keeps the service up.
const PATIENCE: Duration = Duration::from_secs(5);

pub(super) async fn run(settings: Settings) -> anyhow::Result<()> {
    let state = settings.state.clone();
    let Some(_lock) = nginx::lock(&state)? else {
        bail!(CliError::Running(state));
    };
    let store = open(&settings).await?;
    let api = TcpListener::bind(settings.api)
        .await
        .context(CliError::Api(settings.api))?;
    let process = NginxProcess::new(settings.clone());
    process.ensure().await?;
    let portal = portal(&state, &settings.nginx.user)?;
    let (clock, health) = (Clock::start(), Health::default());
    store.bound_sessions(clock.now()).await?;
    let started = Arc::new(Notify::new());
    let publisher = Publisher::start(
        &state,
        store.clone(),
        &settings.portal_host,
        clock,
        health.clone(),
        Arc::clone(&started),
    )?;
    let supervisor = Supervisor::new(process, health.clone(), started)?;
    tokio::spawn(supervisor.run());
    tokio::spawn(reap::run(store.clone(), publisher.clone(), clock));
    let parts = Parts {
        store: store.clone(),
        publisher,
        uses: Uses::new(nginx::control(&state), clock)?,
        clock,
        health,
        own: Own::of(&settings),
    };
    let app = App::new(parts, &settings.portal_host, &settings.title);
    tracing::info!(api = %settings.api, portal = settings.portal_host, edge = %store.edge(), "serving");
    let (stop, stopped) = watch::channel(false);
    let ended = |mut stopped: watch::Receiver<bool>| async move {
        // an error means that the sender is gone, which is the end as well
        let _ = stopped.wait_for(|stopped| *stopped).await;
    };
    let api = axum::serve(api, app.clone().api()).with_graceful_shutdown(ended(stopped.clone()));
    let portal = axum::serve(portal, app.pages()).with_graceful_shutdown(ended(stopped));
    let (api, portal) = (
        tokio::spawn(api.into_future()),
        tokio::spawn(portal.into_future()),
    );
    until_told().await?;
    tracing::info!("stopping; NGINX goes on with the routes it knows");
    stop.send_replace(true);
    let _ = tokio::time::timeout(PATIENCE, async { tokio::join!(api, portal) }).await;
    // all that was written is in the database's one file then
    let _ = tokio::time::timeout(PATIENCE, store.close()).await;
    Ok(())
}

async fn until_told() -> std::io::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut hangup = signal(SignalKind::hangup())?;
    loop {
        tokio::select! {
            _ = terminate.recv() => return Ok(()),
            _ = interrupt.recv() => return Ok(()),
            // the loss of a terminal, or the wish for other settings: neither is a reason to end
            _ = hangup.recv() => tracing::info!("SIGHUP: settings are read when mkys-edge starts"),
        }
    }
}

/// Listens for NGINX' workers, and for nobody else on this machine: what comes here says itself which audience it is of.
fn portal(state: &Path, user: &str) -> anyhow::Result<UnixListener> {
    let socket = state.join("portal/portal.sock");
    let _ = std::fs::remove_file(&socket);
    let listener = UnixListener::bind(&socket).with_context(|| CliError::Portal(socket.clone()))?;
    let is_root = rustix::process::geteuid().is_root();
    let mode = match is_root {
        true => {
            let group = group_of(user)?;
            std::os::unix::fs::chown(&socket, None, Some(group))
                .with_context(|| format!("failed to give {} to group {group}", socket.display()))?;
            0o660
        }
        // NGINX' workers are the same user then
        false => 0o600,
    };
    std::fs::set_permissions(&socket, std::fs::Permissions::from_mode(mode))
        .with_context(|| format!("failed to set the mode of {}", socket.display()))?;
    Ok(listener)
}

/// The group of a user, as NGINX finds it: by the system's list of users.
fn group_of(user: &str) -> anyhow::Result<u32> {
    let users = std::fs::read_to_string("/etc/passwd").context("failed to read /etc/passwd")?;
    let mut users = users
        .lines()
        .map(|line| line.split(':').collect::<Vec<_>>());
    let fields = users.find(|fields| fields.first() == Some(&user));
    let fields = fields.with_context(|| CliError::NoUser(user.to_owned()))?;
    let group = fields.get(3).and_then(|group| group.parse().ok());
    group.with_context(|| format!("/etc/passwd: user {user:?} has no group"))
}

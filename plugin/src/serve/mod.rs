//! Serves a provider to one CLI: from the handshake to the end.

mod accept;
mod companions;
mod ends;
mod handshake;
mod log;
#[cfg(test)]
mod tests;
mod tls;

use std::fs::Permissions;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::UnixListener;
use tokio_rustls::TlsAcceptor;
use tonic::transport::Server as GrpcServer;

use self::companions::Ending;
use self::ends::{End, Signals};
use self::handshake::{HandshakeError, Invitation};
use crate::calls::{Calls, Idle};
use crate::protocol::plugin::grpc_broker_server::GrpcBrokerServer;
use crate::protocol::plugin::grpc_controller_server::GrpcControllerServer;
use crate::protocol::plugin::grpc_stdio_server::GrpcStdioServer;
use crate::protocol::tfplugin6::provider_server::ProviderServer;
use crate::service::{Catalogue, Service};

/// What the CLI itself allows for a message.
const MESSAGE: usize = 256 << 20;

/// Two, so that code which blocks one doesn't keep the other from hearing that it is to stop.
const THREADS: usize = 2;

/// The CLI kills two seconds after it asked for the end.
const HURRY: Duration = Duration::from_millis(1500);

/// Why a provider could not be served.
#[derive(Debug, thiserror::Error)]
enum ServeError {
    #[error(transparent)]
    Handshake(#[from] HandshakeError),
    #[error("{0}")]
    Tls(#[from] tls::TlsError),
    #[error("the socket cannot be made in {folder}: {source}")]
    Socket {
        folder: String,
        source: std::io::Error,
    },
    #[error("the process cannot be set up: {0}")]
    Process(#[from] std::io::Error),
    #[error("serving failed: {0}")]
    Transport(#[from] tonic::transport::Error),
}

/// Serves until the CLI ends it, and says how it went.
pub(crate) fn run(catalogue: Catalogue, grace: Duration) -> ExitCode {
    match try_run(catalogue, grace) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Where else to say so? If this can't be written either, the exit code has to do.
            let _ = writeln!(std::io::stderr(), "{error}");
            ExitCode::FAILURE
        }
    }
}

fn try_run(catalogue: Catalogue, grace: Duration) -> Result<(), ServeError> {
    let invitation = Invitation::read(|name| std::env::var_os(name))?;
    log::start(|name| std::env::var(name).ok());
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(THREADS)
        .thread_name("plugin")
        .enable_all()
        .build()?;
    let served = runtime.block_on(async {
        // Before the line: from then on the person can press Ctrl-C.
        let signals = Signals::catch()?;
        let ending = Ending::new();
        let end = {
            let ending = ending.clone();
            async move { ends::end(signals, &ending).await }
        };
        let say = |line: &str| {
            let mut stdout = std::io::stdout().lock();
            stdout.write_all(line.as_bytes())?;
            stdout.flush()
        };
        serve(catalogue, grace, invitation, ending, end, say).await
    });
    // Code that blocks can't be waited for.
    runtime.shutdown_timeout(Duration::from_millis(100));
    served
}

async fn serve(
    catalogue: Catalogue,
    grace: Duration,
    invitation: Invitation,
    ending: Ending,
    end: impl Future<Output = End> + Send + 'static,
    say: impl FnOnce(&str) -> std::io::Result<()>,
) -> Result<(), ServeError> {
    let Invitation {
        client,
        socket_folder,
    } = invitation;
    let (certificate, acceptor) = match client {
        Some(client) => {
            let (certificate, config) = tls::config(client)?;
            (Some(certificate), Some(TlsAcceptor::from(config)))
        }
        None => (None, None),
    };
    let no_socket = |source| ServeError::Socket {
        folder: socket_folder.display().to_string(),
        source,
    };
    // A folder of its own that nobody else can enter; it goes away with this value.
    let folder = tempfile::Builder::new()
        .prefix("plugin")
        .permissions(Permissions::from_mode(0o700))
        .tempdir_in(&socket_folder)
        .map_err(no_socket)?;
    let socket = folder.path().join("socket");
    let listener = UnixListener::bind(&socket).map_err(no_socket)?;
    let connections = accept::connections(listener, acceptor);

    let (calls, idle) = Calls::new(grace);
    let calls = Arc::new(calls);
    let service = Service {
        catalogue: Arc::new(catalogue),
        calls: Arc::clone(&calls),
    };
    let provider = ProviderServer::new(service)
        .max_decoding_message_size(MESSAGE)
        .max_encoding_message_size(MESSAGE);
    let server = GrpcServer::builder()
        .add_service(provider)
        .add_service(GrpcBrokerServer::new(ending.clone()))
        .add_service(GrpcControllerServer::new(ending.clone()))
        .add_service(GrpcStdioServer::new(ending.clone()));

    say(&handshake::line(&socket, certificate.as_ref()))?;
    let serving = server.serve_with_incoming_shutdown(connections, {
        let ending = ending.clone();
        async move { ending.begun().await }
    });
    let mut serving = tokio::spawn(serving);
    let end = tokio::select! {
        end = tokio::spawn(end) => end.unwrap_or(End::Abandoned),
        served = &mut serving => return Ok(served.unwrap_or(Ok(()))?),
    };
    tracing::debug!(?end, "ending");
    ending.begin();
    calls.stop();
    drop(calls);
    let limit = match end {
        End::Asked => HURRY,
        End::Abandoned => grace,
    };
    let _ = tokio::time::timeout(limit, finish(serving, idle)).await;
    Ok(())
}

/// Waits until the connections are closed and the provider's code has ended.
async fn finish(
    serving: tokio::task::JoinHandle<Result<(), tonic::transport::Error>>,
    mut idle: Idle,
) {
    if let Ok(Err(error)) = serving.await {
        tracing::warn!(%error, "the connections did not end well");
    }
    idle.wait().await;
}

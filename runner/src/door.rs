//! The way in to a session: what answers there, and where players are sent.

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

use crate::spec::{Answers, RunName};

/// How long one try to reach a session may take.
const TRY: Duration = Duration::from_secs(5);

/// Sends players to sessions.
pub trait Door: fmt::Debug + Send + Sync + 'static {
    /// The path that a session is asked for, before its own paths; its program finds it in the variable `MKYS_PATH`. Empty by default.
    fn base(&self, _run: &RunName) -> String {
        String::new()
    }

    /// How often ways are to be renewed; a minute by default.
    fn renew_every(&self) -> Duration {
        Duration::from_secs(60)
    }

    /// How long a way lasts that nobody renews; for good by default. A session whose way can't be closed is destroyed once the way has
    /// ended by itself, and not before.
    fn lasts(&self) -> Duration {
        Duration::MAX
    }

    /// Makes the way to a session, unless it is there, and tries it as a player would; gives the URL that players go to. It is asked
    /// again until the session answers.
    fn open<'a>(
        &'a self,
        run: &'a RunName,
        target: SocketAddr,
        answers: &'a Answers,
    ) -> BoxFuture<'a, Result<String, DoorError>>;

    /// Takes the way to a session away, with the connections that go through it. One that is not there is no error.
    fn close<'a>(&'a self, run: &'a RunName) -> BoxFuture<'a, Result<(), DoorError>>;

    /// Keeps ways for a while longer, and says for how long nobody has used each, as far as it knows.
    fn renew<'a>(
        &'a self,
        runs: &'a [RunName],
    ) -> BoxFuture<'a, Result<Vec<(RunName, Duration)>, DoorError>>;
}

/// Why players can't get in.
#[derive(Debug, thiserror::Error)]
#[error("{place}: {reason}")]
pub struct DoorError {
    /// Where it was tried.
    pub place: String,
    /// What was said there.
    pub reason: String,
}

/// No edge: players, or the application for them, go to the session's own address.
#[derive(Clone, Copy, Debug, Default)]
pub struct Direct;

impl Door for Direct {
    fn open<'a>(
        &'a self,
        _run: &'a RunName,
        target: SocketAddr,
        answers: &'a Answers,
    ) -> BoxFuture<'a, Result<String, DoorError>> {
        Box::pin(async move {
            let (scheme, path) = match answers {
                Answers::Websocket { path } => ("ws", path),
                Answers::Http { path } => ("http", path),
            };
            let url = format!("{scheme}://{target}{path}");
            knock(target, &url, answers).await?;
            Ok(url)
        })
    }

    fn close<'a>(&'a self, _run: &'a RunName) -> BoxFuture<'a, Result<(), DoorError>> {
        Box::pin(std::future::ready(Ok(())))
    }

    fn renew<'a>(
        &'a self,
        _runs: &'a [RunName],
    ) -> BoxFuture<'a, Result<Vec<(RunName, Duration)>, DoorError>> {
        Box::pin(std::future::ready(Ok(Vec::new())))
    }
}

/// Asks what a player's client would ask first, of whatever listens at an address.
///
/// # Errors
///
/// [`DoorError`] when that is not answered as it must be, within five seconds.
pub async fn knock(address: SocketAddr, url: &str, answers: &Answers) -> Result<(), DoorError> {
    let answered = tokio::time::timeout(TRY, ask(address, url, answers)).await;
    let failed = |reason: String| DoorError {
        place: url.to_owned(),
        reason,
    };
    match answered {
        Ok(Ok(())) => Ok(()),
        Ok(Err(reason)) => Err(failed(reason)),
        Err(_) => Err(failed(format!("no answer within {} s", TRY.as_secs()))),
    }
}

async fn ask(address: SocketAddr, url: &str, answers: &Answers) -> Result<(), String> {
    let said = |error: &dyn fmt::Display| error.to_string();
    match answers {
        Answers::Websocket { .. } => {
            let stream = TcpStream::connect(address)
                .await
                .map_err(|error| said(&error))?;
            let request = url.into_client_request().map_err(|error| said(&error))?;
            let shaken = tokio_tungstenite::client_async(request, stream).await;
            let (mut socket, _) = shaken.map_err(|error| said(&error))?;
            // it answered; whether it takes leave politely is its own affair
            let _ = socket.close(None).await;
            Ok(())
        }
        Answers::Http { .. } => {
            let parsed = reqwest::Url::parse(url).map_err(|error| said(&error))?;
            let host = parsed.host_str().unwrap_or_default().to_owned();
            let client = reqwest::Client::builder()
                .resolve(&host, address)
                .redirect(reqwest::redirect::Policy::none())
                .build()
                .map_err(|error| said(&error))?;
            let answer = client.get(parsed).send().await;
            let status = answer.map_err(|error| said(&error.without_url()))?.status();
            match status.as_u16() {
                ..400 => Ok(()),
                _ => Err(status.to_string()),
            }
        }
    }
}

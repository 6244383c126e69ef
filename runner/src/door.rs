//! The way in to a session: what answers there, and where players are sent.

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use futures_util::future::BoxFuture;

use crate::knock::knock;
use crate::spec::{Answers, RunName};

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

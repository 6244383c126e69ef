//! Sends players to sessions through an edge: each session has a route of its own below a delegated path, as a lease.

use std::collections::HashMap;
use std::net::{SocketAddr, SocketAddrV4};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::future::BoxFuture;
use mkys_edge_client::{Delegation, EdgeClient, EdgeError, SessionSpec};

use crate::door::{Door, DoorError};
use crate::knock::{Knocker, Trust};
use crate::listener::Listener;
use crate::spec::{Answers, RunName};
use crate::words::words;

/// How an edge is reached, and how long a route lives without its owner.
#[derive(Clone, Debug, bon::Builder)]
pub struct EdgeSettings {
    /// A client of the edge with the token of the delegation.
    pub client: EdgeClient,
    /// Where the listener is that players come in through, and whether it has TLS: sessions are tried there before anybody is sent to
    /// them. An address alone is one without TLS.
    #[builder(into)]
    pub listener: Listener,
    /// PEM of certificates that the listener's may be of, beside the system's.
    pub ca_pem: Option<Vec<u8>>,
    /// How long a route lives without being renewed; a minute by default.
    #[builder(default = Duration::from_secs(60))]
    pub ttl: Duration,
}

/// Sends players through an edge. A session's path is the delegated one with the run's name, and the session is asked for it as players
/// ask: its program finds it in the variable `MKYS_PATH`.
#[derive(Debug)]
pub struct EdgeDoor {
    client: EdgeClient,
    delegation: Delegation,
    listener: Listener,
    knocker: Knocker,
    ttl_s: u32,
    open: Mutex<HashMap<RunName, SessionSpec>>,
}

impl EdgeDoor {
    /// Asks the edge what was delegated to the token.
    ///
    /// # Errors
    ///
    /// [`EdgeError`] when the edge can't be reached, the token is no holder's, `ca_pem` is none, or the listener does not speak as it is said
    /// to, or with a certificate that is not trusted. A listener that can't be reached is none: it may be there when a session is opened.
    pub async fn connect(settings: EdgeSettings) -> Result<Self, EdgeError> {
        let EdgeSettings {
            client,
            listener,
            ca_pem,
            ttl,
        } = settings;
        let delegation = client.delegation().await?;
        let trust = match listener.has_tls() {
            true => Trust::System(ca_pem.as_deref()),
            false => Trust::NoTls,
        };
        let knocker = Knocker::new(&delegation.host, listener.address(), &trust);
        let knocker = knocker.map_err(|reason| EdgeError::Settings {
            what: "ca_pem",
            reason,
        })?;
        let url = listener.url(
            &Answers::Http {
                path: String::new(),
            },
            &delegation.host,
            &delegation.prefix,
        );
        if let Err(reason) = knocker.speaks(&url).await {
            return Err(EdgeError::Settings {
                what: "listener",
                reason: format!("{listener}: {reason}"),
            });
        }
        Ok(Self {
            client,
            delegation,
            listener,
            knocker,
            ttl_s: u32::try_from(ttl.as_secs()).unwrap_or(u32::MAX),
            open: Mutex::default(),
        })
    }

    /// What was delegated.
    #[must_use]
    pub fn delegation(&self) -> &Delegation {
        &self.delegation
    }

    fn opened(&self) -> MutexGuard<'_, HashMap<RunName, SessionSpec>> {
        // nothing panics while it is held
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn error(&self, error: &EdgeError) -> DoorError {
        DoorError {
            place: format!("the edge of {}", self.delegation.host),
            reason: words(error),
        }
    }

    async fn way(
        &self,
        run: &RunName,
        target: SocketAddr,
        answers: &Answers,
    ) -> Result<String, DoorError> {
        let path = self.base(run);
        let SocketAddr::V4(target) = target else {
            return Err(DoorError {
                place: target.to_string(),
                reason: "an edge leads to addresses of IP version 4 alone".to_owned(),
            });
        };
        let spec = SessionSpec {
            path: path.clone(),
            target: SocketAddrV4::new(*target.ip(), target.port()),
            ttl_s: self.ttl_s,
        };
        let put = self.client.put_session(run.as_str(), &spec).await;
        put.map_err(|error| self.error(&error))?;
        self.opened().insert(run.clone(), spec);
        let url = self.listener.url(answers, &self.delegation.host, &path);
        self.knocker.knock(&url, answers).await?;
        Ok(url)
    }
}

impl Door for EdgeDoor {
    fn base(&self, run: &RunName) -> String {
        format!("{}/{run}", self.delegation.prefix.trim_end_matches('/'))
    }

    fn open<'a>(
        &'a self,
        run: &'a RunName,
        target: SocketAddr,
        answers: &'a Answers,
    ) -> BoxFuture<'a, Result<String, DoorError>> {
        Box::pin(self.way(run, target, answers))
    }

    fn close<'a>(&'a self, run: &'a RunName) -> BoxFuture<'a, Result<(), DoorError>> {
        Box::pin(async move {
            self.opened().remove(run);
            let deleted = self.client.delete_session(run.as_str()).await;
            deleted.map_err(|error| self.error(&error))
        })
    }

    fn renew<'a>(
        &'a self,
        runs: &'a [RunName],
    ) -> BoxFuture<'a, Result<Vec<(RunName, Duration)>, DoorError>> {
        Box::pin(async move {
            if runs.is_empty() {
                return Ok(Vec::new());
            }
            let names = runs.iter().map(RunName::as_str);
            let renewed = match self.client.renew_sessions(names).await {
                Ok(renewed) => renewed,
                Err(error) if is_refusal(&error) => {
                    // nobody is sent to any of them any more, so nobody uses them
                    tracing::warn!(%error, "the edge has no ways for this owner any more");
                    return Ok(Vec::new());
                }
                Err(error) => return Err(self.error(&error)),
            };
            let mut used = Vec::new();
            for lost in &renewed.unknown {
                // the edge lost it, or was away for longer than it lived: its players have to connect again
                let found = self.opened().iter().find_map(|(run, spec)| {
                    (run.as_str() == lost).then(|| (run.clone(), spec.clone()))
                });
                let Some((run, spec)) = found else { continue };
                if let Err(error) = self.client.put_session(lost, &spec).await {
                    tracing::warn!(%run, %error, "the way to it can't be made again");
                    if !is_refusal(&error) {
                        // whether anybody uses it nobody can tell now
                        used.push((run, Duration::ZERO));
                    }
                }
            }
            let sessions = self.client.sessions().await;
            let sessions = sessions.map_err(|error| self.error(&error))?;
            used.extend(sessions.into_iter().filter_map(|status| {
                let run = status.session.name.parse().ok()?;
                let idle = match status.connections {
                    0 => status.idle_s,
                    // somebody is there, and may be thinking
                    _ => 0,
                };
                Some((run, Duration::from_secs(idle)))
            }));
            Ok(used)
        })
    }

    fn lasts(&self) -> Duration {
        Duration::from_secs(u64::from(self.ttl_s))
    }

    fn renew_every(&self) -> Duration {
        Duration::from_secs(u64::from(self.ttl_s) / 6)
    }
}

/// Whether the edge itself said no: asked again, it says so again, and there is no way.
const fn is_refusal(error: &EdgeError) -> bool {
    matches!(
        error,
        EdgeError::Token { .. }
            | EdgeError::Forbidden { .. }
            | EdgeError::NotFound { .. }
            | EdgeError::Conflict { .. }
            | EdgeError::Invalid { .. }
    )
}

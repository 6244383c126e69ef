//! Tells NGINX which routes to serve.
//!
//! One task owns the control socket. It gathers what came meanwhile into one message, so that many
//! writers cost NGINX no more than a few; whoever waits is answered once the change is served. When
//! NGINX was away, it is told everything again.

use std::path::PathBuf;
use std::time::Duration;

use mkys_edge_client::{Audience, Route};
use serde::Serialize;
use tokio::sync::{mpsc, oneshot};

use crate::policy;
use crate::store::Store;

/// How long a change may take until it is served.
const PATIENCE: Duration = Duration::from_secs(5);
/// How often NGINX is asked whether it still knows its routes: it may have been started anew.
const LOOK: Duration = Duration::from_secs(1);

/// Why a change is not served.
#[derive(Clone, Debug, thiserror::Error)]
#[error("NGINX was not told: {0}")]
pub struct PublishError(String);

/// Where changes are handed in. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Publisher(mpsc::Sender<Change>);

#[derive(Debug)]
struct Change {
    set: Vec<(String, String)>,
    remove: Vec<String>,
    done: oneshot::Sender<Result<(), PublishError>>,
}

#[derive(Debug, Default, Serialize)]
struct Message {
    all: bool,
    set: Vec<(String, String)>,
    remove: Vec<String>,
    portal: String,
}

fn key(audience: Audience, route: &Route) -> String {
    format!("{audience} {} {}", route.spec.host, route.spec.path)
}

/// What NGINX serves of a route, by key.
fn entries(route: &Route) -> impl Iterator<Item = (String, String)> + '_ {
    Audience::ALL.into_iter().filter_map(|audience| {
        let target = policy::served(route, audience)?;
        Some((key(audience, route), format!("{target} {}", route.id)))
    })
}

impl Publisher {
    /// Starts the task that tells NGINX.
    ///
    /// # Errors
    ///
    /// When its client cannot be made.
    pub fn start(socket: PathBuf, store: Store, portal: String) -> Result<Self, PublishError> {
        let http = reqwest::Client::builder()
            .unix_socket(socket)
            .timeout(PATIENCE)
            .build()
            .map_err(|error| PublishError(error.to_string()))?;
        let (sender, changes) = mpsc::channel(1_024);
        tokio::spawn(
            Task {
                http,
                store,
                portal,
                told: false,
            }
            .run(changes),
        );
        Ok(Self(sender))
    }

    /// Serves a route as it is now instead of how it was, and waits until that is so.
    ///
    /// # Errors
    ///
    /// When NGINX does not answer. The change is in the database, and served as soon as it does.
    pub async fn publish(
        &self,
        before: Option<&Route>,
        after: Option<&Route>,
    ) -> Result<(), PublishError> {
        let set: Vec<_> = after.into_iter().flat_map(entries).collect();
        let remove = before
            .into_iter()
            .flat_map(entries)
            .map(|(key, _)| key)
            .filter(|key| set.iter().all(|(other, _)| other != key))
            .collect();
        let (done, answer) = oneshot::channel();
        let gone = || PublishError("the edge is stopping".to_owned());
        self.0
            .send(Change { set, remove, done })
            .await
            .map_err(|_| gone())?;
        answer.await.map_err(|_| gone())?
    }
}

struct Task {
    http: reqwest::Client,
    store: Store,
    portal: String,
    told: bool,
}

impl Task {
    async fn run(mut self, mut changes: mpsc::Receiver<Change>) {
        let mut look = tokio::time::interval(LOOK);
        loop {
            tokio::select! {
                change = changes.recv() => {
                    let Some(first) = change else { return };
                    let mut batch = vec![first];
                    while let Ok(more) = changes.try_recv() {
                        batch.push(more);
                    }
                    self.tell(batch).await;
                }
                _ = look.tick() => {
                    if (!self.told || !self.knows().await)
                        && let Err(error) = self.tell_all().await
                    {
                        tracing::warn!(%error, "NGINX does not take the routes");
                    }
                }
            }
        }
    }

    async fn tell(&mut self, batch: Vec<Change>) {
        let mut message = Message::default();
        let mut waiting = Vec::new();
        for Change { set, remove, done } in batch {
            // the later change of a key is the one that holds
            message.set.retain(|(key, _)| !remove.contains(key));
            message
                .remove
                .retain(|key| !set.iter().any(|(other, _)| other == key));
            message.set.extend(set);
            message.remove.extend(remove);
            waiting.push(done);
        }
        let result = match self.told {
            true => match self.send(&message).await {
                Ok(()) => Ok(()),
                Err(_) => self.tell_all().await,
            },
            // the database has the change already
            false => self.tell_all().await,
        };
        for done in waiting {
            // whoever stopped waiting does not mind
            let _ = done.send(result.clone());
        }
    }

    async fn tell_all(&mut self) -> Result<(), PublishError> {
        self.told = false;
        let routes = self
            .store
            .routes()
            .await
            .map_err(|error| PublishError(error.to_string()))?;
        let set: Vec<_> = routes.iter().flat_map(entries).collect();
        tracing::info!(routes = set.len(), "telling NGINX all routes");
        let portal = self.portal.clone();
        self.send(&Message {
            all: true,
            set,
            remove: Vec::new(),
            portal,
        })
        .await?;
        self.told = true;
        Ok(())
    }

    async fn knows(&self) -> bool {
        let asked = self.http.get("http://nginx/status").send().await;
        let Ok(answer) = asked else { return false };
        let status: Option<serde_json::Value> = answer.json().await.ok();
        status.is_some_and(|status| status["ready"] == true)
    }

    async fn send(&self, message: &Message) -> Result<(), PublishError> {
        let sent = self
            .http
            .put("http://nginx/routes")
            .json(message)
            .send()
            .await;
        let answer = sent.map_err(|error| PublishError(error.without_url().to_string()))?;
        if answer.status().is_success() {
            return Ok(());
        }
        Err(PublishError(answer.text().await.unwrap_or_default()))
    }
}

//! Tells NGINX which routes to serve.
//!
//! One task owns the control socket. It gathers what came meanwhile into one message, so that many
//! writers cost NGINX no more than a few; whoever waits is answered once the change is served. When
//! NGINX was away, it is told everything again, lasting routes first.

use std::collections::{BTreeSet, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use mkys_edge_client::Audience;
use serde::{Deserialize, Serialize};
use tokio::sync::{Notify, mpsc, oneshot};
use uuid::Uuid;

use crate::clock::Clock;
use crate::health::Health;
use crate::store::{Lapsed, Place, Serving, Store, StoreError};
use crate::warning::Warning;
use crate::{lease, nginx, policy};

/// How long a message may take until it is served.
const PATIENCE: Duration = Duration::from_secs(5);
/// How often NGINX is asked whether it still knows its routes: it may have been started anew.
const LOOK: Duration = Duration::from_secs(1);
/// Entries of a message: NGINX does nothing else while it reads one.
const MOST: usize = 1_000;

/// Why a change is not served.
#[derive(Clone, Debug, strum::EnumCount, thiserror::Error)]
pub enum PublishError {
    /// NGINX does not take it now.
    #[error("NGINX was not told: {0}")]
    Untold(String),
    /// NGINX has no memory for it.
    #[error("NGINX' memory for routes is full")]
    Full,
}

fn untold(error: impl ToString) -> PublishError {
    PublishError::Untold(error.to_string())
}

fn stored(error: StoreError) -> PublishError {
    untold(error)
}

/// Where changes are handed in. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Publisher(mpsc::Sender<Change>);

#[derive(Debug)]
struct Change {
    places: Vec<Place>,
    forget: Vec<Uuid>,
    done: oneshot::Sender<Result<(), PublishError>>,
}

/// What NGINX is told in one message.
#[derive(Debug, Default, PartialEq, Serialize)]
struct Message<'a> {
    /// The configuration of the workers that it is for.
    configuration: &'a str,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    set: &'a [Told<'a>],
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    remove: &'a [String],
    /// Session routes that have ended: their use is of no interest.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    forget: &'a [Uuid],
    /// All routes are told: the portal's host.
    #[serde(skip_serializing_if = "Option::is_none")]
    ready: Option<&'a str>,
}

/// A key with its value, and the seconds that it is served if nothing is said meanwhile; 0: for good.
type Told<'a> = (&'a str, &'a str, f64);

#[derive(Debug, Deserialize)]
struct Answer {
    #[serde(default)]
    refused: Vec<String>,
}

#[derive(Debug, Deserialize)]
struct Keys {
    #[serde(default)]
    keys: Vec<String>,
}

/// A key with its value, and until when it is served if nothing is said meanwhile.
#[derive(Clone, Debug, PartialEq)]
struct Entry {
    key: String,
    value: String,
    until: Option<Timestamp>,
}

impl Entry {
    /// The same as it is told at a moment; `None`: it is over.
    fn told(&self, now: Timestamp) -> Option<Told<'_>> {
        let left = match self.until {
            None => 0.0,
            // no time left must not become 0, which is for good
            Some(until) => {
                Some(until.duration_since(now).as_secs_f64()).filter(|left| *left > 0.0)?
            }
        };
        Some((&self.key, &self.value, left))
    }
}

fn key(audience: Audience, place: &Place) -> String {
    format!("{audience} {} {}", place.host, place.path)
}

/// What NGINX serves, each key once: lasting routes come first, and where both are at a place it is the lasting one's.
fn entries(serving: &Serving, now: Timestamp) -> Vec<Entry> {
    let mut entries = Vec::new();
    for route in serving.routes.values() {
        for audience in Audience::ALL {
            if let Some(target) = policy::served(route, audience) {
                entries.push(Entry {
                    key: key(audience, &route.into()),
                    value: format!("{target} {}", route.id),
                    until: None,
                });
            }
        }
    }
    let lasting: HashSet<String> = entries.iter().map(|entry| entry.key.clone()).collect();
    for (session, route) in &serving.sessions {
        let route = serving
            .routes
            .get(route)
            .filter(|_| session.expires_at > now);
        for audience in route.map(lease::open).unwrap_or_default() {
            let key = format!("{audience} {} {}", session.host, session.path);
            if !lasting.contains(&key) {
                entries.push(Entry {
                    key,
                    value: format!("{} {}", session.target, session.id),
                    until: Some(session.expires_at),
                });
            }
        }
    }
    entries
}

/// The keys at some places where nothing is served.
fn vacant(places: &BTreeSet<Place>, entries: &[Entry]) -> Vec<String> {
    let keys: HashSet<_> = entries.iter().map(|entry| &entry.key).collect();
    let all = places.iter().flat_map(keys_at);
    all.filter(|key| !keys.contains(key)).collect()
}

fn keys_at(place: &Place) -> [String; 2] {
    Audience::ALL.map(|audience| key(audience, place))
}

impl Publisher {
    /// Starts the task that tells the NGINX of a state folder; `started` says that another one runs.
    ///
    /// # Errors
    ///
    /// When its client cannot be made.
    pub fn start(
        state: &Path,
        store: Store,
        portal: &str,
        clock: Clock,
        health: Health,
        started: Arc<Notify>,
    ) -> Result<Self, PublishError> {
        let http = reqwest::Client::builder()
            .unix_socket(nginx::control(state))
            .timeout(PATIENCE)
            .build()
            .map_err(untold)?;
        let (sender, changes) = mpsc::channel(1_024);
        let task = Task {
            http,
            state: state.to_owned(),
            configuration: String::new(),
            store,
            portal: portal.to_owned(),
            clock,
            health,
            told: false,
            complaint: String::new(),
        };
        tokio::spawn(task.run(changes, started));
        Ok(Self(sender))
    }

    /// Serves at some places what the database has there, nothing if it has nothing, and waits until that is so.
    ///
    /// # Errors
    ///
    /// When NGINX does not answer, or has no room. The change is in the database, and served as soon as it can be.
    pub async fn publish(
        &self,
        places: impl IntoIterator<Item = Place>,
    ) -> Result<(), PublishError> {
        let places = places.into_iter().collect();
        self.hand_in(places, Vec::new()).await
    }

    /// Serves session routes no more, and forgets their use.
    ///
    /// # Errors
    ///
    /// As [`Publisher::publish`].
    pub async fn forget(&self, lapsed: Lapsed) -> Result<(), PublishError> {
        self.hand_in(lapsed.places, lapsed.ids).await
    }

    async fn hand_in(&self, places: Vec<Place>, forget: Vec<Uuid>) -> Result<(), PublishError> {
        if places.is_empty() {
            return Ok(());
        }
        let (done, answer) = oneshot::channel();
        let change = Change {
            places,
            forget,
            done,
        };
        let gone = || untold("the edge is stopping");
        self.0.send(change).await.map_err(|_| gone())?;
        answer.await.map_err(|_| gone())?
    }
}

struct Task {
    http: reqwest::Client,
    state: PathBuf,
    /// Id of the configuration of the workers that are told.
    configuration: String,
    store: Store,
    portal: String,
    clock: Clock,
    health: Health,
    told: bool,
    /// The failure that was logged last.
    complaint: String,
}

impl Task {
    async fn run(mut self, mut changes: mpsc::Receiver<Change>, started: Arc<Notify>) {
        let mut look = tokio::time::interval(LOOK);
        look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
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
                () = started.notified() => self.tell_again().await,
                _ = look.tick() => {
                    if !self.told || !self.knows().await {
                        self.tell_again().await;
                    }
                }
            }
        }
    }

    /// Tells all, and says of a failure what it has not said yet.
    async fn tell_again(&mut self) {
        let complaint = self.tell_all().await.err().map(|error| error.to_string());
        let complaint = complaint.unwrap_or_default();
        if complaint != self.complaint && !complaint.is_empty() {
            tracing::warn!(error = complaint, "{}", Warning::Untold);
        }
        self.complaint = complaint;
    }

    async fn tell(&mut self, batch: Vec<Change>) {
        let (mut places, mut ended) = (BTreeSet::new(), Vec::new());
        for change in &batch {
            places.extend(change.places.iter().cloned());
            ended.extend(&change.forget);
        }
        let told = match self.told {
            true => self.tell_some(&places, &ended).await,
            false => Err(untold("not yet")),
        };
        let told = match told {
            Ok(refused) => Ok(refused),
            // the database has the change already
            Err(_) => self.tell_all().await,
        };
        for Change { places, done, .. } in batch {
            let result = told.as_ref().map_err(Clone::clone).and_then(|refused| {
                let mut keys = places.iter().flat_map(keys_at);
                match keys.any(|key| refused.contains(&key)) {
                    true => Err(PublishError::Full),
                    false => Ok(()),
                }
            });
            // whoever stopped waiting does not mind
            let _ = done.send(result);
        }
    }

    /// What is told is what the database has now, not what somebody meant to change: two who change the same at
    /// once may come here in another order than they were written in. Gives the keys that there is no room for.
    async fn tell_some(
        &self,
        places: &BTreeSet<Place>,
        forget: &[Uuid],
    ) -> Result<HashSet<String>, PublishError> {
        let now = self.clock.now();
        let serving = self.store.serving_at(places, now).await.map_err(stored)?;
        let entries = entries(&serving, now);
        let remove = vacant(places, &entries);
        let mut forget = forget.chunks(MOST);
        let mut refused = self.send_all(&remove, &entries).await?;
        for forget in &mut forget {
            let message = Message {
                configuration: &self.configuration,
                forget,
                ..Message::default()
            };
            refused.extend(self.send(&message).await?);
        }
        Ok(refused)
    }

    /// Tells NGINX all routes, removals first. Returns the keys that do not fit.
    async fn tell_all(&mut self) -> Result<HashSet<String>, PublishError> {
        let told = self.try_tell_all().await;
        let (state, told) = match told {
            Ok((total, refused, unreadable)) => {
                let mut faults = Vec::new();
                if !refused.is_empty() {
                    let number = refused.len();
                    faults.push(format!(
                        "{number} of {total} do not fit into nginx.routes_mib"
                    ));
                }
                if unreadable > 0 {
                    faults.push(format!("{unreadable} in the database cannot be read"));
                }
                let state = match faults.is_empty() {
                    true => Ok(()),
                    false => Err(faults.join("; ")),
                };
                (state, Ok(refused))
            }
            Err(error) => (Err(error.to_string()), Err(error)),
        };
        self.told = told.is_ok();
        self.health.set_routes(state);
        told
    }

    async fn try_tell_all(&mut self) -> Result<(usize, HashSet<String>, usize), PublishError> {
        self.configuration = nginx::configuration(&self.state);
        if let Some(mib) = nginx::routes_mib(&self.state) {
            self.store.set_memory(mib);
        }
        let now = self.clock.now();
        let serving = self.store.serving(now).await.map_err(stored)?;
        let entries = entries(&serving, now);
        tracing::info!(routes = entries.len(), "telling NGINX all routes");
        let keys: HashSet<_> = entries.iter().map(|entry| &entry.key).collect();
        let mut gone = self.keys().await?;
        gone.retain(|key| !keys.contains(key));
        let refused = self.send_all(&gone, &entries).await?;
        let ready = Message {
            configuration: &self.configuration,
            ready: Some(&self.portal),
            ..Message::default()
        };
        self.send(&ready).await?;
        Ok((entries.len(), refused, serving.unreadable))
    }

    /// Removes keys and sets entries, in messages that NGINX reads in a moment each.
    async fn send_all(
        &self,
        remove: &[String],
        entries: &[Entry],
    ) -> Result<HashSet<String>, PublishError> {
        let mut refused = HashSet::new();
        let (mut remove, mut entries) = (remove.chunks(MOST), entries.chunks(MOST));
        loop {
            let (gone, some) = (remove.next(), entries.next());
            if gone.is_none() && some.is_none() {
                return Ok(refused);
            }
            let now = self.clock.now();
            let set: Vec<_> = some
                .into_iter()
                .flatten()
                .filter_map(|one| one.told(now))
                .collect();
            let message = Message {
                configuration: &self.configuration,
                set: &set,
                remove: gone.unwrap_or_default(),
                ..Message::default()
            };
            refused.extend(self.send(&message).await?);
        }
    }

    async fn knows(&self) -> bool {
        let asked = self.http.get("http://nginx/status").send().await;
        let Ok(answer) = asked else { return false };
        let status: Option<serde_json::Value> = answer.json().await.ok();
        status.is_some_and(|status| status["ready"] == true)
    }

    async fn keys(&self) -> Result<Vec<String>, PublishError> {
        let asked = self.http.get("http://nginx/keys").send().await;
        let Keys { keys } = read(asked).await?;
        Ok(keys)
    }

    async fn send(&self, message: &Message<'_>) -> Result<Vec<String>, PublishError> {
        let sent = self.http.put("http://nginx/routes").json(message).send();
        let Answer { refused } = read(sent.await).await?;
        Ok(refused)
    }
}

/// Reads an answer of NGINX. An error is reported by its status, without its HTML page.
async fn read<T: serde::de::DeserializeOwned>(
    sent: Result<reqwest::Response, reqwest::Error>,
) -> Result<T, PublishError> {
    let answer = sent.map_err(|error| untold(error.without_url()))?;
    if !answer.status().is_success() {
        return Err(untold(format!("it answers {}", answer.status())));
    }
    answer
        .json()
        .await
        .map_err(|error| untold(error.without_url()))
}

#[cfg(test)]
mod tests;

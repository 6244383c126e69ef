//! Tells NGINX which routes to serve.
//!
//! One task owns the control socket. It gathers what came meanwhile into one message, so that many
//! writers cost NGINX no more than a few; whoever waits is answered once the change is served. When
//! NGINX was away, it is told everything again.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use jiff::Timestamp;
use mkys_edge_client::Audience;
use serde::Serialize;
use tokio::sync::{mpsc, oneshot};
use uuid::Uuid;

use crate::store::{Lapsed, Place, Serving, Store, StoreError};
use crate::{lease, policy};

/// How long a change may take until it is served.
const PATIENCE: Duration = Duration::from_secs(5);
/// How often NGINX is asked whether it still knows its routes: it may have been started anew.
const LOOK: Duration = Duration::from_secs(1);

/// Why a change is not served.
#[derive(Clone, Debug, thiserror::Error)]
#[error("NGINX was not told: {0}")]
pub struct PublishError(String);

fn stored(error: StoreError) -> PublishError {
    PublishError(error.to_string())
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

#[derive(Debug, Default, PartialEq, Serialize)]
struct Message {
    all: bool,
    set: Vec<Entry>,
    remove: Vec<String>,
    /// Session routes that have ended: their use is of no interest.
    forget: Vec<Uuid>,
    portal: String,
}

/// A key with its value, and the seconds that it is served if nothing is said meanwhile; 0: for good.
type Entry = (String, String, f64);

fn key(audience: Audience, place: &Place) -> String {
    format!("{audience} {} {}", place.host, place.path)
}

/// What NGINX serves.
fn entries(serving: &Serving, now: Timestamp) -> Vec<Entry> {
    let mut entries = Vec::new();
    for (session, route) in &serving.sessions {
        let left = session.expires_at.duration_since(now).as_secs_f64();
        let route = serving.routes.get(route).filter(|_| left > 0.0);
        for audience in route.map(lease::open).unwrap_or_default() {
            let key = format!("{audience} {} {}", session.host, session.path);
            let value = format!("{} {} lease", session.target, session.id);
            entries.push((key, value, left));
        }
    }
    // last, so that they hold
    for route in serving.routes.values() {
        for audience in Audience::ALL {
            if let Some(target) = policy::served(route, audience) {
                let key = key(audience, &route.into());
                entries.push((key, format!("{target} {}", route.id), 0.0));
            }
        }
    }
    entries
}

/// What NGINX is told of some places: what is served there, and that nothing else is.
fn message(places: &BTreeSet<Place>, serving: &Serving, now: Timestamp) -> Message {
    let set = entries(serving, now);
    let keys: BTreeSet<_> = set.iter().map(|(key, ..)| key).collect();
    let all = places
        .iter()
        .flat_map(|place| Audience::ALL.map(|audience| key(audience, place)));
    let remove = all.filter(|key| !keys.contains(key)).collect();
    Message {
        set,
        remove,
        ..Message::default()
    }
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

    /// Serves at some places what the database has there, nothing if it has nothing, and waits until that is so.
    ///
    /// # Errors
    ///
    /// When NGINX does not answer. The change is in the database, and served as soon as it does.
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
        let gone = || PublishError("the edge is stopping".to_owned());
        self.0.send(change).await.map_err(|_| gone())?;
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
        let (mut places, mut ended, mut waiting) = (BTreeSet::new(), Vec::new(), Vec::new());
        for change in batch {
            let Change {
                places: some,
                forget,
                done,
            } = change;
            places.extend(some);
            ended.extend(forget);
            waiting.push(done);
        }
        let result = match self.told {
            true => match self.tell_some(&places, ended).await {
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

    /// What is told is what the database has now, not what somebody meant to change: two who change the same at
    /// once may come here in another order than they were written in.
    async fn tell_some(
        &self,
        places: &BTreeSet<Place>,
        forget: Vec<Uuid>,
    ) -> Result<(), PublishError> {
        let now = Timestamp::now();
        let serving = self.store.serving_at(places, now).await.map_err(stored)?;
        let message = Message {
            forget,
            ..message(places, &serving, now)
        };
        self.send(&message).await
    }

    async fn tell_all(&mut self) -> Result<(), PublishError> {
        self.told = false;
        let now = Timestamp::now();
        let serving = self.store.serving(now).await.map_err(stored)?;
        let set = entries(&serving, now);
        tracing::info!(routes = set.len(), "telling NGINX all routes");
        self.send(&Message {
            all: true,
            set,
            portal: self.portal.clone(),
            ..Message::default()
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

#[cfg(test)]
mod tests {
    use mkys_edge_client::{AccessState, Route, RouteSpec, Session, Wish};

    use super::*;
    use crate::policy::undecided;

    fn place(path: &str) -> Place {
        Place {
            host: "games.example.org".into(),
            path: path.into(),
        }
    }

    /// A route that users have and devops do not, with a session route that ends at 100 s.
    fn serving() -> Serving {
        let wish = Wish {
            enabled: true,
            justification: "games".into(),
        };
        let target = "198.51.100.20:80".parse().unwrap();
        let route = Route {
            id: Uuid::nil(),
            spec: RouteSpec {
                blade: "automathon".into(),
                service: "site".into(),
                port: 80,
                host: "games.example.org".into(),
                path: "/play".into(),
                targets: Audience::ALL.map(|audience| (audience, target)).into(),
                access: Audience::ALL
                    .map(|audience| (audience, wish.clone()))
                    .into(),
            },
            requester: "pipeline".into(),
            decisions: [
                (Audience::Users, undecided(AccessState::Approved)),
                (Audience::Devops, undecided(AccessState::Withdrawn)),
            ]
            .into(),
        };
        let session = Session {
            id: Uuid::nil(),
            name: "g".into(),
            host: "games.example.org".into(),
            path: "/play/g".into(),
            target: "10.88.0.5:8080".parse().unwrap(),
            ttl_s: 60,
            created_at: Timestamp::UNIX_EPOCH,
            expires_at: Timestamp::from_second(100).unwrap(),
        };
        Serving {
            routes: [(route.id, route)].into(),
            sessions: vec![(session, Uuid::nil())],
        }
    }

    #[test]
    fn a_session_route_is_for_its_routes_audiences_and_for_the_time_that_is_left() {
        let places = BTreeSet::from([place("/play/g"), place("/gone")]);
        let (nil, now) = (Uuid::nil(), Timestamp::from_second(58).unwrap());
        let route = (
            "users games.example.org /play",
            format!("198.51.100.20:80 {nil}"),
            0.0,
        );
        let session = (
            "users games.example.org /play/g",
            format!("10.88.0.5:8080 {nil} lease"),
            42.0,
        );
        let expected = [session, route].map(|(key, value, left)| (key.to_owned(), value, left));
        let told = message(&places, &serving(), now);
        assert_eq!(told.set, expected);
        let removed = [
            "users games.example.org /gone",
            "devops games.example.org /gone",
            "devops games.example.org /play/g",
        ];
        assert_eq!(told.remove, removed);
    }

    #[test]
    fn one_that_has_lapsed_is_taken_away_and_never_served_for_good() {
        // no time left must not become 0, which is for good
        for second in [100, 101] {
            let now = Timestamp::from_second(second).unwrap();
            let told = message(&BTreeSet::from([place("/play/g")]), &serving(), now);
            assert_eq!(told.set.len(), 1, "{told:?}");
            assert!(
                told.remove
                    .contains(&"users games.example.org /play/g".to_owned())
            );
        }
    }
}

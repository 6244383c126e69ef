//! What was acknowledged, and so has to be served: session routes, lasting routes, and a second delegation.

use std::collections::BTreeMap;

use futures_util::future::join_all;
use mkys_edge_client::{
    AccessState, Audience, Decision, DecisionRequest, EdgeClient, EdgeError, Route, SessionSpec,
};
use tokio::sync::Mutex;

use crate::edge::{HOST, PREFIX, Stage, path, spec, until};
use crate::service::Service;
use crate::visitor::{is_at, visit};
use mkys_acceptance::chance::Chance;

/// The session that no round changes.
pub(super) const STAYS: &str = "stays";
const SESSIONS: [&str; 6] = ["a", "b", "c", "d", "e", "f"];
/// Lasting routes of their own.
const ROUTES: [&str; 3] = ["/site", "/site/wiki", "/board"];
/// The holder of a second delegation, and its session.
const GUEST: &str = "guest";
const SERVICES: [&str; 2] = ["one", "two"];
/// How often a place is visited: each worker is to have heard of it.
const VISITS: usize = 10;
const TTL_S: u32 = 3_600;

/// A change that is asked for until it is acknowledged.
#[derive(Clone, Debug)]
pub(super) enum Change {
    Put(&'static str, usize),
    Delete(&'static str),
    Approve(usize),
    Withdraw(usize),
    /// To another address.
    Move(usize, usize),
    /// Delegates the lobby's path a second time, with a session below it.
    Delegate(usize),
    Revoke,
}

/// What came of asking once.
#[derive(Debug)]
pub(super) enum Outcome {
    Done,
    NoRoom,
    /// The edge does not answer, or NGINX not yet.
    NotNow,
}

struct Lasting {
    route: Route,
    is_open: bool,
    target: usize,
}

pub(super) struct Ledger {
    services: [Service; 2],
    sessions: BTreeMap<&'static str, Option<usize>>,
    routes: Vec<Lasting>,
    guest: Option<usize>,
    /// The guest's client, for as long as it has a delegation.
    guest_client: Mutex<Option<EdgeClient>>,
}

impl Outcome {
    fn of(result: Result<(), EdgeError>) -> Self {
        match result {
            Ok(()) => Self::Done,
            Err(EdgeError::Unexpected { status: 507, .. }) => Self::NoRoom,
            Err(EdgeError::Unreachable { .. } | EdgeError::Unexpected { status: 503, .. }) => {
                Self::NotNow
            }
            Err(error) => panic!("{error}"),
        }
    }
}

impl Ledger {
    pub(super) async fn new(stage: &Stage) -> Self {
        let one = Service::start(SERVICES[0]).await;
        // the same port elsewhere: to move there needs no approval
        let elsewhere = format!("127.0.0.2:{}", one.address.port());
        let two = Service::start_at(SERVICES[1], elsewhere.parse().unwrap()).await;
        let mut routes = Vec::new();
        for place in ROUTES {
            routes.push(Lasting {
                route: stage.edge.route(HOST, place, &one).await,
                is_open: false,
                target: 0,
            });
        }
        let stays = spec(STAYS, &one, TTL_S);
        stage.holder.put_session(STAYS, &stays).await.unwrap();
        Self {
            services: [one, two],
            sessions: SESSIONS.map(|name| (name, None)).into(),
            routes,
            guest: None,
            guest_client: Mutex::new(None),
        }
    }

    /// Draws the changes of a round.
    pub(super) fn draw(&self, chance: &mut Chance) -> Vec<Change> {
        let mut changes = Vec::new();
        for name in SESSIONS {
            match chance.between(0, 3) {
                target @ (0 | 1) => changes.push(Change::Put(name, usize::from(target == 1))),
                2 => changes.push(Change::Delete(name)),
                _ => {}
            }
        }
        for index in 0..ROUTES.len() {
            match chance.between(0, 5) {
                0 => changes.push(Change::Approve(index)),
                1 => changes.push(Change::Withdraw(index)),
                target @ (2 | 3) => changes.push(Change::Move(index, usize::from(target == 3))),
                _ => {}
            }
        }
        match (chance.between(0, 3), self.guest) {
            (target @ (0 | 1), None) => changes.push(Change::Delegate(usize::from(target == 1))),
            (0 | 1, Some(_)) => changes.push(Change::Revoke),
            _ => {}
        }
        // what is not open cannot be withdrawn
        changes.retain(|change| match change {
            Change::Withdraw(index) => self.routes[*index].is_open,
            _ => true,
        });
        changes
    }

    /// The places that are served, and will not be after these changes.
    pub(super) fn ended_by(&self, changes: &[Change]) -> Vec<String> {
        let ended = changes.iter().filter_map(|change| match change {
            Change::Delete(name) => self.sessions[name].map(|_| path(name)),
            Change::Withdraw(index) => Some(ROUTES[*index].to_owned()),
            Change::Revoke => Some(path(GUEST)),
            _ => None,
        });
        ended.collect()
    }

    /// Whether a change needs room for something new.
    pub(super) fn is_new(&self, change: &Change) -> bool {
        match change {
            Change::Put(name, _) => self.sessions[name].is_none(),
            Change::Delegate(_) => true,
            _ => false,
        }
    }

    /// Asks for a change until it is acknowledged.
    pub(super) async fn acknowledged(&self, stage: &Stage, change: &Change) {
        until("an acknowledgement", async || {
            match self.attempt(stage, change).await {
                Outcome::Done => Some(()),
                Outcome::NotNow => None,
                Outcome::NoRoom => panic!("no room for {change:?}"),
            }
        })
        .await;
    }

    /// Asks for a change once.
    pub(super) async fn attempt(&self, stage: &Stage, change: &Change) -> Outcome {
        let result = match change {
            Change::Put(name, target) => {
                let spec = spec(name, &self.services[*target], TTL_S);
                stage.holder.put_session(name, &spec).await.map(drop)
            }
            Change::Delete(name) => stage.holder.delete_session(name).await,
            Change::Approve(index) => self.decide(stage, *index, Decision::Approve).await,
            Change::Withdraw(index) => self.decide(stage, *index, Decision::Withdraw).await,
            Change::Move(index, target) => {
                let Route { id, spec, .. } = &self.routes[*index].route;
                let mut spec = spec.clone();
                let address = self.services[*target].address;
                spec.targets = Audience::ALL.map(|one| (one, address)).into();
                stage
                    .edge
                    .requester
                    .update_route(*id, &spec)
                    .await
                    .map(drop)
            }
            Change::Delegate(target) => self.delegate(stage, *target).await,
            Change::Revoke => self.revoke(stage).await,
        };
        Outcome::of(result)
    }

    async fn decide(
        &self,
        stage: &Stage,
        index: usize,
        decision: Decision,
    ) -> Result<(), EdgeError> {
        let administrator = &stage.edge.administrator;
        let route = administrator.route(self.routes[index].route.id).await?;
        let request = DecisionRequest {
            decision,
            reason: "a trial".into(),
            content: Some(route.spec.content()),
            revision: Some(route.decisions[&Audience::Users].revision),
        };
        let decided = administrator.decide(route.id, Audience::Users, &request);
        decided.await.map(drop)
    }

    async fn delegate(&self, stage: &Stage, target: usize) -> Result<(), EdgeError> {
        let mut client = self.guest_client.lock().await;
        if client.is_none() {
            let made = stage.edge.try_delegate(&stage.route, GUEST, 10).await;
            if let Err(EdgeError::Conflict { .. }) = &made {
                // it was made, and the token never came
                revoke(stage, GUEST).await?;
                *client = Some(stage.edge.try_delegate(&stage.route, GUEST, 10).await?);
            } else {
                *client = Some(made?);
            }
        }
        let guest = client.as_ref().unwrap();
        let spec = spec(GUEST, &self.services[target], TTL_S);
        guest.put_session(GUEST, &spec).await.map(drop)
    }

    async fn revoke(&self, stage: &Stage) -> Result<(), EdgeError> {
        let mut client = self.guest_client.lock().await;
        revoke(stage, GUEST).await?;
        *client = None;
        Ok(())
    }

    /// Takes acknowledged changes down.
    pub(super) fn note(&mut self, changes: &[Change]) {
        for change in changes {
            match change {
                Change::Put(name, target) => drop(self.sessions.insert(name, Some(*target))),
                Change::Delete(name) => drop(self.sessions.insert(name, None)),
                Change::Approve(index) => self.routes[*index].is_open = true,
                Change::Withdraw(index) => self.routes[*index].is_open = false,
                Change::Move(index, target) => self.routes[*index].target = *target,
                Change::Delegate(target) => self.guest = Some(*target),
                Change::Revoke => self.guest = None,
            }
        }
    }

    /// Renews all sessions of the holder that are there before and after this round.
    pub(super) async fn renew(&self, stage: &Stage) {
        let renewed = stage.holder.renew_sessions([STAYS]).await.unwrap();
        assert_eq!(renewed.renewed, [STAYS]);
    }

    /// Fails unless exactly this is served, told by the API, and known to NGINX.
    pub(super) async fn check(&self, stage: &Stage, round: u64) {
        let users = stage.edge.users;
        let mut keys = vec![key(PREFIX), key(&path(STAYS))];
        let sessions = self.sessions.iter().map(|(name, target)| (*name, *target));
        for (name, target) in sessions.chain([(GUEST, self.guest)]) {
            let expected = target.map_or("the lobby", |target| SERVICES[target]);
            let place = path(name);
            self.visit(stage, &place, (200, expected), round).await;
            keys.extend(target.map(|_| key(&place)));
        }
        for (index, place) in ROUTES.into_iter().enumerate() {
            let Lasting { route, is_open, .. } = &self.routes[index];
            let state = stage.edge.administrator.route(route.id).await.unwrap();
            let state = state.decisions[&Audience::Users].state;
            assert_eq!(
                state == AccessState::Approved,
                *is_open,
                "round {round}, {place}"
            );
            keys.extend(is_open.then(|| key(place)));
            // what is withdrawn is its parent's, if that is open
            let above = self
                .above(index)
                .map(|above| SERVICES[self.routes[above].target]);
            match above {
                Some(name) => self.visit(stage, place, (200, name), round).await,
                None => assert_eq!(visit(users, place).await.0, 404, "round {round}, {place}"),
            }
        }
        assert!(is_at(users, PREFIX, "the lobby").await, "round {round}");
        keys.sort_unstable();
        assert_eq!(stage.edge.keys().await, keys, "round {round}");
        let told = stage.holder.sessions().await.unwrap();
        let told: Vec<_> = told.iter().map(|one| &*one.session.name).collect();
        let expected = self.sessions.iter().filter(|(_, target)| target.is_some());
        let expected = expected.map(|(name, _)| *name).chain([STAYS]);
        assert_eq!(told, expected.collect::<Vec<_>>(), "round {round}");
        self.renew(stage).await;
    }

    /// The route that serves a lasting route's place: it itself or one above it.
    fn above(&self, index: usize) -> Option<usize> {
        let is_above = |other: &usize| {
            let rest = ROUTES[index].strip_prefix(ROUTES[*other]);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        let open = (0..ROUTES.len()).filter(|other| self.routes[*other].is_open);
        open.filter(is_above)
            .max_by_key(|other| ROUTES[*other].len())
    }

    async fn visit(&self, stage: &Stage, place: &str, expected: (u16, &str), round: u64) {
        for _ in 0..VISITS {
            let (status, body) = visit(stage.edge.users, place).await;
            assert_eq!((status, &*body), expected, "round {round}, {place}");
        }
    }
}

fn key(place: &str) -> String {
    format!("users {HOST} {place}")
}

async fn revoke(stage: &Stage, holder: &str) -> Result<(), EdgeError> {
    let revoked = stage
        .edge
        .administrator
        .revoke_delegation(stage.route.id, holder);
    match revoked.await {
        // an earlier try did it, and its answer was lost
        Err(EdgeError::NotFound { .. }) => Ok(()),
        other => other,
    }
}

/// A holder that has as many session routes as NGINX' memory takes.
pub(super) struct Filler {
    holder: EdgeClient,
    asked: usize,
    held: usize,
    target: Service,
}

impl Filler {
    const NAME: &str = "filler";
    /// Session routes that are asked for at once.
    const AT_ONCE: usize = 50;

    pub(super) async fn fill(stage: &Stage) -> Self {
        let mut filler = Self {
            holder: stage.edge.delegate(&stage.route, Self::NAME, 1_000).await,
            asked: 0,
            held: 0,
            target: Service::start(Self::NAME).await,
        };
        // long paths, and then short ones into what these left
        for length in [470, 1] {
            filler.fill_with(length).await;
        }
        filler
    }

    async fn fill_with(&mut self, length: usize) {
        loop {
            let numbers = self.asked..self.asked + Self::AT_ONCE;
            self.asked += Self::AT_ONCE;
            let put = join_all(numbers.map(|number| self.put(number, length))).await;
            let done = put
                .iter()
                .filter(|outcome| matches!(outcome, Outcome::Done));
            let done = done.count();
            self.held += done;
            if done < Self::AT_ONCE {
                return;
            }
        }
    }

    async fn put(&self, number: usize, length: usize) -> Outcome {
        let spec = SessionSpec {
            path: path(&format!("{}/{number}/{}", Self::NAME, "a".repeat(length))),
            target: self.target.address,
            ttl_s: TTL_S,
        };
        let put = self.holder.put_session(&format!("f{number}"), &spec).await;
        Outcome::of(put.map(drop))
    }

    /// Fails unless all of it is served.
    pub(super) async fn check(&self, stage: &Stage) {
        let sessions = self.holder.sessions().await.unwrap();
        assert_eq!(sessions.len(), self.held);
        for session in sessions.iter().step_by(20) {
            let place = &session.session.path;
            assert!(is_at(stage.edge.users, place, Self::NAME).await, "{place}");
        }
    }

    pub(super) async fn end(self, stage: &Stage) {
        revoke(stage, Self::NAME).await.unwrap();
    }
}

//! What people and programs reach: the API, the portal, the administrators' pages.

mod admin;
mod api;
mod delegations;
mod error;
mod places;
mod portal;
mod sessions;
mod sign_in;

use std::sync::Arc;

use axum::Router;
use mkys_edge_client::{Access, Actor, Audience, DecisionRequest, Route};
use uuid::Uuid;

use crate::activity::Uses;
use crate::policy;
use crate::publish::Publisher;
use crate::store::{Place, Store};
pub use error::Failure;
use sign_in::Sessions;

/// What the handlers share.
#[derive(Clone, Debug)]
pub struct App {
    store: Store,
    publisher: Publisher,
    uses: Uses,
    portal_host: Arc<str>,
    title: Arc<str>,
    sessions: Sessions,
}

impl App {
    /// An application over a database and NGINX.
    pub fn new(
        store: Store,
        publisher: Publisher,
        uses: Uses,
        portal_host: &str,
        title: &str,
    ) -> Self {
        let (portal_host, title) = (portal_host.into(), title.into());
        Self {
            store,
            publisher,
            uses,
            portal_host,
            title,
            sessions: Sessions::default(),
        }
    }

    /// The API, for programs.
    pub fn api(self) -> Router {
        api::router()
            .merge(delegations::router())
            .merge(places::router())
            .merge(sessions::router())
            .with_state(self)
    }

    /// The portal with the administrators' pages, for people, behind NGINX.
    pub fn pages(self) -> Router {
        portal::router().merge(admin::router()).with_state(self)
    }

    /// The API over an empty database, whose portal is at host `portal`: the store, and the API's address.
    #[cfg(test)]
    #[allow(clippy::unwrap_used, reason = "a test may stop at once")]
    async fn served(folder: &std::path::Path) -> (Store, String) {
        let store = Store::open(&folder.join("edge.sqlite")).await.unwrap();
        let socket = folder.join("none.sock");
        let uses = Uses::new(socket.clone()).unwrap();
        let publisher = Publisher::start(socket, store.clone(), "portal".into()).unwrap();
        let app = Self::new(store.clone(), publisher, uses, "portal", "");
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(axum::serve(listener, app.api()).into_future());
        (store, url)
    }

    /// Decides on an access, and serves it so.
    async fn decide(
        &self,
        actor: &Actor,
        id: Uuid,
        audience: Audience,
        request: &DecisionRequest,
    ) -> Result<Route, Failure> {
        let now = jiff::Timestamp::now();
        let before = self.store.route(id).await?.ok_or(Failure::NotFound)?;
        let DecisionRequest { decision, reason } = request;
        let access: Access = policy::decide(actor, &before, audience, *decision, reason, now)?;
        let mut after = before.clone();
        after.decisions.insert(audience, access);
        let mut places = vec![Place::from(&after)];
        if after != before {
            let decided = self.store.decide(&after, audience, &actor.name, now);
            places.extend(decided.await?);
        }
        self.publisher.publish(places).await?;
        Ok(after)
    }
}

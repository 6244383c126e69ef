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
use mkys_edge_client::{Actor, Audience, DecisionRequest, Route};
use uuid::Uuid;

use crate::activity::Uses;
use crate::policy;
use crate::publish::Publisher;
use crate::store::{Changed, Store};
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
        let (judge, request) = (actor.clone(), request.clone());
        let decided = self
            .store
            .decide(id, audience, &actor.name, now, move |route| {
                policy::decide(&judge, route, audience, &request, now)
            });
        let Changed { route, places } = decided.await?.ok_or(Failure::NotFound)?;
        self.publisher.publish(places).await?;
        Ok(route)
    }
}

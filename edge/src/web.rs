//! What people and programs reach: the API, the portal, the administrators' pages.

mod admin;
mod api;
mod delegations;
mod error;
mod health;
mod places;
mod portal;
mod sessions;
mod sign_in;

use std::sync::Arc;

use axum::Router;
use axum::http::{HeaderName, HeaderValue};
use axum::response::Response;
use mkys_edge_client::{Actor, Audience, DecisionRequest, EDGE_HEADER, Route};
use uuid::Uuid;

use crate::activity::Uses;
use crate::clock::Clock;
use crate::health::Health;
use crate::own::Own;
use crate::policy;
use crate::publish::Publisher;
use crate::store::{Changed, Store};
pub use error::Failure;
use sign_in::Sessions;

/// What the handlers share.
#[derive(Clone, Debug)]
pub struct App {
    parts: Parts,
    portal_host: Arc<str>,
    title: Arc<str>,
    sessions: Sessions,
    checks: health::Checks,
}

/// What an application works with.
#[derive(Clone, Debug)]
pub struct Parts {
    /// The database.
    pub store: Store,
    /// The way to NGINX.
    pub publisher: Publisher,
    /// Who uses session routes.
    pub uses: Uses,
    /// The clock of leases.
    pub clock: Clock,
    /// Health of the edge's parts.
    pub health: Health,
    /// What no route leads to.
    pub own: Own,
}

impl std::ops::Deref for App {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.parts
    }
}

impl App {
    /// An application over a database and NGINX.
    pub fn new(parts: Parts, portal_host: &str, title: &str) -> Self {
        let (portal_host, title) = (portal_host.into(), title.into());
        Self {
            parts,
            portal_host,
            title,
            sessions: Sessions::default(),
            checks: health::Checks::default(),
        }
    }

    /// The API, for programs.
    pub fn api(self) -> Router {
        let edge = self.store.edge().to_string();
        let said = move |mut response: Response| {
            // an id is hexadecimal
            if let Ok(edge) = HeaderValue::from_str(&edge) {
                let name = HeaderName::from_static(EDGE_HEADER);
                response.headers_mut().insert(name, edge);
            }
            std::future::ready(response)
        };
        api::router()
            .merge(delegations::router())
            .merge(health::router())
            .merge(places::router())
            .merge(sessions::router())
            .fallback(async || Failure::NoSuchCall)
            .method_not_allowed_fallback(async || Failure::NoSuchMethod)
            .layer(axum::middleware::map_response(said))
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
        let app = Self::beside(folder).await;
        let store = app.store.clone();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(axum::serve(listener, app.api()).into_future());
        (store, url)
    }

    /// An application over an empty database, without an NGINX, whose portal is at host `portal`.
    #[cfg(test)]
    #[allow(clippy::unwrap_used, reason = "a test may stop at once")]
    async fn beside(folder: &std::path::Path) -> Self {
        let store = Store::open(&folder.join("edge.sqlite")).await.unwrap();
        let (clock, health) = (Clock::start(), Health::default());
        let started = Arc::new(tokio::sync::Notify::new());
        let publisher = Publisher::start(
            folder,
            store.clone(),
            "portal",
            clock,
            health.clone(),
            started,
        );
        let parts = Parts {
            publisher: publisher.unwrap(),
            uses: Uses::new(folder.join("none.sock"), clock).unwrap(),
            store,
            clock,
            health,
            own: Own::default(),
        };
        Self::new(parts, "portal", "")
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
        let state = route
            .decisions
            .get(&audience)
            .map(|access| access.state.as_str());
        tracing::info!(id = %route.id, %audience, state, by = actor.name, "decided");
        self.publisher.publish(places).await?;
        Ok(route)
    }
}

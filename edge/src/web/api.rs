//! The API: routes and decisions, as JSON, by bearer token.

use axum::Json;
use axum::Router;
use axum::extract::rejection::JsonRejection;
use axum::extract::{FromRequestParts, Path, State};
use axum::http::StatusCode;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use axum::routing::{get, post};
use mkys_edge_client::{Actor, Audience, DecisionRequest, Route, RouteSpec};
use uuid::Uuid;

use super::App;
use super::error::Failure;
use crate::policy::{self, Denied};
use crate::store::Changed;

pub(super) fn router() -> Router<App> {
    Router::new()
        .route("/v1/token", get(token))
        .route("/v1/routes", get(list).post(create))
        .route("/v1/routes/{id}", get(read).put(update).delete(remove))
        .route("/v1/routes/{id}/access/{audience}", post(decide))
}

impl FromRequestParts<App> for Actor {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Failure> {
        let token = bearer(parts)?;
        app.store.actor(token).await?.ok_or(Failure::NoToken)
    }
}

/// The token that a request came with.
pub(super) fn bearer(parts: &Parts) -> Result<&str, Failure> {
    let header = parts.headers.get(AUTHORIZATION);
    let header = header.and_then(|value| value.to_str().ok());
    // the scheme's case is of no meaning (RFC 9110, section 11.1)
    let token = header.and_then(|value| value.split_once(' '));
    let token = token.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
    token.map(|(_, token)| token.trim()).ok_or(Failure::NoToken)
}

/// What the token that asks may do, so that its holder can know before asking for a route.
async fn token(actor: Actor) -> Json<Actor> {
    Json(actor)
}

async fn list(State(app): State<App>, actor: Actor) -> Result<Json<Vec<Route>>, Failure> {
    let mut routes = app.store.routes().await?;
    routes.retain(|route| actor.speaks_for(&route.spec.blade));
    Ok(Json(routes))
}

async fn create(
    State(app): State<App>,
    actor: Actor,
    spec: Result<Json<RouteSpec>, JsonRejection>,
) -> Result<(StatusCode, Json<Route>), Failure> {
    let spec = body(spec)?;
    check(&app, &actor, &spec)?;
    let decisions = policy::first(&spec);
    let route = Route {
        id: Uuid::new_v4(),
        spec,
        requester: actor.name.clone(),
        people: vec![actor.person.clone()],
        decisions,
    };
    let inserted = app.store.insert(&route, jiff::Timestamp::now()).await;
    inserted.map_err(|error| error.told_to(&actor))?;
    tracing::info!(id = %route.id, host = route.spec.host, path = route.spec.path, "asked for");
    Ok((StatusCode::CREATED, Json(route)))
}

async fn read(
    State(app): State<App>,
    actor: Actor,
    id: Result<Path<Uuid>, axum::extract::rejection::PathRejection>,
) -> Result<Json<Route>, Failure> {
    Ok(Json(own(&app, &actor, id).await?))
}

async fn update(
    State(app): State<App>,
    actor: Actor,
    id: Result<Path<Uuid>, axum::extract::rejection::PathRejection>,
    spec: Result<Json<RouteSpec>, JsonRejection>,
) -> Result<Json<Route>, Failure> {
    let id = own(&app, &actor, id).await?.id;
    let spec = body(spec)?;
    check(&app, &actor, &spec)?;
    let (now, judge) = (jiff::Timestamp::now(), actor.clone());
    let changed = app.store.change(id, &actor.name, now, move |before| {
        policy::change(&judge, before, spec, now)
    });
    let changed = changed.await.map_err(|error| error.told_to(&actor))?;
    let Changed { route, places } = changed.ok_or(Failure::NotFound)?;
    app.publisher.publish(places).await?;
    Ok(Json(route))
}

async fn remove(
    State(app): State<App>,
    actor: Actor,
    id: Result<Path<Uuid>, axum::extract::rejection::PathRejection>,
) -> Result<StatusCode, Failure> {
    let Path(id) = id.map_err(|_| Failure::NotFound)?;
    let deleted = app.store.delete(id, &actor, jiff::Timestamp::now());
    let places = deleted.await?.ok_or(Failure::NotFound)?;
    app.publisher.publish(places).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn decide(
    State(app): State<App>,
    actor: Actor,
    place: Result<Path<(Uuid, Audience)>, axum::extract::rejection::PathRejection>,
    request: Result<Json<DecisionRequest>, JsonRejection>,
) -> Result<Json<Route>, Failure> {
    let Path((id, audience)) = place.map_err(|_| Failure::NotFound)?;
    Ok(Json(
        app.decide(&actor, id, audience, &body(request)?).await?,
    ))
}

/// Checks a wish by the policy, and that its targets are not the edge itself.
fn check(app: &App, actor: &Actor, spec: &RouteSpec) -> Result<(), Failure> {
    policy::check(actor, spec, &app.portal_host)?;
    for (audience, target) in &spec.targets {
        app.own.check(*target, &actor.networks).map_err(|error| {
            let field = format!("targets.{audience}");
            Failure::Denied(Denied::Forbidden(policy::refusal(Some(&field), error)))
        })?;
    }
    Ok(())
}

/// A route that the token may see: to others it is as if it were not there.
pub(super) async fn own(
    app: &App,
    actor: &Actor,
    id: Result<Path<Uuid>, axum::extract::rejection::PathRejection>,
) -> Result<Route, Failure> {
    let Path(id) = id.map_err(|_| Failure::NotFound)?;
    let route = app.store.route(id).await?;
    route
        .filter(|route| actor.speaks_for(&route.spec.blade))
        .ok_or(Failure::NotFound)
}

pub(super) fn body<T>(body: Result<Json<T>, JsonRejection>) -> Result<T, Failure> {
    body.map(|Json(value)| value)
        .map_err(|error| Failure::Malformed(error.body_text()))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may stop at once")]
mod tests {
    use mkys_edge_client::{EdgeClient, EdgeError, Role, Settings};

    use super::*;

    #[tokio::test]
    async fn a_token_is_told_its_own_rights_and_a_wrong_one_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let (store, url) = App::served(folder.path()).await;
        let actor = Actor {
            name: "pipeline".into(),
            person: "eve".into(),
            role: Role::Requester,
            blades: vec!["pnr".into()],
            networks: vec!["198.51.100.0/25".parse().unwrap()],
        };
        let now = jiff::Timestamp::UNIX_EPOCH;
        store
            .add_token(&actor, "mkys_right", "", now)
            .await
            .unwrap();
        let asked = async |token: &str| {
            let edge = EdgeClient::new(&Settings::new(&url, token)).unwrap();
            edge.token().await
        };
        assert_eq!(asked("mkys_right").await.unwrap(), actor);
        assert!(matches!(
            asked("mkys_wrong").await,
            Err(EdgeError::Token { .. })
        ));
        store.revoke_token("pipeline", "", now).await.unwrap();
        assert!(matches!(
            asked("mkys_right").await,
            Err(EdgeError::Token { .. })
        ));
    }
}

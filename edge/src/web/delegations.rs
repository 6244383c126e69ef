//! The API's half of delegating: an administrator hands out a route's path prefix, and takes it back.

use axum::extract::rejection::{JsonRejection, PathRejection};
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::{delete, get};
use axum::{Json, Router};
use jiff::Timestamp;
use mkys_edge_client::{Actor, Delegation, DelegationRequest, NewDelegation};
use uuid::Uuid;

use super::App;
use super::api::{body, own};
use super::error::Failure;
use crate::{lease, token};

pub(super) fn router() -> Router<App> {
    Router::new()
        .route("/v1/routes/{id}/delegations", get(list).post(create))
        .route("/v1/routes/{id}/delegations/{holder}", delete(revoke))
}

async fn list(
    State(app): State<App>,
    actor: Actor,
    id: Result<Path<Uuid>, PathRejection>,
) -> Result<Json<Vec<Delegation>>, Failure> {
    let route = own(&app, &actor, id).await?;
    Ok(Json(app.store.delegations(&route).await?))
}

async fn create(
    State(app): State<App>,
    actor: Actor,
    id: Result<Path<Uuid>, PathRejection>,
    request: Result<Json<DelegationRequest>, JsonRejection>,
) -> Result<(StatusCode, Json<NewDelegation>), Failure> {
    let id = own(&app, &actor, id).await?.id;
    let request = body(request)?;
    let token = token::generate().map_err(Failure::NoRandom)?;
    let now = Timestamp::now();
    let delegated = app.store.delegate(id, &token, move |route| {
        lease::delegate(&actor, route, request, now)
    });
    let delegation = delegated.await?.ok_or(Failure::NotFound)?;
    tracing::info!(route = %id, holder = delegation.holder, "delegated");
    Ok((
        StatusCode::CREATED,
        Json(NewDelegation { delegation, token }),
    ))
}

async fn revoke(
    State(app): State<App>,
    actor: Actor,
    place: Result<Path<(Uuid, String)>, PathRejection>,
) -> Result<StatusCode, Failure> {
    let Path((id, holder)) = place.map_err(|_| Failure::NotFound)?;
    let route = own(&app, &actor, Ok(Path(id))).await?;
    lease::may_delegate(&actor, &route)?;
    let now = Timestamp::now();
    let revoked = app
        .store
        .revoke_delegation(&route, &holder, &actor.name, now);
    let places = revoked.await?.ok_or(Failure::NotFound)?;
    app.publisher.publish(places).await?;
    Ok(StatusCode::NO_CONTENT)
}

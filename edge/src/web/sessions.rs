//! The API of a delegation's holder: session routes, by the holder's token.

use axum::extract::rejection::{JsonRejection, PathRejection};
use axum::extract::{FromRequestParts, Path, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::routing::{get, put};
use axum::{Json, Router};
use mkys_edge_client::{Delegation, Renewal, Renewed, Session, SessionSpec, SessionStatus};

use super::App;
use super::api::{bearer, body};
use super::error::Failure;
use crate::lease;
use crate::policy::{Denied, refusal};
use crate::store::Holder;

pub(super) fn router() -> Router<App> {
    Router::new()
        .route("/v1/delegation", get(delegation))
        .route("/v1/sessions", get(list))
        .route(
            // a session may be named "renew": only POST is for renewing
            "/v1/sessions/{name}",
            put(add).get(read).delete(remove).post(renew),
        )
}

impl FromRequestParts<App> for Holder {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Failure> {
        let holder = app.store.holder(bearer(parts)?).await?;
        holder.ok_or(Failure::NoToken)
    }
}

/// What the token that asks was delegated.
async fn delegation(holder: Holder) -> Json<Delegation> {
    Json(holder.delegation)
}

async fn list(State(app): State<App>, holder: Holder) -> Result<Json<Vec<SessionStatus>>, Failure> {
    let sessions = app.store.sessions(&holder, None, app.clock.now()).await?;
    Ok(Json(app.uses.of(sessions).await?))
}

async fn read(
    State(app): State<App>,
    holder: Holder,
    name: Result<Path<String>, PathRejection>,
) -> Result<Json<SessionStatus>, Failure> {
    let Path(name) = name.map_err(|_| Failure::NotFound)?;
    let sessions = app.store.sessions(&holder, Some(&name), app.clock.now());
    let mut found = app.uses.of(sessions.await?).await?;
    found.pop().map(Json).ok_or(Failure::NotFound)
}

async fn add(
    State(app): State<App>,
    holder: Holder,
    name: Result<Path<String>, PathRejection>,
    spec: Result<Json<SessionSpec>, JsonRejection>,
) -> Result<Json<Session>, Failure> {
    let Path(name) = name.map_err(|_| Failure::NotFound)?;
    let spec = body(spec)?;
    lease::check(&holder.delegation, &name, &spec)?;
    let own = app.own.check(spec.target, &holder.delegation.networks);
    own.map_err(|error| Denied::Forbidden(refusal(Some("target"), error)))?;
    let put = app
        .store
        .put_session(&holder, &name, &spec, app.clock.now());
    let (session, places) = put.await?;
    app.publisher.publish(places).await?;
    Ok(Json(session))
}

async fn renew(
    State(app): State<App>,
    holder: Holder,
    name: Result<Path<String>, PathRejection>,
    renewal: Result<Json<Renewal>, JsonRejection>,
) -> Result<Json<Renewed>, Failure> {
    if !name.is_ok_and(|Path(name)| name == "renew") {
        return Err(Failure::NotFound);
    }
    let Renewal { names } = body(renewal)?;
    let renewed = app.store.renew_sessions(&holder, names, app.clock.now());
    let (renewed, places) = renewed.await?;
    app.publisher.publish(places).await?;
    Ok(Json(renewed))
}

async fn remove(
    State(app): State<App>,
    holder: Holder,
    name: Result<Path<String>, PathRejection>,
) -> Result<StatusCode, Failure> {
    let Path(name) = name.map_err(|_| Failure::NotFound)?;
    let ended = app.store.delete_session(&holder, &name).await?;
    app.publisher.forget(ended).await?;
    Ok(StatusCode::NO_CONTENT)
}

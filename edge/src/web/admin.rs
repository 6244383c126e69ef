//! The administrators' pages: requests that wait, what was decided, and deciding. They are there on
//! the devops listener alone.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use askama::Template;
use axum::Router;
use axum::extract::rejection::{FormRejection, QueryRejection};
use axum::extract::{Form, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use mkys_edge_client::{
    Access, AccessState, Actor, Audience, Decision, DecisionRequest, Role, Route, Wish,
};
use serde::Deserialize;
use uuid::Uuid;

use super::App;
use super::error::Failure;
use super::portal::{MessagePage, audience, failed, no_such_page, page};
use super::sign_in::{Session, set_cookie};
use crate::policy;
use crate::warning::Warning;

pub(super) fn router() -> Router<App> {
    Router::new()
        .route("/admin", get(requests))
        .route("/admin/sign-in", post(sign_in))
        .route("/admin/sign-out", post(sign_out))
        .route("/admin/decide", post(decide))
}

#[derive(Template)]
#[template(path = "sign_in.html")]
struct SignInPage {
    title: String,
    problem: Option<&'static str>,
}

#[derive(Template)]
#[template(path = "admin.html")]
struct AdminPage {
    title: String,
    name: String,
    form_token: String,
    waiting: Section,
    approved: Section,
    others: Section,
    number: usize,
    pages: usize,
}

#[derive(Deserialize)]
struct Paging {
    #[serde(default)]
    page: Option<usize>,
}

struct Entry {
    id: Uuid,
    audience: Audience,
    blade: String,
    service: String,
    place: String,
    target: String,
    /// What the page shows, as JSON: what is decided on must be that.
    content: String,
    revision: u64,
    requester: String,
    justification: String,
    description: String,
    state: AccessState,
    decided: Decided,
    own: bool,
    is_wanted: bool,
    /// The other blades that have routes on the same host.
    neighbours: String,
}

#[derive(Default)]
struct Decided {
    by: String,
    at: String,
    reason: String,
}

/// Only devops' own listener has these pages.
fn hidden(app: &App, headers: &HeaderMap) -> Option<Response> {
    (audience(headers) != Audience::Devops).then(|| no_such_page(app))
}

fn sign_in_page(app: &App, status: StatusCode, problem: Option<&'static str>) -> Response {
    page(
        status,
        &SignInPage {
            title: app.title.to_string(),
            problem,
        },
    )
}

/// The administrator who is signed in, with the session.
async fn signed_in(app: &App, headers: &HeaderMap) -> Result<Option<(Actor, Session)>, Failure> {
    let Some(session) = app.sessions.of(headers, Instant::now()) else {
        return Ok(None);
    };
    let actor = app.store.actor_by_hash(&session.token).await?;
    let administrator = actor.filter(|actor| actor.role == Role::Administrator);
    Ok(administrator.map(|actor| (actor, session)))
}

async fn requests(
    State(app): State<App>,
    headers: HeaderMap,
    paging: Result<Query<Paging>, QueryRejection>,
) -> Response {
    if let Some(hidden) = hidden(&app, &headers) {
        return hidden;
    }
    let shown: Result<Response, Failure> = async {
        match signed_in(&app, &headers).await? {
            Some((actor, session)) => {
                let number = paging.ok().and_then(|Query(paging)| paging.page);
                let number = number.unwrap_or(1).clamp(1, 100_000);
                let admin = admin_page(&app, actor, session, number).await?;
                Ok(page(StatusCode::OK, &admin))
            }
            None => Ok(sign_in_page(&app, StatusCode::OK, None)),
        }
    }
    .await;
    shown.unwrap_or_else(|failure| failed(&app, failure))
}

/// Entries of a section on a page.
const MOST: usize = 50;

async fn admin_page(
    app: &App,
    actor: Actor,
    session: Session,
    number: usize,
) -> Result<AdminPage, Failure> {
    let routes = app.store.routes().await?;
    let mut blades: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for Route { spec, .. } in &routes {
        blades.entry(&spec.host).or_default().insert(&spec.blade);
    }
    let (mut waiting, mut approved, mut others) = (Vec::new(), Vec::new(), Vec::new());
    for route in &routes {
        for (audience, access) in &route.decisions {
            let on_host = blades.get(route.spec.host.as_str());
            let entry = entry(&actor, route, *audience, access, on_host);
            match access.state {
                AccessState::Pending => waiting.push(entry),
                AccessState::Approved => approved.push(entry),
                AccessState::Refused | AccessState::Withdrawn => others.push(entry),
            }
        }
    }
    let longest = [&waiting, &approved, &others]
        .map(Vec::len)
        .into_iter()
        .max();
    Ok(AdminPage {
        title: app.title.to_string(),
        name: actor.name,
        form_token: session.form_token,
        waiting: Section::of(waiting, number),
        approved: Section::of(approved, number),
        others: Section::of(others, number),
        number,
        pages: longest.unwrap_or_default().div_ceil(MOST).max(1),
    })
}

fn entry(
    actor: &Actor,
    route: &Route,
    audience: Audience,
    access: &Access,
    on_host: Option<&BTreeSet<&str>>,
) -> Entry {
    let spec = &route.spec;
    let wish = spec.access.get(&audience);
    let text = |text: fn(&Wish) -> &String| wish.map(text).cloned().unwrap_or_default();
    let others = on_host
        .into_iter()
        .flatten()
        .filter(|blade| **blade != spec.blade);
    let at = access
        .decided_at
        .map(|at| at.strftime("%Y-%m-%d %H:%M UTC").to_string());
    Entry {
        id: route.id,
        audience,
        blade: spec.blade.clone(),
        service: spec.service.clone(),
        place: format!("{}{}", spec.host, spec.path),
        target: spec
            .targets
            .get(&audience)
            .map(ToString::to_string)
            .unwrap_or_default(),
        content: serde_json::json!(spec.content()).to_string(),
        revision: access.revision,
        requester: route.requester.clone(),
        justification: text(|wish| &wish.justification),
        description: text(|wish| &wish.description),
        state: access.state,
        decided: Decided {
            by: access.decided_by.clone().unwrap_or_default(),
            at: at.unwrap_or_default(),
            reason: access.reason.clone().unwrap_or_default(),
        },
        own: policy::is_own(actor, route),
        is_wanted: wish.is_some_and(|wish| wish.enabled),
        neighbours: others.copied().collect::<Vec<_>>().join(", "),
    }
}

/// What of a section is on a page.
struct Section {
    /// How many there are on all pages.
    total: usize,
    entries: Vec<Entry>,
}

impl Section {
    fn of(all: Vec<Entry>, number: usize) -> Self {
        let total = all.len();
        let entries = all.into_iter().skip((number - 1) * MOST).take(MOST);
        Self {
            total,
            entries: entries.collect(),
        }
    }
}

#[derive(Deserialize)]
struct SignIn {
    token: String,
}

/// How long a wrong sign-in waits for its answer.
const BRAKE: Duration = Duration::from_secs(1);

async fn sign_in(
    State(app): State<App>,
    headers: HeaderMap,
    form: Result<Form<SignIn>, FormRejection>,
) -> Response {
    if let Some(hidden) = hidden(&app, &headers) {
        return hidden;
    }
    let Ok(Form(form)) = form else {
        return failed(&app, no_such_form());
    };
    let token = form.token.trim();
    let actor = match app.store.actor(token).await {
        Ok(actor) => actor,
        Err(error) => return failed(&app, error.into()),
    };
    if actor.is_none_or(|actor| actor.role != Role::Administrator) {
        let from = headers
            .get("x-real-ip")
            .and_then(|value| value.to_str().ok());
        tracing::warn!(from, "{}", Warning::SignIn);
        tokio::time::sleep(BRAKE).await;
        let problem = "That is no administrator's token, or it was revoked.";
        return sign_in_page(&app, StatusCode::UNAUTHORIZED, Some(problem));
    }
    let Ok(cookie) = app.sessions.open(token, Instant::now()) else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    to_requests(set_cookie(&cookie, is_https(&headers)))
}

fn is_https(headers: &HeaderMap) -> bool {
    let scheme = headers.get("x-forwarded-proto");
    scheme.is_some_and(|scheme| scheme == "https")
}

fn to_requests(cookie: String) -> Response {
    ([(header::SET_COOKIE, cookie)], Redirect::to("/admin")).into_response()
}

fn no_such_form() -> Failure {
    Failure::Malformed("that is not what the form of this page sends".to_owned())
}

#[derive(Default, Deserialize)]
struct SignOut {
    #[serde(default)]
    form_token: String,
}

async fn sign_out(
    State(app): State<App>,
    headers: HeaderMap,
    form: Result<Form<SignOut>, FormRejection>,
) -> Response {
    if let Some(hidden) = hidden(&app, &headers) {
        return hidden;
    }
    let Form(form) = form.unwrap_or_default();
    app.sessions.close(&headers, &form.form_token);
    to_requests(set_cookie("", is_https(&headers)))
}

#[derive(Deserialize)]
struct Decide {
    form_token: String,
    id: Uuid,
    audience: Audience,
    decision: Decision,
    #[serde(default)]
    reason: String,
    #[serde(default)]
    content: Option<String>,
    #[serde(default)]
    revision: Option<u64>,
}

async fn decide(
    State(app): State<App>,
    headers: HeaderMap,
    form: Result<Form<Decide>, FormRejection>,
) -> Response {
    if let Some(hidden) = hidden(&app, &headers) {
        return hidden;
    }
    let Ok(Form(form)) = form else {
        return failed(&app, no_such_form());
    };
    let (actor, session) = match signed_in(&app, &headers).await {
        Ok(Some(signed_in)) => signed_in,
        Ok(None) => {
            let problem = Some("Sign in again to decide.");
            return sign_in_page(&app, StatusCode::UNAUTHORIZED, problem);
        }
        Err(failure) => return failed(&app, failure),
    };
    if !session.wrote(&form.form_token) {
        return sign_in_page(
            &app,
            StatusCode::FORBIDDEN,
            Some("The page was too old. Try again."),
        );
    }
    let content = form.content.as_deref().map(serde_json::from_str);
    let Ok(content) = content.transpose() else {
        return failed(&app, Failure::Malformed("content is none".to_owned()));
    };
    let request = DecisionRequest {
        decision: form.decision,
        reason: form.reason,
        content,
        revision: form.revision,
    };
    match app.decide(&actor, form.id, form.audience, &request).await {
        Ok(_) => Redirect::to("/admin").into_response(),
        Err(failure) => {
            let (status, refusal) = failure.parts();
            let message = MessagePage {
                title: app.title.to_string(),
                heading: "That was not decided".to_owned(),
                text: refusal.error,
                back: "/admin",
            };
            page(status, &message)
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may stop at once")]
mod tests;

//! The administrators' pages: requests that wait, what was decided, and deciding. They are there on
//! the devops listener alone.

use askama::Template;
use axum::Router;
use axum::extract::{Form, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use mkys_edge_client::{AccessState, Actor, Audience, Decision, DecisionRequest, Role};
use serde::Deserialize;
use uuid::Uuid;

use super::App;
use super::error::Failure;
use super::portal::{MessagePage, audience, failed, no_such_page, page};
use super::sign_in::{COOKIE_NAME, Session};

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
    waiting: Vec<Entry>,
    approved: Vec<Entry>,
    others: Vec<Entry>,
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
    requester: String,
    justification: String,
    state: AccessState,
    decided: String,
    own: bool,
    is_wanted: bool,
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
    let Some(session) = app.sessions.of(headers, jiff::Timestamp::now()) else {
        return Ok(None);
    };
    let actor = app.store.actor_by_hash(&session.token).await?;
    let administrator = actor.filter(|actor| actor.role == Role::Administrator);
    Ok(administrator.map(|actor| (actor, session)))
}

async fn requests(State(app): State<App>, headers: HeaderMap) -> Response {
    if let Some(hidden) = hidden(&app, &headers) {
        return hidden;
    }
    let shown: Result<Response, Failure> = async {
        match signed_in(&app, &headers).await? {
            Some((actor, session)) => {
                let admin = admin_page(&app, actor, session).await?;
                Ok(page(StatusCode::OK, &admin))
            }
            None => Ok(sign_in_page(&app, StatusCode::OK, None)),
        }
    }
    .await;
    shown.unwrap_or_else(|failure| failed(&app, failure))
}

async fn admin_page(app: &App, actor: Actor, session: Session) -> Result<AdminPage, Failure> {
    let (mut waiting, mut approved, mut others) = (Vec::new(), Vec::new(), Vec::new());
    for route in app.store.routes().await? {
        for (audience, access) in &route.decisions {
            let wish = route.spec.access.get(audience);
            let target = route.spec.targets.get(audience);
            let at = access
                .decided_at
                .map(|at| at.strftime("%Y-%m-%d %H:%M UTC").to_string());
            let decided: Vec<_> = [access.decided_by.clone(), at, access.reason.clone()]
                .into_iter()
                .flatten()
                .collect();
            let entry = Entry {
                id: route.id,
                audience: *audience,
                blade: route.spec.blade.clone(),
                service: route.spec.service.clone(),
                place: format!("{}{}", route.spec.host, route.spec.path),
                target: target.map(ToString::to_string).unwrap_or_default(),
                content: serde_json::json!(route.spec.content()).to_string(),
                requester: route.requester.clone(),
                justification: wish
                    .map(|wish| wish.justification.clone())
                    .unwrap_or_default(),
                state: access.state,
                decided: decided.join(" · "),
                own: actor.name == route.requester,
                is_wanted: wish.is_some_and(|wish| wish.enabled),
            };
            match access.state {
                AccessState::Pending => waiting.push(entry),
                AccessState::Approved => approved.push(entry),
                AccessState::Refused | AccessState::Withdrawn => others.push(entry),
            }
        }
    }
    Ok(AdminPage {
        title: app.title.to_string(),
        name: actor.name,
        form_token: session.form_token,
        waiting,
        approved,
        others,
    })
}

#[derive(Deserialize)]
struct SignIn {
    token: String,
}

async fn sign_in(State(app): State<App>, headers: HeaderMap, Form(form): Form<SignIn>) -> Response {
    if let Some(hidden) = hidden(&app, &headers) {
        return hidden;
    }
    let token = form.token.trim();
    let actor = match app.store.actor(token).await {
        Ok(actor) => actor,
        Err(error) => return failed(&app, error.into()),
    };
    if actor.is_none_or(|actor| actor.role != Role::Administrator) {
        let problem = "That is no administrator's token, or it was revoked.";
        return sign_in_page(&app, StatusCode::UNAUTHORIZED, Some(problem));
    }
    let Ok(cookie) = app.sessions.open(token, jiff::Timestamp::now()) else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    let https = headers
        .get("x-forwarded-proto")
        .is_some_and(|value| value == "https");
    let secure = if https { "; Secure" } else { "" };
    let cookie = format!("{COOKIE_NAME}={cookie}; Path=/admin; HttpOnly; SameSite=Strict{secure}");
    ([(header::SET_COOKIE, cookie)], Redirect::to("/admin")).into_response()
}

async fn sign_out(State(app): State<App>, headers: HeaderMap) -> Response {
    app.sessions.close(&headers);
    let cookie = format!("{COOKIE_NAME}=; Path=/admin; Max-Age=0");
    ([(header::SET_COOKIE, cookie)], Redirect::to("/admin")).into_response()
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
}

async fn decide(State(app): State<App>, headers: HeaderMap, Form(form): Form<Decide>) -> Response {
    if let Some(hidden) = hidden(&app, &headers) {
        return hidden;
    }
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

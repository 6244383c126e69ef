//! The portal: the services that a visitor may use, by audience.

use std::collections::BTreeMap;

use askama::Template;
use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use mkys_edge_client::Audience;

use super::App;
use super::error::Failure;
use crate::policy;
use crate::warning::Warning;

pub(super) fn router() -> Router<App> {
    Router::new()
        .route("/", get(services))
        .route("/style.css", get(style))
        .route("/favicon.ico", get(async || StatusCode::NO_CONTENT))
        .fallback(missing)
}

/// Which listener a request came in on. NGINX sets it, and takes what a visitor sets.
pub(super) fn audience(headers: &HeaderMap) -> Audience {
    let said = headers
        .get("x-mkys-audience")
        .and_then(|value| value.to_str().ok());
    match said {
        Some("devops") => Audience::Devops,
        _ => Audience::Users,
    }
}

/// A page with the headers that every page has.
pub(super) fn page(status: StatusCode, template: &impl Template) -> Response {
    const POLICY: &str = "default-src 'none'; style-src 'self'; form-action 'self'; \
                          base-uri 'none'; frame-ancestors 'none'";
    match template.render() {
        Ok(text) => {
            let headers = [
                (header::CONTENT_SECURITY_POLICY, POLICY),
                (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
                (header::REFERRER_POLICY, "same-origin"),
                (header::CACHE_CONTROL, "no-store"),
            ];
            (status, headers, Html(text)).into_response()
        }
        Err(error) => {
            tracing::error!(%error, "{}", Warning::Page);
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

#[derive(Template)]
#[template(path = "portal.html")]
struct PortalPage {
    title: String,
    audience: Audience,
    is_devops: bool,
    blades: Vec<Blade>,
}

struct Blade {
    name: String,
    services: Vec<Service>,
}

struct Service {
    name: String,
    url: String,
    description: String,
}

async fn services(State(app): State<App>, headers: HeaderMap) -> Response {
    match portal_page(&app, &headers).await {
        Ok(page) => self::page(StatusCode::OK, &page),
        Err(failure) => failed(&app, failure),
    }
}

async fn portal_page(app: &App, headers: &HeaderMap) -> Result<PortalPage, Failure> {
    let audience = audience(headers);
    let scheme = headers
        .get("x-forwarded-proto")
        .and_then(|value| value.to_str().ok());
    let scheme = scheme.filter(|scheme| *scheme == "https").unwrap_or("http");
    // a listener that is not on the scheme's own port is one that people reach by that port
    let host = headers
        .get(header::HOST)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let port = host
        .rsplit_once(':')
        .map(|(_, port)| format!(":{port}"))
        .unwrap_or_default();
    let mut blades: BTreeMap<String, Vec<Service>> = BTreeMap::new();
    for route in app.store.routes().await? {
        if policy::served(&route, audience).is_none() {
            continue;
        }
        let wish = route.spec.access.get(&audience);
        let service = Service {
            name: route.spec.service.clone(),
            url: format!("{scheme}://{}{port}{}", route.spec.host, route.spec.path),
            description: wish
                .map(|wish| wish.description.clone())
                .unwrap_or_default(),
        };
        blades.entry(route.spec.blade).or_default().push(service);
    }
    Ok(PortalPage {
        title: app.title.to_string(),
        audience,
        is_devops: audience == Audience::Devops,
        blades: blades
            .into_iter()
            .map(|(name, services)| Blade { name, services })
            .collect(),
    })
}

#[derive(Template)]
#[template(path = "message.html")]
pub(super) struct MessagePage {
    pub(super) title: String,
    pub(super) heading: String,
    pub(super) text: String,
    pub(super) back: &'static str,
}

/// A failure as a page.
pub(super) fn failed(app: &App, failure: Failure) -> Response {
    let (status, refusal) = failure.parts();
    let page = MessagePage {
        title: app.title.to_string(),
        heading: "That did not work".to_owned(),
        text: refusal.error,
        back: "/",
    };
    self::page(status, &page)
}

async fn missing(State(app): State<App>) -> Response {
    no_such_page(&app)
}

/// The page for what is not there.
pub(super) fn no_such_page(app: &App) -> Response {
    let page = MessagePage {
        title: app.title.to_string(),
        heading: "There is no such page".to_owned(),
        text: "The portal lists all services that you may use.".to_owned(),
        back: "/",
    };
    self::page(StatusCode::NOT_FOUND, &page)
}

async fn style() -> impl IntoResponse {
    let headers = [
        (header::CONTENT_TYPE, "text/css; charset=utf-8"),
        (header::CACHE_CONTROL, "max-age=3600"),
    ];
    (headers, include_str!("../../templates/style.css"))
}

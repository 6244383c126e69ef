//! The client: one method for each thing the API can do.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use reqwest::{Method, StatusCode};
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use serde::de::DeserializeOwned;
use uuid::Uuid;

use crate::error::{EdgeError, Refusal};
use crate::place::{check_host, check_path};
use crate::token::Actor;
use crate::types::{Audience, DecisionRequest, Route, RouteSpec, Vacancy};

/// The header of each answer that says which edge gives it.
pub const EDGE_HEADER: &str = "mkys-edge-id";
/// The reason that the API gives with a 404 about a route, a session or a delegation; any other 404 says nothing of them.
pub const NO_SUCH_ROUTE: &str = "there is no such route";

const CONNECT: Duration = Duration::from_secs(5);
const ANSWER: Duration = Duration::from_secs(30);

/// How to reach an edge.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Address of its API, such as `https://edge.example.org:8600`.
    pub url: String,
    /// A token of it.
    pub token: SecretString,
    /// PEM of certificates to trust beside the system's.
    pub ca_pem: Option<Vec<u8>>,
}

impl Settings {
    /// An address and a token.
    pub fn new(url: impl Into<String>, token: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            token: SecretString::from(token.into()),
            ca_pem: None,
        }
    }
}

/// An edge, as one token sees it. Cheap to clone.
#[derive(Clone, Debug)]
pub struct EdgeClient {
    url: String,
    token: SecretString,
    http: reqwest::Client,
    edge: Arc<Mutex<Option<Uuid>>>,
}

impl EdgeClient {
    /// Prepares for an edge; nothing is asked of it yet.
    ///
    /// # Errors
    ///
    /// [`EdgeError::Settings`] when the URL or the CA cannot be used.
    pub fn new(settings: &Settings) -> Result<Self, EdgeError> {
        let invalid = |what| move |reason: String| EdgeError::Settings { what, reason };
        let url = reqwest::Url::parse(&settings.url)
            .map_err(|error| invalid("url")(format!("{:?}: {error}", settings.url)))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(invalid("url")(format!(
                "{:?} is not http or https",
                settings.url
            )));
        }
        let mut http = reqwest::Client::builder()
            .connect_timeout(CONNECT)
            .timeout(ANSWER);
        if let Some(pem) = &settings.ca_pem {
            let certificates = reqwest::Certificate::from_pem_bundle(pem)
                .map_err(|error| invalid("ca")(error.to_string()))?;
            if certificates.is_empty() {
                return Err(invalid("ca")("there is no certificate in it".to_owned()));
            }
            http = http.tls_certs_merge(certificates);
        }
        let http = http
            .build()
            .map_err(|error| invalid("settings")(error.to_string()))?;
        let url = settings.url.trim_end_matches('/').to_owned();
        Ok(Self {
            url,
            token: settings.token.clone(),
            http,
            edge: Arc::default(),
        })
    }

    /// The address of the edge's API.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Id of the edge that gave the last answer; none before there was one, or where the edge is of a version that does not say.
    pub fn edge(&self) -> Option<Uuid> {
        *self.edge.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the client's token may do.
    ///
    /// # Errors
    ///
    /// [`EdgeError::Token`] when the edge does not know it.
    pub async fn token(&self) -> Result<Actor, EdgeError> {
        self.call(Method::GET, "/v1/token", None::<&()>).await
    }

    /// Asks for a route. It answers at once; nobody has decided yet.
    ///
    /// # Errors
    ///
    /// [`EdgeError::Conflict`] when somebody has the host and path; [`EdgeError::Invalid`] and
    /// [`EdgeError::Forbidden`] when the request or the token is not right.
    pub async fn create_route(&self, spec: &RouteSpec) -> Result<Route, EdgeError> {
        self.call(Method::POST, "/v1/routes", Some(spec)).await
    }

    /// A route.
    ///
    /// # Errors
    ///
    /// [`EdgeError::NotFound`] when there is none of that id that the token may see.
    pub async fn route(&self, id: Uuid) -> Result<Route, EdgeError> {
        self.call(Method::GET, &format!("/v1/routes/{id}"), None::<&()>)
            .await
    }

    /// All routes that the token may see.
    ///
    /// # Errors
    ///
    /// When the edge cannot be reached or does not accept the token.
    pub async fn routes(&self) -> Result<Vec<Route>, EdgeError> {
        self.call(Method::GET, "/v1/routes", None::<&()>).await
    }

    /// Whether a route can be at a host and path, whoever's blade has it.
    ///
    /// # Errors
    ///
    /// [`EdgeError::Invalid`] when they are no host name and path.
    pub async fn vacancy(&self, host: &str, path: &str) -> Result<Vacancy, EdgeError> {
        let invalid = |field: &str| {
            let field = Some(field.to_owned());
            move |error| EdgeError::Invalid {
                refusal: Refusal { error, field },
            }
        };
        // what is left of a query's special characters is none
        check_host(host).map_err(invalid("host"))?;
        check_path(path).map_err(invalid("path"))?;
        let path = format!("/v1/place?host={host}&path={path}");
        self.call(Method::GET, &path, None::<&()>).await
    }

    /// Changes a route. What was approved stays so while blade, service, port, host and path do.
    ///
    /// # Errors
    ///
    /// As [`EdgeClient::create_route`], and [`EdgeError::NotFound`].
    pub async fn update_route(&self, id: Uuid, spec: &RouteSpec) -> Result<Route, EdgeError> {
        self.call(Method::PUT, &format!("/v1/routes/{id}"), Some(spec))
            .await
    }

    /// Takes a route away; one that is not there is no error.
    ///
    /// # Errors
    ///
    /// When the edge cannot be reached, or the token may not.
    pub async fn delete_route(&self, id: Uuid) -> Result<(), EdgeError> {
        self.delete(&format!("/v1/routes/{id}")).await
    }

    /// Decides on an audience's access; only an administrator's token may.
    ///
    /// # Errors
    ///
    /// [`EdgeError::Forbidden`] also when the administrator asked for the route himself.
    pub async fn decide(
        &self,
        id: Uuid,
        audience: Audience,
        decision: &DecisionRequest,
    ) -> Result<Route, EdgeError> {
        let path = format!("/v1/routes/{id}/access/{audience}");
        self.call(Method::POST, &path, Some(decision)).await
    }

    /// Takes a route away that stands.
    ///
    /// # Errors
    ///
    /// As [`EdgeClient::delete_route`], and [`EdgeError::NotFound`], which says which edge has no such route.
    pub async fn delete_standing_route(&self, id: Uuid) -> Result<(), EdgeError> {
        self.delete_standing(&format!("/v1/routes/{id}")).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Result<(), EdgeError> {
        match self.delete_standing(path).await {
            Err(EdgeError::NotFound { .. }) => Ok(()),
            deleted => deleted,
        }
    }

    async fn delete_standing(&self, path: &str) -> Result<(), EdgeError> {
        let text = self.exchange(Method::DELETE, path, None::<&()>).await?;
        // an edge answers this with nothing
        match text.is_empty() {
            true => Ok(()),
            false => Err(self.not_an_edge("a page to a DELETE")),
        }
    }

    pub(crate) async fn call<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Option<&impl Serialize>,
    ) -> Result<T, EdgeError> {
        let asked = format!("{method} {path}");
        let text = self.exchange(method, path, body).await?;
        serde_json::from_str(&text)
            .map_err(|error| self.not_an_edge(&format!("something else to {asked} ({error})")))
    }

    fn not_an_edge(&self, gives: &str) -> EdgeError {
        EdgeError::NotAnEdge {
            url: self.url.clone(),
            answer: format!("what is there gives {gives}"),
        }
    }

    async fn exchange(
        &self,
        method: Method,
        path: &str,
        body: Option<&impl Serialize>,
    ) -> Result<String, EdgeError> {
        let unreachable = |source: reqwest::Error| EdgeError::Unreachable {
            url: self.url.clone(),
            source: source.without_url(),
        };
        let asked = format!("{method} {path}");
        let mut request = self
            .http
            .request(method, format!("{}{path}", self.url))
            .bearer_auth(self.token.expose_secret());
        if let Some(body) = body {
            request = request.json(body);
        }
        let response = request.send().await.map_err(unreachable)?;
        let status = response.status();
        let edge = response.headers().get(EDGE_HEADER);
        let edge: Option<Uuid> = edge.and_then(|id| id.to_str().ok()?.parse().ok());
        *self.edge.lock().unwrap_or_else(PoisonError::into_inner) = edge;
        let text = response.text().await.map_err(unreachable)?;
        if status.is_success() {
            return Ok(text);
        }
        let refusal = match serde_json::from_str::<Refusal>(&text) {
            Ok(refusal) => refusal,
            // a page, or another service's words: its 404 would say that a route is gone
            Err(_) if status.is_client_error() => {
                return Err(self.not_an_edge(&format!("{status} to {asked}")));
            }
            // its page is for browsers
            Err(_) if text.trim_start().starts_with('<') => Refusal {
                error: format!("a page and no reason, to {asked}"),
                field: None,
            },
            Err(_) => Refusal {
                error: text.clone(),
                field: None,
            },
        };
        Err(match status {
            StatusCode::UNAUTHORIZED => EdgeError::Token {
                url: self.url.clone(),
                reason: refusal.error,
            },
            StatusCode::FORBIDDEN => EdgeError::Forbidden { refusal },
            // a call that the API does not have says nothing of a route
            StatusCode::NOT_FOUND if refusal.error != NO_SUCH_ROUTE => {
                self.not_an_edge(&format!("{status} to {asked}: {}", refusal.error))
            }
            StatusCode::NOT_FOUND => {
                let id = path.split('/').nth(3).unwrap_or_default().to_owned();
                EdgeError::NotFound { id, edge }
            }
            StatusCode::CONFLICT => EdgeError::Conflict { refusal },
            StatusCode::BAD_REQUEST | StatusCode::UNPROCESSABLE_ENTITY => {
                EdgeError::Invalid { refusal }
            }
            _ => EdgeError::Unexpected {
                url: self.url.clone(),
                status: status.as_u16(),
                reason: refusal.error,
            },
        })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may stop at once")]
mod tests {
    use wiremock::matchers::any;
    use wiremock::{Mock, MockServer, ResponseTemplate};

    use super::*;

    /// A client of something that gives this answer to all that it is asked.
    async fn asking(status: u16, body: &str) -> (MockServer, EdgeClient) {
        let server = MockServer::start().await;
        let answer = ResponseTemplate::new(status).set_body_string(body);
        Mock::given(any()).respond_with(answer).mount(&server).await;
        let edge = EdgeClient::new(&Settings::new(server.uri(), "mkys_x")).unwrap();
        (server, edge)
    }

    #[tokio::test]
    async fn what_is_no_edge_is_not_taken_for_one() {
        let no_call = r#"{"error":"the API has no such call"}"#;
        let pages = [
            (404, ""),
            (404, no_call),
            (404, "<html>"),
            (401, "<html>"),
            (200, "<html>"),
        ];
        for (status, body) in pages {
            let (server, edge) = asking(status, body).await;
            let said = [
                edge.routes().await.map(drop).unwrap_err(),
                edge.token().await.map(drop).unwrap_err(),
                // or else a route that stands would be taken for one that is gone
                edge.route(Uuid::nil()).await.map(drop).unwrap_err(),
                edge.delete_route(Uuid::nil()).await.unwrap_err(),
            ];
            for error in said {
                let expected = format!("no mkys-edge answers at {}: ", server.uri());
                let error = error.to_string();
                assert!(error.starts_with(&expected), "{status}: {error}");
            }
        }
    }

    #[test]
    fn an_authority_is_one() {
        let mut settings = Settings::new("https://edge.example.org", "mkys_x");
        settings.ca_pem = Some(b"none".to_vec());
        let error = EdgeClient::new(&settings).unwrap_err().to_string();
        assert!(error.ends_with("there is no certificate in it"), "{error}");
    }

    #[tokio::test]
    async fn an_edges_own_404_is_about_a_route() {
        let (_server, edge) = asking(404, r#"{"error":"there is no such route"}"#).await;
        let error = edge.route(Uuid::nil()).await.unwrap_err();
        assert!(matches!(error, EdgeError::NotFound { .. }), "{error}");
        edge.delete_route(Uuid::nil()).await.unwrap();
    }

    #[tokio::test]
    async fn a_page_of_a_failing_edge_is_cut_to_its_status() {
        let page = "<html><head><title>503</title></head></html>";
        let (server, edge) = asking(503, page).await;
        let error = edge.routes().await.unwrap_err().to_string();
        let expected = format!(
            "the edge at {} answers 503: a page and no reason, to GET /v1/routes",
            server.uri()
        );
        assert_eq!(error, expected);
    }

    #[tokio::test]
    async fn a_404_names_the_edge_that_gives_it() {
        let server = MockServer::start().await;
        let id = Uuid::from_u128(7);
        let answer = ResponseTemplate::new(404)
            .set_body_string(r#"{"error":"there is no such route"}"#)
            .insert_header(EDGE_HEADER, id.to_string().as_str());
        Mock::given(any()).respond_with(answer).mount(&server).await;
        let client = EdgeClient::new(&Settings::new(server.uri(), "mkys_x")).unwrap();
        assert_eq!(client.edge(), None);
        let error = client.route(Uuid::nil()).await.unwrap_err();
        let EdgeError::NotFound { edge, .. } = error else {
            panic!("{error}");
        };
        assert_eq!((edge, client.edge()), (Some(id), Some(id)));
    }

    #[tokio::test]
    async fn an_edges_own_401_is_about_the_token() {
        let (_server, edge) = asking(401, r#"{"error":"revoked"}"#).await;
        let error = edge.token().await.unwrap_err();
        assert!(matches!(error, EdgeError::Token { .. }), "{error}");
    }
}

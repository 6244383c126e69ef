//! The client: one method for each thing the API can do.

use std::time::Duration;

use reqwest::{Method, StatusCode};
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use serde::de::DeserializeOwned;
use uuid::Uuid;

use crate::error::{EdgeError, Refusal};
use crate::types::{Audience, DecisionRequest, Route, RouteSpec};

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
        })
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
        match self
            .exchange(Method::DELETE, &format!("/v1/routes/{id}"), None::<&()>)
            .await
        {
            Ok(_) | Err(EdgeError::NotFound { .. }) => Ok(()),
            Err(error) => Err(error),
        }
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

    async fn call<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Option<&impl Serialize>,
    ) -> Result<T, EdgeError> {
        let text = self.exchange(method, path, body).await?;
        serde_json::from_str(&text).map_err(|error| EdgeError::Unexpected {
            url: self.url.clone(),
            status: 200,
            reason: error.to_string(),
        })
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
        let mut request = self
            .http
            .request(method, format!("{}{path}", self.url))
            .bearer_auth(self.token.expose_secret());
        if let Some(body) = body {
            request = request.json(body);
        }
        let response = request.send().await.map_err(unreachable)?;
        let status = response.status();
        let text = response.text().await.map_err(unreachable)?;
        if status.is_success() {
            return Ok(text);
        }
        let refusal = serde_json::from_str(&text).unwrap_or_else(|_| Refusal {
            error: text.clone(),
            field: None,
        });
        Err(match status {
            StatusCode::UNAUTHORIZED => EdgeError::Token {
                url: self.url.clone(),
                reason: refusal.error,
            },
            StatusCode::FORBIDDEN => EdgeError::Forbidden { refusal },
            StatusCode::NOT_FOUND => {
                let id = path.split('/').nth(3).unwrap_or_default().to_owned();
                EdgeError::NotFound { id }
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

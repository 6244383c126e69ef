//! Sessions: a credential within one project, its token kept and renewed.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use jiff::ToSpan;
use reqwest::header::HeaderMap;
use secrecy::{ExposeSecret, SecretString};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::sync::Mutex;

use super::call::{Call, Service};
use super::config::{ConfigError, Credentials};
use super::error::{CloudError, Hint, reason};
use super::identity::Identity;
use super::reach;
use super::retry::{self, Attempt, Patience};

const CONNECT: Duration = Duration::from_secs(10);
const ANSWER: Duration = Duration::from_secs(120);

/// A cloud, as one credential sees it.
#[derive(Clone, Debug)]
pub struct Cloud(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    credentials: Credentials,
    http: reqwest::Client,
    tokens: Mutex<HashMap<Option<String>, Arc<Token>>>,
    /// When Keystone was first asked; it has not answered until it has given a token.
    first: OnceLock<Instant>,
    answered: AtomicBool,
}

#[derive(Debug)]
struct Token {
    secret: SecretString,
    identity: Identity,
}

/// A cloud within one project.
#[derive(Clone, Debug)]
pub struct Session {
    cloud: Cloud,
    /// Id of the project; `None`: the credential's own scope.
    project: Option<String>,
}

impl Cloud {
    /// Prepares for the cloud; nothing is asked of it yet.
    ///
    /// # Errors
    ///
    /// When the CA file cannot be used.
    pub fn new(credentials: Credentials) -> Result<Self, CloudError> {
        let mut http = reqwest::Client::builder()
            .connect_timeout(CONNECT)
            .timeout(ANSWER)
            .user_agent(concat!(
                "terraform-provider-mkys/",
                env!("CARGO_PKG_VERSION")
            ))
            .tls_danger_accept_invalid_certs(!credentials.verify);
        if let Some(path) = &credentials.ca_file {
            let error = |reason: String| {
                let path = path.display().to_string();
                CloudError::from(ConfigError::File { path, reason })
            };
            let pem = std::fs::read(path).map_err(|reason| error(reason.to_string()))?;
            let certificates = reqwest::Certificate::from_pem_bundle(&pem)
                .map_err(|reason| error(reason.to_string()))?;
            http = http.tls_certs_merge(certificates);
        }
        let http = http.build().map_err(|error| {
            CloudError::from(ConfigError::Client {
                reason: reach::why(&error),
            })
        })?;
        Ok(Self(Arc::new(Inner {
            credentials,
            http,
            tokens: Mutex::default(),
            first: OnceLock::new(),
            answered: AtomicBool::new(false),
        })))
    }

    /// The session in the credential's own project.
    pub fn own(&self) -> Session {
        Session {
            cloud: self.clone(),
            project: None,
        }
    }

    /// A session in a project.
    pub fn project(&self, id: &str) -> Session {
        Session {
            cloud: self.clone(),
            project: Some(id.to_owned()),
        }
    }

    /// Whether the credential can work in its own project only.
    pub fn is_bound(&self) -> bool {
        self.0.credentials.is_bound()
    }

    async fn token(&self, project: Option<&str>) -> Result<Arc<Token>, CloudError> {
        let mut tokens = self.0.tokens.lock().await;
        let key = project.map(str::to_owned);
        let soon = jiff::Timestamp::now() + 2.minutes();
        if let Some(token) = tokens.get(&key)
            && token.identity.expires_at > soon
        {
            return Ok(Arc::clone(token));
        }
        let token = Arc::new(self.authenticate(project).await?);
        tokens.insert(key, Arc::clone(&token));
        Ok(token)
    }

    async fn forget(&self, project: Option<&str>) {
        self.0
            .tokens
            .lock()
            .await
            .remove(&project.map(str::to_owned));
    }

    fn answered(&self) -> bool {
        self.0.answered.load(Ordering::Relaxed)
    }

    /// Whether the credential says in which project it works; else Keystone takes the user's default.
    pub fn names_project(&self) -> bool {
        let credentials = &self.0.credentials;
        credentials.is_bound() || credentials.project.is_some()
    }

    /// How long Keystone may stay silent. Blades of one plan sign in one after another, so the time of a cloud that has never answered
    /// counts from the first of them.
    fn patience(&self) -> Patience {
        match self.answered() {
            true => Patience::Known,
            false => Patience::Until(*self.0.first.get_or_init(Instant::now) + retry::FIRST),
        }
    }

    async fn authenticate(&self, project: Option<&str>) -> Result<Token, CloudError> {
        let credentials = &self.0.credentials;
        let mut auth = json!({ "identity": credentials.identity() });
        // an application credential carries its project; naming one is refused
        if !credentials.is_bound() {
            let scope = match (project, &credentials.project) {
                (Some(id), _) => Some(json!({ "project": { "id": id } })),
                (None, Some(named)) => Some(json!({ "project": named.reference() })),
                (None, None) => None,
            };
            if let Some(scope) = scope {
                auth["scope"] = scope;
            }
        }
        let keystone = credentials.keystone();
        let url = format!("{keystone}/auth/tokens");
        let body = json!({ "auth": auth });
        let request = || self.0.http.post(&url).json(&body);
        // a token more does no harm, so this POST may be repeated like a read
        let answer = send(&reqwest::Method::GET, self.patience(), request)
            .await
            .map_err(|error| credentials.unreachable(&error, self.answered()))?;
        self.0.answered.store(true, Ordering::Relaxed);
        if !answer.status.is_success() {
            return Err(credentials.refused(answer.status, &answer.body));
        }
        #[derive(serde::Deserialize)]
        struct Body {
            token: Identity,
        }
        let unexpected = |what: String| CloudError::Unexpected {
            service: Service::Identity,
            method: reqwest::Method::POST,
            path: "/auth/tokens".to_owned(),
            what,
        };
        let secret = answer
            .headers
            .get("x-subject-token")
            .and_then(|token| token.to_str().ok());
        let secret = secret.ok_or_else(|| unexpected("no X-Subject-Token".to_owned()))?;
        let Body { token } =
            serde_json::from_str(&answer.body).map_err(|error| unexpected(error.to_string()))?;
        let here = token.project.as_ref().map(|project| &*project.id);
        if let (Some(asked), false) = (project, project == here) {
            let here = here.unwrap_or("no project");
            return Err(unexpected(format!(
                "a token for {here}, and project {asked} was asked for"
            )));
        }
        Ok(Token {
            secret: secret.to_owned().into(),
            identity: token,
        })
    }
}

impl Session {
    /// The cloud of the session.
    pub fn cloud(&self) -> &Cloud {
        &self.cloud
    }

    /// Who one is here.
    ///
    /// # Errors
    ///
    /// When Keystone cannot be reached or refuses.
    pub async fn identity(&self) -> Result<Identity, CloudError> {
        Ok(self
            .cloud
            .token(self.project.as_deref())
            .await?
            .identity
            .clone())
    }

    /// Sends a call and reads its answer.
    ///
    /// # Errors
    ///
    /// Each [`CloudError`]; what is refused carries the service's own words.
    pub async fn send<T: DeserializeOwned>(&self, call: Call) -> Result<T, CloudError> {
        let body = self.exchange(&call).await?;
        let unexpected = |what: String| CloudError::Unexpected {
            service: call.service,
            method: call.method.clone(),
            path: call.path.clone(),
            what,
        };
        let mut value: Value =
            serde_json::from_str(&body).map_err(|error| unexpected(error.to_string()))?;
        if let Some(key) = call.key {
            let part = value.get_mut(key).map(Value::take);
            value = part.ok_or_else(|| unexpected(format!("no {key:?} in it")))?;
        }
        serde_json::from_value(value).map_err(|error| unexpected(error.to_string()))
    }

    /// Sends a call whose answer does not matter.
    ///
    /// # Errors
    ///
    /// As [`Session::send`].
    pub async fn run(&self, call: Call) -> Result<(), CloudError> {
        self.exchange(&call).await.map(drop)
    }

    async fn exchange(&self, call: &Call) -> Result<String, CloudError> {
        let mut renewals = RENEWALS.iter();
        loop {
            let token = self.cloud.token(self.project.as_deref()).await?;
            let base = self.endpoint(&token.identity, call.service)?;
            let url = format!("{base}{}", call.path);
            let request = || {
                let secret = token.secret.expose_secret();
                let mut request = self.cloud.0.http.request(call.method.clone(), &url);
                request = request.header("X-Auth-Token", secret).query(&call.query);
                if let Some(version) = call.version {
                    request = request.header("OpenStack-API-Version", version);
                }
                match &call.body {
                    Some(body) => request.json(body),
                    None => request,
                }
            };
            let answer = send(&call.method, Patience::Known, request)
                .await
                .map_err(|error| self.unreachable(call.service, &base, &error))?;
            tracing::debug!(
                service = call.service.name(),
                method = %call.method,
                path = call.path,
                status = answer.status.as_u16(),
                "answered"
            );
            if answer.status.is_success() {
                return Ok(answer.body);
            }
            if is_revoked(answer.status, &answer.body)
                && let Some(pause) = renewals.next()
            {
                tokio::time::sleep(*pause).await;
                self.cloud.forget(self.project.as_deref()).await;
                continue;
            }
            return Err(CloudError::Refused {
                service: call.service,
                method: call.method.clone(),
                path: call.path.clone(),
                status: answer.status,
                reason: reason(&answer.body),
            });
        }
    }

    /// Says which service the catalogue lacks.
    ///
    /// # Errors
    ///
    /// [`CloudError::NoService`] for the first one that is missing.
    pub async fn require(&self, services: &[Service]) -> Result<(), CloudError> {
        let identity = self.identity().await?;
        services
            .iter()
            .try_for_each(|service| self.endpoint(&identity, *service).map(drop))
    }

    fn unreachable(&self, service: Service, url: &str, error: &reqwest::Error) -> CloudError {
        let credentials = &self.cloud.0.credentials;
        if service == Service::Identity {
            return credentials.unreachable(error, self.cloud.answered());
        }
        let region = credentials.region.as_deref().unwrap_or("(any)");
        let hint = format!(
            "The address is that of region {region} and interface {} in the catalogue of Keystone at {}.",
            credentials.interface,
            credentials.keystone()
        );
        CloudError::Unreachable {
            service,
            url: url.to_owned(),
            why: reach::why(error),
            hint: Hint(hint),
        }
    }

    fn endpoint(&self, identity: &Identity, service: Service) -> Result<String, CloudError> {
        let credentials = &self.cloud.0.credentials;
        if service == Service::Identity {
            return Ok(credentials.keystone());
        }
        let region = credentials.region.as_deref();
        let url = identity
            .endpoint(service, region, &credentials.interface)
            .ok_or_else(|| CloudError::NoService {
                service,
                region: region.unwrap_or("(any)").to_owned(),
                available: identity.available(),
            })?;
        // catalogues name these two with and without their version
        let version = match service {
            Service::Network => "/v2.0",
            Service::Image => "/v2",
            _ => "",
        };
        Ok(if url.ends_with(version) {
            url.to_owned()
        } else {
            format!("{url}{version}")
        })
    }
}

/// Whether the token was refused, by the service or by another one that it asked in the caller's name: Heat makes a trust so, and answers
/// 500 then. A token can be revoked long before it expires: somebody taken out of a group loses all of theirs.
fn is_revoked(status: reqwest::StatusCode, body: &str) -> bool {
    match status {
        reqwest::StatusCode::UNAUTHORIZED => true,
        reqwest::StatusCode::INTERNAL_SERVER_ERROR => reason(body).contains("(HTTP 401)"),
        _ => false,
    }
}

/// Pauses before each new token for a call. Keystone revokes by the second: what it issues within
/// the second of a revocation is revoked with the rest.
const RENEWALS: [Duration; 2] = [Duration::ZERO, Duration::from_millis(1_100)];

struct Answer {
    status: reqwest::StatusCode,
    headers: HeaderMap,
    body: String,
}

/// Sends a request by the policy of [`retry`].
async fn send(
    method: &reqwest::Method,
    patience: Patience,
    request: impl Fn() -> reqwest::RequestBuilder,
) -> Result<Answer, reqwest::Error> {
    let mut pauses = retry::pauses();
    loop {
        let result = async {
            let response = request().send().await?;
            let (status, headers) = (response.status(), response.headers().clone());
            Ok(Answer {
                status,
                headers,
                body: response.text().await?,
            })
        };
        let result: Result<Answer, reqwest::Error> = result.await;
        let attempt = match &result {
            Ok(answer) => Attempt::Answered(answer.status),
            Err(error) if error.is_connect() => Attempt::NotConnected,
            Err(_) => Attempt::Unanswered,
        };
        let failed = !matches!(attempt, Attempt::Answered(status) if status.is_success());
        match pauses.next() {
            Some(pause)
                if failed
                    && retry::again(method, attempt)
                    && patience.allows(attempt, Instant::now() + pause) =>
            {
                tracing::debug!(?attempt, ?pause, "trying again");
                tokio::time::sleep(pause).await;
            }
            _ => return result,
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may stop at once")]
mod tests {
    use wiremock::matchers::{method, path};
    use wiremock::{Mock, ResponseTemplate};

    use super::*;
    use crate::cloud::mock;

    /// What is asked of a cloud whose Heat refuses the first creation so.
    async fn asked(status: u16, message: &str) -> (Vec<String>, bool) {
        let (server, cloud) = mock::cloud().await;
        let error = json!({ "error": { "message": message, "type": "Unauthorized" } });
        let refuses = ResponseTemplate::new(status).set_body_json(error);
        let takes = ResponseTemplate::new(201);
        let asks = || Mock::given(method("POST")).and(path("/heat/stacks"));
        asks()
            .respond_with(refuses)
            .up_to_n_times(1)
            .mount(&server)
            .await;
        asks().respond_with(takes).mount(&server).await;
        let call = Call::post(Service::Orchestration, "/stacks", json!({}));
        let made = cloud.own().run(call).await;
        (mock::asked(&server).await, made.is_ok())
    }

    #[tokio::test]
    async fn a_revoked_token_is_renewed_also_where_heat_used_it() {
        let (create, sign_in) = ("POST /heat/stacks", "POST /v3/auth/tokens");
        let again = [create, sign_in, create].map(str::to_owned).to_vec();
        let (asked_for, made) = asked(401, "Authentication required").await;
        assert_eq!((asked_for, made), (again.clone(), true));
        let said = "Remote error: Unauthorized The request you have made requires authentication. (HTTP 401) (Request-ID: req-1)";
        let (asked_for, made) = asked(500, said).await;
        assert_eq!((asked_for, made), (again, true));
        // any other failure of a creation may have created something
        let (asked_for, made) = asked(500, "Remote error: DBError").await;
        assert_eq!((asked_for, made), (vec![create.to_owned()], false));
    }
}

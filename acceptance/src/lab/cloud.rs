//! The cloud's APIs as the lab's administrator uses them: JSON over HTTP on the loopback interface.

use std::sync::Mutex;
use std::time::Duration;

use serde_json::{Value, json};

use super::Error;
use super::unit::{ReportingApi, Reports};
use crate::place;

const PATIENCE: Duration = Duration::from_secs(60);
const PATIENCE_OF_A_LOOK: Duration = Duration::from_secs(4);
/// How often a refused call is made again: an API that has just started refuses some.
const TRIES: u32 = 3;

/// A signed-in administrator.
#[derive(Debug, Clone)]
pub struct Cloud {
    agent: ureq::Agent,
    token: String,
    project: String,
}

/// The APIs, and what their addresses begin with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Api {
    /// Keystone.
    Identity,
    /// Glance.
    Image,
    /// Neutron.
    Network,
    /// Nova.
    Compute,
    /// Cinder.
    Volume,
    /// Heat.
    Orchestration,
}

static SIGNED_IN: Mutex<Option<Cloud>> = Mutex::new(None);

impl Cloud {
    /// The administrator, signed in anew.
    ///
    /// # Errors
    /// When the API can't be reached or refuses.
    pub fn sign_in() -> Result<Self, Error> {
        let agent: ureq::Agent = ureq::Agent::config_builder()
            .timeout_global(Some(PATIENCE))
            .http_status_as_error(false)
            // The lab's servers close idle connections as they like.
            .max_idle_connections(0)
            .build()
            .into();
        let address = format!("http://{}:5000/v3/auth/tokens", place::NODE);
        let domain = json!({"id": "default"});
        let user = json!({"name": "admin", "domain": domain, "password": place::PASSWORD});
        let answer = agent
            .post(&address)
            .send_json(json!({"auth": {
                "identity": {"methods": ["password"], "password": {"user": user}},
                "scope": {"project": {"name": "admin", "domain": domain}}}}))
            .map_err(|error| refused("POST", &address, &error.to_string()))?;
        let token = answer
            .headers()
            .get("x-subject-token")
            .and_then(|token| token.to_str().ok());
        let Some(token) = token.map(str::to_owned) else {
            return Err(refused(
                "POST",
                &address,
                &format!("no token, {}", answer.status()),
            ));
        };
        let body: Value = answer
            .into_body()
            .read_json()
            .map_err(|error| refused("POST", &address, &error.to_string()))?;
        let project = text(&body["token"]["project"]["id"]);
        Ok(Self {
            agent,
            token,
            project,
        })
    }

    /// The administrator; signed in the first time only, since probes ask often.
    pub(crate) fn sign_in_once() -> Result<Self, Error> {
        let Ok(mut signed_in) = SIGNED_IN.lock() else {
            return Self::sign_in();
        };
        if let Some(cloud) = &*signed_in {
            return Ok(cloud.clone());
        }
        Ok(signed_in.insert(Self::sign_in()?).clone())
    }

    /// An API's address.
    pub(crate) fn base(&self, api: Api) -> String {
        let node = place::NODE;
        match api {
            Api::Identity => format!("http://{node}:5000/v3"),
            Api::Image => format!("http://{node}:9292/v2"),
            Api::Network => format!("http://{node}:9696/v2.0"),
            Api::Compute => format!("http://{node}:8774/v2.1"),
            Api::Volume => format!("http://{node}:8776/v3/{}", self.project),
            Api::Orchestration => format!("http://{node}:8004/v1/{}", self.project),
        }
    }

    /// Reads.
    ///
    /// # Errors
    /// When the API can't be reached or refuses.
    pub fn get(&self, api: Api, path: &str) -> Result<Value, Error> {
        let address = format!("{}{path}", self.base(api));
        self.again("GET", &address, || {
            self.agent
                .get(&address)
                .header("X-Auth-Token", &self.token)
                .call()
        })
    }

    /// Creates.
    ///
    /// # Errors
    /// When the API can't be reached or refuses.
    pub fn post(&self, api: Api, path: &str, body: &Value) -> Result<Value, Error> {
        let address = format!("{}{path}", self.base(api));
        self.again("POST", &address, || {
            self.agent
                .post(&address)
                .header("X-Auth-Token", &self.token)
                .send_json(body)
        })
    }

    /// Puts; without a body where there is none.
    ///
    /// # Errors
    /// When the API can't be reached or refuses.
    pub fn put(&self, api: Api, path: &str) -> Result<Value, Error> {
        let address = format!("{}{path}", self.base(api));
        self.again("PUT", &address, || {
            self.agent
                .put(&address)
                .header("X-Auth-Token", &self.token)
                .send_empty()
        })
    }

    /// Removes.
    ///
    /// # Errors
    /// When the API can't be reached or refuses.
    pub fn delete(&self, api: Api, path: &str) -> Result<Value, Error> {
        let address = format!("{}{path}", self.base(api));
        self.again("DELETE", &address, || {
            self.agent
                .delete(&address)
                .header("X-Auth-Token", &self.token)
                .call()
        })
    }

    /// Puts a file's content.
    pub(crate) fn upload(&self, api: Api, path: &str, content: &[u8]) -> Result<Value, Error> {
        let address = format!("{}{path}", self.base(api));
        self.again("PUT", &address, || {
            self.agent
                .put(&address)
                .header("X-Auth-Token", &self.token)
                .header("Content-Type", "application/octet-stream")
                .send(content)
        })
    }

    /// The first of a list with that name, if any.
    pub(crate) fn find(
        &self,
        api: Api,
        path: &str,
        key: &str,
        name: &str,
    ) -> Result<Option<Value>, Error> {
        let list = self.get(api, path)?;
        let found = list[key]
            .as_array()
            .into_iter()
            .flatten()
            .find(|one| one["name"] == name);
        Ok(found.cloned())
    }

    /// Whether a service without an API of its own is listed as up.
    pub(crate) fn reports(&self, reports: &Reports) -> bool {
        let (api, path, key, name, up) = match reports.api {
            ReportingApi::Network => (Api::Network, "/agents", "agents", "/binary", "alive"),
            ReportingApi::Compute => (Api::Compute, "/os-services", "services", "/binary", "state"),
            ReportingApi::Hypervisors => (
                Api::Compute,
                "/os-hypervisors/detail",
                "hypervisors",
                "/service/host",
                "state",
            ),
            ReportingApi::Volume => (Api::Volume, "/os-services", "services", "/binary", "state"),
            ReportingApi::Orchestration => (
                Api::Orchestration,
                "/services",
                "services",
                "/binary",
                "status",
            ),
        };
        let address = format!("{}{path}", self.base(api));
        let request = self.agent.get(&address).header("X-Auth-Token", &self.token);
        // An API whose own call was sent before anybody listened waits long for it: better to ask it again.
        let request = request
            .config()
            .timeout_global(Some(PATIENCE_OF_A_LOOK))
            .build();
        let Ok(list) = read("GET", &address, request.call()) else {
            return false;
        };
        list[key].as_array().into_iter().flatten().any(|one| {
            one.pointer(name)
                .is_some_and(|known| known == reports.name.as_str())
                && (one[up] == "up" || one[up] == true)
        })
    }

    fn again(
        &self,
        method: &str,
        address: &str,
        call: impl Fn() -> Result<ureq::http::Response<ureq::Body>, ureq::Error>,
    ) -> Result<Value, Error> {
        let mut outcome = Ok(Value::Null);
        for _ in 0..TRIES {
            outcome = read(method, address, call());
            match &outcome {
                Err((_, true)) => {}
                _ => break,
            }
        }
        outcome.map_err(|(error, _)| error)
    }
}

/// The answer's JSON, or why not and whether to try again.
fn read(
    method: &str,
    address: &str,
    answer: Result<ureq::http::Response<ureq::Body>, ureq::Error>,
) -> Result<Value, (Error, bool)> {
    let answer = answer.map_err(|error| (refused(method, address, &error.to_string()), true))?;
    let status = answer.status();
    let body = answer.into_body().read_to_string().unwrap_or_default();
    if status.is_success() {
        return Ok(serde_json::from_str(&body).unwrap_or_default());
    }
    let short: String = body.chars().take(400).collect();
    Err((
        refused(method, address, &format!("{status} {short}")),
        status.is_server_error(),
    ))
}

fn refused(method: &str, address: &str, reason: &str) -> Error {
    Error::Cloud {
        call: format!("{method} {address}"),
        reason: reason.to_owned(),
    }
}

/// A JSON string's text.
pub(crate) fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

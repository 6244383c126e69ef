//! The edge in its own namespace, as an operator would run it: mkys-edge with a real NGINX. Or on loopback, where there is no lab.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};

use super::background::Background;
use super::{built, files, write_private};
use crate::lab::Error;
use crate::lab::external;
use crate::netns::in_namespace;
use crate::place::{EDGE, EDGE_API_PORT, EDGE_TO_NODE};
use crate::settings::Settings;

/// Host name of the portal.
pub const PORTAL: &str = "portal.mkys.test";
const LOOPBACK: &str = "127.0.0.1";
const PATIENCE: Duration = Duration::from_secs(30);

/// The edge.
#[derive(Debug)]
pub struct Edge {
    folder: PathBuf,
    namespace: Option<&'static str>,
    users: String,
    devops: String,
    networks: Vec<String>,
    /// The ports of the listeners for users and for devops.
    listen: [u16; 2],
    /// Address and port of its API.
    api: String,
    process: Background,
    agent: ureq::Agent,
}

/// Calls the API, with at most so many connections kept for the next call.
fn agent(kept: usize) -> ureq::Agent {
    let config = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .timeout_global(Some(Duration::from_secs(10)))
        .max_idle_connections(kept)
        .max_idle_connections_per_host(kept);
    config.build().into()
}

impl Edge {
    /// An edge with its files in `folder`.
    #[must_use]
    pub fn new(folder: &Path, settings: &Settings) -> Self {
        Self {
            folder: folder.to_owned(),
            namespace: Some(EDGE),
            users: settings.users.edge().to_string(),
            devops: settings.devops.edge().to_string(),
            networks: settings
                .external()
                .map(|network| network.range().to_string())
                .into(),
            listen: [80, 80],
            api: format!("{EDGE_TO_NODE}:{EDGE_API_PORT}"),
            process: Background::new(folder, "edge"),
            agent: agent(0),
        }
    }

    /// An edge on this machine's loopback, whose routes lead to this machine alone.
    #[must_use]
    pub fn on_loopback(folder: &Path, [users, devops, api]: [u16; 3]) -> Self {
        Self {
            folder: folder.to_owned(),
            namespace: None,
            users: LOOPBACK.to_owned(),
            devops: LOOPBACK.to_owned(),
            networks: vec!["127.0.0.0/8".to_owned()],
            listen: [users, devops],
            api: format!("{LOOPBACK}:{api}"),
            process: Background::new(folder, "edge"),
            agent: agent(0),
        }
    }

    /// The edge, called on connections that are kept: for many calls to one that nobody kills.
    #[must_use]
    pub fn with_kept_connections(self) -> Self {
        Self {
            agent: agent(64),
            ..self
        }
    }

    /// The edge with its listeners and its API on other ports, to stand beside another one.
    #[must_use]
    pub fn on_ports(self, listen: u16, api: u16) -> Self {
        Self {
            listen: [listen, listen],
            api: format!("{EDGE_TO_NODE}:{api}"),
            ..self
        }
    }

    /// Process id of mkys-edge, if it runs.
    #[must_use]
    pub fn pid(&self) -> Option<i32> {
        self.process.pid()
    }

    /// Process id of NGINX' master, as it wrote it down.
    #[must_use]
    pub fn nginx_pid(&self) -> Option<i32> {
        let file = self.folder.join("state/nginx.pid");
        std::fs::read_to_string(file).ok()?.trim().parse().ok()
    }

    /// Address of its API.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.api)
    }

    /// Its address for users.
    #[must_use]
    pub fn users(&self) -> &str {
        &self.users
    }

    /// Its address for devops.
    #[must_use]
    pub fn devops(&self) -> &str {
        &self.devops
    }

    fn settings(&self) -> PathBuf {
        self.folder.join("edge.yaml")
    }

    fn program(&self) -> PathBuf {
        self.folder.join("mkys-edge")
    }

    fn words(&self, words: &[&str]) -> Vec<String> {
        let program = [self.program(), "--settings".into(), self.settings()];
        let program = program.iter().map(|word| word.display().to_string());
        program
            .chain(words.iter().map(|word| (*word).to_owned()))
            .collect()
    }

    /// Starts it unless it runs, and waits until it answers.
    ///
    /// # Errors
    /// When it does not.
    pub fn start(&self) -> Result<(), Error> {
        if self.process.pid().is_none() {
            files::copy(&built("mkys-edge")?, &self.program())?;
        }
        let settings = json!({
            "state": self.folder.join("state"),
            "api": self.api,
            "portal_host": PORTAL,
            "title": "University platforms",
            "users": { "listen": [format!("{}:{}", self.users, self.listen[0])] },
            "devops": { "listen": [format!("{}:{}", self.devops, self.listen[1])] },
            "nginx": { "workers": 2 },
        });
        files::write(&self.settings(), &settings.to_string())?;
        self.process
            .start(self.namespace, &self.words(&["serve"]))?;
        let health = format!("{}/v1/health", self.url());
        self.process.until("an answer of the API", PATIENCE, || {
            ureq::get(&health).call().ok()
        })?;
        Ok(())
    }

    /// Ends it with its NGINX.
    pub fn stop(&self) {
        self.process.stop();
        if self.program().is_file() {
            let words = self.words(&["stop-nginx"]);
            let _ = self.run(&words);
        }
    }

    /// Runs a command line where the edge is.
    fn run(&self, words: &[String]) -> Result<String, Error> {
        let (program, arguments) = words.split_at(1);
        let mut command = match self.namespace {
            Some(namespace) => in_namespace(namespace, &program[0]),
            None => Command::new(&program[0]),
        };
        external::finish(command.args(arguments))
    }

    /// The token of a name, made the first time.
    ///
    /// # Errors
    /// When it can't be made.
    pub fn token(&self, name: &str, arguments: &[&str]) -> Result<String, Error> {
        let file = self.folder.join("tokens").join(name);
        if let Ok(token) = std::fs::read_to_string(&file)
            && self.call("GET", "/v1/token", token.trim(), None).is_ok()
        {
            return Ok(token.trim().to_owned());
        }
        let mut words = self.words(&["token", "create", "--name", name]);
        words.extend(arguments.iter().map(|word| (*word).to_owned()));
        let token = self.run(&words)?;
        write_private(&file, token.trim())?;
        Ok(token.trim().to_owned())
    }

    /// Revokes the token of a name.
    ///
    /// # Errors
    /// When there is none.
    pub fn revoke(&self, name: &str) -> Result<(), Error> {
        self.run(&self.words(&["token", "revoke", name])).map(drop)
    }

    /// The token of whoever asks for routes.
    ///
    /// # Errors
    /// When it can't be made.
    pub fn pipeline(&self) -> Result<String, Error> {
        let mut arguments = vec!["--role", "requester", "--blade", "*"];
        for network in &self.networks {
            arguments.extend(["--network", network]);
        }
        self.token("pipeline", &arguments)
    }

    /// The token of whoever decides.
    ///
    /// # Errors
    /// When it can't be made.
    pub fn administrator(&self) -> Result<String, Error> {
        self.token("ada", &["--role", "administrator"])
    }

    /// Asks for a route. Gives its id.
    ///
    /// # Errors
    /// When the edge refuses.
    pub fn ask_for(&self, wish: &Value, token: &str) -> Result<String, Error> {
        let made = self.call("POST", "/v1/routes", token, Some(wish))?;
        let id = made["id"].as_str().map(str::to_owned);
        id.ok_or_else(|| Error::Unexpected(format!("a route without an id: {made}")))
    }

    /// Approves the access of an audience.
    ///
    /// # Errors
    /// When the edge refuses.
    pub fn approve(&self, route: &str, audience: &str) -> Result<Value, Error> {
        let token = self.administrator()?;
        let seen = self.call("GET", &format!("/v1/routes/{route}"), &token, None)?;
        self.approve_seen(&token, route, audience, &seen)
    }

    /// The same of a route as it was `seen`, or wished for, by a token that is known to be good.
    ///
    /// # Errors
    /// When the edge refuses.
    pub fn approve_seen(
        &self,
        token: &str,
        route: &str,
        audience: &str,
        seen: &Value,
    ) -> Result<Value, Error> {
        let content = ["blade", "service", "port", "host", "path"].map(|key| (key, &seen[key]));
        let body = json!({
            "decision": "approve",
            "reason": "seen and agreed",
            "content": BTreeMap::from(content),
        });
        let path = format!("/v1/routes/{route}/access/{audience}");
        self.call("POST", &path, token, Some(&body))
    }

    /// Delegates a route's path to a holder, who may send players to so many targets in some networks. Gives the holder's token; what an
    /// earlier token of that name had is over.
    ///
    /// # Errors
    /// When the edge refuses.
    pub fn delegate(
        &self,
        route: &str,
        holder: &str,
        networks: &[&str],
        limit: u32,
    ) -> Result<String, Error> {
        let administrator = self.administrator()?;
        let path = format!("/v1/routes/{route}/delegations");
        let there = self.call("GET", &path, &administrator, None)?;
        let there = there.as_array().into_iter().flatten();
        for _ in there.filter(|one| one["holder"] == holder) {
            let path = format!("{path}/{holder}");
            self.call("DELETE", &path, &administrator, None)?;
        }
        let wish = json!({ "holder": holder, "networks": networks, "limit": limit });
        let made = self.call("POST", &path, &administrator, Some(&wish))?;
        let token = made["token"].as_str().map(str::to_owned);
        token.ok_or_else(|| Error::Unexpected(format!("a delegation without a token: {made}")))
    }

    /// A call to the API.
    ///
    /// # Errors
    /// When it can't be reached or refuses, with its own words.
    pub fn call(
        &self,
        method: &str,
        path: &str,
        token: &str,
        body: Option<&Value>,
    ) -> Result<Value, Error> {
        let url = format!("{}{path}", self.url());
        let agent = &self.agent;
        let authorization = format!("Bearer {token}");
        let sent = match (method, body) {
            ("GET", _) => agent
                .get(&url)
                .header("authorization", &authorization)
                .call(),
            ("DELETE", _) => agent
                .delete(&url)
                .header("authorization", &authorization)
                .call(),
            ("PUT", Some(body)) => agent
                .put(&url)
                .header("authorization", &authorization)
                .send_json(body),
            (_, body) => agent
                .post(&url)
                .header("authorization", &authorization)
                .send_json(body.unwrap_or(&Value::Null)),
        };
        let refused = |reason: String| Error::Cloud {
            call: format!("{method} {url}"),
            reason,
        };
        let mut answer = sent.map_err(|error| refused(error.to_string()))?;
        let text = answer.body_mut().read_to_string().unwrap_or_default();
        if !answer.status().is_success() {
            return Err(refused(format!("{} {text}", answer.status().as_u16())));
        }
        Ok(serde_json::from_str(&text).unwrap_or(Value::Null))
    }
}

/// A wish for a route of a blade's to a target, for some audiences.
#[must_use]
pub fn wish(blade: &str, host: &str, target: &str, audiences: &[&str]) -> Value {
    let port = target.rsplit_once(':').map(|(_, port)| port.parse::<u16>());
    let for_each = |value: Value| -> Value {
        let pairs = audiences
            .iter()
            .map(|one| ((*one).to_owned(), value.clone()));
        Value::Object(pairs.collect())
    };
    json!({
        "blade": blade, "service": "site", "port": port.and_then(Result::ok), "host": host, "path": "/",
        "targets": for_each(target.into()),
        "access": for_each(json!({ "enabled": true, "justification": "a test" })),
    })
}

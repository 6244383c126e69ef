//! The connection to an engine's API.
//!
//! Most of it is `bollard`'s. What `bollard` reads too strictly is asked for here: Podman has states of containers that Docker does not
//! have (`stopped`, `stopping`, `initialized`: containers/podman, libpod/define/containerstate.go), and one such container must not make
//! a whole list unreadable.

use std::collections::HashMap;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bollard::Docker;
use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Empty};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use tokio::net::UnixStream;

use super::ANSWER_S;

/// The engine's API.
#[derive(Clone, Debug)]
pub(super) struct Client {
    docker: Docker,
    socket: PathBuf,
}

impl Deref for Client {
    type Target = Docker;

    fn deref(&self) -> &Docker {
        &self.docker
    }
}

/// Why the engine's answer can't be had.
pub(super) type AskError = Box<dyn std::error::Error + Send + Sync>;

/// A container, as an engine lists it.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct Listed {
    /// The engine's own name for it.
    pub(super) id: String,
    pub(super) names: Vec<String>,
    /// One of Docker's or of Podman's.
    pub(super) state: String,
    /// For people, such as `Up 3 minutes`.
    pub(super) status: String,
    /// When it was created, in seconds since 1970.
    pub(super) created: i64,
    pub(super) labels: HashMap<String, String>,
    #[serde(deserialize_with = "or_default")]
    pub(super) network_settings: Networks,
}

/// The networks that a container is in, by name.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct Networks {
    #[serde(deserialize_with = "or_default")]
    pub(super) networks: HashMap<String, serde::de::IgnoredAny>,
}

fn or_default<'de, D: serde::Deserializer<'de>, T: Default + Deserialize<'de>>(
    deserializer: D,
) -> Result<T, D::Error> {
    Option::<T>::deserialize(deserializer).map(Option::unwrap_or_default)
}

impl Listed {
    /// Its name.
    pub(super) fn name(&self) -> String {
        self.names.join(" ").trim_start_matches('/').to_owned()
    }

    pub(super) fn networks(self) -> Vec<String> {
        self.network_settings.networks.into_keys().collect()
    }

    /// Whether it was never started. Podman also says `configured` and `initialized` for that.
    pub(super) fn is_only_created(&self) -> bool {
        ["created", "configured", "initialized"].contains(&self.state.as_str())
    }

    /// Whether its first process is over: so is one in a state that nobody here knows.
    pub(super) fn has_ended(&self) -> bool {
        !self.is_only_created()
            && !["running", "paused", "restarting"].contains(&self.state.as_str())
    }
}

impl Client {
    pub(super) fn new(docker: Docker, socket: &Path) -> Self {
        let socket = socket.to_owned();
        Self { docker, socket }
    }

    /// All containers with a label.
    pub(super) async fn list(&self, label: &str) -> Result<Vec<Listed>, AskError> {
        let filters = serde_json::json!({ "label": [label] }).to_string();
        let query = [("all", "true"), ("filters", &filters)];
        let mut url = reqwest::Url::parse("http://engine/containers/json")?;
        url.query_pairs_mut().extend_pairs(query);
        let path = format!("{}?{}", url.path(), url.query().unwrap_or_default());
        let (status, body) = self.get(&path).await?;
        if status != StatusCode::OK {
            let body = String::from_utf8_lossy(&body);
            return Err(format!("it answers {status}: {}", body.trim()).into());
        }
        Ok(serde_json::from_slice(&body)?)
    }

    /// Whether a container is there, whatever its state.
    pub(super) async fn has(&self, name: &str) -> Result<bool, AskError> {
        match self.get(&format!("/containers/{name}/json")).await? {
            (StatusCode::OK, _) => Ok(true),
            (StatusCode::NOT_FOUND, _) => Ok(false),
            (status, body) => {
                let body = String::from_utf8_lossy(&body);
                Err(format!("it answers {status}: {}", body.trim()).into())
            }
        }
    }

    async fn get(&self, path: &str) -> Result<(StatusCode, Bytes), AskError> {
        let answer = async {
            let stream = UnixStream::connect(&self.socket).await?;
            let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
            let request = Request::get(path)
                .header(http::header::HOST, "engine")
                .body(Empty::<Bytes>::new())?;
            let asked = async {
                let answer = sender.send_request(request).await?;
                let status = answer.status();
                let body = answer.into_body().collect().await?.to_bytes();
                Ok::<_, AskError>((status, body))
            };
            tokio::select! {
                answer = asked => answer,
                over = connection => match over {
                    Ok(()) => Err("it hung up".into()),
                    Err(error) => Err(error.into()),
                },
            }
        };
        match tokio::time::timeout(Duration::from_secs(ANSWER_S), answer).await {
            Ok(answer) => answer,
            Err(_) => Err(format!("no answer within {ANSWER_S} s").into()),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may stop at once")]
mod tests {
    use super::*;

    #[test]
    fn states_that_docker_does_not_have_are_read() {
        let table = [
            ("created", true, false),
            ("initialized", true, false),
            ("running", false, false),
            ("paused", false, false),
            ("stopping", false, true),
            ("stopped", false, true),
            ("exited", false, true),
            ("unknown", false, true),
            ("of next year", false, true),
        ];
        for (state, is_only_created, has_ended) in table {
            let json = format!(
                r#"[{{"Id": "1", "Names": ["/a"], "State": "{state}", "NetworkSettings": null}}]"#
            );
            let listed: Vec<Listed> = serde_json::from_str(&json).unwrap();
            assert_eq!(listed[0].is_only_created(), is_only_created, "{state}");
            assert_eq!(listed[0].has_ended(), has_ended, "{state}");
            assert_eq!(listed[0].name(), "a");
        }
    }
}

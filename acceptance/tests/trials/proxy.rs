//! A bad line to Kubernetes: a proxy that refuses some requests, loses some answers, and cuts watches.

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use futures_util::StreamExt;
use hyper_util::rt::TokioIo;
use kube::config::{AuthInfo, KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use crate::chance::Chance;

/// Once in so many requests something happens to it.
const TROUBLE: u64 = 6;

/// The proxy, for as long as it is there.
pub(crate) struct Proxy {
    address: std::net::SocketAddr,
    line: Arc<Line>,
    _runtime: Runtime,
}

struct Line {
    config: Config,
    client: Mutex<Client>,
    chance: Mutex<Chance>,
}

impl Proxy {
    /// Stands before the cluster of a kubeconfig, and passes on who asks.
    pub(crate) fn begin(kubeconfig: &Path) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap();
        let (address, line) = runtime.block_on(async {
            let read = Kubeconfig::read_from(kubeconfig).unwrap();
            let mut config = Config::from_custom_kubeconfig(read, &KubeConfigOptions::default())
                .await
                .unwrap();
            config.auth_info = AuthInfo::default();
            config.default_retry = false;
            let line = Arc::new(Line {
                client: Mutex::new(Client::try_from(config.clone()).unwrap()),
                chance: Mutex::new(Chance::new(1, 1)),
                config,
            });
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap();
            let router = axum::Router::new()
                .fallback(pass)
                .with_state(Arc::clone(&line));
            tokio::spawn(async move { axum::serve(listener, router).await });
            (address, line)
        });
        Self {
            address,
            line,
            _runtime: runtime,
        }
    }

    /// A kubeconfig that leads through it.
    pub(crate) fn kubeconfig(&self, own: &Path) -> String {
        let own = std::fs::read_to_string(own).unwrap();
        let mut own: Value = serde_saphyr::from_str(&own).unwrap();
        own["clusters"][0]["cluster"] = json!({ "server": format!("http://{}", self.address) });
        own.to_string()
    }

    /// Connections to a server that went away are of no use.
    pub(crate) fn reset(&self) {
        let _in_it = self._runtime.enter();
        *self.line.client.lock().unwrap() = Client::try_from(self.line.config.clone()).unwrap();
    }
}

/// What happens to a request.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Trouble {
    None,
    /// It is answered so, and never gets there.
    Refused(u16),
    /// It gets there, and its answer does not come back.
    AnswerLost,
    /// It is cut off after so many milliseconds.
    Cut(u64),
}

fn trouble(chance: &mut Chance, method: &str, query: &str) -> Trouble {
    if query.contains("watch=") {
        return match chance.between(1, 4) {
            1 => Trouble::Refused(410),
            2 => Trouble::Refused(500),
            _ => Trouble::Cut(chance.between(200, 8_000)),
        };
    }
    if !chance.once_in(TROUBLE) {
        return Trouble::None;
    }
    match (method, chance.between(1, 5)) {
        ("POST", 1) => Trouble::Refused(409),
        (_, 1 | 2) => Trouble::AnswerLost,
        (_, 3) => Trouble::Refused(429),
        (_, 4) => Trouble::Refused(500),
        _ => Trouble::Refused(504),
    }
}

fn refusal(code: u16) -> Response {
    let reason = match code {
        409 => "AlreadyExists",
        410 => "Expired",
        429 => "TooManyRequests",
        504 => "Timeout",
        _ => "InternalError",
    };
    let status = json!({
        "kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "reason": reason,
        "message": "the trial's proxy says so",
    });
    let code = axum::http::StatusCode::from_u16(code).unwrap();
    (code, axum::Json(status)).into_response()
}

async fn pass(State(line): State<Arc<Line>>, mut request: Request) -> Response {
    let query = request.uri().query().unwrap_or_default().to_owned();
    let is_upgrade = request.headers().contains_key("upgrade");
    let trouble = {
        let mut chance = line.chance.lock().unwrap();
        match trouble(&mut chance, request.method().as_str(), &query) {
            // asked for again, it would be another command
            Trouble::AnswerLost if is_upgrade => Trouble::Refused(500),
            trouble => trouble,
        }
    };
    if let Trouble::Refused(code) = trouble {
        return refusal(code);
    }
    let visitor = is_upgrade.then(|| hyper::upgrade::on(&mut request));
    let client = line.client.lock().unwrap().clone();
    let uri = request
        .uri()
        .path_and_query()
        .unwrap()
        .as_str()
        .parse()
        .unwrap();
    *request.uri_mut() = uri;
    request.headers_mut().remove("host");
    let (parts, body) = request.into_parts();
    // objects of a few kilobytes at most
    let Ok(body) = axum::body::to_bytes(body, usize::MAX).await else {
        return refusal(500);
    };
    let request = axum::http::Request::from_parts(parts, kube::client::Body::from(body.to_vec()));
    let mut answer = match client.send(request).await {
        Ok(answer) => answer,
        Err(_) => return refusal(504),
    };
    if trouble == Trouble::AnswerLost {
        return refusal(504);
    }
    if let Some(visitor) = visitor
        && answer.status() == axum::http::StatusCode::SWITCHING_PROTOCOLS
    {
        let server = hyper::upgrade::on(&mut answer);
        tokio::spawn(async move {
            if let (Ok(visitor), Ok(server)) = tokio::join!(visitor, server) {
                let (mut visitor, mut server) = (TokioIo::new(visitor), TokioIo::new(server));
                let _ = tokio::io::copy_bidirectional(&mut visitor, &mut server).await;
            }
        });
        return answer.map(|_| Body::empty());
    }
    match trouble {
        Trouble::Cut(ms) => {
            let cut = tokio::time::sleep(Duration::from_millis(ms));
            answer.map(|body| {
                let parts = Body::new(body).into_data_stream().take_until(cut);
                Body::from_stream(parts)
            })
        }
        _ => answer.map(Body::new),
    }
}

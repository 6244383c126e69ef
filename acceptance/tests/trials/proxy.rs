//! A bad line to Kubernetes: a proxy that refuses some requests, loses some answers, and cuts watches or lets them grow too old.

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use futures_util::{StreamExt, stream};
use hyper_util::rt::TokioIo;
use kube::config::{AuthInfo, KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use crate::tally::{Happened, Tally};
use mkys_acceptance::chance::Chance;

/// Once in so many requests something happens to it.
const TROUBLE: u64 = 6;
/// How long a watch goes on that is to end, in milliseconds: the least and the most.
const WATCHED: (u64, u64) = (200, 8_000);

/// The proxy, for as long as it is there.
pub(crate) struct Proxy {
    address: std::net::SocketAddr,
    line: Arc<Line>,
    _runtime: Runtime,
}

struct Line {
    config: Config,
    client: Mutex<Client>,
    fate: Mutex<Fate>,
    tally: Arc<Tally>,
}

impl Proxy {
    /// Stands before the cluster of a kubeconfig, and passes on who asks.
    pub(crate) fn begin(kubeconfig: &Path, tally: Arc<Tally>) -> Self {
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
                fate: Mutex::new(Fate::new()),
                config,
                tally,
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
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trouble {
    None,
    /// It is answered so, and never gets there.
    Refused(u16),
    /// It gets there, and its answer does not come back.
    AnswerLost,
    /// It is cut off after so many milliseconds.
    Cut(u64),
    /// After so many milliseconds it says that what it began with is too old.
    Expired(u64),
}

/// What becomes of requests: each trouble once, as soon as there is a request for it, and then whatever is drawn.
struct Fate {
    chance: Chance,
    watches: Vec<Trouble>,
    creations: Vec<Trouble>,
    others: Vec<Trouble>,
}

impl Fate {
    fn new() -> Self {
        let refused = [504, 500, 429].map(Trouble::Refused);
        Self {
            chance: Chance::new(1, 1),
            watches: vec![
                Trouble::Cut(1_000),
                Trouble::Refused(500),
                Trouble::Expired(1_000),
                Trouble::Refused(410),
            ],
            // nothing is there that it could be the same as
            creations: vec![Trouble::Refused(409)],
            others: [&refused[..], &[Trouble::AnswerLost]].concat(),
        }
    }

    fn next(&mut self, method: &str, path: &str, query: &str) -> Trouble {
        let chance = &mut self.chance;
        if query.contains("watch=") {
            let drawn = match chance.between(1, 5) {
                1 => Trouble::Refused(410),
                2 => Trouble::Refused(500),
                3 => Trouble::Expired(chance.between(WATCHED.0, WATCHED.1)),
                _ => Trouble::Cut(chance.between(WATCHED.0, WATCHED.1)),
            };
            return self.watches.pop().unwrap_or(drawn);
        }
        if method == "POST"
            && path.ends_with("/jobs")
            && let Some(trouble) = self.creations.pop()
        {
            return trouble;
        }
        if !chance.once_in(TROUBLE) {
            return Trouble::None;
        }
        let drawn = match (method, chance.between(1, 5)) {
            ("POST", 1) => Trouble::Refused(409),
            (_, 1 | 2) => Trouble::AnswerLost,
            (_, 3) => Trouble::Refused(429),
            (_, 4) => Trouble::Refused(500),
            _ => Trouble::Refused(504),
        };
        self.others.pop().unwrap_or(drawn)
    }
}

fn status(code: u16) -> Value {
    let reason = match code {
        409 => "AlreadyExists",
        410 => "Expired",
        429 => "TooManyRequests",
        504 => "Timeout",
        _ => "InternalError",
    };
    json!({
        "kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "reason": reason,
        "message": "the trial's proxy says so",
    })
}

fn refusal(code: u16) -> Response {
    let status = axum::Json(status(code));
    let code = axum::http::StatusCode::from_u16(code).unwrap();
    (code, status).into_response()
}

/// A watch that goes on for so long, and is told within it that it is too old: there are no half events before that.
fn expired(body: Body, ms: u64, tally: Arc<Tally>) -> Body {
    let mut half = Vec::new();
    let events = body.into_data_stream().map(move |part| {
        half.extend(part?);
        let whole = half.iter().rposition(|byte| *byte == b'\n');
        let whole = whole.map_or(0, |end| end + 1);
        Ok::<_, axum::Error>(half.drain(..whole).collect::<Vec<u8>>())
    });
    let events = events.take_until(tokio::time::sleep(Duration::from_millis(ms)));
    let last = stream::once(async move {
        tally.count(Happened::WatchExpired);
        Ok(format!("{}\n", json!({ "type": "ERROR", "object": status(410) })).into_bytes())
    });
    Body::from_stream(events.chain(last))
}

async fn pass(State(line): State<Arc<Line>>, mut request: Request) -> Response {
    let query = request.uri().query().unwrap_or_default().to_owned();
    let is_upgrade = request.headers().contains_key("upgrade");
    let trouble = {
        let (method, path) = (request.method().as_str(), request.uri().path());
        match line.fate.lock().unwrap().next(method, path, &query) {
            // asked for again, it would be another command
            Trouble::AnswerLost if is_upgrade => Trouble::Refused(500),
            trouble => trouble,
        }
    };
    if let Trouble::Refused(code) = trouble {
        line.tally.count(Happened::Refused(code));
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
        line.tally.count(Happened::AnswerLost);
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
            let cut = async move {
                tokio::time::sleep(Duration::from_millis(ms)).await;
                line.tally.count(Happened::WatchCut);
            };
            answer.map(|body| {
                let parts = Body::new(body).into_data_stream().take_until(Box::pin(cut));
                Body::from_stream(parts)
            })
        }
        Trouble::Expired(ms) if answer.status().is_success() => {
            answer.map(|body| expired(Body::new(body), ms, Arc::clone(&line.tally)))
        }
        _ => answer.map(Body::new),
    }
}

#[test]
fn a_watch_that_is_too_old_ends_after_a_whole_event() {
    let parts = ["{\"a\":1}\n{\"b\"", ":2}\n{\"half"];
    let body = Body::from_stream(stream::iter(parts.map(Ok::<_, axum::Error>)));
    let tally = Arc::<Tally>::default();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let all = async { axum::body::to_bytes(expired(body, 60_000, Arc::clone(&tally)), 4096).await };
    let all = runtime.unwrap().block_on(all).unwrap();
    let all = String::from_utf8(all.to_vec()).unwrap();
    let events: Vec<Value> = all
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(events[..2], [json!({ "a": 1 }), json!({ "b": 2 })]);
    assert_eq!(events[2]["type"], "ERROR");
    assert_eq!(events[2]["object"]["code"], 410);
    assert_eq!(events.len(), 3);
    assert!(tally.missing(&[Happened::WatchExpired]).is_empty());
}

//! Asks a session what a player's client would ask first: a page, or a websocket's handshake.

use std::error::Error;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use http::header::{HOST, HeaderMap, HeaderValue, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY};
use reqwest::redirect::Policy;
use reqwest::{Certificate, Client, Response, StatusCode, Url};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::Role;

use crate::door::DoorError;
use crate::spec::Answers;
use crate::words::words;

/// How long one try may take.
const TRY: Duration = Duration::from_secs(5);
/// How much of a page that was not to come is told.
const TOLD: usize = 200;

/// Whose certificates are trusted where a URL asks for TLS.
#[derive(Debug)]
pub(crate) enum Trust<'a> {
    /// TLS is not spoken.
    NoTls,
    /// The system's authorities, and those of a PEM beside them.
    System(Option<&'a [u8]>),
}

/// Asks whatever listens at one address.
#[derive(Clone, Debug)]
pub(crate) struct Knocker {
    client: Client,
    address: SocketAddr,
}

impl Knocker {
    /// One that finds a host at an address, whatever its name resolves to.
    pub(crate) fn new(host: &str, address: SocketAddr, trust: &Trust<'_>) -> Result<Self, String> {
        let mut client = Client::builder()
            .resolve(host, address)
            // asked is what listens there, on a connection of its own
            .no_proxy()
            .pool_max_idle_per_host(0)
            // a later version has no handshake of websockets that services are sure to know
            .http1_only()
            .redirect(Policy::none());
        client = match trust {
            // the system's take a while to read
            Trust::NoTls => client.tls_certs_only([]),
            Trust::System(None) => client,
            Trust::System(Some(pem)) => client.tls_certs_merge(certificates(pem)?),
        };
        Ok(Self {
            client: client.build().map_err(said)?,
            address,
        })
    }

    /// Asks for a URL of that host.
    pub(crate) async fn knock(&self, url: &str, answers: &Answers) -> Result<(), DoorError> {
        let failed = |reason: String| DoorError {
            place: url.to_owned(),
            reason,
        };
        match tokio::time::timeout(TRY, self.ask(url, answers)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(reason)) => Err(failed(reason)),
            Err(_) => Err(failed(format!("no answer within {} s", TRY.as_secs()))),
        }
    }

    async fn ask(&self, url: &str, answers: &Answers) -> Result<(), String> {
        match answers {
            Answers::Websocket { .. } => self.shake_hands(url).await,
            Answers::Http { .. } => {
                let asked = self.get(parsed(url)?, HeaderMap::new()).await;
                let response = asked.map_err(said)?;
                match response.status().as_u16() {
                    ..400 => Ok(()),
                    _ => Err(refusal(response).await),
                }
            }
        }
    }

    async fn shake_hands(&self, url: &str) -> Result<(), String> {
        let request = url.into_client_request();
        let headers = request
            .map_err(|error| error.to_string())?
            .headers()
            .clone();
        let accepted = headers
            .get(SEC_WEBSOCKET_KEY)
            .map(|key| derive_accept_key(key.as_bytes()));
        let mut url = parsed(url)?;
        let scheme = match url.scheme() {
            "wss" => "https",
            _ => "http",
        };
        // both kinds of schemes are special to a URL, so one can stand for the other
        let _ = url.set_scheme(scheme);
        let response = self.get(url, headers).await.map_err(said)?;
        if response.status() != StatusCode::SWITCHING_PROTOCOLS {
            return Err(refusal(response).await);
        }
        let accept = response.headers().get(SEC_WEBSOCKET_ACCEPT);
        let accept = accept.and_then(|value| value.to_str().ok());
        if accept != accepted.as_deref() {
            return Err("it answers 101 without accepting the websocket's key".to_owned());
        }
        let upgraded = response.upgrade().await.map_err(said)?;
        let mut socket = WebSocketStream::from_raw_socket(upgraded, Role::Client, None).await;
        // it answered; whether it takes leave politely is its own affair
        let _ = socket.close(None).await;
        Ok(())
    }

    /// Looks whether what listens there speaks as the scheme of a URL says, with a certificate that is trusted. Nobody there is not a fault.
    pub(crate) async fn speaks(&self, url: &str) -> Result<(), String> {
        let asked = self.get(parsed(url)?, HeaderMap::new());
        match tokio::time::timeout(TRY, asked).await {
            Ok(Ok(response)) if response.status() == StatusCode::BAD_REQUEST => {
                let refusal = refusal(response).await;
                // NGINX' own words to whoever speaks no TLS to it
                match refusal.contains("HTTPS port") {
                    true => Err(refusal),
                    false => Ok(()),
                }
            }
            Ok(Err(error)) if is_of_tls(&error) => Err(said(error)),
            Ok(Err(error)) => {
                tracing::warn!(error = said(error), "the listener does not answer yet");
                Ok(())
            }
            Ok(Ok(_)) | Err(_) => Ok(()),
        }
    }

    async fn get(&self, mut url: Url, mut headers: HeaderMap) -> Result<Response, reqwest::Error> {
        let host = match (url.host_str(), url.port()) {
            (Some(host), Some(port)) => format!("{host}:{port}"),
            (host, _) => host.unwrap_or_default().to_owned(),
        };
        // a URL's host has nothing that a header can't have
        if let Ok(host) = HeaderValue::from_str(&host) {
            headers.insert(HOST, host);
        }
        // a port of the URL would be asked instead of the address's, and so would its host where that is an address itself
        let _ = match url.domain() {
            Some(_) => url.set_port(None),
            None => url
                .set_ip_host(self.address.ip())
                .and_then(|()| url.set_port(Some(self.address.port()))),
        };
        self.client.get(url).headers(headers).send().await
    }
}

/// Whether somebody answered, and not in TLS, or with a certificate that is not trusted: rustls has one kind for both.
fn is_of_tls(error: &reqwest::Error) -> bool {
    let mut source: Option<&dyn Error> = error.source();
    while let Some(cause) = source {
        if let Some(error) = cause.downcast_ref()
            && is_invalid(error)
        {
            return true;
        }
        source = cause.source();
    }
    false
}

/// The same of an error of the connection; one that has another within does not name it as its source.
fn is_invalid(error: &io::Error) -> bool {
    let within = error.get_ref().and_then(|within| within.downcast_ref());
    error.kind() == io::ErrorKind::InvalidData || within.is_some_and(is_invalid)
}

/// Asks what a player's client would ask first for `url`, of whatever listens at an address. With `https` or `wss` the system's authorities are trusted.
///
/// # Errors
///
/// [`DoorError`] when that is not answered as it must be, within five seconds.
pub async fn knock(address: SocketAddr, url: &str, answers: &Answers) -> Result<(), DoorError> {
    let failed = |reason: String| DoorError {
        place: url.to_owned(),
        reason,
    };
    let parsed = parsed(url).map_err(failed)?;
    let trust = match parsed.scheme() {
        "https" | "wss" => Trust::System(None),
        _ => Trust::NoTls,
    };
    let host = parsed.host_str().unwrap_or_default();
    let knocker = Knocker::new(host, address, &trust).map_err(failed)?;
    knocker.knock(url, answers).await
}

fn certificates(pem: &[u8]) -> Result<Vec<Certificate>, String> {
    let found = Certificate::from_pem_bundle(pem).map_err(said)?;
    match found.is_empty() {
        true => Err("there is no certificate in it".to_owned()),
        false => Ok(found),
    }
}

fn parsed(url: &str) -> Result<Url, String> {
    Url::parse(url).map_err(|error| error.to_string())
}

fn said(error: reqwest::Error) -> String {
    words(&error.without_url())
}

/// What an answer that was not to come says: its status, with the title of its page or its first line.
async fn refusal(response: Response) -> String {
    let status = response.status();
    let page = response.text().await.unwrap_or_default();
    let title = page.split_once("<title>");
    let title = title.and_then(|(_, rest)| Some(rest.split_once("</title>")?.0));
    let line = title.or_else(|| page.lines().find(|line| !line.trim().is_empty()));
    let line: String = line.unwrap_or_default().trim().chars().take(TOLD).collect();
    // NGINX' own titles begin with the status
    match line.strip_prefix(status.as_str()) {
        Some(rest) if !rest.is_empty() => format!("{}{rest}", status.as_str()),
        _ if line.is_empty() => status.to_string(),
        _ => format!("{status}: {line}"),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may stop at once")]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::*;

    /// What is said of a service that gives this answer to whoever asks.
    async fn asking(answer: &str, answers: &Answers) -> Result<(), String> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let answer = answer.to_owned();
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut head = [0; 4096];
            let read = stream.read(&mut head).await.unwrap();
            let head = String::from_utf8_lossy(&head[..read]).to_lowercase();
            assert!(head.contains("host: games.example.org:8080"), "{head}");
            stream.write_all(answer.as_bytes()).await.unwrap();
        });
        let scheme = match answers {
            Answers::Websocket { .. } => "ws",
            Answers::Http { .. } => "http",
        };
        let url = format!("{scheme}://games.example.org:8080/a");
        knock(address, &url, answers)
            .await
            .map_err(|error| error.reason)
    }

    #[tokio::test]
    async fn what_does_not_answer_as_it_must_is_told_in_its_own_words() {
        let page = Answers::Http { path: "/".into() };
        let socket = Answers::Websocket { path: "/".into() };
        for (answers, answer, said) in [
            (&page, "HTTP/1.1 204 No Content\r\n\r\n", None),
            (
                &page,
                "HTTP/1.1 502 Bad Gateway\r\n\r\n\nThe service does not answer.\nmore",
                Some("502 Bad Gateway: The service does not answer."),
            ),
            (
                &page,
                "HTTP/1.1 400 Bad Request\r\n\r\n<html><title>400 The plain HTTP request</title>",
                Some("400 The plain HTTP request"),
            ),
            (
                &socket,
                "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
                Some("200 OK"),
            ),
            (
                &socket,
                "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
                Some("it answers 101 without accepting the websocket's key"),
            ),
        ] {
            let found = asking(answer, answers).await;
            assert_eq!(found.err().as_deref(), said, "{answer}");
        }
    }
}

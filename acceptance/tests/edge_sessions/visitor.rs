//! Somebody who visits: by a plain request, or on a websocket.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::edge::HOST;
use crate::service::{PUSHED, head};

/// How long anything may take that is to come at all.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);
/// A masked text frame, "hello".
const HELLO: &[u8] = b"\x81\x85\x00\x00\x00\x00hello";

/// What is at a path for the visitors of a listener: the status and the body; 0 when nobody answers.
pub(crate) async fn visit(listener: SocketAddr, path: &str) -> (u16, String) {
    ask(listener, "GET", path).await
}

/// The same by another method, without a body.
pub(crate) async fn ask(listener: SocketAddr, method: &str, path: &str) -> (u16, String) {
    let ask = async {
        let mut stream = TcpStream::connect(listener).await?;
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        std::io::Result::Ok(answer)
    };
    let answer = timeout(PATIENCE, ask).await.expect("no answer came");
    let answer = answer.unwrap_or_default();
    let status = answer.split(' ').nth(1).and_then(|word| word.parse().ok());
    let body = answer.split_once("\r\n\r\n").map(|(_, body)| body.trim());
    (
        status.unwrap_or_default(),
        body.unwrap_or_default().to_owned(),
    )
}

/// Whether a service of this name is at a path.
pub(crate) async fn is_at(listener: SocketAddr, path: &str, name: &str) -> bool {
    visit(listener, path).await == (200, name.to_owned())
}

/// A websocket through the edge.
pub(crate) struct Socket(TcpStream);

impl Socket {
    pub(crate) async fn open(listener: SocketAddr, path: &str) -> Self {
        let mut stream = TcpStream::connect(listener).await.unwrap();
        let request = Self::handshake(path);
        stream.write_all(request.as_bytes()).await.unwrap();
        let answer = timeout(PATIENCE, head(&mut stream)).await.unwrap().unwrap();
        assert!(answer.starts_with("HTTP/1.1 101 "), "{answer}");
        Self(stream)
    }

    /// What a visitor asks for it.
    pub(crate) fn handshake(path: &str) -> String {
        format!(
            "GET {path}/socket HTTP/1.1\r\nHost: {HOST}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        )
    }

    /// What the kernel says of the edge's end of it.
    pub(crate) fn at_the_edge(&self) -> String {
        let local = |address: SocketAddr| format!("sport = :{}", address.port());
        let peer = |address: SocketAddr| format!("dport = :{}", address.port());
        let output = std::process::Command::new("ss")
            .args(["-Htno", "state", "established"])
            .arg(local(self.0.peer_addr().unwrap()))
            .arg(peer(self.0.local_addr().unwrap()))
            .output();
        String::from_utf8(output.unwrap().stdout).unwrap()
    }

    async fn receives(&mut self, frame: &[u8]) -> bool {
        let mut back = vec![0; frame.len()];
        let read = timeout(PATIENCE, self.0.read_exact(&mut back)).await;
        read.expect("no frame came").is_ok() && back == frame
    }

    /// Whether a frame comes back.
    pub(crate) async fn echoes(&mut self) -> bool {
        self.0.write_all(HELLO).await.is_ok() && self.receives(HELLO).await
    }

    /// Whether the frame comes that the service was told to send.
    pub(crate) async fn is_pushed(&mut self) -> bool {
        self.receives(PUSHED).await
    }

    /// Waits until the other side ends it; fails if it does not.
    pub(crate) async fn ends(mut self) {
        let mut rest = Vec::new();
        // an end by a reset is one as well
        let _ = timeout(PATIENCE, self.0.read_to_end(&mut rest))
            .await
            .expect("the websocket stays open");
    }
}

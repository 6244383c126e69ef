//! A service behind the edge: says its name, echoes on upgraded connections, streams downloads, and can be told to speak or to wait.

use std::net::SocketAddrV4;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, watch};

/// An unmasked text frame, as a service sends it.
pub(crate) const PUSHED: &[u8] = b"\x81\x04push";

/// What a download consists of.
pub(crate) const TICK: &str = "tick\n";

/// A service. It ends with the test's runtime.
pub(crate) struct Service {
    pub(crate) address: SocketAddrV4,
    shared: Arc<Shared>,
}

struct Shared {
    name: &'static str,
    push: Notify,
    held: watch::Sender<bool>,
}

impl Service {
    pub(crate) async fn start(name: &'static str) -> Self {
        Self::start_at(name, "127.0.0.1:0".parse().unwrap()).await
    }

    /// The same at an address.
    pub(crate) async fn start_at(name: &'static str, address: SocketAddrV4) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap().to_string().parse().unwrap();
        let shared = Arc::new(Shared {
            name,
            push: Notify::new(),
            held: watch::Sender::new(false),
        });
        let of_all = shared.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let shared = of_all.clone();
                tokio::spawn(async move { answer(stream, &shared).await });
            }
        });
        Self { address, shared }
    }

    /// Has it keep plain requests waiting, or no longer.
    pub(crate) fn hold(&self, held: bool) {
        self.shared.held.send_replace(held);
    }

    /// Has it send a frame on each upgraded connection.
    pub(crate) fn push(&self) {
        self.shared.push.notify_waiters();
    }
}

async fn answer(mut stream: TcpStream, shared: &Shared) -> std::io::Result<()> {
    let head = head(&mut stream).await?;
    if head.starts_with("GET ") && head.contains("/download HTTP/1.1") {
        let begin = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n";
        stream.write_all(begin).await?;
        // without end
        loop {
            stream.write_all(TICK.as_bytes()).await?;
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
    if !head.to_lowercase().contains("upgrade: websocket") {
        let mut held = shared.held.subscribe();
        let _ = held.wait_for(|held| !held).await;
        let (name, length) = (shared.name, shared.name.len());
        let answer = format!(
            "HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{name}"
        );
        return stream.write_all(answer.as_bytes()).await;
    }
    stream
        .write_all(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
        )
        .await?;
    let mut data = [0; 1024];
    loop {
        tokio::select! {
            read = stream.read(&mut data) => match read? {
                0 => return Ok(()),
                length => stream.write_all(&data[..length]).await?,
            },
            () = shared.push.notified() => stream.write_all(PUSHED).await?,
        }
    }
}

/// The head of a request or an answer, without what follows it.
pub(crate) async fn head(stream: &mut (impl AsyncRead + Unpin)) -> std::io::Result<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await?);
    }
    Ok(String::from_utf8_lossy(&head).into_owned())
}

//! Websockets that echo once a second, and are watched.

use std::net::SocketAddrV4;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use futures_util::{SinkExt as _, StreamExt as _};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;

use super::listen;
use crate::delegated::{HOST, PREFIX};

const EVERY: Duration = Duration::from_secs(1);
/// An echo that takes longer never comes.
const PATIENCE: Duration = Duration::from_secs(10);

/// What became of open websockets.
pub(super) struct Watched {
    /// Those that ended, or did not echo.
    pub(super) cut: usize,
    /// Seconds of the slowest echo.
    pub(super) slowest: f64,
}

/// Open websockets.
pub(super) struct Open {
    end: watch::Sender<bool>,
    tasks: Vec<JoinHandle<Option<f64>>>,
}

impl Open {
    /// Asks each for an echo once more, and ends them.
    pub(super) async fn end(self) -> Watched {
        let _ = self.end.send(true);
        let ended = join_all(self.tasks).await;
        let (mut cut, mut slowest) = (0, 0_f64);
        for one in ended {
            match one {
                Ok(Some(seconds)) => slowest = slowest.max(seconds),
                Ok(None) | Err(_) => cut += 1,
            }
        }
        Watched { cut, slowest }
    }
}

/// A service that echoes.
pub(super) async fn serve() -> anyhow::Result<SocketAddrV4> {
    let (listener, address) = listen().await?;
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let (sink, stream) = tokio_tungstenite::accept_async(stream).await?.split();
                let texts = stream.filter(|message| {
                    let is_text = matches!(message, Ok(Message::Text(_)) | Err(_));
                    std::future::ready(is_text)
                });
                texts.forward(sink).await
            });
        }
    });
    Ok(address)
}

/// Opens so many to the place of a name.
pub(super) async fn open(
    listener: SocketAddrV4,
    name: &str,
    number: usize,
) -> anyhow::Result<Open> {
    let (end, ends) = watch::channel(false);
    let mut tasks = Vec::new();
    for _ in 0..number {
        let stream = TcpStream::connect(listener).await?;
        let url = format!("ws://{HOST}{PREFIX}/{name}/");
        let (mut socket, _) =
            tokio_tungstenite::client_async(url.into_client_request()?, stream).await?;
        let mut ends = ends.clone();
        tasks.push(tokio::spawn(async move {
            let mut slowest = 0_f64;
            loop {
                let last = *ends.borrow_and_update();
                slowest = slowest.max(echo(&mut socket).await?);
                if last {
                    return Some(slowest);
                }
                let _ = tokio::time::timeout(EVERY, ends.changed()).await;
            }
        }));
    }
    Ok(Open { end, tasks })
}

/// Seconds until an echo comes; none when it doesn't.
async fn echo(socket: &mut WebSocketStream<TcpStream>) -> Option<f64> {
    let began = Instant::now();
    socket.send(Message::text("there?")).await.ok()?;
    let heard = tokio::time::timeout(PATIENCE, async {
        loop {
            match socket.next().await {
                Some(Ok(Message::Text(_))) => return Some(()),
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                _ => return None,
            }
        }
    });
    heard.await.ok().flatten()?;
    Some(began.elapsed().as_secs_f64())
}

//! Players of Hex: each a websocket through NGINX.

use std::net::SocketAddrV4;
use std::time::Duration;

use anyhow::{Context as _, bail};
use futures_util::{SinkExt as _, StreamExt as _};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

use super::board::{Board, Colour, choose};

/// No answer takes this long.
const PATIENCE: Duration = Duration::from_secs(20);
/// So that a person sees it happen.
const THINKS: Duration = Duration::from_millis(80);

/// What the game's server says.
#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
enum Said {
    State(Board),
    Seat { colour: Colour },
    Refused { reason: String },
}

struct Socket(WebSocketStream<TcpStream>);

impl Socket {
    async fn open(listener: SocketAddrV4, url: &str) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(listener).await?;
        let (socket, _) = tokio_tungstenite::client_async(url, stream).await?;
        Ok(Self(socket))
    }

    async fn send(&mut self, message: &Value) -> anyhow::Result<()> {
        Ok(self.0.send(Message::text(message.to_string())).await?)
    }

    async fn hear(&mut self) -> anyhow::Result<Said> {
        loop {
            let heard = tokio::time::timeout(PATIENCE, self.0.next()).await;
            let heard = heard.context("the game says nothing")?;
            match heard.context("the game hung up")?? {
                Message::Text(text) => return Ok(serde_json::from_str(&text)?),
                Message::Close(frame) => bail!("the game hung up: {frame:?}"),
                _ => {}
            }
        }
    }

    async fn join(&mut self, name: &str) -> anyhow::Result<Result<Colour, String>> {
        self.send(&json!({ "type": "join", "name": name })).await?;
        loop {
            match self.hear().await? {
                Said::Seat { colour } => return Ok(Ok(colour)),
                Said::Refused { reason } => return Ok(Err(reason)),
                Said::State(_) => {}
            }
        }
    }
}

/// A player.
pub(super) struct Player {
    socket: Socket,
    colour: Colour,
}

impl Player {
    /// Comes in and sits down.
    pub(super) async fn sit(listener: SocketAddrV4, url: &str, name: &str) -> anyhow::Result<Self> {
        let mut socket = Socket::open(listener, url).await?;
        match socket.join(name).await? {
            Ok(colour) => Ok(Self { socket, colour }),
            Err(reason) => bail!("{name} gets no seat: {reason}"),
        }
    }

    /// Plays until somebody has won, telling of each board; gives the last one.
    pub(super) async fn play(&mut self, mut tell: impl FnMut(&Board)) -> anyhow::Result<Board> {
        // a board is told again when somebody comes to watch
        let mut answered = None;
        loop {
            let board = match self.socket.hear().await? {
                Said::State(board) => board,
                Said::Seat { .. } => continue,
                Said::Refused { reason } => bail!("a move is refused: {reason}"),
            };
            tell(&board);
            if board.winner.is_some() {
                return Ok(board);
            }
            let moves = Some(board.moves.len());
            if board.turn == Some(self.colour) && answered != moves {
                answered = moves;
                tokio::time::sleep(THINKS).await;
                let message = match board.can_swap {
                    // the first stone lies in the middle
                    true => json!({ "type": "swap" }),
                    false => json!({ "type": "move", "cell": choose(&board, self.colour) }),
                };
                self.socket.send(&message).await?;
            }
        }
    }
}

/// What somebody is told who comes too late for a seat.
pub(super) async fn refusal(
    listener: SocketAddrV4,
    url: &str,
    name: &str,
) -> anyhow::Result<String> {
    let mut socket = Socket::open(listener, url).await?;
    match socket.join(name).await? {
        Ok(_) => bail!("{name} got a seat that is somebody else's"),
        Err(reason) => Ok(reason),
    }
}

//! Players of Hex: each a websocket through NGINX.

use std::net::TcpStream;
use std::time::Duration;

use anyhow::{Context as _, bail};
use futures_util::{SinkExt as _, StreamExt as _};
use serde::Deserialize;
use serde_json::{Value, json};
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

#[derive(Debug)]
struct Socket(WebSocketStream<tokio::net::TcpStream>);

impl Socket {
    async fn open(stream: TcpStream, url: &str) -> anyhow::Result<Self> {
        stream.set_nonblocking(true)?;
        let stream = tokio::net::TcpStream::from_std(stream)?;
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
#[derive(Debug)]
pub struct Player {
    socket: Socket,
    colour: Colour,
}

impl Player {
    /// Comes in on a connection to an edge's listener, and sits down.
    ///
    /// # Errors
    /// When there is no game at the address, or no seat left.
    pub async fn sit(stream: TcpStream, url: &str, name: &str) -> anyhow::Result<Self> {
        let mut socket = Socket::open(stream, url).await?;
        match socket.join(name).await? {
            Ok(colour) => Ok(Self { socket, colour }),
            Err(reason) => bail!("{name} gets no seat: {reason}"),
        }
    }

    /// Sits there while something else happens, as an open page does; gives what came of that.
    ///
    /// # Errors
    /// When the connection ends before.
    pub async fn sit_through<T>(&mut self, other: impl Future<Output = T>) -> anyhow::Result<T> {
        let mut other = std::pin::pin!(other);
        loop {
            tokio::select! {
                done = &mut other => return Ok(done),
                // a board is told again at the next change
                heard = self.socket.0.next() => {
                    if let Message::Close(frame) = heard.context("the game hung up")?? {
                        bail!("the game hung up: {frame:?}");
                    }
                }
            }
        }
    }

    /// Plays until somebody has won, telling of each board; gives the last one.
    ///
    /// # Errors
    /// When the game ends before, says nothing for 20 s, or refuses a move.
    pub async fn play(&mut self, mut tell: impl FnMut(&Board)) -> anyhow::Result<Board> {
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
///
/// # Errors
/// When there is a seat left, or no game at all.
pub async fn refusal(stream: TcpStream, url: &str, name: &str) -> anyhow::Result<String> {
    let mut socket = Socket::open(stream, url).await?;
    match socket.join(name).await? {
        Ok(_) => bail!("{name} got a seat that is somebody else's"),
        Err(reason) => Ok(reason),
    }
}

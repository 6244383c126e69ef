//! Connections to the socket: each does its TLS handshake in a task of its own and with a limit, so that one that says nothing
//! holds up nobody.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::mpsc;
use tokio_rustls::TlsAcceptor;
use tonic::codegen::tokio_stream::Stream;
use tonic::transport::server::Connected;

/// How long a handshake may take. The CLI does it at once.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// How long to wait when the system can't give a connection (too many open files), which doesn't mend by asking at once.
const PAUSE: Duration = Duration::from_millis(100);

/// A connection that may be served.
pub(super) struct Connection(Box<dyn Talk>);

/// Both ways of a connection, with TLS or without.
trait Talk: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Talk for T {}

/// What is received through a channel, as a stream.
pub(super) struct Receiving<T>(pub(super) mpsc::Receiver<T>);

impl<T> Stream for Receiving<T> {
    type Item = T;
    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<T>> {
        self.0.poll_recv(cx)
    }
}

/// Takes connections until the stream of them is dropped.
pub(super) fn connections(
    listener: UnixListener,
    acceptor: Option<TlsAcceptor>,
) -> Receiving<io::Result<Connection>> {
    let (accepted, connections) = mpsc::channel(8);
    tokio::spawn(accept(listener, acceptor, accepted));
    Receiving(connections)
}

async fn accept(
    listener: UnixListener,
    acceptor: Option<TlsAcceptor>,
    accepted: mpsc::Sender<io::Result<Connection>>,
) {
    loop {
        let stream = tokio::select! {
            () = accepted.closed() => return,
            stream = listener.accept() => stream,
        };
        let stream = match stream {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!(%error, "cannot take a connection");
                tokio::time::sleep(PAUSE).await;
                continue;
            }
        };
        let (acceptor, accepted) = (acceptor.clone(), accepted.clone());
        tokio::spawn(async move {
            match tokio::time::timeout(HANDSHAKE, admit(stream, acceptor)).await {
                // If nobody wants it any more, the server is ending.
                Ok(Ok(connection)) => drop(accepted.send(Ok(connection)).await),
                Ok(Err(error)) => tracing::warn!(%error, "refused a connection"),
                Err(_) => tracing::warn!("gave up on a connection that made no handshake"),
            }
        });
    }
}

async fn admit(stream: UnixStream, acceptor: Option<TlsAcceptor>) -> io::Result<Connection> {
    Ok(match acceptor {
        Some(acceptor) => Connection(Box::new(acceptor.accept(stream).await?)),
        None => Connection(Box::new(stream)),
    })
}

impl Connected for Connection {
    type ConnectInfo = ();
    fn connect_info(&self) {}
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

//! A scripted service, and visitors that send and receive raw bytes.

use std::net::{SocketAddr, SocketAddrV4};
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use crate::edge::HOST;
use crate::service::head;
use crate::visitor::PATIENCE;

/// A service. It ends with the test's runtime.
pub(crate) struct Script {
    pub(crate) address: SocketAddrV4,
    heads: Arc<Mutex<Vec<String>>>,
}

impl Script {
    /// Reads the head of one request on each connection, then runs the script.
    pub(crate) async fn start<F: Future<Output = ()> + Send + 'static>(
        each: impl Fn(TcpStream) -> F + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string().parse().unwrap();
        let heads = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&heads);
        let each = Arc::new(each);
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let (log, each) = (Arc::clone(&log), Arc::clone(&each));
                tokio::spawn(async move {
                    // the edge's probe of the port sends no request
                    if let Ok(head) = head(&mut stream).await {
                        log.lock().unwrap().push(head);
                        each(stream).await;
                    }
                });
            }
        });
        Self { address, heads }
    }

    /// A service that answers each request with these bytes, and closes.
    pub(crate) async fn says(answer: impl Into<String>) -> Self {
        let answer: Arc<str> = answer.into().into();
        Self::start(move |mut stream| {
            let answer = Arc::clone(&answer);
            async move {
                // who was answered may be gone
                let _ = stream.write_all(answer.as_bytes()).await;
            }
        })
        .await
    }

    /// A service that says "fine".
    pub(crate) async fn fine() -> Self {
        Self::says("HTTP/1.1 200 OK\r\nContent-Length: 4\r\nConnection: close\r\n\r\nfine").await
    }

    /// The heads of all requests that it was sent.
    pub(crate) fn heads(&self) -> Vec<String> {
        self.heads.lock().unwrap().clone()
    }

    /// The head of the one request that it was sent.
    pub(crate) fn only_head(&self) -> String {
        let heads = self.heads();
        assert_eq!(heads.len(), 1, "{heads:?}");
        heads[0].clone()
    }
}

/// The values of a field of a head.
pub(crate) fn values<'a>(head: &'a str, name: &str) -> Vec<&'a str> {
    let fields = head.lines().filter_map(|line| line.split_once(": "));
    let fields = fields.filter(|(field, _)| field.eq_ignore_ascii_case(name));
    fields.map(|(_, value)| value).collect()
}

/// What a visitor gets back for some bytes, until the other side closes.
pub(crate) async fn exchange(listener: SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(listener).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    // the end may be a reset
    let _ = timeout(PATIENCE, stream.read_to_end(&mut answer))
        .await
        .expect("no end");
    String::from_utf8_lossy(&answer).into_owned()
}

/// The same of a request for a path, with further fields.
pub(crate) async fn get(listener: SocketAddr, path: &str, fields: &str) -> String {
    let request =
        format!("GET {path} HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n{fields}\r\n");
    exchange(listener, &request).await
}

/// The status of an answer; 0 where there is none.
pub(crate) fn status(answer: &str) -> u16 {
    let status = answer.split(' ').nth(1).and_then(|word| word.parse().ok());
    status.unwrap_or_default()
}

/// A visitor's connection on which a request was sent.
pub(crate) struct Visitor(pub(crate) TcpStream);

impl Visitor {
    pub(crate) async fn send(listener: SocketAddr, request: &str) -> Self {
        let mut stream = TcpStream::connect(listener).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        Self(stream)
    }

    pub(crate) async fn get(listener: SocketAddr, path: &str) -> Self {
        let request = format!("GET {path} HTTP/1.1\r\nHost: {HOST}\r\n\r\n");
        Self::send(listener, &request).await
    }

    /// Waits for a text in what comes.
    pub(crate) async fn hears(&mut self, text: &str) {
        let mut heard = Vec::new();
        let listen = async {
            while !String::from_utf8_lossy(&heard).contains(text) {
                heard.push(self.0.read_u8().await.unwrap());
            }
        };
        let result = timeout(PATIENCE, listen).await;
        result.unwrap_or_else(|_| panic!("{text:?} does not come"));
    }

    /// Waits until the other side ends it; gives how many bytes came before.
    pub(crate) async fn ends(mut self) -> usize {
        let mut room = vec![0; 65_536];
        let read = async {
            let mut all = 0;
            // an end by a reset is one as well
            while let Ok(length @ 1..) = self.0.read(&mut room).await {
                all += length;
            }
            all
        };
        timeout(PATIENCE, read).await.expect("it stays open")
    }
}

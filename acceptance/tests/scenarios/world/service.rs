//! A service behind the edge: says its name to whoever asks, and echoes on upgraded connections.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

/// The node's address in the users' network: the edge reaches it like a blade's.
const NODE: &str = "198.51.100.2";

/// Starts a service; gives its address. It ends with the test's process.
pub(crate) fn serve(name: &'static str) -> String {
    let listener = TcpListener::bind((NODE, 0)).unwrap();
    let address = listener.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || answer(stream, name));
        }
    });
    address
}

fn answer(mut stream: TcpStream, name: &str) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut upgrade = false;
    for line in head(&mut reader)? {
        upgrade |= line.eq_ignore_ascii_case("upgrade: websocket");
    }
    if !upgrade {
        let length = name.len();
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nConnection: close");
        return stream.write_all(format!("{head}\r\n\r\n{name}").as_bytes());
    }
    stream.write_all(
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
    )?;
    std::io::copy(&mut reader, &mut stream).map(drop)
}

/// The lines of a request's or an answer's head.
fn head(reader: &mut BufReader<TcpStream>) -> std::io::Result<Vec<String>> {
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        match line.trim_end() {
            "" => return Ok(lines),
            line => lines.push(line.to_owned()),
        }
    }
}

/// An upgraded connection through an edge.
pub(crate) struct Upgraded(BufReader<TcpStream>);

impl Upgraded {
    /// Asks for a host on a connection to an edge's listener.
    pub(crate) fn open(mut stream: TcpStream, host: &str) -> Self {
        let limit = Some(Duration::from_secs(10));
        stream.set_read_timeout(limit).unwrap();
        let request = format!(
            "GET /play HTTP/1.1\r\nHost: {host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).unwrap();
        let mut reader = BufReader::new(stream);
        let answer = head(&mut reader).unwrap();
        assert!(answer[0].starts_with("HTTP/1.1 101 "), "{answer:?}");
        Self(reader)
    }

    /// Whether a frame comes back.
    pub(crate) fn echoes(&mut self) -> bool {
        // a masked text frame, "hello"
        let frame = b"\x81\x85\x00\x00\x00\x00hello";
        let mut back = [0; 11];
        let sent = self.0.get_mut().write_all(frame);
        sent.is_ok() && self.0.read_exact(&mut back).is_ok() && &back == frame
    }

    /// Whether the other side ends the connection within the limit.
    pub(crate) fn ends(mut self, limit: Duration) -> bool {
        self.0.get_mut().set_read_timeout(Some(limit)).unwrap();
        let mut rest = Vec::new();
        match self.0.read_to_end(&mut rest) {
            Ok(_) => true,
            Err(error) => error.kind() == std::io::ErrorKind::ConnectionReset,
        }
    }
}

//! A way to the cloud that can be cut: a proxy for plain HTTP. The cloud itself goes on, for other stories as well.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

/// The proxy; dropping it cuts the way.
pub(crate) struct Way {
    address: SocketAddr,
    cut: Arc<AtomicBool>,
    open: Arc<Mutex<Vec<TcpStream>>>,
}

impl Way {
    /// Opens a way.
    pub(crate) fn open() -> Self {
        Self::start(None)
    }

    /// Opens a way on which answers are lost: those to what is posted at paths with this end.
    pub(crate) fn losing(end: &'static str) -> Self {
        Self::start(Some(end))
    }

    fn start(lost: Option<&'static str>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let way = Self {
            address: listener.local_addr().unwrap(),
            cut: Arc::default(),
            open: Arc::default(),
        };
        let (cut, open) = (Arc::clone(&way.cut), Arc::clone(&way.open));
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                if cut.load(Ordering::SeqCst) {
                    return; // and with the listener the port is closed
                }
                open.lock().unwrap().push(client.try_clone().unwrap());
                // whoever goes away in the middle is not our concern
                std::thread::spawn(move || drop(relay(client, lost)));
            }
        });
        way
    }

    /// What `HTTP_PROXY` is to be.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Cuts the way: open connections end, and there are no others.
    pub(crate) fn cut(&self) {
        self.cut.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(self.address);
        for stream in self.open.lock().unwrap().drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

impl Drop for Way {
    fn drop(&mut self) {
        self.cut();
    }
}

/// Passes one request on to the service that it names, and the answer back.
fn relay(mut client: TcpStream, lost: Option<&str>) -> io::Result<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        client.read_exact(&mut byte)?;
        head.extend(byte);
    }
    let head = String::from_utf8_lossy(&head);
    let mut lines = head.trim_end().lines();
    let first: Vec<_> = lines.next().unwrap_or_default().split(' ').collect();
    let [method, target, version] = first[..] else {
        return Err(io::ErrorKind::InvalidData.into());
    };
    let target = target.strip_prefix("http://").unwrap_or(target);
    let (host, path) = target.split_once('/').unwrap_or((target, ""));
    let mut service = TcpStream::connect(host)?;
    // one request a connection: the next may be for another service
    let mut passed = format!("{method} /{path} {version}\r\nConnection: close\r\n");
    for line in lines.filter(|line| !line.to_ascii_lowercase().starts_with("connection:")) {
        passed.push_str(&format!("{line}\r\n"));
    }
    service.write_all(format!("{passed}\r\n").as_bytes())?;
    let (mut body, mut up) = (client.try_clone()?, service.try_clone()?);
    std::thread::spawn(move || io::copy(&mut body, &mut up));
    match method == "POST" && lost.is_some_and(|end| path.ends_with(end)) {
        true => io::copy(&mut service, &mut io::sink())?,
        false => io::copy(&mut service, &mut client)?,
    };
    client.shutdown(Shutdown::Both)
}

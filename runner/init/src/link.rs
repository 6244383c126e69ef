//! The connection to the owner: made again whenever it breaks, read by a thread of its own.

use std::io::{self, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::mpsc::SyncSender;
use std::thread;
use std::time::Duration;

use mkys_init::{Frame, Frames, ToOwner, ToRun};

use crate::life::Happened;

/// How long the owner may take to take something; one that takes longer is treated as gone.
const WRITE: Duration = Duration::from_secs(20);
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// Says things to the owner, over one connection.
#[derive(Debug)]
pub(crate) struct Link(UnixStream);

impl Link {
    /// Says it. An error means that the connection is over; the next one begins with all that counts.
    pub(crate) fn say(&mut self, message: ToOwner) -> io::Result<()> {
        self.send(&Frame::Message(message))
    }

    /// As [`Link::say`], with data as well.
    pub(crate) fn send(&mut self, frame: &Frame<ToOwner>) -> io::Result<()> {
        let mut bytes = Vec::new();
        frame.encode(&mut bytes).map_err(io::Error::other)?;
        let sent = self.0.write_all(&bytes);
        if sent.is_err() {
            // the reading thread notices, and connects anew
            let _ = self.0.shutdown(std::net::Shutdown::Both);
        }
        sent
    }
}

/// Connects to the owner for as long as this process lives, and tells what happens.
pub(crate) fn keep(socket: PathBuf, happened: SyncSender<Happened>) {
    thread::spawn(move || {
        let mut pause = FIRST_PAUSE;
        loop {
            match connect(&socket) {
                Ok((stream, link)) => {
                    pause = FIRST_PAUSE;
                    if happened.send(Happened::Connected(link)).is_err() {
                        return;
                    }
                    read(stream, &happened);
                    if happened.send(Happened::Disconnected).is_err() {
                        return;
                    }
                }
                Err(_) => pause = (pause * 2).min(LONGEST_PAUSE),
            }
            thread::park_timeout(pause);
        }
    });
}

fn connect(socket: &Path) -> io::Result<(UnixStream, Link)> {
    let stream = UnixStream::connect(socket)?;
    stream.set_write_timeout(Some(WRITE))?;
    let link = Link(stream.try_clone()?);
    Ok((stream, link))
}

/// Reads until the connection is over, for whatever reason: it is made again.
fn read(stream: UnixStream, happened: &SyncSender<Happened>) {
    let mut frames = Frames::<_, ToRun>::new(&stream);
    while let Ok(Some(frame)) = frames.next_frame() {
        if happened.send(Happened::Said(frame)).is_err() {
            return;
        }
    }
    // also when what arrived was no frame: that was no owner
    let _ = stream.shutdown(std::net::Shutdown::Both);
}

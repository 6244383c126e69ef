//! Frames that what stands in a run's container says, read and understood: the same on every executor.

use std::io;

use bytes::BytesMut;
use mkys_init::{Frame, ToOwner};
use tokio::io::{AsyncRead, AsyncReadExt};

use crate::executor::Part;
use crate::verdict::{Cause, Failure};

/// Reads frames.
#[derive(Debug)]
pub(crate) struct Reader<R> {
    from: R,
    received: BytesMut,
}

impl<R: AsyncRead + Unpin> Reader<R> {
    pub(crate) fn new(from: R) -> Self {
        let received = BytesMut::new();
        Self { from, received }
    }

    /// The next frame. What was read of it stays when this is given up.
    pub(crate) async fn frame(&mut self) -> io::Result<Frame<ToOwner>> {
        loop {
            let decoded = Frame::decode(&self.received).map_err(io::Error::other)?;
            if let Some((frame, taken)) = decoded {
                let _ = self.received.split_to(taken);
                return Ok(frame);
            }
            if self.from.read_buf(&mut self.received).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }
}

/// The part of a run's results that a frame is, if it is one.
pub(crate) fn part(frame: Frame<ToOwner>) -> Option<Part> {
    Some(match frame {
        Frame::Message(ToOwner::Phase { .. } | ToOwner::Hello { .. }) => return None,
        Frame::Message(ToOwner::File { path, length }) => Part::File { path, length },
        Frame::Data(bytes) => Part::Data(bytes.into()),
        Frame::Message(ToOwner::FileEnd { sha256 }) => Part::End { sha256 },
        Frame::Message(ToOwner::Taken) => Part::Taken,
        Frame::Message(ToOwner::NotTaken { words }) => {
            Part::NotTaken(Failure::new(Cause::Result, words))
        }
    })
}

//! How messages and data go over the socket: a kind, a length, and that many bytes.

use std::io::{self, Read};
use std::marker::PhantomData;

use serde::Serialize;
use serde::de::DeserializeOwned;

/// The most data that one frame carries, in bytes.
pub const CHUNK: usize = 64 * 1024;

const HEADER: usize = 5;
const MESSAGE: u8 = b'M';
const DATA: u8 = b'D';
/// A message lists paths at most; whoever sends more is no owner and no run.
const LONGEST_MESSAGE: usize = 1024 * 1024;

/// One frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frame<M> {
    /// A message.
    Message(M),
    /// The next bytes of a file.
    Data(Vec<u8>),
}

/// What can't be a frame.
#[derive(Debug, thiserror::Error)]
pub enum FrameError {
    /// There is no such kind.
    #[error("a frame of the unknown kind {0}")]
    Kind(u8),
    /// It is longer than any may be.
    #[error("a frame of {0} bytes is longer than any may be")]
    Length(usize),
    /// The message makes no sense.
    #[error("a message that makes no sense")]
    Message(#[from] serde_json::Error),
}

impl<M: Serialize + DeserializeOwned> Frame<M> {
    /// Adds the frame to what is to be sent.
    ///
    /// # Errors
    ///
    /// [`FrameError::Length`] for more than a frame carries.
    pub fn encode(&self, into: &mut Vec<u8>) -> Result<(), FrameError> {
        let message;
        let (kind, bytes) = match self {
            Self::Message(said) => {
                message = serde_json::to_vec(said)?;
                (MESSAGE, &message)
            }
            Self::Data(bytes) => (DATA, bytes),
        };
        let length = u32::try_from(bytes.len()).map_err(|_| FrameError::Length(bytes.len()))?;
        allowed(kind, bytes.len())?;
        into.push(kind);
        into.extend_from_slice(&length.to_be_bytes());
        into.extend_from_slice(bytes);
        Ok(())
    }

    /// The first frame of what was received, and how many bytes it took; `None` while it is not whole.
    ///
    /// # Errors
    ///
    /// [`FrameError`] when it never will be one.
    pub fn decode(received: &[u8]) -> Result<Option<(Self, usize)>, FrameError> {
        let Some((&[kind, a, b, c, d], rest)) = received.split_first_chunk::<HEADER>() else {
            return Ok(None);
        };
        let length = u32::from_be_bytes([a, b, c, d]) as usize;
        allowed(kind, length)?;
        let Some(bytes) = rest.get(..length) else {
            return Ok(None);
        };
        let frame = match kind {
            MESSAGE => Self::Message(serde_json::from_slice(bytes)?),
            _ => Self::Data(bytes.to_vec()),
        };
        Ok(Some((frame, HEADER + length)))
    }
}

/// Reads frames from where they arrive, and waits for each.
#[derive(Debug)]
pub struct Frames<R, M> {
    from: R,
    received: Vec<u8>,
    said: PhantomData<M>,
}

impl<R: Read, M: Serialize + DeserializeOwned> Frames<R, M> {
    /// Of what arrives from there.
    pub const fn new(from: R) -> Self {
        Self {
            from,
            received: Vec::new(),
            said: PhantomData,
        }
    }

    /// The next frame; `None` at the end.
    ///
    /// # Errors
    ///
    /// When it can't be read, what arrives is no frame, or the end comes in the middle of one.
    pub fn next_frame(&mut self) -> io::Result<Option<Frame<M>>> {
        let mut buffer = vec![0; CHUNK];
        loop {
            if let Some((frame, taken)) = Frame::decode(&self.received).map_err(io::Error::other)? {
                self.received.drain(..taken);
                return Ok(Some(frame));
            }
            match self.from.read(&mut buffer) {
                Ok(0) if self.received.is_empty() => return Ok(None),
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(length) => self.received.extend_from_slice(&buffer[..length]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
}

fn allowed(kind: u8, length: usize) -> Result<(), FrameError> {
    let most = match kind {
        MESSAGE => LONGEST_MESSAGE,
        DATA => CHUNK,
        other => return Err(FrameError::Kind(other)),
    };
    if length > most {
        return Err(FrameError::Length(length));
    }
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may stop at once")]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::message::{End, Exit, Phase, ToOwner};

    fn frames() -> impl Strategy<Value = Frame<ToOwner>> {
        prop_oneof![
            proptest::collection::vec(any::<u8>(), 0..300).prop_map(Frame::Data),
            (".{0,20}", any::<i32>()).prop_map(|(words, code)| {
                let exit = Exit {
                    code,
                    end: End::NotStarted { words },
                    killed: 0,
                };
                Frame::Message(ToOwner::Phase {
                    phase: Phase::Exited { exit },
                })
            }),
            any::<u64>().prop_map(|length| {
                let path = "a/b".parse().unwrap();
                Frame::Message(ToOwner::File { path, length })
            }),
        ]
    }

    proptest! {
        #[test]
        fn frames_are_read_as_they_were_sent_however_they_arrive(
            sent in proptest::collection::vec(frames(), 0..8),
            arrives in 1usize..40,
        ) {
            let mut bytes = Vec::new();
            for frame in &sent {
                frame.encode(&mut bytes).unwrap();
            }
            let (mut read, mut waiting) = (Vec::new(), Vec::new());
            for some in bytes.chunks(arrives) {
                waiting.extend_from_slice(some);
                while let Some((frame, taken)) = Frame::decode(&waiting).unwrap() {
                    waiting.drain(..taken);
                    read.push(frame);
                }
            }
            prop_assert_eq!(&read, &sent);
            prop_assert!(waiting.is_empty());

            let mut frames = Frames::new(&bytes[..]);
            let mut read = Vec::new();
            while let Some(frame) = frames.next_frame().unwrap() {
                read.push(frame);
            }
            prop_assert_eq!(read, sent);
        }

        #[test]
        fn whatever_arrives_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            let _ = Frame::<ToOwner>::decode(&bytes);
        }
    }

    #[test]
    fn a_length_that_no_frame_has_is_refused_before_it_is_waited_for() {
        let error = Frame::<ToOwner>::decode(&[b'D', 255, 0, 0, 0]).unwrap_err();
        assert!(matches!(error, FrameError::Length(_)), "{error}");
        let error = Frame::<ToOwner>::decode(b"GET / HTTP/1.1").unwrap_err();
        assert!(matches!(error, FrameError::Kind(b'G')), "{error}");
    }
}

//! A run's results, given to whoever asks for them.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::AsFd;

use sha2::{Digest, Sha256};

use crate::files::{self, FileError};
use crate::{CHUNK, FilePath, Frame, ToOwner};

/// Why results were not given.
#[derive(Debug, thiserror::Error)]
enum NotGiven {
    #[error(transparent)]
    File(#[from] FileError),
    #[error(transparent)]
    Connection(#[from] io::Error),
}

/// Gives results, and says at last whether all of them were given: [`ToOwner::Taken`] or [`ToOwner::NotTaken`].
///
/// # Errors
///
/// That of `say`, after which nothing more is said.
pub fn give(
    results: impl AsFd,
    paths: &[FilePath],
    limit: u64,
    say: &mut impl FnMut(Frame<ToOwner>) -> io::Result<()>,
) -> io::Result<()> {
    let last = match give_all(results.as_fd(), paths, limit, say) {
        Ok(()) => ToOwner::Taken,
        Err(NotGiven::File(error)) => ToOwner::NotTaken {
            words: error.to_string(),
        },
        Err(NotGiven::Connection(error)) => return Err(error),
    };
    say(Frame::Message(last))
}

fn give_all(
    results: impl AsFd,
    paths: &[FilePath],
    limit: u64,
    say: &mut impl FnMut(Frame<ToOwner>) -> io::Result<()>,
) -> Result<(), NotGiven> {
    let mut sum = 0;
    for path in paths {
        let (file, length) = files::open_result(&results, path)?;
        sum = files::within(limit, sum, path, length)?;
        let path = path.clone();
        say(Frame::Message(ToOwner::File {
            path: path.clone(),
            length,
        }))?;
        let sha256 = give_one(file, &path, length, say)?;
        say(Frame::Message(ToOwner::FileEnd { sha256 }))?;
    }
    Ok(())
}

fn give_one(
    mut file: File,
    path: &FilePath,
    length: u64,
    say: &mut impl FnMut(Frame<ToOwner>) -> io::Result<()>,
) -> Result<String, NotGiven> {
    let mut hash = Sha256::new();
    let mut left = length;
    while left > 0 {
        let most = usize::try_from(left).unwrap_or(CHUNK).min(CHUNK);
        let mut bytes = vec![0; most];
        let read = file.read(&mut bytes).and_then(|read| match read {
            // nobody is left to cut it: the disk has an error
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            read => Ok(read),
        });
        let read = read.map_err(|source| FileError::Io {
            path: path.clone(),
            source,
        })?;
        bytes.truncate(read);
        hash.update(&bytes);
        left -= read as u64;
        say(Frame::Data(bytes))?;
    }
    let digest = hash.finalize();
    Ok(digest.iter().map(|byte| format!("{byte:02x}")).collect())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may stop at once")]
mod tests {
    use super::*;

    fn given(results: &std::path::Path, paths: &[&str], limit: u64) -> Vec<Frame<ToOwner>> {
        let paths: Vec<FilePath> = paths.iter().map(|path| path.parse().unwrap()).collect();
        let mut said = Vec::new();
        give(
            files::open_results(results).unwrap(),
            &paths,
            limit,
            &mut |frame| {
                said.push(frame);
                Ok(())
            },
        )
        .unwrap();
        said
    }

    #[test]
    fn results_come_with_their_hashes_or_a_reason() {
        let root = tempfile::tempdir().unwrap();
        std::fs::write(root.path().join("answer"), "42").unwrap();
        let said = given(root.path(), &["answer"], 2);
        let path = "answer".parse().unwrap();
        assert_eq!(
            said,
            [
                Frame::Message(ToOwner::File { path, length: 2 }),
                Frame::Data(b"42".to_vec()),
                Frame::Message(ToOwner::FileEnd {
                    sha256: "73475cb40a568e8da8a045ced110137e159f890ac4da883b6b17dc651b3a8049"
                        .to_owned()
                }),
                Frame::Message(ToOwner::Taken),
            ]
        );
        let said = given(root.path(), &["answer"], 1);
        let words = "with answer the results have 2 bytes; they may have 1".to_owned();
        assert_eq!(said, [Frame::Message(ToOwner::NotTaken { words })]);
    }
}

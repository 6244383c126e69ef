//! A run's files: inputs are put in place, results are opened, and neither ever leaves its directory.
//!
//! The command that ran is a stranger: what it left under a result's path may be a link, a device or a pipe. So the kernel itself
//! is told not to follow anything (`openat2`), and only a regular file is read.

use std::fs::{self, File};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use rustix::fs::{CWD, Mode, OFlags, ResolveFlags, openat, openat2};
use rustix::io::Errno;

use crate::path::FilePath;

/// What can't be done with a file of a run. It names the file and gives the kernel's reason.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// There is none.
    #[error("there is no {0}")]
    Missing(FilePath),
    /// It is a link, or one of the directories on its path is.
    #[error("{0} is a link, or its path leads through one")]
    Link(FilePath),
    /// It leads out of its directory.
    #[error("{0} leads out of the directory of the results")]
    Outside(FilePath),
    /// It is a directory.
    #[error("{0} is a folder, and no file")]
    Folder(FilePath),
    /// It is a device, a pipe or a socket.
    #[error("{0} is no regular file")]
    Irregular(FilePath),
    /// Together they have more than they may.
    #[error("with {path} the results have {length} bytes; they may have {limit}")]
    TooLarge {
        /// The file that was too much.
        path: FilePath,
        /// The bytes up to its end.
        length: u64,
        /// The most there may be.
        limit: u64,
    },
    /// The kernel's reason.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: FilePath,
        /// The reason.
        source: io::Error,
    },
}

/// The directory of the results, opened: whatever is put in its place later is another one.
///
/// # Errors
///
/// When it is not there, or is a link.
pub fn open_results(results: &Path) -> io::Result<OwnedFd> {
    let flags = OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    Ok(openat(CWD, results, flags, Mode::empty())?)
}

/// A result, opened, and its length in bytes.
///
/// # Errors
///
/// [`FileError`] for whatever is no regular file below `results`.
pub fn open_result(results: impl AsFd, path: &FilePath) -> Result<(File, u64), FileError> {
    let io = |source: Errno| match source {
        Errno::NOENT | Errno::NOTDIR => FileError::Missing(path.clone()),
        Errno::LOOP => FileError::Link(path.clone()),
        Errno::XDEV => FileError::Outside(path.clone()),
        // a socket, or a device that nothing is behind
        Errno::NXIO => FileError::Irregular(path.clone()),
        other => FileError::Io {
            path: path.clone(),
            source: other.into(),
        },
    };
    // a pipe nobody writes to would hold up whoever opens it
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
    let opened = openat2(results, path.as_ref(), flags, Mode::empty(), resolve).map_err(io)?;
    let file = File::from(opened);
    let about = file.metadata().map_err(|source| FileError::Io {
        path: path.clone(),
        source,
    })?;
    if about.is_dir() {
        return Err(FileError::Folder(path.clone()));
    }
    if !about.is_file() {
        return Err(FileError::Irregular(path.clone()));
    }
    Ok((file, about.len()))
}

/// Adds a result's length to that of those before it.
///
/// # Errors
///
/// [`FileError::TooLarge`].
pub fn within(limit: u64, before: u64, path: &FilePath, length: u64) -> Result<u64, FileError> {
    let sum = before.saturating_add(length);
    if sum > limit {
        return Err(FileError::TooLarge {
            path: path.clone(),
            length: sum,
            limit,
        });
    }
    Ok(sum)
}

/// A new file for an input, with the directories on its way. The command has not begun: nobody else writes here.
///
/// # Errors
///
/// [`FileError::Io`].
pub fn create_input(inputs: &Path, path: &FilePath) -> Result<File, FileError> {
    let file = inputs.join(path);
    let create = || {
        if let Some(directory) = file.parent() {
            fs::create_dir_all(directory)?;
        }
        File::create(&file)
    };
    create().map_err(|source| FileError::Io {
        path: path.clone(),
        source,
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may stop at once")]
mod tests {
    use std::io::Read;
    use std::os::unix::fs::symlink;
    use std::os::unix::net::UnixListener;

    use super::*;

    fn path(path: &str) -> FilePath {
        path.parse().unwrap()
    }

    #[test]
    fn only_a_regular_file_below_the_results_is_one() {
        let root = tempfile::tempdir().unwrap();
        let results = root.path().join("out");
        fs::create_dir_all(results.join("deep/er")).unwrap();
        fs::write(root.path().join("secret"), "s").unwrap();
        fs::write(results.join("deep/good"), "good").unwrap();
        symlink("deep/good", results.join("link")).unwrap();
        symlink("../secret", results.join("climbs")).unwrap();
        symlink("deep", results.join("through")).unwrap();
        symlink("/proc/self", results.join("magic")).unwrap();
        let _socket = UnixListener::bind(results.join("socket")).unwrap();
        rustix::fs::mknodat(
            CWD,
            results.join("pipe"),
            rustix::fs::FileType::Fifo,
            Mode::RUSR,
            0,
        )
        .unwrap();

        let opened = open_results(&results).unwrap();
        let (mut file, length) = open_result(&opened, &path("deep/good")).unwrap();
        let mut text = String::new();
        file.read_to_string(&mut text).unwrap();
        assert_eq!((text.as_str(), length), ("good", 4));

        let table = [
            ("none", "there is no none"),
            ("deep/good/none", "there is no deep/good/none"),
            ("link", "link is a link, or its path leads through one"),
            ("climbs", "climbs is a link, or its path leads through one"),
            (
                "through/good",
                "through/good is a link, or its path leads through one",
            ),
            (
                "magic/environ",
                "magic/environ is a link, or its path leads through one",
            ),
            ("deep", "deep is a folder, and no file"),
            ("pipe", "pipe is no regular file"),
            ("socket", "socket is no regular file"),
        ];
        for (name, reason) in table {
            let error = open_result(&opened, &path(name)).unwrap_err();
            assert_eq!(error.to_string(), reason);
        }
    }

    #[test]
    fn what_takes_the_place_of_the_results_is_not_read() {
        let root = tempfile::tempdir().unwrap();
        let (results, elsewhere) = (root.path().join("out"), root.path().join("etc"));
        fs::create_dir(&results).unwrap();
        fs::create_dir(&elsewhere).unwrap();
        fs::write(elsewhere.join("shadow"), "s").unwrap();
        let opened = open_results(&results).unwrap();
        fs::remove_dir(&results).unwrap();
        symlink(&elsewhere, &results).unwrap();
        let error = open_result(&opened, &path("shadow")).unwrap_err();
        assert_eq!(error.to_string(), "there is no shadow");
        assert!(open_results(&results).is_err(), "it is a link");
    }

    #[test]
    fn results_have_a_limit_together() {
        let (first, second) = (path("a"), path("b"));
        let sum = within(10, 0, &first, 6).unwrap();
        let error = within(10, sum, &second, 5).unwrap_err();
        assert_eq!(
            error.to_string(),
            "with b the results have 11 bytes; they may have 10"
        );
    }

    #[test]
    fn inputs_get_their_directories() {
        let root = tempfile::tempdir().unwrap();
        create_input(root.path(), &path("a/b/c")).unwrap();
        assert!(root.path().join("a/b/c").is_file());
        let error = create_input(root.path(), &path("a/b/c/d")).unwrap_err();
        assert!(error.to_string().starts_with("a/b/c/d: "), "{error}");
    }
}

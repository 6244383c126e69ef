//! Keeping the database's files to their owner.
//!
//! SQLite gives its log and its shared index the mode of the database, which it makes as everybody may read it. They hold what the
//! database does, so the file is there, with its own mode, before SQLite opens it.

use std::fs::{self, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// Read and written by the owner alone.
const MODE: u32 = 0o600;

/// Makes the database's file where there is none, and closes those that an earlier version left open.
///
/// # Errors
///
/// When the file cannot be made, or is somebody else's.
pub(super) fn keep(database: &Path) -> io::Result<()> {
    // an empty file is a new database to SQLite
    let mut options = OpenOptions::new();
    options.append(true).create(true).mode(MODE);
    options.open(database)?;
    let beside = [log(database), beside(database, "-shm")];
    for file in [database.to_owned()].iter().chain(&beside) {
        match fs::set_permissions(file, Permissions::from_mode(MODE)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

/// The file of SQLite's log.
pub(super) fn log(database: &Path) -> PathBuf {
    beside(database, "-wal")
}

fn beside(database: &Path, ending: &str) -> PathBuf {
    let mut path = database.as_os_str().to_owned();
    path.push(ending);
    path.into()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may stop at once")]
mod tests {
    use super::*;
    use crate::store::Store;

    fn modes(folder: &Path) -> Vec<(String, u32)> {
        let files = fs::read_dir(folder).unwrap().map(|file| file.unwrap());
        let mode = |file: &fs::DirEntry| file.metadata().unwrap().permissions().mode() & 0o777;
        let mut modes: Vec<_> = files
            .map(|file| (file.file_name().into_string().unwrap(), mode(&file)))
            .collect();
        modes.sort();
        modes
    }

    #[tokio::test]
    async fn nobody_else_reads_the_database_or_what_sqlite_has_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("edge.sqlite");
        let private = ["edge.sqlite", "edge.sqlite-shm", "edge.sqlite-wal"];
        let private = private.map(|name| (name.to_owned(), MODE));
        let store = Store::open(&file).await.unwrap();
        assert_eq!(modes(folder.path()), private);

        // as an earlier version left them
        for (name, _) in modes(folder.path()) {
            let path = folder.path().join(name);
            fs::set_permissions(path, Permissions::from_mode(0o644)).unwrap();
        }
        let _again = Store::open(&file).await.unwrap();
        assert_eq!(modes(folder.path()), private);
        drop(store);
    }
}

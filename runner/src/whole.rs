//! A file that is there whole, for good, or not at all.

use std::io;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use tokio::fs::{self, File};
use tokio::io::AsyncWriteExt;

use crate::plan::hex;

/// A file that is being written beside its place.
#[derive(Debug)]
pub(crate) struct Whole {
    file: File,
    beside: Beside,
    place: PathBuf,
}

/// What is written until it is whole; it goes away if that never happens.
#[derive(Debug)]
struct Beside(PathBuf);

impl Drop for Beside {
    fn drop(&mut self) {
        // one that has come to its place is not there any more
        let _ = std::fs::remove_file(&self.0);
    }
}

impl Whole {
    /// Begins one, and the folders above it.
    pub(crate) async fn new(place: PathBuf) -> io::Result<Self> {
        if let Some(parent) = place.parent() {
            fs::create_dir_all(parent).await?;
        }
        let beside = Beside(beside(&place));
        let file = File::create(&beside.0).await?;
        Ok(Self {
            file,
            beside,
            place,
        })
    }

    pub(crate) async fn add(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes).await
    }

    /// It is whole, and on the disk. Gives its place.
    pub(crate) async fn end(self) -> io::Result<PathBuf> {
        let Self {
            mut file,
            beside,
            place,
        } = self;
        // syncing says nothing of a write before it that failed
        file.flush().await?;
        file.sync_all().await?;
        fs::rename(&beside.0, &place).await?;
        if let Some(parent) = place.parent() {
            File::open(parent).await?.sync_all().await?;
        }
        Ok(place)
    }

    /// One of so many bytes.
    pub(crate) async fn write(place: &Path, bytes: &[u8]) -> io::Result<()> {
        let mut whole = Self::new(place.to_owned()).await?;
        whole.add(bytes).await?;
        whole.end().await.map(drop)
    }
}

/// The same for the same place, so that what a killed process left is written over; and nobody gives a file of his own such a name.
fn beside(place: &Path) -> PathBuf {
    let name = place.file_name().unwrap_or_default();
    let name = hex(&Sha256::digest(name.as_encoded_bytes()));
    place.with_file_name(format!(".{name}.part"))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may stop at once")]
mod tests {
    use super::*;

    #[tokio::test]
    async fn one_that_is_being_written_is_in_no_others_way() {
        let folder = tempfile::tempdir().unwrap();
        let places = ["a.part", "a"].map(|name| folder.path().join(name));
        for place in &places {
            Whole::write(place, place.as_os_str().as_encoded_bytes())
                .await
                .unwrap();
        }
        for place in &places {
            let written = std::fs::read(place).unwrap();
            assert_eq!(written, place.as_os_str().as_encoded_bytes());
        }
    }

    #[tokio::test]
    async fn it_is_there_whole_or_not_at_all() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("out/sample");
        let mut whole = Whole::new(place.clone()).await.unwrap();
        whole.add(b"half").await.unwrap();
        drop(whole);
        let there = || {
            let names = std::fs::read_dir(folder.path().join("out")).unwrap();
            let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
            names.collect::<Vec<_>>()
        };
        assert_eq!(there(), Vec::<String>::new());
        Whole::write(&place, b"all of it").await.unwrap();
        assert_eq!(there(), ["sample"]);
    }
}

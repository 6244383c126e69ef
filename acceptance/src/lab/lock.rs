//! One `lab` at a time: a lock in the state directory, which `down` removes together with it.

use std::fs::{self, File, TryLockError};
use std::io::Write as _;
use std::os::unix::fs::MetadataExt as _;
use std::time::Duration;

use super::{Error, pause};
use crate::place::Place;
use crate::progress::Progress;

/// How long one `lab` waits for another: longer than a cold `up` takes.
const PATIENCE: Duration = Duration::from_secs(900);

/// Held while the lab is worked on; the kernel gives it back when the process ends, however it ends.
#[derive(Debug)]
pub(crate) struct Lock(#[expect(dead_code, reason = "held for its drop")] File);

impl Lock {
    /// Takes the lock, waiting for whoever has it.
    pub(crate) fn take(place: &Place, progress: &Progress) -> Result<Self, Error> {
        let mut said = false;
        pause::until(PATIENCE, || match Self::attempt(place) {
            Ok(Some(lock)) => Some(Ok(lock)),
            Ok(None) => {
                if !said {
                    said = true;
                    progress.note(format!(
                        "waiting for another `lab` (process {})",
                        holder(place)
                    ));
                }
                None
            }
            Err(error) => Some(Err(error)),
        })
        .unwrap_or_else(|| Err(Error::Busy(holder(place))))
    }

    /// `None` when somebody has it, or when the file was removed between opening and locking.
    fn attempt(place: &Place) -> Result<Option<Self>, Error> {
        let path = place.state().join("lock");
        let doing = || Error::io(format!("lock {}", path.display()));
        fs::create_dir_all(place.state()).map_err(doing())?;
        let mut file = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path)
            .map_err(doing())?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(error)) => return Err(doing()(error)),
        }
        let ours = file.metadata().map_err(doing())?.ino();
        if fs::metadata(&path).map(|there| there.ino()).ok() != Some(ours) {
            return Ok(None);
        }
        file.set_len(0)
            .and_then(|()| write!(file, "{}", std::process::id()))
            .map_err(doing())?;
        Ok(Some(Self(file)))
    }
}

fn holder(place: &Place) -> String {
    fs::read_to_string(place.state().join("lock")).unwrap_or_else(|_| "unknown".into())
}

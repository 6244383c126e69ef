//! What the first start made, kept for the next: databases, keys, the uploaded image. A lab from nothing starts from it.
//!
//! Most of a first start goes into making tables. The seed is keyed by everything that they depend on, so a seed of another
//! version is never used; it outlives the lab, and losing it costs time only.

use std::fs;
use std::path::{Path, PathBuf};

use super::external::run;
use super::unit::{Table, Unit, Work};
use super::{Error, Lab, embedded, process};

/// Parts of the state directory that make a seed.
const PARTS: [&str; 4] = ["mysql", "keys", "glance/images", "done"];
const PREFIX: &str = "seed-";
/// The database: it rests while it is copied.
const DATABASE: &str = "mariadb";

/// Where the seed for this version of everything is, or would be.
pub(crate) fn path(lab: &Lab) -> Result<PathBuf, Error> {
    let packages = run(&[
        "dpkg-query",
        "-W",
        "-f",
        "${Package} ${Version}\n",
        "*-common",
        "mariadb-server",
    ])?;
    let surroundings = format!(
        "{packages}{:?}{}{}",
        lab.settings,
        lab.place.state().display(),
        run(&["uname", "-n"])?
    );
    let files = embedded::digest(&["templates/", "units", "cloud.yaml"]);
    Ok(lab.place.cache().join(format!(
        "{PREFIX}{files}-{}",
        embedded::digest_of(&surroundings)
    )))
}

/// Starts the state directory from the seed, if there is one.
pub(crate) fn sow(lab: &Lab) -> Result<bool, Error> {
    let seed = path(lab)?;
    if !seed.exists() {
        return Ok(false);
    }
    copy(&seed, lab.place.state())?;
    Ok(true)
}

/// Throws the seed away.
pub(crate) fn discard(lab: &Lab) -> Result<(), Error> {
    let seed = path(lab)?;
    fs::remove_dir_all(&seed).map_err(Error::io(format!("remove {}", seed.display())))
}

/// Makes the seed from a lab that has just become whole. The caller waits for it to be well again.
pub(crate) fn reap(lab: &Lab, table: &Table) -> Result<(), Error> {
    let seed = path(lab)?;
    let Some((unit, service)) = table.units.iter().find_map(|unit| as_database(unit)) else {
        return Ok(());
    };
    let partial = lab.place.cache().join("partial");
    let _ = fs::remove_dir_all(&partial);
    process::stop(&lab.place, unit, service);
    let copied = copy(lab.place.state(), &partial);
    process::start(&lab.place, unit, service)?;
    copied?;
    for old in fs::read_dir(lab.place.cache())
        .into_iter()
        .flatten()
        .flatten()
    {
        if old.file_name().to_string_lossy().starts_with(PREFIX) {
            let _ = fs::remove_dir_all(old.path());
        }
    }
    fs::rename(&partial, &seed).map_err(Error::io(format!("keep {}", seed.display())))
}

fn as_database(unit: &Unit) -> Option<(&Unit, &super::unit::Service)> {
    match &unit.work {
        Work::Service(service) if unit.name == DATABASE => Some((unit, service)),
        _ => None,
    }
}

fn copy(from: &Path, to: &Path) -> Result<(), Error> {
    for part in PARTS {
        let target = to.join(part);
        if let Some(folder) = target.parent() {
            fs::create_dir_all(folder).map_err(Error::io(format!("make {}", folder.display())))?;
        }
        let (from, to) = (from.join(part), target.display().to_string());
        // `-T`: the target is the copy itself, also when it is there.
        run(&[
            "cp",
            "-aT",
            "--reflink=auto",
            &from.display().to_string(),
            &to,
        ])?;
    }
    Ok(())
}

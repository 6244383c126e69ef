//! What the machine must be able to do, found out without changing it.

use std::fs;
use std::net::SocketAddrV4;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use super::address_plan::Surroundings;
use super::unit::Table;
use super::{Error, Lab, external, ports, procfs};
use crate::place::Place;

const MEMORY_MIB: u64 = 7000;
const DISK_MIB: u64 = 4000;

/// Everything that is wrong, each in a sentence.
pub(crate) fn problems(lab: &Lab) -> Vec<Error> {
    let mut found = Vec::new();
    if !rustix::process::getuid().is_root() {
        return vec![Error::NotRoot];
    }
    found.extend(debian().err());
    found.extend(namespaces().err());
    found.extend(space(lab).err());
    found.extend(memory().err());
    found.extend(
        Surroundings::look()
            .check(&lab.settings)
            .err()
            .map(Error::from),
    );
    found
}

/// The first thing that is wrong.
pub(crate) fn check(lab: &Lab) -> Result<(), Error> {
    problems(lab).into_iter().next().map_or(Ok(()), Err)
}

/// The first thing that is in the way of a container engine and an edge, whose files are in a folder: they need neither the lab's memory nor
/// its addresses.
pub(crate) fn check_for_runs(
    place: &Place,
    folder: &Path,
    wanted: &[SocketAddrV4],
) -> Result<(), Error> {
    if !rustix::process::getuid().is_root() {
        return Err(Error::NotRoot);
    }
    debian()?;
    namespaces()?;
    let ours = procfs::Ours::new(place.state(), &[]).among(procfs::processes());
    let listeners = ports::listeners();
    for address in wanted {
        let (ip, port) = (*address.ip(), address.port());
        let Some(there) = listeners.iter().find(|one| one.blocks(ip, port)) else {
            continue;
        };
        let (pid, command) = ports::owner(there).unwrap_or_else(|| (0, "unknown".into()));
        // NGINX writes its title over the environment that would tell whose it is
        let is_ours = command.contains(&*folder.to_string_lossy());
        if !is_ours && !ours.iter().any(|one| one.pid == pid) {
            return Err(Error::PortTaken { port, pid, command });
        }
    }
    Ok(())
}

/// Ports of the table that strangers hold.
pub(crate) fn taken_ports(table: &Table, place_has: impl Fn(i32) -> bool) -> Vec<Error> {
    let listeners = ports::listeners();
    let mut found = Vec::new();
    for (_, service) in table.services() {
        for wanted in &service.listens {
            let std::net::IpAddr::V4(address) = wanted.ip() else {
                continue;
            };
            let port = wanted.port();
            let Some(there) = listeners.iter().find(|one| one.blocks(address, port)) else {
                continue;
            };
            let (pid, command) = ports::owner(there).unwrap_or_else(|| (0, "unknown".into()));
            if !place_has(pid) {
                found.push(Error::PortTaken { port, pid, command });
            }
        }
    }
    found
}

fn debian() -> Result<(), Error> {
    let release = fs::read_to_string("/etc/os-release").unwrap_or_default();
    if release.contains("VERSION_CODENAME=bookworm") {
        return Ok(());
    }
    Err(Error::Machine(
        "it is no Debian 12, whose packages the lab is made of".into(),
    ))
}

/// A namespace of its own, left at once: nothing remains.
fn namespaces() -> Result<(), Error> {
    external::run(&["unshare", "--net", "--mount", "true"])
        .map(drop)
        .map_err(|error| {
            Error::Machine(format!(
                "it can't make network and mount namespaces: {error}"
            ))
        })
}

fn space(lab: &Lab) -> Result<(), Error> {
    let existing = lab
        .place
        .state()
        .ancestors()
        .find(|path| path.exists())
        .unwrap_or(Path::new("/"));
    let Ok(there) = rustix::fs::statvfs(existing.as_os_str().as_bytes()) else {
        return Ok(());
    };
    let free = there.f_bavail * there.f_frsize / 1_048_576;
    if free >= DISK_MIB {
        return Ok(());
    }
    let path = existing.display();
    Err(Error::Machine(format!(
        "{free} MiB are free on {path}, the lab takes up to {DISK_MIB}"
    )))
}

fn memory() -> Result<(), Error> {
    let text = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let total = procfs::kib_of(&text, "MemTotal:") / 1024;
    if total >= MEMORY_MIB {
        return Ok(());
    }
    Err(Error::Machine(format!(
        "it has {total} MiB of memory, the lab needs {MEMORY_MIB}"
    )))
}

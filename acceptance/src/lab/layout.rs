//! The state directory's contents that are there before any service: folders, configuration, clouds.yaml, artefacts.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use super::template::Templates;
use super::{Error, Lab};

const FOLDERS: [&str; 16] = [
    "artefacts",
    "cinder/mnt",
    "cinder/store",
    "done",
    "glance/images",
    "glance/staging",
    "home",
    "keys/credential",
    "keys/fernet",
    "locks",
    "log",
    "neutron",
    "nova/instances",
    "run/libvirt",
    "sbin",
    "rabbit",
];
/// Configuration that others made for themselves elsewhere: where each goes, if not below `etc`.
const ELSEWHERE: [(&str, &str); 3] = [
    ("clouds.yaml", "clouds.yaml"),
    ("node/ebtables", "sbin/ebtables"),
    ("node/mount.nfs", "sbin/mount.nfs"),
];
const PROBE: (&str, &str) = ("/usr/bin/prometheus-node-exporter", "node-exporter");

/// Writes all of it.
pub(crate) fn lay(lab: &Lab, templates: &Templates) -> Result<(), Error> {
    let state = lab.place.state();
    for folder in FOLDERS {
        make(&state.join(folder))?;
    }
    // An old mount namespace's sign.
    if super::process::alive(&lab.place, "node").is_none() {
        let _ = fs::remove_file(lab.place.run().join("node.ready"));
    }
    make(&lab.place.etc().join("heat/environment.d"))?;
    make(&lab.place.etc().join("heat/templates"))?;
    for (name, text) in templates.configuration()? {
        let elsewhere = ELSEWHERE.iter().find(|(from, _)| name == Path::new(from));
        let path = elsewhere.map_or_else(|| lab.place.etc().join(&name), |(_, to)| state.join(to));
        write(&path, &text)?;
    }
    for program in ["sbin/ebtables", "sbin/mount.nfs"] {
        let file = state.join(program);
        fs::set_permissions(&file, fs::Permissions::from_mode(0o755))
            .map_err(Error::io(format!("make {} executable", file.display())))?;
    }
    let (probe, name) = PROBE;
    let target = lab.place.artefacts().join(name);
    fs::copy(probe, &target)
        .map(drop)
        .map_err(Error::io(format!("copy {probe}")))
}

fn write(path: &Path, text: &str) -> Result<(), Error> {
    if let Some(folder) = path.parent() {
        make(folder)?;
    }
    fs::write(path, text).map_err(Error::io(format!("write {}", path.display())))
}

fn make(folder: &Path) -> Result<(), Error> {
    fs::create_dir_all(folder).map_err(Error::io(format!("make {}", folder.display())))
}

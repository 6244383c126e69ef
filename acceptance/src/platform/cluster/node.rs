//! What the machine lends the cluster before anything runs: a bridge, control groups, settings of the kernel.

use std::fs;
use std::path::{Path, PathBuf};

use super::layout::{BRIDGE, CONTROL_GROUP, Layout, NODE_ADDRESS, PODS};
use crate::lab::external::run;
use crate::lab::{Error, bridge};
use crate::platform::files;

const GROUPS: &str = "/sys/fs/cgroup";
const SETTINGS: &str = "/proc/sys";
/// What the kubelet sets without asking.
const KUBELETS: [&str; 6] = [
    "kernel/keys/root_maxbytes",
    "kernel/keys/root_maxkeys",
    "kernel/panic",
    "kernel/panic_on_oops",
    "vm/overcommit_memory",
    "vm/panic_on_oom",
];
/// What a network of pods needs. It stays: the lab's cloud and the container engine want the same, and may have come meanwhile.
const WANTED: [&str; 3] = [
    "net/ipv4/ip_forward",
    "net/bridge/bridge-nf-call-iptables",
    "net/bridge/bridge-nf-call-ip6tables",
];

/// Makes all of it.
pub(super) fn prepare(layout: &Layout) -> Result<(), Error> {
    keep_settings(layout)?;
    for setting in WANTED {
        let path = Path::new(SETTINGS).join(setting);
        fs::write(&path, "1").map_err(Error::io(format!("set {}", path.display())))?;
    }
    own_bridge()?;
    let rules = layout.etc().join("nat.nft").display().to_string();
    run(&["nft", "--file", &rules])?;
    hierarchies().iter().try_for_each(|one| control_group(one))
}

/// Writes down what the settings were. Whole or not at all: half of them would be lost for good.
fn keep_settings(layout: &Layout) -> Result<(), Error> {
    let line = |name: &&str| {
        let value = fs::read_to_string(Path::new(SETTINGS).join(name)).ok()?;
        Some(format!("{name} {}\n", value.trim()))
    };
    let text: String = KUBELETS.iter().filter_map(line).collect();
    let (kept, partial) = (layout.settings(), layout.settings().with_extension("new"));
    files::write(&partial, &text)?;
    fs::rename(&partial, &kept).map_err(Error::io(format!("write {}", kept.display())))
}

/// Puts the settings back as they were.
pub(super) fn restore_settings(layout: &Layout) -> Result<(), Error> {
    let Ok(text) = fs::read_to_string(layout.settings()) else {
        return Ok(());
    };
    for (name, value) in text.lines().filter_map(|line| line.split_once(' ')) {
        let path = Path::new(SETTINGS).join(name);
        fs::write(&path, value).map_err(Error::io(format!("set {}", path.display())))?;
    }
    let _ = fs::remove_file(layout.settings());
    Ok(())
}

fn own_bridge() -> Result<(), Error> {
    bridge::up(BRIDGE)?;
    let prefix = PODS.rsplit('/').next().unwrap_or_default();
    let address = format!("{NODE_ADDRESS}/{prefix}");
    run(&["ip", "addr", "replace", &address, "dev", BRIDGE]).map(drop)
}

/// The folders of the hierarchies of control groups: many, or the one of version 2.
pub(super) fn hierarchies() -> Vec<PathBuf> {
    let root = Path::new(GROUPS);
    if root.join("cgroup.controllers").exists() {
        return vec![root.to_owned()];
    }
    let entries = fs::read_dir(root).into_iter().flatten().flatten();
    // links are other names of the same
    entries
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
        .map(|entry| entry.path())
        .collect()
}

/// The kubelet wants its group in every hierarchy, and makes none itself.
fn control_group(hierarchy: &Path) -> Result<(), Error> {
    let group = hierarchy.join(CONTROL_GROUP);
    files::make(&group)?;
    for file in ["cpuset.cpus", "cpuset.mems"] {
        // version 1 begins with none of them, and then nothing may enter
        if let Ok(all) = fs::read_to_string(hierarchy.join(file)) {
            let path = group.join(file);
            fs::write(&path, all).map_err(Error::io(format!("write {}", path.display())))?;
        }
    }
    Ok(())
}

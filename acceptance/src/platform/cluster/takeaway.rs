//! Takes away what of a cluster is on the machine, until nothing is found any more.

use std::fs;
use std::path::Path;
use std::time::Duration;

use rustix::process::Signal;

use super::layout::Layout;
use super::leftovers::{ELSEWHERE, Leftovers};
use super::node;
use crate::lab::external::run;
use crate::lab::process::signal;
use crate::lab::{Error, pause};

const PATIENCE: Duration = Duration::from_secs(60);

/// Takes everything away but the state's files.
pub(super) fn everything(layout: &Layout) -> Result<(), Error> {
    let mut left = Leftovers::look(layout);
    let clean = pause::until(PATIENCE, || {
        for process in &left.processes {
            signal(process.pid, Signal::KILL);
        }
        // what living processes hold can't go, or comes back
        if left.processes.is_empty() {
            things(&left);
        }
        left = Leftovers::look(layout);
        left.is_empty().then_some(())
    });
    clean.ok_or_else(|| Error::LeftBehind(left.lines()))?;
    empty_folders();
    node::restore_settings(layout)
}

/// Each by itself: what fails is seen again by the next look.
fn things(left: &Leftovers) {
    for path in &left.mounts {
        let _ = run(&["umount", "--lazy", path]);
    }
    for group in &left.groups {
        let _ = fs::remove_dir(group);
    }
    for name in &left.links {
        let _ = run(&["ip", "link", "del", name]);
    }
    for table in &left.tables {
        let (family, name) = table.split_once(' ').unwrap_or_default();
        let _ = run(&["nft", "delete", "table", family, name]);
    }
    for file in &left.files {
        let _ = if file.is_dir() {
            fs::remove_dir_all(file)
        } else {
            fs::remove_file(file)
        };
    }
}

/// Folders that others made for us. One that holds something of somebody else's stays.
fn empty_folders() {
    for folder in ELSEWHERE.map(Path::new) {
        let _ = fs::remove_dir(folder);
        let parent = folder.parent().filter(|parent| !parent.ends_with("log"));
        let _ = parent.map(fs::remove_dir);
    }
}

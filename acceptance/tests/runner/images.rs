//! Images of the stories and the trials, beside the one that has a shell alone.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use mkys_acceptance::place::Place;

use crate::bench::{engine, shell};

/// Returns an image with the shell's files and some more. It is made anew only if it changed.
pub(crate) fn image(name: &str, files: &[(&str, &[u8])], changes: &[&str]) -> String {
    let tree = Place::from_environment()
        .state()
        .join(format!("tree-{name}"));
    let files: BTreeMap<PathBuf, &[u8]> = files
        .iter()
        .map(|(path, bytes)| (tree.join(path), *bytes))
        .collect();
    let (engine, _) = engine();
    copy(&shell(), &tree);
    for (path, bytes) in files {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        let _ = std::fs::remove_file(&path);
        std::fs::write(&path, bytes).unwrap();
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(&path, mode).unwrap();
    }
    engine.image(name, &tree, changes).unwrap()
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    let copied = std::process::Command::new("cp")
        .args(["--archive", "--update"])
        .arg(from.join("."))
        .arg(to)
        .status();
    assert!(copied.unwrap().success());
}

/// Returns an image with programs that can't be started, and without a command.
pub(crate) fn programs() -> &'static str {
    static IMAGE: OnceLock<String> = OnceLock::new();
    IMAGE.get_or_init(|| {
        // an ELF file of 64-bit ARM: the kernel looks no further than its head
        let mut arm = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x02\0\xb7\0\x01\0\0\0".to_vec();
        arm.resize(4096, 0);
        let files: [(&str, &[u8]); 3] = [
            ("opt/arm", &arm),
            ("opt/script", b"#!/bin/nobash\necho a\n"),
            ("opt/plain", b"no script\n"),
        ];
        image("odd", &files, &[])
    })
}

/// Returns an image with volumes, and with files of its own where a run has its own.
pub(crate) fn volumes() -> &'static str {
    static IMAGE: OnceLock<String> = OnceLock::new();
    IMAGE.get_or_init(|| {
        let files: [(&str, &[u8]); 3] = [
            ("data/kept", b"kept\n"),
            ("tmp/of-the-image", b""),
            ("mkys/out/of-the-image", b""),
        ];
        let changes = [
            "VOLUME /data",
            "VOLUME /tmp",
            "VOLUME /mkys/out",
            "ENV HOME=/root",
            "WORKDIR /mkys/out",
        ];
        image("volumes", &files, &changes)
    })
}

//! Images made of file trees, without an engine: an archive that containerd imports.

use std::fs;
use std::path::Path;

use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::layout::{Layout, PAUSE};
use crate::lab::Error;
use crate::lab::external::run;
use crate::platform::{files, remove_tree};

const BUSYBOX: &str = "/bin/busybox";
/// What holds a pod's namespaces: it does nothing, until it is told to end.
const IDLE: &str = "trap 'exit 0' TERM; while :; do /busybox sleep 3600 & wait; done";

/// Makes the image that holds a pod's namespaces.
pub(super) fn pause(layout: &Layout) -> Result<(), Error> {
    let tree = layout.state().join("pause");
    files::copy(Path::new(BUSYBOX), &tree.join("busybox"))?;
    import(layout, PAUSE, &tree, &["/busybox", "sh", "-c", IDLE])?;
    remove_tree(&tree)
}

/// Makes an image of a file tree, as one layer, and gives it to containerd.
pub(super) fn import(
    layout: &Layout,
    reference: &str,
    tree: &Path,
    entrypoint: &[&str],
) -> Result<(), Error> {
    let work = layout.state().join("image");
    remove_tree(&work)?;
    files::make(&work)?;
    let at = |name: &str| work.join(name).display().to_string();
    let (layer, archive) = (at("layer.tar"), at("image.tar"));
    let (from, work_folder) = (tree.display().to_string(), work.display().to_string());
    run(&[
        "tar",
        "--create",
        "--owner=0",
        "--group=0",
        "--file",
        &layer,
        "--directory",
        &from,
        ".",
    ])?;
    let content = fs::read(&layer).map_err(Error::io(format!("read {layer}")))?;
    let config = json!({
        "architecture": architecture(), "os": "linux",
        "config": { "Env": ["PATH=/usr/sbin:/usr/bin:/sbin:/bin"], "Entrypoint": entrypoint, "WorkingDir": "/" },
        "rootfs": { "type": "layers", "diff_ids": [format!("sha256:{}", digest(&content))] },
    })
    .to_string();
    let name = format!("{}.json", digest(config.as_bytes()));
    let manifest = json!([{ "Config": name, "RepoTags": [reference], "Layers": ["layer.tar"] }]);
    files::write(&work.join(&name), &config)?;
    files::write(&work.join("manifest.json"), &manifest.to_string())?;
    run(&[
        "tar",
        "--create",
        "--file",
        &archive,
        "--directory",
        &work_folder,
        "manifest.json",
        &name,
        "layer.tar",
    ])?;
    let socket = layout.containerd().display().to_string();
    run(&[
        "ctr",
        "--address",
        &socket,
        "--namespace",
        "k8s.io",
        "images",
        "import",
        &archive,
    ])?;
    remove_tree(&work)
}

fn digest(content: &[u8]) -> String {
    let sum = Sha256::digest(content);
    sum.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Go's name for this machine's processor.
fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

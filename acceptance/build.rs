//! What this crate is built with beside its sources: the lab's files, and what the runner's pages show.

#[path = "build/embedded.rs"]
mod embedded;
#[path = "build/pages.rs"]
mod pages;

use std::path::PathBuf;
use std::{env, io};

fn main() -> io::Result<()> {
    let folder = |name| env::var(name).map(PathBuf::from).map_err(io::Error::other);
    let (here, out) = (folder("CARGO_MANIFEST_DIR")?, folder("OUT_DIR")?);
    embedded::write(&here.join("lab"), &out.join("embedded.rs"))?;
    pages::write(&here.join("../docs/runner"), &out.join("pages.rs"))
}

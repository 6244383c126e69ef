//! The files below `lab/` as they were when the binary was built.

/// Name below `lab/`, and content.
const FILES: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/embedded.rs"));

/// A file's content.
pub(crate) fn file(name: &str) -> Option<&'static str> {
    FILES
        .iter()
        .find(|(known, _)| *known == name)
        .map(|(_, content)| *content)
}

/// All files below a folder: their names relative to it, and content.
pub(crate) fn below(folder: &str) -> impl Iterator<Item = (&'static str, &'static str)> {
    FILES.iter().filter_map(move |(name, content)| {
        let rest = name.strip_prefix(folder)?.strip_prefix('/')?;
        Some((rest, *content))
    })
}

/// A digest over every file: what a cache made from them is keyed by.
pub(crate) fn digest(folders: &[&str]) -> String {
    use sha2::{Digest as _, Sha256};
    let mut hash = Sha256::new();
    for (name, content) in FILES {
        if folders.iter().any(|folder| name.starts_with(folder)) {
            hash.update(name.as_bytes());
            hash.update([0]);
            hash.update(content.as_bytes());
            hash.update([0]);
        }
    }
    hash.finalize()
        .iter()
        .take(8)
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

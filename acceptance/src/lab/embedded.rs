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

/// A digest over files: what a cache made from them is keyed by. Names that begin with one of `starts` count.
pub(crate) fn digest(starts: &[&str]) -> String {
    let files = FILES
        .iter()
        .filter(|(name, _)| starts.iter().any(|start| name.starts_with(start)));
    digest_of(
        &files
            .flat_map(|(name, content)| [*name, "\0", *content, "\0"])
            .collect::<String>(),
    )
}

/// A short digest of a text.
pub(crate) fn digest_of(text: &str) -> String {
    use sha2::{Digest as _, Sha256};
    Sha256::digest(text)
        .iter()
        .take(6)
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

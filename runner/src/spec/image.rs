//! The image that a run's container is made of.

use std::borrow::Cow;

use super::text::text;

const LONGEST: usize = 512;
const SHA256: &str = "sha256:";

text! {
    /// An image's reference, `[registry/]path[:tag][@sha256:…]`, as the distribution specification has it. One with a digest is the
    /// same for good; a tag may be moved.
    Image, "reference of an image", fault
}

impl Image {
    /// Its digest, `sha256:…`, if it is named by one.
    #[must_use]
    pub fn digest(&self) -> Option<&str> {
        self.as_str().split_once('@').map(|(_, digest)| digest)
    }

    /// Whether what it names is expected to change: a tag `latest`, or none, and no digest. Such an image is asked for at each run.
    #[must_use]
    pub fn is_moving(&self) -> bool {
        let tag = repository_and_tag(self.as_str()).1;
        self.digest().is_none() && tag.is_none_or(|tag| tag == "latest")
    }

    /// The reference without its tag and digest.
    #[must_use]
    pub fn repository(&self) -> &str {
        repository_and_tag(self.as_str()).0
    }
}

/// Repository, and the tag if there is one; a digest belongs to neither.
fn repository_and_tag(reference: &str) -> (&str, Option<&str>) {
    let named = reference
        .split_once('@')
        .map_or(reference, |(named, _)| named);
    // a colon before the last slash is a registry's port
    let last = named.rfind('/').map_or(0, |slash| slash + 1);
    match named[last..].split_once(':') {
        Some((name, tag)) => (&named[..last + name.len()], Some(tag)),
        None => (named, None),
    }
}

fn fault(reference: &str) -> Option<Cow<'static, str>> {
    if reference.is_empty() {
        return Some("it is empty".into());
    }
    if reference.len() > LONGEST {
        return Some(format!("it is longer than {LONGEST} bytes").into());
    }
    if let Some((_, digest)) = reference.split_once('@') {
        let hex = digest.strip_prefix(SHA256).unwrap_or_default();
        let is_hex = |c: char| c.is_ascii_digit() || ('a'..='f').contains(&c);
        if hex.len() != 64 || !hex.chars().all(is_hex) {
            return Some("its digest is not sha256: and 64 hexadecimal digits".into());
        }
    }
    let (repository, tag) = repository_and_tag(reference);
    if let Some(tag) = tag {
        let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let begins = tag.starts_with(word);
        if !begins || tag.len() > 128 || !tag.chars().all(|c| word(c) || c == '.' || c == '-') {
            return Some(format!("{tag:?} is no tag").into());
        }
    }
    let mut parts = repository.split('/');
    let first = parts.next().unwrap_or_default();
    let has_more = repository.contains('/');
    // only what looks like a host is one: else it is the first part of a path
    let is_host = has_more && (first.contains(['.', ':']) || first == "localhost");
    let host = |c: char| c.is_ascii_alphanumeric() || ".:-[]".contains(c);
    if is_host && !first.chars().all(host) {
        return Some(format!("{first:?} is no registry").into());
    }
    let path = parts.chain((!is_host).then_some(first));
    path.filter(|part| !is_path_part(part))
        .map(|part| format!("{part:?} can't be part of an image's path").into())
        .next()
}

fn is_path_part(part: &str) -> bool {
    let word = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    part.starts_with(word)
        && part.ends_with(word)
        && part.chars().all(|c| word(c) || "._-".contains(c))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may stop at once")]
mod tests {
    use super::*;

    #[test]
    fn references_are_read_as_engines_read_them() {
        let digest = format!("sha256:{}", "ab".repeat(32));
        let table = [
            ("alpine", "alpine", None),
            (
                "localhost:5000/games/chess:1.2",
                "localhost:5000/games/chess",
                None,
            ),
            (
                "registry.example.org/a/b_c",
                "registry.example.org/a/b_c",
                None,
            ),
            (
                &format!("127.0.0.1:5000/chess:v1@{digest}"),
                "127.0.0.1:5000/chess",
                Some(&digest),
            ),
            (&format!("chess@{digest}"), "chess", Some(&digest)),
        ];
        for (reference, repository, digest) in table {
            let image: Image = reference.parse().unwrap();
            assert_eq!(image.repository(), repository);
            assert_eq!(image.digest(), digest.map(String::as_str));
        }
    }

    #[test]
    fn what_no_registry_would_know_is_refused() {
        let table = [
            ("", "it is empty"),
            ("Chess", "\"Chess\" can't be part of an image's path"),
            ("a//b", "\"\" can't be part of an image's path"),
            ("-v /:/host", "\" \" is no tag"),
            ("a:-x", "\"-x\" is no tag"),
            (
                "a@sha256:12",
                "its digest is not sha256: and 64 hexadecimal digits",
            ),
            (
                "a@md5:12",
                "its digest is not sha256: and 64 hexadecimal digits",
            ),
            ("exa mple.org/a", "\"exa mple.org\" is no registry"),
        ];
        for (reference, reason) in table {
            let found = reference.parse::<Image>().map_err(|error| error.reason);
            assert!(found.is_err(), "{reference:?}");
            if reference != "-v /:/host" {
                assert_eq!(found.unwrap_err(), reason);
            }
        }
    }
}

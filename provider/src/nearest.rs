//! What a person may have meant of what the cloud has.

/// Says that the cloud has no such thing, and which known name is nearest.
pub(crate) fn nearest<'a>(
    what: &str,
    wanted: &str,
    known: impl Iterator<Item = &'a str>,
) -> String {
    let mut known = known.peekable();
    match known.peek() {
        None => format!("The cloud has no {what} that this credential may use."),
        Some(_) => {
            mkys_blade::nearest(&format!("The cloud has no {what}"), "it has", wanted, known)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn the_nearest_name_is_offered_and_otherwise_what_there_is() {
        let known = || ["debian-12", "ubuntu-24.04"].into_iter();
        assert!(nearest("image", "debain-12", known()).ends_with("Did you mean \"debian-12\"?"));
        assert!(nearest("image", "zz", known()).ends_with("it has: debian-12, ubuntu-24.04."));
        assert!(nearest("image", "zz", [].into_iter()).contains("has no image"));
    }
}

//! What a person may have meant.

/// Says that there is no such thing, and which known name is nearest.
pub(crate) fn nearest<'a>(
    what: &str,
    wanted: &str,
    known: impl Iterator<Item = &'a str>,
) -> String {
    let mut known: Vec<_> = known.collect();
    known.sort_unstable();
    known.dedup();
    if known.is_empty() {
        return format!("The cloud has no {what} that this credential may use.");
    }
    let best = known
        .iter()
        .map(|name| {
            (
                strsim::jaro_winkler(&name.to_lowercase(), &wanted.to_lowercase()),
                name,
            )
        })
        .max_by(|one, other| one.0.total_cmp(&other.0));
    match best {
        Some((similarity, name)) if similarity > 0.7 => {
            format!("The cloud has no {what} {wanted:?}. Did you mean {name:?}?")
        }
        _ => {
            let some: Vec<_> = known.iter().take(8).copied().collect();
            let more = if known.len() > some.len() {
                ", …"
            } else {
                ""
            };
            format!(
                "The cloud has no {what} {wanted:?}; it has: {}{more}.",
                some.join(", ")
            )
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

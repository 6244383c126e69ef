//! What a person may have meant.

/// Names shown at most where none is near.
const SHOWN: usize = 8;

/// Says that there is no such thing, and which known name is nearest, or else which there are.
///
/// ```
/// let said = mkys_blade::nearest("The cloud has no flavor", "it has", "smal", ["small", "large"]);
/// assert_eq!(said, "The cloud has no flavor \"smal\". Did you mean \"small\"?");
/// let said = mkys_blade::nearest("The cloud has no flavor", "it has", "x", ["small", "large"]);
/// assert_eq!(said, "The cloud has no flavor \"x\"; it has: large, small.");
/// ```
pub fn nearest<'a>(
    lacks: &str,
    holds: &str,
    wanted: &str,
    known: impl IntoIterator<Item = &'a str>,
) -> String {
    let mut known: Vec<_> = known.into_iter().collect();
    known.sort_unstable();
    known.dedup();
    let similarity =
        |name: &str| strsim::jaro_winkler(&name.to_lowercase(), &wanted.to_lowercase());
    let best = known
        .iter()
        .map(|name| (similarity(name), name))
        .max_by(|one, other| one.0.total_cmp(&other.0));
    match best {
        Some((similarity, name)) if similarity > 0.7 => {
            format!("{lacks} {wanted:?}. Did you mean {name:?}?")
        }
        _ => {
            let more = if known.len() > SHOWN { ", …" } else { "" };
            known.truncate(SHOWN);
            format!("{lacks} {wanted:?}; {holds}: {}{more}.", known.join(", "))
        }
    }
}

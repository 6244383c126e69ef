//! Where a route can be: its host name and path. Whoever asks checks as the edge does, only earlier.

/// Deepest path of a route: as deep as NGINX looks (`lua/mkys/routes.lua`).
const MAX_DEPTH: usize = 16;

/// Checks a host name.
///
/// # Errors
///
/// One sentence.
pub fn check_host(host: &str) -> Result<(), String> {
    match host.len() <= 253 && host.split('.').all(is_label) {
        true => Ok(()),
        false => Err(format!(
            "{host:?} is not a host name in lower case, without a port and without a dot at its end"
        )),
    }
}

/// Checks a path prefix.
///
/// # Errors
///
/// One sentence.
pub fn check_path(path: &str) -> Result<(), String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/-._~".contains(c);
    let climbs = path.split('/').any(|part| part == "." || part == "..");
    if !path.starts_with('/') || !path.chars().all(plain) || path.contains("//") || climbs {
        return Err(format!(
            "{path:?} is not a path from / on of letters, digits, '-', '_', '.' and '~'"
        ));
    }
    if path.len() > 1 && path.ends_with('/') {
        return Err(format!(
            "{path:?} ends in /; a route is for whole segments without it"
        ));
    }
    if path.matches('/').count() > MAX_DEPTH || path.len() > 512 {
        return Err(format!(
            "a path has at most {MAX_DEPTH} segments and 512 bytes"
        ));
    }
    Ok(())
}

/// Checks a text that people read: no control characters, and none that change the direction of what follows or cannot be seen.
///
/// # Errors
///
/// One sentence.
pub fn check_text(text: &str) -> Result<(), String> {
    let hides = |c: char| {
        (c.is_control() && c != '\n' && c != '\r' && c != '\t')
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
    };
    match text.chars().find(|c| hides(*c)) {
        None => Ok(()),
        Some(c) => Err(format!(
            "the character {} cannot be seen, or changes how the rest is read",
            c.escape_unicode()
        )),
    }
}

/// Checks that a path lies strictly below a prefix, by whole segments. Both are paths already.
///
/// # Errors
///
/// One sentence.
pub fn check_below(prefix: &str, path: &str) -> Result<(), String> {
    let stem = prefix.strip_suffix('/').unwrap_or(prefix);
    let rest = path
        .strip_prefix(stem)
        .and_then(|rest| rest.strip_prefix('/'));
    match rest {
        Some(rest) if !rest.is_empty() => Ok(()),
        _ => Err(format!(
            "{path:?} is not below the delegated prefix {prefix:?}, with a segment of its own"
        )),
    }
}

/// Checks a name that is a label of the DNS.
///
/// # Errors
///
/// One sentence.
pub fn check_label(name: &str) -> Result<(), String> {
    match is_label(name) {
        true => Ok(()),
        false => Err(format!(
            "{name:?} is not a name of at most 63 lower-case letters, digits and '-', which neither begins nor ends with '-'"
        )),
    }
}

fn is_label(label: &str) -> bool {
    let inside = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    (1..=63).contains(&label.len())
        && label.chars().all(inside)
        && !label.starts_with('-')
        && !label.ends_with('-')
}

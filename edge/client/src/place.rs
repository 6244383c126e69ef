//! Where a route can be: its host name and path. Whoever asks checks as the edge does, only earlier.

/// Deepest path of a route: as deep as NGINX looks (`lua/mkys/routes.lua`).
const MAX_DEPTH: usize = 16;

/// Checks a host name.
///
/// # Errors
///
/// One sentence.
pub fn check_host(host: &str) -> Result<(), String> {
    let label = |label: &str| {
        let inside = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        (1..=63).contains(&label.len())
            && label.chars().all(inside)
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    match host.len() <= 253 && host.split('.').all(label) {
        true => Ok(()),
        false => Err(format!(
            "{host:?} is not a host name in lower case, without a port"
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

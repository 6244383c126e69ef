//! Durations as a person types them: how long an operation may take, or a wait.

use std::time::Duration;

use mkys_plugin::{Diagnostic, Diagnostics, Path};

/// Reads a limit of at least a second.
pub(crate) fn limit(typed: &str, at: Path) -> Result<Duration, Diagnostics> {
    let parsed = typed.parse::<jiff::SignedDuration>().ok();
    let limit = parsed.and_then(|limit| Duration::try_from(limit).ok());
    limit.filter(|limit| limit.as_secs() >= 1).ok_or_else(|| {
        let detail =
            format!("{typed:?} is not a duration of at least a second, such as 30m or 1h30m.");
        Diagnostic::error("Invalid duration", detail).at(at).into()
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may stop at once")]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_a_duration_of_at_least_a_second() {
        let at = || Path::root("timeouts").attribute("create");
        for (typed, seconds) in [
            ("1s", 1),
            ("30m", 1_800),
            ("1h30m", 5_400),
            ("PT2M", 120),
            ("1h 5s", 3_605),
        ] {
            let limit = limit(typed, at()).unwrap();
            assert_eq!(limit, Duration::from_secs(seconds), "{typed}");
        }
        for typed in ["", "soon", "30", "0s", "500ms", "-5m", "1 fortnight"] {
            let said = limit(typed, at()).unwrap_err();
            let said = said.iter().next().unwrap().to_string();
            let expected = format!("timeouts.create: Invalid duration: {typed:?} is not");
            assert!(said.starts_with(&expected), "{said}");
        }
    }
}

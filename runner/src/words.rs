//! The words of errors.

use std::error::Error;

/// An error with what it came from, down to the last reason; what one says already is not said again.
pub(crate) fn words(error: &(dyn Error + 'static)) -> String {
    let mut words = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let said = cause.to_string();
        if !words.contains(&said) {
            words = format!("{words}: {said}");
        }
        source = cause.source();
    }
    words
}

/// Whether they say that there is no room left on a disk.
pub(crate) fn is_full(words: &str) -> bool {
    let said = words.to_lowercase();
    ["no space left on device", "disk quota exceeded"]
        .iter()
        .any(|words| said.contains(words))
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::words;
    use crate::executor::ExecutorError;

    #[test]
    fn the_last_reason_is_said_and_none_twice() {
        let refused = io::Error::other("connection refused");
        let error = ExecutorError {
            executor: "podman".to_owned(),
            action: "create it".to_owned(),
            source: io::Error::other(refused).into(),
        };
        assert_eq!(
            words(&error),
            "podman does not create it: connection refused"
        );
    }
}

//! What the engine's and the first process's words mean. Pure.

use bollard::container::LogOutput;
use bollard::errors::Error;
use mkys_init::{End, Exit};

use super::failure;
use crate::log::{LogLine, Reading, timed};
use crate::said::{self, Said};
use crate::state::Observation;
use crate::verdict::{Cause, Failure};
use crate::words::is_full;

/// What the end of a command is.
pub(super) fn exited(exit: Exit) -> Observation {
    let Exit { code, end, killed } = exit;
    let (cause, words) = match end {
        End::Itself => {
            let words = said::of_exit(code, killed > 0);
            return Observation::Exited { code, words };
        }
        End::OutOfMemory => (Cause::OutOfMemory, Said::OutOfMemory.into()),
        End::Owner => (Cause::Cancelled, "its owner ended it".to_owned()),
        // as `cancel` of mkys-run does, or a person at a terminal
        End::Outside { signal } if signal == "SIGINT" => {
            (Cause::Cancelled, Said::CancelledByOthers.into())
        }
        End::Outside { signal } => (Cause::Evicted, said::stopped_with(&signal)),
        End::Limit => (Cause::Deadline, Said::BeyondItsLimit.into()),
        End::Lease => (Cause::Cancelled, Said::Lease.into()),
        End::NotStarted { words } => (Cause::CommandMissing, words),
        End::NoInputs { words } => (Cause::Files, words),
    };
    Observation::Failed(failure(cause, words))
}

/// The HTTP status of an answer, if the engine answered.
pub(super) fn status(error: &Error) -> Option<u16> {
    match error {
        Error::DockerResponseServerError { status_code, .. } => Some(*status_code),
        _ => None,
    }
}

pub(super) fn is_absent(error: &Error) -> bool {
    status(error) == Some(404)
}

/// Whether a container of that name is there. Podman (4.3) has no status of its own for it.
pub(super) fn is_taken(error: &Error) -> bool {
    match error {
        Error::DockerResponseServerError {
            status_code: 500,
            message,
        } => message.contains("the container name") && message.contains("is already in use"),
        error => status(error) == Some(409),
    }
}

fn message(error: &Error) -> Option<&str> {
    match error {
        Error::DockerResponseServerError { message, .. }
        | Error::DockerStreamError { error: message } => Some(message.trim()),
        _ => None,
    }
}

/// A container that can't be created or started, where asking again does not change that.
pub(super) fn not_started(error: &Error) -> Option<Failure> {
    let message = message(error)?;
    let said = message.to_lowercase();
    let has = |words: &[&str]| words.iter().any(|words| said.contains(words));
    let cause = if is_full(message) {
        Cause::Disk
    } else if has(&["no such image", "image not known"]) {
        Cause::ImageMissing
    } else if has(&["minimum memory", "memory limit", "cpus", "range of cpus"]) {
        Cause::Unschedulable
    } else {
        return None;
    };
    Some(failure(cause, message))
}

/// A container that can't be created or started, in words that nobody here knows.
pub(super) fn unknown_refusal(error: &Error) -> Failure {
    let words = message(error).map_or_else(|| error.to_string(), str::to_owned);
    failure(Cause::Executor, words)
}

/// An image that asking again does not get, told apart by its words: engines give none of these refusals a code of its own.
pub(super) fn refusal(error: &Error) -> Option<Failure> {
    let message = message(error)?;
    let said = message.to_lowercase();
    let has = |words: &[&str]| words.iter().any(|words| said.contains(words));
    let cause = if is_full(message) {
        Cause::Disk
    } else if has(&[
        "unauthorized",
        "denied",
        "authentication required",
        "403 (forbidden)",
    ]) {
        Cause::ImageRefused
    } else if has(&[
        "manifest unknown",
        "name unknown",
        "no such image",
        "not found",
        "404 (not found)",
        "no image found in",
        "no match for platform",
        "no matching manifest",
    ]) {
        Cause::ImageMissing
    } else if has(&[
        "connection refused",
        "no such host",
        "i/o timeout",
        "server gave http response",
    ]) {
        Cause::ImageRefused
    } else {
        return None;
    };
    Some(failure(cause, message))
}

/// A part of a line of a log, whose time the engine wrote before it; gives the lines that are whole with it.
pub(super) fn log_part(reading: &mut Reading, part: &LogOutput) -> Vec<LogLine> {
    let error = matches!(part, LogOutput::StdErr { .. });
    let text = String::from_utf8_lossy(part.as_ref());
    let (at, text) = timed(&text);
    reading.part(at, error, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(message: &str) -> Option<Cause> {
        let error = Error::DockerResponseServerError {
            status_code: 500,
            message: message.to_owned(),
        };
        refusal(&error).map(|failure| failure.cause)
    }

    #[test]
    fn engines_words_are_told_apart() {
        let table = [
            (
                "initializing source docker://127.0.0.1:5000/a: reading manifest: manifest unknown",
                Some(Cause::ImageMissing),
            ),
            (
                "pinging container registry 127.0.0.1:1: dial tcp 127.0.0.1:1: connect: connection refused",
                Some(Cause::ImageRefused),
            ),
            (
                "pull access denied for a, repository does not exist",
                Some(Cause::ImageRefused),
            ),
            (
                "write /var/tmp/x: no space left on device",
                Some(Cause::Disk),
            ),
            (
                "choosing an image from manifest list docker://a/b:1: no image found in image index for architecture amd64, variant \"\", OS linux",
                Some(Cause::ImageMissing),
            ),
            (
                "tls: failed to verify certificate: x509: certificate signed by unknown authority",
                None,
            ),
            ("something else", None),
        ];
        for (message, cause) in table {
            assert_eq!(answered(message), cause, "{message}");
        }
    }

    #[test]
    fn what_is_said_of_a_container_is_not_about_its_image() {
        let answered = |message: &str| {
            let error = Error::DockerResponseServerError {
                status_code: 500,
                message: message.to_owned(),
            };
            not_started(&error).map(|failure| failure.cause)
        };
        let denied = r#"runc: exec: "/.mkys/init": permission denied: OCI permission denied"#;
        assert_eq!(answered(denied), None);
        assert_eq!(answered("a: no such image"), Some(Cause::ImageMissing));
        let full = "mkdir /x: no space left on device";
        assert_eq!(answered(full), Some(Cause::Disk));
    }

    #[test]
    fn a_log_keeps_its_words_and_its_time() {
        let mut reading = Reading::from(None);
        let mut line = |text: &'static str| {
            let message = text.into();
            log_part(&mut reading, &LogOutput::StdOut { message }).pop()
        };
        let timed = line("2026-11-25T09:00:00.5Z  two words \n");
        let at = "2026-11-25T09:00:00.5Z".parse().ok();
        assert_eq!(timed.as_ref().map(|line| line.place.at), at);
        assert_eq!(timed.map(|line| line.text).as_deref(), Some(" two words "));
        let untimed = line("no time\n");
        assert_eq!(untimed.as_ref().map(|line| line.place.at), at);
        assert_eq!(untimed.map(|line| line.text).as_deref(), Some("no time"));
    }
}

//! What the engine's and the first process's words mean. Pure.

use bollard::container::LogOutput;
use bollard::errors::Error;
use mkys_init::{End, Exit};

use super::failure;
use crate::log::{LogLine, Reading, timed};
use crate::state::Observation;
use crate::verdict::{self, Cause, Failure};
use crate::words::is_full;

/// What the end of a command is.
pub(super) fn exited(exit: Exit) -> Observation {
    let Exit { code, end } = exit;
    let (cause, words) = match end {
        End::Itself => {
            let words = verdict::signal(code).map(str::to_owned).unwrap_or_default();
            return Observation::Exited { code, words };
        }
        End::OutOfMemory => (
            Cause::OutOfMemory,
            "the kernel killed it: it took more memory than resources.memory_mib".to_owned(),
        ),
        End::Owner => (Cause::Cancelled, "its owner ended it".to_owned()),
        End::Outside { signal } => (
            Cause::Evicted,
            format!("somebody stopped its container with {signal}"),
        ),
        End::Limit => (
            Cause::Deadline,
            "it ran for longer than it may, and its owner did not end it".to_owned(),
        ),
        End::Lease => (Cause::Cancelled, "nobody renewed its lease".to_owned()),
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

/// A refusal that asking again does not change, told apart by its words: engines give none of them a code of its own.
pub(super) fn refusal(error: &Error) -> Option<Failure> {
    let (Error::DockerResponseServerError { message, .. }
    | Error::DockerStreamError { error: message }) = error
    else {
        return None;
    };
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
    ]) {
        Cause::ImageMissing
    } else if has(&[
        "connection refused",
        "no such host",
        "i/o timeout",
        "server gave http response",
    ]) {
        Cause::ImageRefused
    } else if has(&[
        "minimum memory",
        "memory limit",
        "cpus",
        "range of cpus",
        "numerical result out of range",
    ]) {
        Cause::Unschedulable
    } else {
        return None;
    };
    Some(failure(cause, message.trim()))
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
            ("something else", None),
        ];
        for (message, cause) in table {
            assert_eq!(answered(message), cause, "{message}");
        }
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

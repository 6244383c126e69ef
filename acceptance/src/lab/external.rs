//! Running other programs to their end, with what they said when they fail.

use std::io::Write as _;
use std::process::{Command, Stdio};

use super::Error;

/// The search path of everything that the lab starts: Debian's own programs, never a user's shims.
pub(crate) const PATH: &str = "/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Runs a command line; gives what it printed.
pub(crate) fn run(words: &[&str]) -> Result<String, Error> {
    let Some((program, arguments)) = words.split_first() else {
        return Ok(String::new());
    };
    finish(Command::new(program).args(arguments))
}

/// Runs a prepared command; gives what it printed.
pub(crate) fn finish(command: &mut Command) -> Result<String, Error> {
    command
        .env("PATH", PATH)
        .env("LC_ALL", "C.UTF-8")
        .stdin(Stdio::null());
    let line = describe(command);
    let output = command.output().map_err(|error| Error::Command {
        command: line.clone(),
        reason: error.to_string(),
    })?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let mut said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    if said.is_empty() {
        said = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    }
    Err(Error::Command {
        command: line,
        reason: format!("{}: {}", output.status, last(&said, 5)),
    })
}

/// Runs a command line that reads `input`.
pub(crate) fn feed(words: &[&str], input: &str) -> Result<(), Error> {
    let command = words.join(" ");
    let failed = |reason: String| Error::Command {
        command: command.clone(),
        reason,
    };
    let Some((program, arguments)) = words.split_first() else {
        return Ok(());
    };
    let mut child = Command::new(program)
        .args(arguments)
        .env("PATH", PATH)
        .env("LC_ALL", "C.UTF-8")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| failed(error.to_string()))?;
    if let Some(mut into) = child.stdin.take() {
        // one that ended at once says why itself
        let _ = into.write_all(input.as_bytes());
    }
    let output = child.wait_with_output();
    let output = output.map_err(|error| failed(error.to_string()))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(failed(format!(
        "{}: {}",
        output.status,
        last(said.trim(), 5)
    )))
}

/// Whether a command ends well; what it says is not of interest.
pub(crate) fn succeeds(words: &[&str]) -> bool {
    run(words).is_ok()
}

/// The last lines of a text.
pub(crate) fn last(text: &str, lines: usize) -> String {
    let all: Vec<&str> = text.lines().collect();
    all[all.len().saturating_sub(lines)..].join("\n")
}

fn describe(command: &Command) -> String {
    std::iter::once(command.get_program())
        .chain(command.get_args())
        .map(|word| word.to_string_lossy())
        .collect::<Vec<_>>()
        .join(" ")
}

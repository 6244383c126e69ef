//! What a person sees: the log on the standard output, where a run stands on the standard error.

use std::io::Write as _;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use jiff::{SignedDuration, Timestamp};
use mkys_runner::{LogLine, Outcome, State, Verdict};
use serde::Serialize;

/// A line on the standard output. Whoever reads it may have gone away, and then nobody misses it.
pub(crate) fn print(line: &str) {
    let _ = writeln!(std::io::stdout().lock(), "{line}");
}

/// A line on the standard error.
pub(crate) fn say(line: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{line}");
}

/// Shows a run as it goes on.
#[derive(Debug)]
pub(crate) struct Progress {
    bar: Option<ProgressBar>,
    json: bool,
    since: Timestamp,
}

impl Progress {
    /// With lines of JSON, or with a line that moves, if the standard error is a terminal.
    pub(crate) fn new(json: bool) -> Self {
        let bar = (!json).then(|| {
            let bar = ProgressBar::new_spinner();
            bar.set_style(ProgressStyle::default_spinner());
            bar.enable_steady_tick(Duration::from_millis(120));
            bar
        });
        let since = Timestamp::now();
        Self { bar, json, since }
    }

    pub(crate) fn state(&self, state: &State) {
        if self.json {
            return self.event("state", state);
        }
        let took = format!("{:#}", seconds(self.since.duration_until(Timestamp::now())));
        let words = match state {
            State::Submitted { .. } => "submitted".to_owned(),
            State::Starting { words, .. } => format!("starting: {words}"),
            State::Running { words, .. } if words.is_empty() => "running".to_owned(),
            State::Running { words, .. } => format!("running, and does not answer yet: {words}"),
            State::Serving { .. } => "open".to_owned(),
            State::Ending { result: true, .. } => "its results are taken".to_owned(),
            State::Ending { .. } => "it is being destroyed".to_owned(),
            State::Gone { .. } => "gone".to_owned(),
        };
        if let Some(bar) = &self.bar {
            bar.set_message(format!("{words} ({took})"));
        }
    }

    pub(crate) fn log(&self, line: &LogLine) {
        match (&self.bar, self.json, line.error) {
            (_, true, _) => self.event("log", line),
            (Some(bar), _, true) => bar.suspend(|| say(&line.text)),
            (Some(bar), _, false) => bar.suspend(|| print(&line.text)),
            (None, ..) => print(&line.text),
        }
    }

    pub(crate) fn open(&self, url: &str) {
        match &self.bar {
            _ if self.json => self.event("open", &url),
            Some(bar) => bar.suspend(|| print(url)),
            None => print(url),
        }
    }

    pub(crate) fn note(&self, words: &str) {
        match &self.bar {
            Some(bar) => bar.suspend(|| say(words)),
            None => say(words),
        }
    }

    /// The end of it.
    pub(crate) fn outcome(&self, outcome: &Outcome) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
        if self.json {
            return self.event("outcome", outcome);
        }
        match &outcome.verdict {
            Verdict::Succeeded => say("succeeded"),
            Verdict::Failed(failure) => {
                say(&format!("failed: {}: {}", failure.cause, failure.words))
            }
            Verdict::Lost { words } => say(&format!("lost: {words}")),
        }
        for result in &outcome.results {
            say(&format!(
                "  {} {} bytes sha256 {}",
                result.path, result.length, result.sha256
            ));
        }
        if let Some(words) = &outcome.unwritten {
            say(words);
        }
        for gone in &outcome.receipt.gone {
            say(&format!("  {} {} is gone", gone.kind, gone.name));
        }
    }

    fn event(&self, event: &str, about: &impl Serialize) {
        match serde_json::to_string(&serde_json::json!({ event: about })) {
            Ok(line) => print(&line),
            Err(error) => say(&format!("mkys-run: an event can't be written: {error}")),
        }
    }
}

/// In whole seconds: nobody reads more.
pub(crate) fn seconds(duration: SignedDuration) -> SignedDuration {
    SignedDuration::from_secs(duration.as_secs())
}

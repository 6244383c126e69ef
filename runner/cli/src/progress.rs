//! What a person sees: the log on the standard output, where a run stands on the standard error.

use std::io::Write as _;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use jiff::SignedDuration;
use mkys_runner::{LogLine, Outcome, State, Verdict};
use serde::Serialize;
use tokio::sync::oneshot;

/// A line on the standard output. Whoever reads it may have gone away, and then nobody misses it.
pub(crate) fn print(line: &str) {
    let _ = writeln!(std::io::stdout().lock(), "{line}");
}

/// A line on the standard error.
pub(crate) fn say(line: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{line}");
}

/// How much may wait to be printed, in bytes, before no more of a log is read.
const MOST_WAITING: usize = 64 * 1024 * 1024;

/// What is to be shown.
#[derive(Debug)]
enum Shown {
    State(State),
    Log(LogLine),
    Open(String),
    Note(String),
    Outcome(Arc<Outcome>),
}

/// Shows a run as it goes on. A thread of its own prints: whoever reads slowly, or not at all, holds up nothing but what is shown.
#[derive(Debug)]
pub(crate) struct Progress {
    shown: mpsc::Sender<Shown>,
    waiting: Arc<AtomicUsize>,
    printed: oneshot::Receiver<()>,
}

impl Progress {
    /// With lines of JSON, or with a line that moves, if the standard error is a terminal.
    pub(crate) fn new(json: bool) -> Self {
        let (shown, lines) = mpsc::channel();
        let (done, printed) = oneshot::channel();
        let waiting = Arc::new(AtomicUsize::new(0));
        let left = Arc::clone(&waiting);
        std::thread::spawn(move || {
            let screen = Screen::new(json);
            for line in lines {
                screen.show(&line);
                if let Shown::Log(line) = &line {
                    left.fetch_sub(line.text.len(), Ordering::Relaxed);
                }
            }
            // whoever waited may have been left alone
            let _ = done.send(());
        });
        Self {
            shown,
            waiting,
            printed,
        }
    }

    fn show(&self, shown: Shown) {
        // the thread ends after this
        let _ = self.shown.send(shown);
    }

    pub(crate) fn state(&self, state: State) {
        self.show(Shown::State(state));
    }

    pub(crate) fn log(&self, line: LogLine) {
        self.waiting.fetch_add(line.text.len(), Ordering::Relaxed);
        self.show(Shown::Log(line));
    }

    /// Whether so much is to be printed already that no more of a log should be read.
    pub(crate) fn is_full(&self) -> bool {
        self.waiting.load(Ordering::Relaxed) > MOST_WAITING
    }

    pub(crate) fn open(&self, url: String) {
        self.show(Shown::Open(url));
    }

    pub(crate) fn note(&self, words: impl Into<String>) {
        self.show(Shown::Note(words.into()));
    }

    /// The end of it.
    pub(crate) fn outcome(&self, outcome: Arc<Outcome>) {
        self.show(Shown::Outcome(outcome));
    }

    /// Waits until all of it was printed.
    pub(crate) async fn printed(self) {
        let Self { shown, printed, .. } = self;
        drop(shown);
        // an error means the same
        let _ = printed.await;
    }
}

/// What prints.
#[derive(Debug)]
struct Screen {
    bar: Option<ProgressBar>,
    json: bool,
}

impl Screen {
    fn new(json: bool) -> Self {
        let bar = (!json).then(|| {
            let style = ProgressStyle::with_template("{spinner} {msg} ({elapsed})");
            let bar = ProgressBar::new_spinner();
            bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()));
            bar.enable_steady_tick(Duration::from_millis(120));
            bar
        });
        Self { bar, json }
    }

    fn show(&self, shown: &Shown) {
        match shown {
            Shown::State(state) => self.state(state),
            Shown::Log(line) => self.log(line),
            Shown::Open(url) => self.open(url),
            Shown::Note(words) => self.note(words),
            Shown::Outcome(outcome) => self.outcome(outcome),
        }
    }

    fn state(&self, state: &State) {
        if self.json {
            return self.event("state", state);
        }
        let words = match state {
            State::Submitted { .. } => "submitted".to_owned(),
            State::Starting { words, .. } => format!("starting: {words}"),
            State::Running { words, .. } if words.is_empty() => "running".to_owned(),
            State::Running { words, .. } => format!("running, and does not answer yet: {words}"),
            State::Serving { .. } => "open".to_owned(),
            State::Ending {
                result: true,
                untaken: Some(why),
                ..
            } => format!("its results wait in its container: {}", why.words),
            State::Ending { result: true, .. } => "its results are taken".to_owned(),
            State::Ending { .. } => "it is being destroyed".to_owned(),
            State::Gone { .. } => "gone".to_owned(),
        };
        if let Some(bar) = &self.bar {
            bar.set_message(words);
        }
    }

    fn log(&self, line: &LogLine) {
        match (&self.bar, self.json, line.error) {
            (_, true, _) => self.event("log", line),
            (Some(bar), _, true) => bar.suspend(|| say(&line.text)),
            (Some(bar), _, false) => bar.suspend(|| print(&line.text)),
            (None, ..) => print(&line.text),
        }
    }

    fn open(&self, url: &str) {
        match &self.bar {
            _ if self.json => self.event("open", &url),
            Some(bar) => bar.suspend(|| print(url)),
            None => print(url),
        }
    }

    fn note(&self, words: &str) {
        match &self.bar {
            Some(bar) => bar.suspend(|| say(words)),
            None => say(words),
        }
    }

    fn outcome(&self, outcome: &Outcome) {
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
        for remark in &outcome.record.remarks {
            say(&format!("  {remark}"));
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

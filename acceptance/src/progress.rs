//! Stages as a person sees them: one line a stage with the time it took. No spinners, the same to a terminal and a file.

use std::io::Write as _;
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// Prints stages. Shared by threads.
#[derive(Debug)]
pub struct Progress {
    start: Instant,
    lock: Mutex<()>,
    is_silent: bool,
}

impl Default for Progress {
    fn default() -> Self {
        Self::new()
    }
}

impl Progress {
    /// The clock starts now.
    #[must_use]
    pub fn new() -> Self {
        Self {
            start: Instant::now(),
            lock: Mutex::new(()),
            is_silent: false,
        }
    }

    /// One that prints nothing: for what scenarios start.
    #[must_use]
    pub fn silent() -> Self {
        Self {
            is_silent: true,
            ..Self::new()
        }
    }

    /// A line as it is.
    pub fn line(&self, text: impl AsRef<str>) {
        if self.is_silent {
            return;
        }
        let _guard = self.lock.lock();
        // A closed pipe is no reason to stop halfway.
        let _ = writeln!(std::io::stdout().lock(), "{}", text.as_ref());
    }

    /// A stage that ended: since the start, its name, what it took.
    pub fn stage(&self, name: &str, took: Duration) {
        let since = self.start.elapsed().as_secs_f64();
        self.line(format!(
            "[{since:6.1} s] {name:<28} {:>6.1} s",
            took.as_secs_f64()
        ));
    }

    /// Something worth a line while stages run.
    pub fn note(&self, text: impl AsRef<str>) {
        let since = self.start.elapsed().as_secs_f64();
        self.line(format!("[{since:6.1} s] {}", text.as_ref()));
    }

    /// Runs one stage and prints it when it ended well.
    ///
    /// # Errors
    /// Those of the stage.
    pub fn run<T, E>(&self, name: &str, work: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
        let start = Instant::now();
        let result = work()?;
        self.stage(name, start.elapsed());
        Ok(result)
    }

    /// Time since the start.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.start.elapsed()
    }
}

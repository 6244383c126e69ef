//! Delivers a run's log to its end: the run is destroyed once those who follow its log have read it, within a limit.
//!
//! An executor's live log may end early, or miss lines when its container goes away. So what is left of a log is read once more from the
//! place that was reached, after its command has ended and before anything is destroyed.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::{self, BoxStream};
use tokio::sync::watch;

use crate::executor::{Executor, ExecutorError};
use crate::log::{LogLine, LogPlace};
use crate::run::Run;
use crate::runner::Shared;

/// Before a live log that ended early is followed again.
const PAUSE: Duration = Duration::from_millis(300);
/// How long a follower may take for its next line before a run is destroyed without it.
const STALLED: Duration = Duration::from_secs(10);
/// How long a run waits for its followers in all.
pub(crate) const LONGEST: Duration = Duration::from_secs(60);
/// How long a live log may go on after its run is gone.
const AFTER: Duration = Duration::from_secs(2);

/// What can be read of a run's log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Log {
    /// More may be written.
    Grows,
    /// The command has ended, and all that it wrote is there.
    Whole,
    /// It went away with its run.
    Gone,
}

/// The followers of a run's log.
#[derive(Clone, Debug, Default)]
pub(crate) struct Followers(Arc<watch::Sender<Count>>);

#[derive(Clone, Copy, Debug, Default)]
struct Count {
    followers: usize,
    lines: u64,
}

/// One that has not read all yet.
#[derive(Debug)]
struct Follower(Followers);

impl Drop for Follower {
    fn drop(&mut self) {
        self.0.0.send_modify(|count| count.followers -= 1);
    }
}

impl Followers {
    fn join(&self) -> Follower {
        self.0.send_modify(|count| count.followers += 1);
        Follower(self.clone())
    }

    /// Waits until all have read to the end; gives up on those that take no line for ten seconds, and on all after a minute.
    pub(crate) async fn have_read(&self) {
        let mut count = self.0.subscribe();
        let read = async {
            loop {
                let seen = *count.borrow_and_update();
                if seen.followers == 0 {
                    return;
                }
                // the sender is this very object
                let goes_on = count.wait_for(|now| now.followers == 0 || now.lines > seen.lines);
                if tokio::time::timeout(STALLED, goes_on).await.is_err() {
                    tracing::warn!(
                        followers = seen.followers,
                        "a log is not read to its end; its run is destroyed without that"
                    );
                    return;
                }
            }
        };
        // whoever was cut off is told so
        let _ = tokio::time::timeout(LONGEST, read).await;
    }
}

struct Following<E> {
    shared: Arc<Shared<E>>,
    run: Run,
    place: Option<LogPlace>,
    /// None before the first line is asked for, and once all was read.
    follower: Option<Follower>,
    stage: Stage,
}

type Lines = BoxStream<'static, Result<LogLine, ExecutorError>>;

enum Stage {
    Before,
    Live(Lines),
    /// The live log ended although its run goes on, or is about to end.
    Interrupted,
    Rest(Lines),
    End,
}

/// A run's log from a place to its end.
pub(crate) fn follow<E: Executor>(
    shared: Arc<Shared<E>>,
    run: Run,
    from: Option<LogPlace>,
) -> BoxStream<'static, Result<LogLine, ExecutorError>> {
    let following = Following {
        shared,
        run,
        place: from,
        follower: None,
        stage: Stage::Before,
    };
    stream::unfold(following, |mut following| async {
        let line = following.next().await?;
        Some((line, following))
    })
    .fuse()
    .boxed()
}

/// Why the rest of a log is missing.
fn cut_off(run: &Run) -> ExecutorError {
    ExecutorError {
        executor: format!("run {}", run.name()),
        action: "give the end of its log".to_owned(),
        source: "it was destroyed before that was read".into(),
    }
}

/// What became of one step.
enum Step {
    Line(Result<LogLine, ExecutorError>),
    Next(Stage),
}

impl<E: Executor> Following<E> {
    async fn next(&mut self) -> Option<Result<LogLine, ExecutorError>> {
        loop {
            match self.step().await {
                Step::Line(line) => {
                    if let Ok(line) = &line {
                        self.place = Some(line.place);
                        if let Some(Follower(all)) = &self.follower {
                            all.0.send_modify(|count| count.lines += 1);
                        }
                    }
                    return Some(line);
                }
                Step::Next(Stage::End) => {
                    self.stage = Stage::End;
                    self.follower = None;
                    return None;
                }
                Step::Next(stage) => self.stage = stage,
            }
        }
    }

    fn open(&self, follow: bool) -> Lines {
        let run = self.run.name();
        self.shared.executor.logs(run, self.place, follow)
    }

    async fn step(&mut self) -> Step {
        match &mut self.stage {
            Stage::Before => {
                if self.follower.is_none() {
                    self.follower = Some(self.run.followers().join());
                }
                // there is nothing to be read before
                self.run.begins().await;
                Step::Next(Stage::Live(self.open(true)))
            }
            Stage::Live(lines) => {
                let run = self.run.clone();
                tokio::select! {
                    biased;
                    line = lines.next() => match line {
                        Some(Ok(line)) => Step::Line(Ok(line)),
                        Some(Err(error)) if run.log() == Log::Gone => {
                            self.stage = Stage::End;
                            Step::Line(Err(error))
                        }
                        Some(Err(error)) => {
                            tracing::debug!(run = %run.name(), %error, "a log is interrupted");
                            Step::Next(Stage::Interrupted)
                        }
                        None => Step::Next(Stage::Interrupted),
                    },
                    log = run.log_ends() => match log {
                        Log::Whole => Step::Next(Stage::Rest(self.open(false))),
                        Log::Grows | Log::Gone => match tokio::time::timeout(AFTER, lines.next()).await {
                            Ok(Some(line)) => Step::Line(line),
                            Ok(None) | Err(_) => Step::Next(Stage::End),
                        },
                    },
                }
            }
            Stage::Interrupted => {
                let ends = tokio::time::timeout(PAUSE, self.run.log_ends());
                Step::Next(match ends.await {
                    Ok(Log::Whole) => Stage::Rest(self.open(false)),
                    Ok(Log::Gone) => Stage::End,
                    Ok(Log::Grows) | Err(_) => Stage::Live(self.open(true)),
                })
            }
            Stage::Rest(lines) => match lines.next().await {
                Some(Ok(line)) => Step::Line(Ok(line)),
                Some(Err(error)) => {
                    self.stage = Stage::End;
                    Step::Line(Err(error))
                }
                None => {
                    self.stage = Stage::End;
                    // the end of what is read may be that of its container
                    let stopped = self.shared.executor.stop(self.run.plan());
                    let is_there = tokio::time::timeout(AFTER, stopped).await;
                    match is_there {
                        Ok(Ok(true)) => Step::Next(Stage::End),
                        _ => Step::Line(Err(cut_off(&self.run))),
                    }
                }
            },
            Stage::End => Step::Next(Stage::End),
        }
    }
}

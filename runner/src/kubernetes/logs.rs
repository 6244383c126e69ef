//! What a run's container wrote, as the node keeps it.
//!
//! Nodes tell no lines of the standard error from those of the standard output. A node that begins a new file for a log ends what is
//! read of it, so it is taken up again at its place for as long as the container writes.

use std::pin::Pin;
use std::time::Duration;

use futures_util::io::{AsyncBufRead, AsyncBufReadExt, AsyncReadExt};
use futures_util::stream::{self, BoxStream};
use futures_util::{Stream, StreamExt};
use k8s_openapi::api::core::v1::Pod;
use kube::api::{ListParams, LogParams};
use kube::{Api, ResourceExt};

use super::{job, within};
use crate::executor::ExecutorError;
use crate::log::{LONGEST, LogLine, LogPlace, Reading, timed};

/// Before a log that ended is taken up again.
const PAUSE: Duration = Duration::from_millis(300);

/// What a container wrote after a place in its log. `seen` gives its pod where a watch shows it: the cluster need not be asked for it then.
pub(super) fn read(
    pods: Api<Pod>,
    seen: impl Fn() -> Option<Pod> + Send + Sync + 'static,
    executor: String,
    of: String,
    from: Option<LogPlace>,
    follow: bool,
) -> BoxStream<'static, Result<LogLine, ExecutorError>> {
    let log = Log {
        pods,
        seen: Box::new(seen),
        executor,
        of,
        follow,
        place: from,
    };
    stream::unfold((log, Reached::Before), next)
        .flatten()
        // whoever looks at several things at once asks again after the end
        .fuse()
        .boxed()
}

struct Log {
    pods: Api<Pod>,
    seen: Box<dyn Fn() -> Option<Pod> + Send + Sync>,
    executor: String,
    of: String,
    follow: bool,
    place: Option<LogPlace>,
}

/// How far reading has come.
enum Reached {
    Before,
    /// The lines that come next are of one stream; this is how it is known where it ends.
    After(tokio::sync::watch::Receiver<Option<LogPlace>>, bool),
    End,
}

type Lines = BoxStream<'static, Result<LogLine, ExecutorError>>;

/// The next stretch of a log.
async fn next((mut log, reached): (Log, Reached)) -> Option<(Lines, (Log, Reached))> {
    match reached {
        Reached::Before => {}
        Reached::After(place, goes_on) => {
            log.place = (*place.borrow()).or(log.place);
            if !goes_on {
                return None;
            }
            tokio::time::sleep(PAUSE).await;
        }
        Reached::End => return None,
    }
    match log.stretch().await {
        Ok(Some((lines, place, goes_on))) => {
            let reached = Reached::After(place, goes_on && log.follow);
            Some((lines, (log, reached)))
        }
        Ok(None) => None,
        Err(source) => {
            let error = ExecutorError {
                executor: log.executor.clone(),
                action: format!("give the log of {}", log.of),
                source: source.into(),
            };
            Some((stream::iter([Err(error)]).boxed(), (log, Reached::End)))
        }
    }
}

impl Log {
    /// The lines that are there, whether more may come after them, and where they end; `None` when there is no pod.
    async fn stretch(
        &self,
    ) -> Result<Option<(Lines, tokio::sync::watch::Receiver<Option<LogPlace>>, bool)>, kube::Error>
    {
        let pod = match (self.seen)() {
            Some(pod) => pod,
            None => {
                let of = ListParams::default().labels(&self.of);
                let pods = within(self.pods.list(&of)).await?;
                let Some(pod) = pods.items.into_iter().next() else {
                    return Ok(None);
                };
                pod
            }
        };
        let Some(is_over) = is_over(&pod) else {
            // nothing was started that could have written
            return match self.follow {
                true => Ok(Some(self.nothing(true))),
                false => Ok(None),
            };
        };
        let parameters = LogParams {
            container: Some(job::RUN.to_owned()),
            follow: self.follow && !is_over,
            timestamps: true,
            since_time: Reading::since(self.place).and_then(|since| {
                k8s_openapi::jiff::Timestamp::from_nanosecond(since.as_nanosecond()).ok()
            }),
            ..LogParams::default()
        };
        let opened = within(self.pods.log_stream(&pod.name_any(), &parameters)).await;
        let opened = match opened {
            Ok(opened) => opened,
            Err(kube::Error::Api(status)) if status.code == 404 => return Ok(None),
            // its container is being made
            Err(kube::Error::Api(status)) if status.code == 400 => {
                return Ok(Some(self.nothing(!is_over)));
            }
            Err(error) => return Err(error),
        };
        let (reached, place) = tokio::sync::watch::channel(None);
        let executor = self.executor.clone();
        let action = format!("give the log of {}", pod.name_any());
        let lines = lines(opened, self.place).map(move |line| match line {
            Ok(line) => {
                reached.send_replace(Some(line.place));
                Ok(line)
            }
            Err(error) => Err(ExecutorError {
                executor: executor.clone(),
                action: action.clone(),
                source: error.into(),
            }),
        });
        Ok(Some((lines.boxed(), place, !is_over)))
    }

    fn nothing(
        &self,
        goes_on: bool,
    ) -> (Lines, tokio::sync::watch::Receiver<Option<LogPlace>>, bool) {
        let (_, place) = tokio::sync::watch::channel(self.place);
        (stream::empty().boxed(), place, goes_on)
    }
}

/// Whether a run's container writes no more; `None` if it was not started.
fn is_over(pod: &Pod) -> Option<bool> {
    let statuses = pod.status.as_ref()?.container_statuses.as_ref()?;
    let run = statuses.iter().find(|status| status.name == job::RUN)?;
    let state = run.state.as_ref()?;
    match (&state.running, &state.terminated) {
        (Some(_), _) => Some(false),
        (None, Some(_)) => Some(true),
        (None, None) => None,
    }
}

fn lines(
    opened: impl AsyncBufRead + Send + 'static,
    from: Option<LogPlace>,
) -> impl Stream<Item = std::io::Result<LogLine>> {
    let state = Opened {
        stream: Box::pin(opened),
        reading: Reading::from(from),
        bytes: Vec::new(),
        goes_on: false,
    };
    let lines = stream::unfold(Some(state), |state| async {
        let mut state = state?;
        Some(match state.next().await {
            Ok(Some(lines)) => (Ok(lines), Some(state)),
            Ok(None) => (Ok(state.rest()), None),
            Err(error) => (Err(error), None),
        })
    });
    lines.flat_map(|lines: std::io::Result<Vec<LogLine>>| match lines {
        Ok(lines) => stream::iter(lines.into_iter().map(Ok).collect::<Vec<_>>()),
        Err(error) => stream::iter(vec![Err(error)]),
    })
}

/// A log that is being read.
struct Opened<R> {
    stream: Pin<Box<R>>,
    reading: Reading,
    /// What was read and is not told yet: the beginning of a character.
    bytes: Vec<u8>,
    /// Whether a line was begun, so that what comes next has no time.
    goes_on: bool,
}

impl<R: AsyncBufRead> Opened<R> {
    /// The lines that are whole with what is read next; `None` at the end.
    async fn next(&mut self) -> std::io::Result<Option<Vec<LogLine>>> {
        // a line that is never ended is not waited for
        let mut piece = (&mut self.stream).take(LONGEST as u64);
        if piece.read_until(b'\n', &mut self.bytes).await? == 0 {
            return Ok(None);
        }
        let rest = self.bytes.split_off(whole(&self.bytes));
        let bytes = std::mem::replace(&mut self.bytes, rest);
        Ok(Some(self.part(&bytes)))
    }

    fn part(&mut self, bytes: &[u8]) -> Vec<LogLine> {
        let text = String::from_utf8_lossy(bytes);
        let (at, text) = match self.goes_on {
            true => (None, &*text),
            false => timed(&text),
        };
        self.goes_on = !bytes.ends_with(b"\n");
        self.reading.part(at, false, text)
    }

    /// What is left at the end.
    fn rest(&mut self) -> Vec<LogLine> {
        let bytes = std::mem::take(&mut self.bytes);
        let mut lines = match bytes.is_empty() {
            true => Vec::new(),
            false => self.part(&bytes),
        };
        lines.extend(self.reading.rest());
        lines
    }
}

/// How many of the bytes are whole characters, as far as they are characters at all.
fn whole(bytes: &[u8]) -> usize {
    match std::str::from_utf8(bytes) {
        Err(error) if error.error_len().is_none() => error.valid_up_to(),
        _ => bytes.len(),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may stop at once")]
mod tests {
    use futures_util::TryStreamExt;
    use futures_util::io::Cursor;

    use super::*;

    async fn read(log: &str, from: Option<LogPlace>) -> Vec<LogLine> {
        let log = Cursor::new(log.to_owned());
        lines(log, from).try_collect().await.unwrap()
    }

    #[tokio::test]
    async fn a_line_without_an_end_comes_in_pieces() {
        let time = "2026-11-25T09:00:00.5Z";
        let long = "5 € ".repeat(LONGEST);
        let log = format!("{time} {long}\n{time} short\n{time} {long}");
        let all = read(&log, None).await;
        assert!(all.iter().all(|line| line.text.len() <= LONGEST));
        let text =
            |lines: &[LogLine]| -> String { lines.iter().map(|line| line.text.as_str()).collect() };
        assert_eq!(text(&all), format!("{long}short{long}"));
        let short = all.iter().find(|line| line.text.ends_with("short"));
        let rest = read(&log, Some(short.unwrap().place)).await;
        assert_eq!(text(&rest), long);
    }
}

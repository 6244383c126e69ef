//! What a run's container wrote, as the node keeps it.
//!
//! Nodes tell no lines of the standard error from those of the standard output. A node that begins a new file for a log ends what is
//! read of it, so it is taken up again at its place for as long as the container writes.

use std::pin::Pin;
use std::time::Duration;

use futures_util::io::{AsyncBufRead, AsyncBufReadExt, AsyncReadExt};
use futures_util::stream::{self, BoxStream};
use futures_util::{Stream, StreamExt, TryStreamExt};
use k8s_openapi::api::core::v1::Pod;
use kube::api::{ListParams, LogParams};
use kube::{Api, ResourceExt};

use super::{job, within};
use crate::executor::ExecutorError;
use crate::log::{LONGEST, LogLine, LogPlace, MISSING, Reading, timed};

/// Before a log that ended is taken up again.
const PAUSE: Duration = Duration::from_millis(300);

/// Before the log of a container that has ended is read again: a node may still be writing what was in its pipes.
const SETTLES: Duration = Duration::from_millis(200);
/// How often such a log brings nothing new before it is whole.
const SETTLED: u32 = 2;

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
        unchanged: 0,
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
    /// How often it brought nothing new after its container had ended.
    unchanged: u32,
}

/// How far reading has come.
enum Reached {
    Before,
    /// The lines that come next are of one stream; this is how it is known where it ends.
    After(tokio::sync::watch::Receiver<Option<LogPlace>>, Next),
    End,
}

/// What comes after a stretch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    /// More may be written.
    More,
    /// The container has ended: what it wrote may not all be there yet.
    Rest,
    Nothing,
}

type Lines = BoxStream<'static, Result<LogLine, ExecutorError>>;

/// The next stretch of a log.
async fn next((mut log, reached): (Log, Reached)) -> Option<(Lines, (Log, Reached))> {
    match reached {
        Reached::Before => {}
        Reached::After(place, next) => {
            let reached = (*place.borrow()).or(log.place);
            let is_new = reached != log.place;
            log.place = reached;
            match next {
                Next::Nothing => return None,
                Next::More => tokio::time::sleep(PAUSE).await,
                Next::Rest => {
                    log.unchanged = if is_new { 0 } else { log.unchanged + 1 };
                    if log.unchanged >= SETTLED {
                        return None;
                    }
                    tokio::time::sleep(SETTLES).await;
                }
            }
        }
        Reached::End => return None,
    }
    match log.stretch().await {
        Ok(Some((lines, place, next))) => Some((lines, (log, Reached::After(place, next)))),
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
    ) -> Result<Option<(Lines, tokio::sync::watch::Receiver<Option<LogPlace>>, Next)>, kube::Error>
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
                true => Ok(Some(self.nothing(Next::More))),
                false => Ok(None),
            };
        };
        let next = match (is_over, self.follow) {
            (true, _) => Next::Rest,
            (false, true) => Next::More,
            (false, false) => Next::Nothing,
        };
        // what has no end is given at last: before that it is read again from its beginning
        let is_last = next == Next::Nothing || self.unchanged + 1 >= SETTLED;
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
                return Ok(Some(self.nothing(next)));
            }
            Err(error) => return Err(error),
        };
        let (reached, place) = tokio::sync::watch::channel(None);
        let executor = self.executor.clone();
        let action = format!("give the log of {}", pod.name_any());
        // a node that begins a new file has thrown away nothing yet that is read live
        let tells_lost = next == Next::Rest && self.unchanged == 0;
        let lines = lines(opened, self.place, is_last, tells_lost);
        let lines = lines.map(move |line| match line {
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
        Ok(Some((lines.boxed(), place, next)))
    }

    fn nothing(&self, next: Next) -> (Lines, tokio::sync::watch::Receiver<Option<LogPlace>>, Next) {
        let (_, place) = tokio::sync::watch::channel(self.place);
        (stream::empty().boxed(), place, next)
    }
}

/// The last lines that a container wrote.
pub(super) async fn last(
    pods: &Api<Pod>,
    pod: &Pod,
    most: usize,
) -> Result<Vec<LogLine>, Box<dyn std::error::Error + Send + Sync>> {
    if is_over(pod).is_none() {
        return Ok(Vec::new());
    }
    let parameters = LogParams {
        container: Some(job::RUN.to_owned()),
        timestamps: true,
        tail_lines: i64::try_from(most).ok(),
        ..LogParams::default()
    };
    let mut before = None;
    loop {
        let read = match within(pods.log_stream(&pod.name_any(), &parameters)).await {
            Ok(opened) => lines(opened, None, true, false).try_collect().await?,
            Err(kube::Error::Api(status)) if [400, 404].contains(&status.code) => Vec::new(),
            Err(error) => return Err(error.into()),
        };
        // of one that has not ended there is no last line
        if is_over(pod) == Some(false) || before.as_ref() == Some(&read) {
            return Ok(read);
        }
        before = Some(read);
        tokio::time::sleep(SETTLES).await;
    }
}

/// Whether a run's container writes no more; `None` if it was not started.
pub(super) fn is_over(pod: &Pod) -> Option<bool> {
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
    is_last: bool,
    tells_lost: bool,
) -> impl Stream<Item = std::io::Result<LogLine>> {
    let state = Opened {
        stream: Box::pin(opened),
        reading: Reading::from(from),
        bytes: Vec::new(),
        goes_on: false,
        is_last,
        tells_lost,
    };
    let lines = stream::unfold(Some(state), |state| async {
        let mut state = state?;
        Some(match state.next().await {
            Ok(Some(lines)) => (Ok(lines), Some(state)),
            Ok(None) if state.tells_lost && state.reading.has_lost() => {
                (Err(std::io::Error::other(MISSING)), None)
            }
            // a live log may be cut off anywhere: what is not whole is read again from its place
            Ok(None) if !state.is_last => (Ok(Vec::new()), None),
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
    /// Whether nothing reads on from where it ends.
    is_last: bool,
    /// Whether lines that are missing after its beginning are told.
    tells_lost: bool,
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
    use futures_util::io::Cursor;

    use super::*;

    async fn read(log: &str, from: Option<LogPlace>) -> Vec<LogLine> {
        let log = Cursor::new(log.to_owned());
        lines(log, from, true, false).try_collect().await.unwrap()
    }

    #[tokio::test]
    async fn a_live_log_that_is_cut_off_ends_with_its_last_whole_line() {
        let time = "2026-11-25T09:00:00.5Z";
        let log = Cursor::new(format!("{time} whole\n{time} cut o"));
        let all: Vec<_> = lines(log, None, false, false).try_collect().await.unwrap();
        let texts: Vec<_> = all.iter().map(|line| line.text.as_str()).collect();
        assert_eq!(texts, ["whole"]);
    }

    #[tokio::test]
    async fn a_place_that_was_thrown_away_is_told() {
        let place = Some(LogPlace {
            at: "2026-11-25T09:00:00.5Z".parse().unwrap(),
            lines: 1,
        });
        let read = async |log: &str| -> std::io::Result<Vec<LogLine>> {
            let log = Cursor::new(log.to_owned());
            lines(log, place, false, true).try_collect().await
        };
        let there = "2026-11-25T09:00:00.5Z one\n2026-11-25T09:00:07Z two\n";
        assert_eq!(read(there).await.unwrap().len(), 1);
        for log in ["", "2026-11-25T09:00:07Z two\n"] {
            assert!(read(log).await.is_err(), "{log:?}");
        }
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

//! `run` and `session`: one run, seen through to its end.

use std::io::Read as _;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use futures_util::StreamExt as _;
use mkys_runner::{
    Cause, Computation, Difference, Direct, Door, Executor, ExecutorError, Input, Keep, LogLine,
    Outcome, Plan, Record, Run, Runner, Session, Verdict, Work, input_of,
};
use serde::de::DeserializeOwned;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::arguments::{Executors, ReplayArguments, RunArguments, SessionArguments};
use crate::executor::{self, Connected, MadeUp};
use crate::progress::{Progress, say};
use crate::way;

/// Between two looks whether there is room for more of a log.
const LOOK: Duration = Duration::from_millis(50);
/// How long the rest of a log may take once nothing of its run is left.
const REST: Duration = Duration::from_secs(5);

fn read<T: DeserializeOwned>(file: &Path) -> Result<T> {
    let text = if file == Path::new("-") {
        let mut text = String::new();
        std::io::stdin()
            .read_to_string(&mut text)
            .context("read the standard input")?;
        text
    } else {
        std::fs::read_to_string(file).with_context(|| format!("read {}", file.display()))?
    };
    serde_json::from_str(&text).with_context(|| format!("{} is not right", file.display()))
}

pub(crate) async fn computation(at: &Executors, arguments: RunArguments) -> Result<ExitCode> {
    let mut computation: Computation = read(&arguments.file)?;
    if let Some(name) = arguments.name {
        computation.name = name;
    }
    let keep = Keep::Directory(arguments.results);
    let (code, _) = compute(at, computation, keep, arguments.json).await?;
    Ok(code)
}

/// Runs a computation to its end, on whatever runs are on.
async fn compute(
    at: &Executors,
    computation: Computation,
    keep: Keep,
    json: bool,
) -> Result<(ExitCode, Run)> {
    match executor::connect(at).await? {
        Connected::Engine(engine, made_up) => {
            let done = compute_on(*engine, computation, keep, json).await;
            leaves(made_up).await;
            done
        }
        Connected::Kubernetes(cluster) => compute_on(*cluster, computation, keep, json).await,
    }
}

async fn leaves(made_up: Option<MadeUp>) {
    if let Some(made_up) = made_up {
        made_up.leaves().await;
    }
}

async fn compute_on<E: Executor>(
    executor: E,
    computation: Computation,
    keep: Keep,
    json: bool,
) -> Result<(ExitCode, Run)> {
    let runner = Runner::start_with(executor, keep, Direct).await?;
    let run = runner.compute(computation).await?;
    let code = see_through(&runner, &run, json).await?;
    Ok((code, run))
}

async fn play_on<E: Executor>(
    executor: E,
    session: Session,
    door: impl Door,
    json: bool,
) -> Result<ExitCode> {
    let runner = Runner::start_with(executor, Keep::Memory, door).await?;
    let run = runner.play(session)?;
    see_through(&runner, &run, json).await
}

/// The computation that a record is of, with the image that ran then, whatever its tag names now.
fn recorded(folder: &Path, record: &Record) -> Result<Computation> {
    let Plan {
        name,
        container,
        work,
        limits,
        ..
    } = &record.plan;
    let Work::Computation { inputs, results } = work else {
        bail!("{name} was a session: only a computation can be run again");
    };
    let mut container = container.clone();
    let ran = record.ran.as_ref();
    // what was named by its digest is named so again
    if container.image.digest().is_none()
        && let Some(digest) = ran.and_then(|ran| ran.image_digest.as_ref())
    {
        container.image = format!("{}@{digest}", container.image.repository()).parse()?;
    }
    let inputs = inputs.keys().map(|path| {
        let file = input_of(folder, path);
        (path.clone(), Input::File(file))
    });
    Ok(Computation::builder()
        .name(name.clone())
        .container(container)
        .inputs(inputs.collect())
        .results(results.clone())
        .deadline(limits.run)
        .build())
}

pub(crate) async fn replay(at: &Executors, arguments: ReplayArguments) -> Result<ExitCode> {
    let folder = &arguments.folder;
    let record = Record::read(folder).await;
    let record =
        record.with_context(|| format!("read {} in {}", mkys_runner::RECORD, folder.display()))?;
    let computation = recorded(folder, &record)?;
    let keep = Keep::Directory(arguments.results);
    let (code, run) = compute(at, computation, keep, arguments.json).await?;
    let Some(outcome) = run.outcome() else {
        return Ok(code);
    };
    let differences = record.differences(&outcome.record);
    for difference in &differences {
        say(&match difference {
            Difference::Verdict => "differs: it ended otherwise".to_owned(),
            Difference::Image => "differs: another image ran".to_owned(),
            Difference::Result(path) => format!("differs: {path}"),
        });
    }
    if differences.is_empty() {
        say("the same as recorded");
        return Ok(ExitCode::SUCCESS);
    }
    Ok(ExitCode::FAILURE)
}

pub(crate) async fn session(at: &Executors, arguments: SessionArguments) -> Result<ExitCode> {
    let mut session: Session = read(&arguments.file)?;
    if let Some(name) = arguments.name {
        session.name = name;
    }
    if let Some(edge) = way::edge(arguments.way).await? {
        return play(at, session, edge, arguments.json).await;
    }
    say("without an edge nobody can tell whether somebody plays: it does not end for being idle");
    session.idle = session.limit;
    play(at, session, Direct, arguments.json).await
}

/// Plays a session to its end, on whatever runs are on.
async fn play(at: &Executors, session: Session, door: impl Door, json: bool) -> Result<ExitCode> {
    match executor::connect(at).await? {
        Connected::Engine(engine, made_up) => {
            let done = play_on(*engine, session, door, json).await;
            leaves(made_up).await;
            done
        }
        Connected::Kubernetes(cluster) => play_on(*cluster, session, door, json).await,
    }
}

/// The signals that end a run, or do not.
struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hangup: Signal,
    /// Whether a run goes on although its terminal was closed.
    outlives: bool,
}

impl Signals {
    /// A computation goes on without its terminal, so that its results are kept. A session that nobody could end any more ends.
    fn of(run: &Run) -> Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hangup: signal(SignalKind::hangup())?,
            outlives: matches!(run.plan().work, Work::Computation { .. }),
        })
    }

    /// Waits until the run is to end.
    async fn end(&mut self) {
        loop {
            tokio::select! {
                _ = self.interrupt.recv() => return,
                _ = self.terminate.recv() => return,
                _ = self.hangup.recv() => if !self.outlives { return },
            }
        }
    }
}

/// Shows a run until it is gone. The first Ctrl-C ends it in order; a second one leaves the rest to its lease.
async fn see_through<E: Executor>(runner: &Runner<E>, run: &Run, json: bool) -> Result<ExitCode> {
    let progress = Progress::new(json);
    let mut signals = Signals::of(run)?;
    let mut states = std::pin::pin!(run.states());
    let mut lines = runner.logs(run, None);
    let (mut is_open, mut is_ending, mut is_waiting) = (false, false, false);
    let mut outcome = std::pin::pin!(run.finish());
    let mut looks = tokio::time::interval(LOOK);
    let ended = loop {
        tokio::select! {
            biased;
            () = signals.end() => end(run, &progress, &mut is_ending)?,
            Some(state) = states.next() => {
                if let mkys_runner::State::Ending { result: true, untaken: Some(why), .. } = &state
                    && why.cause == Cause::Disk
                    && !is_waiting
                {
                    is_waiting = true;
                    let wait = run.plan().limits.room;
                    progress.note(format!(
                        "{}: its results stay in its container for {wait:#}, until there is room; Ctrl-C gives them up", why.words
                    ));
                }
                // it is told of again whenever somebody has used it
                let opens = matches!(state, mkys_runner::State::Serving { .. }) && !is_open;
                progress.state(state);
                if opens && let Some(url) = run.answers().await {
                    is_open = true;
                    progress.open(url);
                }
            },
            Some(line) = lines.next(), if !progress.is_full() => show(&progress, line),
            ended = &mut outcome => break ended,
            _ = looks.tick(), if progress.is_full() => {}
        }
    };
    let Some(ended) = ended else {
        bail!("the runner ended before its run did");
    };
    // what was read of its log, and was not shown yet
    while let Ok(Some(line)) = tokio::time::timeout(REST, lines.next()).await {
        show(&progress, line);
    }
    let code = code(&ended);
    progress.outcome(ended);
    tokio::select! {
        () = progress.printed() => Ok(code),
        () = signals.end() => bail!("its outcome was not read to its end"),
    }
}

fn show(progress: &Progress, line: Result<LogLine, ExecutorError>) {
    match line {
        Ok(line) => progress.log(line),
        Err(error) => progress.note(format!(
            "lines of its log are missing: {:#}",
            anyhow::Error::new(error)
        )),
    }
}

fn end(run: &Run, progress: &Progress, is_ending: &mut bool) -> Result<()> {
    if *is_ending {
        bail!("left alone: it ends with its lease, and nothing of it is left then");
    }
    *is_ending = true;
    progress.note("it is being ended; once more leaves it to its lease");
    run.end();
    Ok(())
}

fn code(outcome: &Outcome) -> ExitCode {
    match (&outcome.verdict, &outcome.unwritten) {
        (Verdict::Succeeded, None) => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    }
}

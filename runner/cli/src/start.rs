//! `run` and `session`: one run, seen through to its end.

use std::io::Read as _;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use futures_util::StreamExt as _;
use mkys_runner::{
    Computation, Difference, Direct, Door, Executor, Input, Keep, Outcome, Plan, Record, Run,
    Runner, Session, Verdict, Work, input_of,
};
use serde::de::DeserializeOwned;
use tokio::signal::unix::{SignalKind, signal};

use crate::arguments::{Executors, ReplayArguments, RunArguments, SessionArguments};
use crate::executor::{self, Connected, MadeUp};
use crate::progress::{Progress, say};
use crate::way;

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
    if let Some(digest) = record
        .ran
        .as_ref()
        .and_then(|ran| ran.image_digest.as_ref())
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

/// Shows a run until it is gone. The first Ctrl-C ends it in order; a second one leaves the rest to its lease.
async fn see_through<E: Executor>(runner: &Runner<E>, run: &Run, json: bool) -> Result<ExitCode> {
    let progress = Progress::new(json);
    let (mut interrupted, mut terminated) = (
        signal(SignalKind::interrupt())?,
        signal(SignalKind::terminate())?,
    );
    let mut states = std::pin::pin!(run.states());
    let mut lines = futures_util::stream::empty().boxed();
    let (mut has_log, mut is_open, mut is_ending) = (false, false, false);
    let mut outcome = std::pin::pin!(run.finish());
    let ended = loop {
        tokio::select! {
            biased;
            Some(line) = lines.next() => match line {
                Ok(line) => progress.log(&line),
                // it ended; what it wrote last is in its outcome
                Err(_) => lines = futures_util::stream::empty().boxed(),
            },
            Some(state) = states.next() => {
                progress.state(&state);
                // it is told of again whenever somebody has used it
                if matches!(state, mkys_runner::State::Serving { .. })
                    && !is_open
                    && let Some(url) = run.answers().await
                {
                    is_open = true;
                    progress.open(&url);
                }
                if state.wants().container && !has_log && !is_waiting(&state) {
                    has_log = true;
                    lines = runner.logs(run, None);
                }
            },
            ended = &mut outcome => break ended,
            _ = interrupted.recv() => end(run, &progress, &mut is_ending)?,
            _ = terminated.recv() => end(run, &progress, &mut is_ending)?,
        }
    };
    let Some(ended) = ended else {
        bail!("the runner ended before its run did");
    };
    if !has_log {
        for line in &ended.log {
            progress.log(line);
        }
    }
    progress.outcome(&ended);
    Ok(code(&ended))
}

fn is_waiting(state: &mkys_runner::State) -> bool {
    matches!(
        state,
        mkys_runner::State::Submitted { .. } | mkys_runner::State::Starting { .. }
    )
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

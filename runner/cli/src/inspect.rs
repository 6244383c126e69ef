//! Looking at runs, whoever's they are.

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Result, bail};
use futures_util::StreamExt as _;
use jiff::Timestamp;
use mkys_runner::{Listed, RunName, Trace, Work};

use crate::arguments::Executors;
use crate::executor::{self, Connected, Inspector};
use crate::progress::{print, say, seconds};

fn kind(run: &Listed) -> &'static str {
    match run.plan.work {
        Work::Computation { .. } => "computation",
        Work::Session { .. } => "session",
    }
}

pub(crate) async fn list(arguments: &Executors, json: bool) -> Result<ExitCode> {
    let runs = Inspector::connect(arguments)
        .await?
        .runs(arguments.owner.as_ref())
        .await?;
    if json {
        let runs: Vec<_> = runs
            .iter()
            .map(|run| serde_json::json!({ "owner": run.owner, "status": run.status, "plan": run.plan }))
            .collect();
        print(&serde_json::to_string(&runs)?);
        return Ok(ExitCode::SUCCESS);
    }
    if runs.is_empty() {
        say("no runs are there");
        return Ok(ExitCode::SUCCESS);
    }
    print(&format!(
        "{:<24} {:<16} {:<12} {:<9} {:<14} {}",
        "NAME", "OWNER", "KIND", "AGE", "STATUS", "IMAGE"
    ));
    for run in &runs {
        let age = seconds(run.plan.submitted.duration_until(Timestamp::now()));
        let (name, owner) = (run.plan.name.as_str(), run.owner.as_str());
        let image = &run.plan.container.image;
        print(&format!(
            "{name:<24} {owner:<16} {:<12} {:<9} {:<14} {image}",
            kind(run),
            format!("{age:#}"),
            run.status
        ));
    }
    Ok(ExitCode::SUCCESS)
}

async fn find(arguments: &Executors, name: &RunName) -> Result<(Inspector, Listed)> {
    let inspector = Inspector::connect(arguments).await?;
    let mut runs = inspector.runs(arguments.owner.as_ref()).await?;
    runs.retain(|run| run.plan.name == *name);
    match (runs.pop(), runs.is_empty()) {
        (Some(run), true) => Ok((inspector, run)),
        (Some(_), false) => bail!("several owners have a run named {name}: say whose with --owner"),
        (None, _) => bail!("no run named {name} is there"),
    }
}

pub(crate) async fn logs(arguments: &Executors, name: &RunName, follow: bool) -> Result<ExitCode> {
    let (inspector, run) = find(arguments, name).await?;
    let mut lines = inspector.logs(&run, follow);
    while let Some(line) = lines.next().await {
        let line = line?;
        match line.error {
            true => say(&line.text),
            false => print(&line.text),
        }
    }
    Ok(ExitCode::SUCCESS)
}

pub(crate) async fn cancel(arguments: &Executors, name: &RunName) -> Result<ExitCode> {
    let (inspector, run) = find(arguments, name).await?;
    inspector.stop(&run).await?;
    say(&format!("{name} of {} is cancelled", run.owner));
    Ok(ExitCode::SUCCESS)
}

pub(crate) async fn audit(arguments: &Executors, json: bool) -> Result<ExitCode> {
    let inspector = Inspector::connect(arguments).await?;
    let traces = inspector.traces(arguments.owner.as_ref()).await?;
    match (traces.is_empty(), json) {
        (_, true) => print(&serde_json::to_string(&traces)?),
        (true, false) => say("nothing of any run is there"),
        (false, false) => table(&traces),
    }
    Ok(match traces.is_empty() {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    })
}

fn table(traces: &[Trace]) {
    let line = |kind: &str, owner: &str, status: &str, name: &str| {
        print(&format!("{kind:<10} {owner:<16} {status:<22} {name}"));
    };
    line("KIND", "OWNER", "STATUS", "NAME");
    for trace in traces {
        let Trace {
            owner,
            kind,
            name,
            status,
        } = trace;
        line(kind, owner, status, name);
    }
}

pub(crate) async fn doctor(arguments: &Executors) -> Result<ExitCode> {
    let checks = match arguments.cluster.kubernetes {
        true => vec![(
            "Kubernetes answers, and gives the rights that are needed",
            cluster_fault(arguments).await,
        )],
        false => engine_faults(arguments).await?,
    };
    let mut sound = true;
    for (what, fault) in checks {
        match fault {
            None => print(&format!("ok    {what}")),
            Some(fault) => {
                sound = false;
                print(&format!("FAIL  {what}: {fault}"));
            }
        }
    }
    Ok(match sound {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    })
}

type Check = (&'static str, Option<String>);

async fn engine_faults(arguments: &Executors) -> Result<Vec<Check>> {
    let engine = Inspector::connect(arguments).await;
    let init = executor::init(&arguments.engine)?;
    Ok(vec![
        (
            "a container engine answers",
            engine.map(drop).err().map(|error| format!("{error:#}")),
        ),
        (
            "its first process is there",
            (!mkys_runner::engine::is_static(&init)).then(|| {
                format!(
                    "{} is not the static mkys-init: name it with --init",
                    init.display()
                )
            }),
        ),
        (
            "the directory of owners' sockets can be written",
            directory_fault(&arguments.engine.directory),
        ),
    ])
}

/// Why an owner could have no socket there.
fn directory_fault(directory: &Path) -> Option<String> {
    let probe = directory.join(".doctor");
    let written = std::fs::create_dir_all(directory).and_then(|()| std::fs::write(&probe, ""));
    // nothing of it is of use, whether it was written or not
    let _ = std::fs::remove_file(probe);
    let error = written.err()?;
    Some(format!(
        "{}: {error}; name another with --directory",
        directory.display()
    ))
}

/// What connecting does is all that can be wrong.
async fn cluster_fault(arguments: &Executors) -> Option<String> {
    match executor::connect(arguments).await {
        Ok(Connected::Kubernetes(_) | Connected::Engine(..)) => None,
        Err(error) => Some(format!("{error:#}")),
    }
}

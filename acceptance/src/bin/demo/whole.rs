//! The demo's parts, in their order.

use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use clap::ValueEnum;
use mkys_acceptance::lab::{self, Lab};
use mkys_acceptance::platform::cli::Workspace;
use mkys_acceptance::platform::cluster;
use mkys_acceptance::progress::Progress;

use crate::by_hand;
use crate::runs;
use crate::stage::Stage;
use crate::story::{self, title};

/// A part of the demo.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Part {
    /// A blade on a real cloud, with its visitors.
    Blade,
    /// Games and computations in containers; it needs no cloud.
    Runner,
}

/// Shows everything, or a part, and leaves it up.
pub(crate) fn up(part: Option<Part>) -> anyhow::Result<()> {
    let lab = Lab::from_environment()?;
    let has = |one: Part| part.is_none_or(|part| part == one);
    let runs = has(Part::Runner).then(|| runs::Stage::find(&lab));
    // each says what is in its way before anything is changed
    if has(Part::Blade) {
        lab::check(&lab)?;
    }
    if let Some(runs) = &runs {
        runs.check()?;
    }
    let blade = has(Part::Blade).then(|| Stage::find(&lab));
    let workspace = blade.as_ref().map(|blade| show(blade, runs.as_ref()));
    let workspace = workspace.transpose()?;
    let shown = runs.as_ref().map(runs::up).transpose()?;
    title(&lab.progress, "Everything stays up");
    if let (Some(blade), Some(workspace)) = (&blade, &workspace) {
        by_hand::summary(blade, workspace)?;
    }
    if let (Some(runs), Some(shown)) = (&runs, &shown) {
        runs::summary(runs, shown)?;
    }
    let (what, how) = match part {
        Some(Part::Runner) => ("This part of the demo", "make demo-down PART=runner"),
        Some(Part::Blade) => ("This part of the demo", "make demo-down"),
        None => ("The whole demo", "make demo-down"),
    };
    let took = lab.progress.elapsed();
    let build =
        built_for(took).map(|build| format!(", after {} s of building it", build.as_secs()));
    lab.progress.line(format!(
        "\n{what} took {:.0} s{}. `{how}` takes it away.",
        took.as_secs_f64(),
        build.unwrap_or_default()
    ));
    Ok(())
}

/// How long the demo itself was built before it began: whoever built it says since when. Nothing that is worth a word otherwise.
fn built_for(took: Duration) -> Option<Duration> {
    let started = std::env::var("MKYS_DEMO_STARTED").ok()?.parse().ok()?;
    let since = SystemTime::now().duration_since(UNIX_EPOCH).ok()?;
    let build = since.checked_sub(Duration::from_secs(started))?;
    let build = build.checked_sub(took)?;
    (build >= Duration::from_secs(2)).then_some(build)
}

/// Shows the blade. The cloud takes its time, in which what the next part stands on is got ready.
fn show(blade: &Stage<'_>, next: Option<&runs::Stage<'_>>) -> anyhow::Result<Workspace> {
    let cli = story::prepare(blade)?;
    std::thread::scope(|scope| {
        if let Some(next) = next {
            // what fails is tried again, and told, when its part comes
            scope.spawn(|| next.prepare(&Progress::silent()));
        }
        story::tell(blade, &cli)
    })
}

/// Takes everything away, or a part, and proves that nothing of it is left.
pub(crate) fn down(part: Option<Part>) -> anyhow::Result<()> {
    let lab = Lab::from_environment()?;
    if part != Some(Part::Blade) {
        runs::down(&runs::Stage::find(&lab))?;
    }
    if part != Some(Part::Runner) {
        story::down(&Stage::find(&lab))?;
    }
    lab.progress.line(match part {
        Some(Part::Runner) => "Nothing of the games and computations is left.",
        Some(Part::Blade) => "Nothing of the blade and its cloud is left.",
        None => "Nothing of the demo is left.",
    });
    if part != Some(Part::Blade) && Path::new(cluster::STATE).exists() {
        lab.progress.line(format!(
            "A Kubernetes that the demo did not start is there ({}): `make lab-down` takes it away.",
            cluster::STATE
        ));
    }
    Ok(())
}

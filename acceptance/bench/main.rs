//! `bench`: how MKYS does beside a peer, side by side in one run, written to `docs/benchmarks.md`.
//!
//! Without arguments everything; else the sections named. The lab must be up: `make bench` sees to it.

mod apply;
mod delegated;
mod executors;
mod leases;
mod logs;
mod openstack;
mod provider;
mod report;
mod routes;
mod runs;
mod scale;
mod sessions;
mod updates;

use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};
use clap::{Parser, ValueEnum};
use mkys_acceptance::lab::{self, Lab};
use mkys_acceptance::platform::cli::Cli;
use mkys_acceptance::platform::edge::Edge;
use mkys_acceptance::platform::{SOURCE, remove_tree};
use report::Section;

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum What {
    /// A provider's start, schema and memory, beside one in Go.
    Provider,
    /// A route until it is served, beside an NGINX reload.
    Routes,
    /// A blade's apply, beside Heat's own time for the same template.
    Apply,
    /// Requests lost in updates, beside a plain Heat update.
    Updates,
    /// A computation's start to its result, beside a bare container and a bare pod.
    Runs,
    /// A session's start until its first player sits, beside a bare container and a bare pod.
    Sessions,
    /// A session route until it is served, and websockets meanwhile, beside another proxy.
    Leases,
    /// The memory that following many logs takes, beside the engine's own followers.
    Logs,
    /// Thousands of runs on nodes that are played, beside a bare loop.
    Scale,
}

/// Measures MKYS beside its peers and writes docs/benchmarks.md.
#[derive(Debug, Parser)]
struct Arguments {
    /// What to measure; everything when left out.
    what: Vec<What>,
}

/// What the measurements stand on.
struct Bench {
    lab: Lab,
    cli: Cli,
    folder: PathBuf,
}

fn main() -> anyhow::Result<()> {
    let mut what = Arguments::parse().what;
    if what.is_empty() {
        what = What::value_variants().to_vec();
    }
    let lab = Lab::from_environment()?;
    ensure!(lab::is_up(&lab), "the lab is not up: `make lab` first");
    let cli = Cli::chosen(&Path::new(SOURCE).join("acceptance/cli"))?;
    let folder = PathBuf::from("/var/lib/mkys-bench");
    let bench = Bench { lab, cli, folder };
    for one in what {
        let title = one.to_possible_value();
        let title = title.as_ref().map_or("", |value| value.get_name());
        bench.lab.progress.line(format!("\n== {title}"));
        let section: Section = match one {
            What::Provider => provider::measure(&bench),
            What::Routes => routes::measure(&bench),
            What::Apply => apply::measure(&bench),
            What::Updates => updates::measure(&bench),
            What::Runs => runs::measure(&bench),
            What::Sessions => sessions::measure(&bench),
            What::Leases => leases::measure(&bench),
            What::Logs => logs::measure(&bench),
            What::Scale => scale::measure(&bench),
        }
        .with_context(|| format!("{title} was not measured"))?;
        bench.lab.progress.line(&section.text);
        report::write(
            &Path::new(SOURCE).join("docs/benchmarks.md"),
            title,
            &section,
        )?;
    }
    remove_tree(&bench.folder)?;
    Ok(())
}

/// Ends an edge with its NGINX, however the measurement ends.
struct Stops<'a>(&'a Edge);

impl Drop for Stops<'_> {
    fn drop(&mut self) {
        self.0.stop();
    }
}

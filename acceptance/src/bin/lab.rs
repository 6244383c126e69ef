//! `lab`: brings the lab up and down on this machine. Parses, runs, maps to an exit code; the work is in the library.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use mkys_acceptance::lab::{self, Lab};
use mkys_acceptance::platform::cluster::{self, Cluster};
use mkys_acceptance::progress::Progress;

/// Real OpenStack on one machine, for the demo and the scenarios.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Bring the lab up; repairs what died, does nothing when it is well.
    Up,
    /// Take the lab away and prove that nothing of it is left.
    Down {
        /// Stop everything but keep the state directory.
        #[arg(long)]
        keep: bool,
    },
    /// Show the services.
    Status,
    /// Say what is wrong with this machine or lab, changing nothing.
    Doctor,
    /// Install the Debian packages that are missing.
    Install {
        /// What games and computations need, instead of the lab's.
        #[arg(long)]
        runs: bool,
    },
    /// A real Kubernetes of one node, beside the lab and without it.
    Cluster {
        #[command(subcommand)]
        action: ClusterAction,
    },
}

#[derive(Subcommand)]
enum ClusterAction {
    /// Bring the cluster up, building it the first time; does nothing when it is well. Prints KUBECONFIG.
    Up,
    /// Take the cluster away and prove that nothing of it is left.
    Down,
    /// Show the components.
    Status,
    /// Keep network policies: the component of ours that the cluster runs.
    #[command(hide = true)]
    Policies {
        /// The file to reach the API with.
        #[arg(long)]
        kubeconfig: PathBuf,
    },
}

fn main() -> ExitCode {
    match run(Arguments::parse().action) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            // `{:#}` is the chain of causes in one line: what a person needs, without a backtrace.
            let _ = writeln!(std::io::stderr().lock(), "lab: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(action: Action) -> anyhow::Result<bool> {
    let lab = Lab::from_environment()?;
    match action {
        Action::Up => lab::up(&lab)?,
        Action::Down { keep } => lab::down(&lab, keep)?,
        Action::Install { runs: true } => lab::install_for_runs(&lab.progress)?,
        Action::Install { runs: false } => lab::install(&lab)?,
        Action::Status => return Ok(lab::status(&lab)?),
        Action::Doctor => return Ok(lab::doctor(&lab)?),
        Action::Cluster { action } => return run_cluster(action),
    }
    Ok(true)
}

fn run_cluster(action: ClusterAction) -> anyhow::Result<bool> {
    let state = Path::new(cluster::STATE);
    match action {
        ClusterAction::Up => {
            let cluster = Cluster::new(state, &cluster::binaries()?).telling(Progress::new());
            cluster.start()?;
            let kubeconfig = cluster.kubeconfig();
            Progress::new().line(format!("KUBECONFIG={}", kubeconfig.display()));
        }
        ClusterAction::Down => Cluster::at(state).telling(Progress::new()).destroy()?,
        ClusterAction::Status => return Ok(Cluster::at(state).status(&Progress::new())?),
        ClusterAction::Policies { kubeconfig } => cluster::enforce(&kubeconfig)?,
    }
    Ok(true)
}

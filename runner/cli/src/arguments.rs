//! What a person types.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::{Args, CommandFactory, Parser, Subcommand, ValueEnum};
use ipnet::IpNet;
use jiff::SignedDuration;
use mkys_runner::{Computation, Image, Listener, Owner, RunName, Session};

use crate::progress;

/// Computations and sessions in containers that are gone afterwards, whatever happens.
#[derive(Debug, Parser)]
#[command(name = "mkys-run", version, about)]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(crate) at: Executors,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What carries runs out, and whose they are.
#[derive(Debug, Args)]
pub(crate) struct Executors {
    #[command(flatten)]
    pub(crate) engine: EngineArguments,
    #[command(flatten)]
    pub(crate) cluster: ClusterArguments,
    /// For how long a run goes on when this program does not
    #[arg(long, global = true, default_value = "3m", value_name = "DURATION")]
    pub(crate) lease: SignedDuration,
    /// Whose runs they are; each `run` and `session` is an owner of its own if it is not named
    #[arg(long, global = true, value_name = "NAME")]
    pub(crate) owner: Option<Owner>,
}

/// Where the cluster is.
#[derive(Debug, Args)]
#[command(next_help_heading = "On Kubernetes")]
pub(crate) struct ClusterArguments {
    /// Runs are on Kubernetes, and not on a container engine
    #[arg(long, short, global = true)]
    pub(crate) kubernetes: bool,
    /// A kubeconfig; by default what kubectl would take
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) kubeconfig: Option<PathBuf>,
    /// A context in it; its current one by default
    #[arg(long, global = true, value_name = "NAME")]
    pub(crate) context: Option<String>,
    /// The namespace; that of the context by default
    #[arg(long, short, global = true, value_name = "NAME")]
    pub(crate) namespace: Option<String>,
    /// The image of mkys-keeper, which gives inputs and takes results
    #[arg(long, global = true, env = "MKYS_KEEPER", value_name = "IMAGE")]
    pub(crate) keeper: Option<Image>,
    /// Networks that sessions are reached from, such as 10.20.0.0/24
    #[arg(long, global = true, value_delimiter = ',', value_name = "NETWORK")]
    pub(crate) edge: Vec<IpNet>,
    /// Sessions are reached on ports of nodes, and not at the addresses of their pods
    #[arg(long, global = true)]
    pub(crate) node_ports: bool,
}

/// Where the engine is.
#[derive(Debug, Args)]
#[command(next_help_heading = "On a container engine")]
pub(crate) struct EngineArguments {
    /// The engine's API; the first of /run/podman/podman.sock and /var/run/docker.sock that is there
    #[arg(long, global = true, env = "MKYS_ENGINE", value_name = "SOCKET")]
    pub(crate) engine: Option<PathBuf>,
    /// The static mkys-init; beside this program if it is not named
    #[arg(long, global = true, env = "MKYS_INIT_PROGRAM", value_name = "FILE")]
    pub(crate) init: Option<PathBuf>,
    /// Where sockets of owners are
    #[arg(
        long,
        global = true,
        env = "MKYS_RUN_DIRECTORY",
        default_value = "/run/mkys-runner",
        value_name = "DIRECTORY"
    )]
    pub(crate) directory: PathBuf,
    /// A directory of secrets: each a directory of its name with a file for each of its keys
    #[arg(long, global = true, env = "MKYS_SECRETS", value_name = "DIRECTORY")]
    pub(crate) secrets: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Runs a computation, shows its log, and keeps its results
    Run(RunArguments),
    /// Runs a recorded computation again, and compares what it makes
    Replay(ReplayArguments),
    /// Starts a session, says where players go, and ends it on Ctrl-C
    Session(SessionArguments),
    /// Lists the runs that are there, whoever's they are
    List {
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Shows what a run wrote
    Logs {
        /// Its name
        run: RunName,
        /// Goes on as it is written
        #[arg(long, short)]
        follow: bool,
    },
    /// Stops a run
    Cancel {
        /// Its name
        run: RunName,
    },
    /// Lists whatever of runs is there, also what is no run any more; fails if something is
    Audit {
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Says whether runs can be started here, and if not, why
    Doctor,
    /// Prints the JSON Schema of a computation or a session
    Schema {
        /// Of which
        of: Kind,
    },
    /// Prints completions for a shell
    Completions {
        /// Which shell
        shell: clap_complete::Shell,
    },
}

#[derive(Debug, Args)]
pub(crate) struct RunArguments {
    /// The computation, as JSON; `-` is the standard input
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// Where its results go, in a directory of its name
    #[arg(long, default_value = ".", value_name = "DIRECTORY")]
    pub(crate) results: PathBuf,
    /// Another name than the file says
    #[arg(long, value_name = "NAME")]
    pub(crate) name: Option<RunName>,
    /// Events and the outcome as JSON, one a line, instead of the log
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ReplayArguments {
    /// The folder that `run` left: with its record, inputs and results
    #[arg(value_name = "DIRECTORY")]
    pub(crate) folder: PathBuf,
    /// Where what it makes now goes, in a directory of its name
    #[arg(long, default_value = "replayed", value_name = "DIRECTORY")]
    pub(crate) results: PathBuf,
    /// Events and the outcome as JSON, one a line, instead of the log
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct SessionArguments {
    /// The session, as JSON; `-` is the standard input
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    #[command(flatten)]
    pub(crate) way: WayArguments,
    /// Another name than the file says
    #[arg(long, value_name = "NAME")]
    pub(crate) name: Option<RunName>,
    /// Events and the outcome as JSON, one a line, instead of the log
    #[arg(long)]
    pub(crate) json: bool,
}

/// The edge that players come in through.
#[derive(Debug, Args)]
#[command(next_help_heading = "Through an edge")]
pub(crate) struct WayArguments {
    /// Where the edge's API is, with its scheme and port; without one, players go to the session's own address, and `idle` does not
    /// count: nobody can tell whether somebody plays
    #[arg(long, requires = "edge_listener", value_name = "URL")]
    pub(crate) edge_url: Option<String>,
    /// Where players come in, such as https://198.51.100.3, or http://198.51.100.3:8080 where there is no TLS: the session is tried there
    /// before it is open
    #[arg(long, requires = "edge_url", value_name = "URL")]
    pub(crate) edge_listener: Option<Listener>,
    /// A file with the token of the edge's delegation; the variable MKYS_EDGE_TOKEN if it is not named
    #[arg(long, requires = "edge_url", value_name = "FILE")]
    pub(crate) edge_token_file: Option<PathBuf>,
    /// A file of certificates to trust beside the system's, of its API and of its listener, as PEM
    #[arg(long, requires = "edge_url", value_name = "FILE")]
    pub(crate) edge_ca: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Kind {
    Computation,
    Session,
}

pub(crate) fn schema(of: Kind) -> Result<ExitCode> {
    let schema = match of {
        Kind::Computation => schemars::schema_for!(Computation),
        Kind::Session => schemars::schema_for!(Session),
    };
    progress::print(&serde_json::to_string_pretty(&schema).context("write a schema")?);
    Ok(ExitCode::SUCCESS)
}

pub(crate) fn completions(shell: clap_complete::Shell) -> Result<ExitCode> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Arguments::command(), "mkys-run", &mut script);
    progress::print(
        String::from_utf8(script)
            .context("write completions")?
            .trim_end(),
    );
    Ok(ExitCode::SUCCESS)
}

//! What runs are on: a container engine, or Kubernetes if that was said.

use std::path::PathBuf;

use anyhow::{Context as _, Result};
use futures_util::stream::BoxStream;
use jiff::SignedDuration;
use mkys_runner::engine::{self, Engine, EngineError, EngineSettings, Furniture};
use mkys_runner::kubernetes::{self, Kubernetes, KubernetesSettings, Place, Reach};
use mkys_runner::{ExecutorError, Listed, LogLine, Owner, Trace};

use crate::arguments::{ClusterArguments, EngineArguments, Executors};

/// An executor, as the owner of runs has it, and with an engine the owner if it was made up.
pub(crate) enum Connected {
    Engine(Box<Engine>, Option<MadeUp>),
    Kubernetes(Box<Kubernetes>),
}

/// An owner who was made up for this command: nobody comes back to it, so nothing of it stays.
pub(crate) struct MadeUp {
    directory: Directory,
    furniture: Furniture,
}

impl MadeUp {
    /// Its runs are over.
    pub(crate) async fn leaves(self) {
        let Self {
            directory,
            furniture,
        } = self;
        furniture.take_away().await;
        drop(directory);
    }
}

struct Directory(PathBuf);

impl Drop for Directory {
    fn drop(&mut self) {
        // what is left of it in a directory of the machine's run time harms nobody
        let _ = std::fs::remove_dir_all(&self.0);
        let _ = std::fs::remove_file(self.0.with_extension("lock"));
    }
}

/// Connects to what was said.
pub(crate) async fn connect(at: &Executors) -> Result<Connected> {
    anyhow::ensure!(
        at.lease >= SignedDuration::from_secs(1),
        "--lease is {:#}: it is a second at least",
        at.lease
    );
    let owner = owner(at)?;
    let Executors {
        engine, cluster, ..
    } = at;
    if !cluster.kubernetes {
        let directory = engine.directory.join(owner.as_str());
        let settings = EngineSettings::builder()
            .owner(owner)
            .init(init(engine)?)
            .maybe_socket(engine.engine.clone())
            .directory(engine.directory.clone())
            .lease(at.lease)
            .maybe_secrets(engine.secrets.clone())
            .build();
        let is_made_up = at.owner.is_none();
        // not made for a named owner, even to be dropped: that takes the directory away
        let directory = is_made_up.then(|| Directory(directory));
        let connected = Engine::connect(settings).await.map_err(with_option)?;
        let made_up = directory.map(|directory| MadeUp {
            directory,
            furniture: connected.furniture(),
        });
        return Ok(Connected::Engine(Box::new(connected), made_up));
    }
    let keeper = cluster.keeper.clone();
    let keeper = keeper.context("name the image of mkys-keeper with --keeper or MKYS_KEEPER")?;
    let settings = KubernetesSettings::builder()
        .owner(owner)
        .keeper(keeper)
        .place(place(cluster))
        .lease(at.lease)
        .edge(cluster.edge.clone())
        .reach(match cluster.node_ports {
            true => Reach::NodePort,
            false => Reach::Pod,
        })
        .build();
    let connected = Kubernetes::connect(settings).await?;
    Ok(Connected::Kubernetes(Box::new(connected)))
}

/// The error with what a person at a terminal sets.
fn with_option(error: EngineError) -> anyhow::Error {
    let option = match &error {
        EngineError::Init { .. } => "name it with --init or MKYS_INIT_PROGRAM",
        EngineError::Unreachable { .. } => "name its socket with --engine or MKYS_ENGINE",
        _ => return error.into(),
    };
    anyhow::anyhow!("{:#}; {option}", anyhow::Error::new(error))
}

fn owner(at: &Executors) -> Result<Owner> {
    if let Some(owner) = &at.owner {
        return Ok(owner.clone());
    }
    let id = uuid::Uuid::new_v4().simple().to_string();
    Ok(format!("cli-{}", &id[..8]).parse()?)
}

/// Where the first process is if nobody says: beside this program, as a package has both.
pub(crate) fn init(arguments: &EngineArguments) -> Result<PathBuf> {
    if let Some(init) = &arguments.init {
        return Ok(init.clone());
    }
    let own = std::env::current_exe().context("find this program")?;
    Ok(own.with_file_name("mkys-init"))
}

fn place(cluster: &ClusterArguments) -> Place {
    Place::builder()
        .maybe_kubeconfig(cluster.kubeconfig.clone())
        .maybe_context(cluster.context.clone())
        .maybe_namespace(cluster.namespace.clone())
        .build()
}

/// An executor, as whoever only looks has it.
pub(crate) enum Inspector {
    Engine(engine::Inspector),
    Kubernetes(Box<kubernetes::Inspector>),
}

impl Inspector {
    /// Connects to what was said.
    pub(crate) async fn connect(at: &Executors) -> Result<Self> {
        if at.cluster.kubernetes {
            let inspector = kubernetes::Inspector::connect(&place(&at.cluster)).await?;
            return Ok(Self::Kubernetes(Box::new(inspector)));
        }
        let inspector = engine::Inspector::connect(at.engine.engine.as_deref()).await?;
        let inspector = inspector.with_directory(at.engine.directory.clone());
        Ok(Self::Engine(inspector))
    }

    pub(crate) async fn runs(&self, owner: Option<&Owner>) -> Result<Vec<Listed>, ExecutorError> {
        match self {
            Self::Engine(inspector) => inspector.runs(owner).await,
            Self::Kubernetes(inspector) => inspector.runs(owner).await,
        }
    }

    pub(crate) async fn traces(&self, owner: Option<&Owner>) -> Result<Vec<Trace>, ExecutorError> {
        match self {
            Self::Engine(inspector) => inspector.traces(owner).await,
            Self::Kubernetes(inspector) => inspector.traces(owner).await,
        }
    }

    pub(crate) fn logs(
        &self,
        run: &Listed,
        follow: bool,
    ) -> BoxStream<'static, Result<LogLine, ExecutorError>> {
        match self {
            Self::Engine(inspector) => inspector.logs(run, None, follow),
            Self::Kubernetes(inspector) => inspector.logs(run, None, follow),
        }
    }

    pub(crate) async fn stop(&self, run: &Listed) -> Result<(), ExecutorError> {
        match self {
            Self::Engine(inspector) => inspector.stop(run).await,
            Self::Kubernetes(inspector) => inspector.stop(run).await,
        }
    }
}

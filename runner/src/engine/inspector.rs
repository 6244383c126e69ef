//! Looks at runs on an engine without being their owner.

use std::path::{Path, PathBuf};

use bollard::query_parameters::{
    KillContainerOptionsBuilder, RemoveContainerOptionsBuilder, StopContainerOptionsBuilder,
};
use futures_util::stream::BoxStream;

use super::client::Client;
use super::pending::{self, Told};
use super::{EngineError, body, dial, engine_name, triage, watch};
use crate::executor::ExecutorError;
use crate::listed::Listed;
use crate::log::{LogLine, LogPlace};
use crate::spec::Owner;
use crate::trace::Trace;

/// What a first process takes for a person's wish, as on a terminal: the engine itself stops containers with SIGTERM.
const CANCELS: &str = "SIGINT";

/// The status of a run whose image is being pulled.
const PULLED: &str = "Pulling";

/// Looks at runs, whoever's they are. It owns none, so it can be there beside their owners.
#[derive(Clone, Debug)]
pub struct Inspector {
    docker: Client,
    socket: Option<PathBuf>,
    directory: Option<PathBuf>,
}

impl Inspector {
    /// Connects to an engine: that of a socket, or the one that is there.
    ///
    /// # Errors
    ///
    /// [`EngineError::Unreachable`] when none answers.
    pub async fn connect(socket: Option<&Path>) -> Result<Self, EngineError> {
        Ok(Self {
            docker: dial(socket).await?,
            socket: socket.map(Path::to_owned),
            directory: None,
        })
    }

    /// Looks in a directory of owners as well ([`EngineSettings::directory`](super::EngineSettings)), for runs whose images are being pulled.
    #[must_use]
    pub fn with_directory(self, directory: PathBuf) -> Self {
        Self {
            directory: Some(directory),
            ..self
        }
    }

    fn error(
        &self,
        action: String,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> ExecutorError {
        ExecutorError {
            executor: engine_name(self.socket.as_deref()),
            action,
            source: source.into(),
        }
    }

    /// The runs of an owner, or of all owners, the oldest first.
    ///
    /// # Errors
    ///
    /// When the engine does not answer.
    pub async fn runs(&self, owner: Option<&Owner>) -> Result<Vec<Listed>, ExecutorError> {
        let listed = watch::listed(&self.docker, owner).await;
        let listed = listed.map_err(|error| self.error("list containers".to_owned(), error))?;
        let mut runs: Vec<Listed> = listed
            .into_iter()
            .filter_map(|container| {
                let status = container.status.clone();
                let found = body::found(container)?;
                Some(Listed {
                    owner: found.owner,
                    plan: found.plan,
                    status,
                })
            })
            .collect();
        let pending = self.directory.as_deref().map(pending::all);
        for Told { owner: of, plan } in pending.into_iter().flatten() {
            let is_there = |run: &Listed| run.owner == of && run.plan.name == plan.name;
            if owner.is_none_or(|owner| *owner == of) && !runs.iter().any(is_there) {
                let status = PULLED.to_owned();
                runs.push(Listed {
                    owner: of,
                    plan,
                    status,
                });
            }
        }
        runs.sort_by_key(|run| run.plan.submitted);
        Ok(runs)
    }

    /// Every container that carries the label of an owner, or of any, whether or not it can be told what it runs. Networks are owners' and
    /// used again, and not among them.
    ///
    /// # Errors
    ///
    /// When the engine does not answer.
    pub async fn traces(&self, owner: Option<&Owner>) -> Result<Vec<Trace>, ExecutorError> {
        let listed = watch::listed(&self.docker, owner).await;
        let listed = listed.map_err(|error| self.error("list containers".to_owned(), error))?;
        let mut traces: Vec<_> = listed.into_iter().map(body::trace).collect();
        traces.sort();
        Ok(traces)
    }

    /// What a run writes, as [`Runner::logs`](crate::Runner::logs) gives it.
    #[must_use]
    pub fn logs(
        &self,
        run: &Listed,
        from: Option<LogPlace>,
        follow: bool,
    ) -> BoxStream<'static, Result<LogLine, ExecutorError>> {
        let container = body::container_name(&run.owner, &run.plan.name);
        let part = watch::Part::After { from, follow };
        let executor = engine_name(self.socket.as_deref());
        watch::logs(&self.docker, executor, container, part)
    }

    /// Cancels a run; its owner says that somebody did. A container that was never started is removed. One that is gone already is no
    /// error.
    ///
    /// # Errors
    ///
    /// When the engine does not answer.
    pub async fn stop(&self, run: &Listed) -> Result<(), ExecutorError> {
        if let Some(directory) = &self.directory
            && pending::cancel(directory, &run.owner, &run.plan.name)
        {
            return Ok(());
        }
        let container = body::container_name(&run.owner, &run.plan.name);
        let absent = |error: &bollard::errors::Error| {
            triage::is_absent(error) || triage::status(error) == Some(304)
        };
        let interrupt = KillContainerOptionsBuilder::new().signal(CANCELS).build();
        match self
            .docker
            .kill_container(&container, Some(interrupt))
            .await
        {
            Ok(()) => {}
            Err(error) if absent(&error) => return Ok(()),
            // it does not run: it was never started, or is just about to go
            Err(error) if triage::status(&error).is_some() => {
                let options = RemoveContainerOptionsBuilder::new().force(true).v(true);
                let removed = self
                    .docker
                    .remove_container(&container, Some(options.build()));
                return match removed.await {
                    Err(error) if !absent(&error) && triage::status(&error) != Some(409) => {
                        Err(self.error(format!("remove {container}"), error))
                    }
                    _ => Ok(()),
                };
            }
            Err(error) => return Err(self.error(format!("stop {container}"), error)),
        }
        // its first process ends within its grace period, and the engine kills one that is stuck
        let grace = i32::try_from(run.plan.grace.as_secs()).unwrap_or(i32::MAX);
        let options = StopContainerOptionsBuilder::new()
            .t(grace.saturating_add(5))
            .build();
        match self.docker.stop_container(&container, Some(options)).await {
            Ok(()) => Ok(()),
            Err(error) if absent(&error) => Ok(()),
            Err(error) => Err(self.error(format!("stop {container}"), error)),
        }
    }
}

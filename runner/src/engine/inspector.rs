//! Looks at runs on an engine without being their owner.

use std::path::{Path, PathBuf};

use bollard::Docker;
use bollard::query_parameters::StopContainerOptionsBuilder;
use futures_util::stream::BoxStream;

use super::{EngineError, body, dial, engine_name, triage, watch};
use crate::executor::ExecutorError;
use crate::listed::Listed;
use crate::log::{LogLine, LogPlace};
use crate::spec::Owner;
use crate::trace::Trace;

/// Looks at runs, whoever's they are. It owns none, so it can be there beside their owners.
#[derive(Clone, Debug)]
pub struct Inspector {
    docker: Docker,
    socket: Option<PathBuf>,
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
        })
    }

    fn error(&self, action: String, source: bollard::errors::Error) -> ExecutorError {
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
                let status = container.status.clone().unwrap_or_default();
                let found = body::found(container)?;
                Some(Listed {
                    owner: found.owner,
                    plan: found.plan,
                    status,
                })
            })
            .collect();
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
        watch::logs(
            &self.docker,
            engine_name(self.socket.as_deref()),
            container,
            from,
            follow,
        )
    }

    /// Stops a run's container, as an operator would; its owner says that somebody did. One that is gone already is no error.
    ///
    /// # Errors
    ///
    /// When the engine does not answer.
    pub async fn stop(&self, run: &Listed) -> Result<(), ExecutorError> {
        let container = body::container_name(&run.owner, &run.plan.name);
        let grace = i32::try_from(run.plan.grace.as_secs()).unwrap_or(i32::MAX);
        let options = StopContainerOptionsBuilder::new()
            .t(grace.saturating_add(5))
            .build();
        match self.docker.stop_container(&container, Some(options)).await {
            Ok(()) => Ok(()),
            Err(error) if triage::is_absent(&error) || triage::status(&error) == Some(304) => {
                Ok(())
            }
            Err(error) => Err(self.error(format!("stop {container}"), error)),
        }
    }
}

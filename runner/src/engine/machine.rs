//! What the engine's machine has. An engine starts a container whose limits are beyond that, and the run never gets what it asked for.

use bollard::models::SystemInfo;

use super::client::Client;
use super::failure;
use crate::spec::Resources;
use crate::verdict::{Cause, Failure};

const MIB: i64 = 1024 * 1024;

/// A machine, as its engine tells of it; what an engine does not tell has no limit here.
#[derive(Clone, Copy, Debug)]
pub(super) struct Machine {
    processors: Option<i64>,
    memory_mib: Option<i64>,
    /// Whether its engine is Podman, which has habits of its own.
    pub(super) is_podman: bool,
}

impl Machine {
    pub(super) async fn of(docker: &Client) -> Result<Self, bollard::errors::Error> {
        let SystemInfo {
            ncpu, mem_total, ..
        } = docker.info().await?;
        let components = docker.version().await?.components.unwrap_or_default();
        let is_podman = components.iter().any(|one| one.name.contains("Podman"));
        Ok(Self {
            is_podman,
            processors: ncpu,
            memory_mib: mem_total.map(|bytes| bytes / MIB),
        })
    }

    /// Whether a run can have what it asks for, were it alone here.
    pub(super) fn has(&self, resources: &Resources) -> Result<(), Failure> {
        let Resources {
            cpu_millis,
            memory_mib,
            gpu,
            files_mib: _,
            processes: _,
        } = resources;
        let refused = |words: String| Err(failure(Cause::Unschedulable, words));
        if let Some(gpu) = gpu {
            return refused(format!("this executor has no {}", gpu.resource));
        }
        let wanted = i64::from(*cpu_millis);
        if let Some(processors) = self.processors.filter(|has| wanted > has * 1_000) {
            return refused(format!(
                "{wanted} thousandths of a processor are asked for, and the engine's machine has {processors} processors"
            ));
        }
        let wanted = i64::from(*memory_mib);
        if let Some(has) = self.memory_mib.filter(|has| wanted > *has) {
            return refused(format!(
                "{wanted} MiB of memory are asked for, and the engine's machine has {has} MiB"
            ));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_machine_has_is_had_and_not_one_more() {
        let small = Machine {
            is_podman: true,
            processors: Some(2),
            memory_mib: Some(1_024),
        };
        let silent = Machine {
            is_podman: false,
            processors: None,
            memory_mib: None,
        };
        let wanted = |cpu, memory| {
            let resources = Resources::builder().cpu_millis(cpu).memory_mib(memory);
            resources.build()
        };
        let words = |cpu, memory| small.has(&wanted(cpu, memory)).map_err(|no| no.words);
        assert_eq!(words(2_000, 1_024), Ok(()));
        let said = words(2_001, 1_024).unwrap_err();
        assert!(
            said.contains("2001 thousandths") && said.contains("2 processors"),
            "{said}"
        );
        let said = words(2_000, 1_025).unwrap_err();
        assert!(
            said.contains("1025 MiB") && said.contains("1024 MiB"),
            "{said}"
        );
        assert!(silent.has(&wanted(u32::MAX, u32::MAX)).is_ok());
    }
}

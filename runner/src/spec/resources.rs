//! What a run may take of the machine it runs on.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::SpecError;

/// What a run may take. It gets this much and no more; more memory than this ends it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema, bon::Builder)]
#[serde(deny_unknown_fields, default)]
pub struct Resources {
    /// Thousandths of a processor, 10 at least; 1000 by default.
    #[builder(default = DEFAULT.cpu_millis)]
    pub cpu_millis: u32,
    /// Memory in MiB, with the files that the run has (inputs, results, `/tmp`) where these are held in memory; 512 by default.
    #[builder(default = DEFAULT.memory_mib)]
    pub memory_mib: u32,
    /// The most that inputs, results and `/tmp` may have, in MiB each; 64 by default.
    #[builder(default = DEFAULT.files_mib)]
    pub files_mib: u32,
    /// Processes and threads; 256 by default.
    #[builder(default = DEFAULT.processes)]
    pub processes: u32,
    /// Graphics processors, none by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gpu: Option<Gpu>,
}

/// Graphics processors that a run has for itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema, bon::Builder)]
#[serde(deny_unknown_fields)]
pub struct Gpu {
    /// How many.
    #[serde(default = "one")]
    #[builder(default = one())]
    pub count: u32,
    /// The kind, by the name of Kubernetes' extended resource; `nvidia.com/gpu` by default.
    #[serde(default = "nvidia")]
    #[builder(default = nvidia(), into)]
    pub resource: String,
}

fn one() -> u32 {
    1
}

fn nvidia() -> String {
    "nvidia.com/gpu".to_owned()
}

const DEFAULT: Resources = Resources {
    cpu_millis: 1_000,
    memory_mib: 512,
    files_mib: 64,
    processes: 256,
    gpu: None,
};

/// Less than this, and not even a container's first process starts.
const LEAST_MEMORY_MIB: u32 = 16;
const LEAST_PROCESSES: u32 = 8;
/// The least that the kernel shares out: a thousandth of a second in each tenth.
const LEAST_CPU_MILLIS: u32 = 10;
/// The most processes that Linux has numbers for (`PID_MAX_LIMIT`: proc_sys_kernel(5)), but for the first process and its threads.
const MOST_PROCESSES: u32 = 4_194_000;

impl Default for Resources {
    fn default() -> Self {
        DEFAULT
    }
}

impl Resources {
    pub(super) fn check(&self) -> Result<(), SpecError> {
        let Self {
            cpu_millis,
            memory_mib,
            files_mib,
            processes,
            gpu,
        } = self;
        let least = [
            ("resources.cpu_millis", *cpu_millis, LEAST_CPU_MILLIS),
            ("resources.memory_mib", *memory_mib, LEAST_MEMORY_MIB),
            ("resources.files_mib", *files_mib, 1),
            ("resources.processes", *processes, LEAST_PROCESSES),
            (
                "resources.gpu.count",
                gpu.as_ref().map_or(1, |gpu| gpu.count),
                1,
            ),
        ];
        for (field, value, least) in least {
            if value < least {
                return Err(SpecError::new(
                    field,
                    format!("{value} is less than the least, {least}"),
                ));
            }
        }
        if *processes > MOST_PROCESSES {
            let reason = format!("{processes} is more than the most, {MOST_PROCESSES}");
            return Err(SpecError::new("resources.processes", reason));
        }
        let Some(gpu) = gpu else {
            return Ok(());
        };
        let named = |c: char| c.is_ascii_alphanumeric() || "./-_".contains(c);
        if !gpu.resource.contains('/') || !gpu.resource.chars().all(named) {
            let reason = format!(
                "{:?} is no extended resource, such as nvidia.com/gpu",
                gpu.resource
            );
            return Err(SpecError::new("resources.gpu.resource", reason));
        }
        Ok(())
    }
}

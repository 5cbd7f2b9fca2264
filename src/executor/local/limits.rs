//! What a task may use, read off the object.

use serde::{Deserialize, Serialize};

use crate::app::{ByteSize, Cpu};
use crate::executor::pipeline_run::PipelineRun;

/// Limits that this machine may be able to keep.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Limits {
    /// Bytes of memory.
    pub(super) memory: Option<u64>,
    /// Thousandths of a core.
    pub(super) cpu: Option<u32>,
}

impl Limits {
    /// The limits on the step of `run`.
    ///
    /// # Errors
    /// The quantity that does not read.
    pub(super) fn of(run: &PipelineRun) -> Result<Self, String> {
        let steps = run.spec.pipeline_spec.tasks.iter().flat_map(|task| &task.task_spec.steps);
        let limits = steps.filter_map(|step| step.compute_resources.as_ref()?.limits.as_ref()).next();
        let Some(limits) = limits else { return Ok(Self::default()) };
        let memory = limits.get("memory").map(|quantity| bytes(&quantity.0)).transpose()?;
        let cpu = limits.get("cpu").map(|quantity| quantity.0.parse::<Cpu>());
        let cpu = cpu.transpose().map_err(|error| error.to_string())?;
        Ok(Self { memory, cpu: cpu.map(Cpu::millicores) })
    }
}

/// In an object a bare number is bytes, which nobody may write in a config.
fn bytes(quantity: &str) -> Result<u64, String> {
    match quantity.parse::<u64>() {
        Ok(bytes) => Ok(bytes),
        Err(_) => quantity.parse::<ByteSize>().map(ByteSize::bytes).map_err(|error| error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_amount_reads_with_and_without_a_unit() {
        assert_eq!(bytes("64Mi"), Ok(64 << 20));
        assert_eq!(bytes("67108865"), Ok((64 << 20) + 1));
        assert!(bytes("lots").is_err());
    }
}

//! A batch on its way into a step's inputs, and out of its outputs.

use super::{BatchStep, TrainError};
use crate::base::step_output::StepOutput;
use crate::data::Batch;
use crate::runtime::program::RunMemory;

/// A batch that has been evaluated.
pub struct EvaluatedBatch<'a> {
    pub(super) step: &'a BatchStep,
    pub(super) memory: &'a RunMemory,
    /// The indices of its samples in their split.
    pub samples: &'a [u32],
}

impl EvaluatedBatch<'_> {
    /// The elements of an output of the model, sample after sample.
    pub fn output(&self, of: &StepOutput) -> &[f32] {
        output(self.step, self.memory, of)
    }
}

/// Copies a batch into a step's inputs.
pub(super) fn fill(
    step: &BatchStep,
    batch: &Batch<'_>,
    memory: &mut RunMemory,
) -> Result<(), TrainError> {
    for (index, input) in step.inputs.iter().enumerate() {
        if let Some(buffer) = input.buffer {
            let room = step.program.bytes_mut(memory, buffer);
            batch.copy(index, room).map_err(TrainError::Data)?;
        }
    }
    Ok(())
}

/// The value of an output that every step has.
pub(super) fn output<'m>(
    step: &BatchStep,
    memory: &'m RunMemory,
    output: &StepOutput,
) -> &'m [f32] {
    step.program.f32s(memory, output)
}

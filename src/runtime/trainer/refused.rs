//! A step of training that wrote nothing because its numbers were not finite, with all that it was
//! given, so that other code can make it again.
//!
//! Borrows from the trainer behind that step. Nothing is run here.

use super::{BatchStep, NotFinite, StepInput, Trainer};
use crate::graph::rule::{LR_SCALE, NORM_SCALE, SHARE_HYPER};
use crate::loops::BufferId;
use crate::runtime::program::RunMemory;

/// A step of training whose numbers were not finite, with all that it was given.
pub struct RejectedStep<'a> {
    inputs: &'a [StepInput],
    memory: &'a RunMemory,
    step: &'a BatchStep,
    /// The samples' indices in the training split.
    pub samples: Vec<u32>,
    /// Their bucket; 0 where there are none.
    pub bucket: usize,
    /// The update's number, from 1.
    pub number: u64,
    /// Seed of its random operators, beside that.
    pub seed: u64,
    /// The number that was not finite.
    pub what: NotFinite,
    /// The hyper-parameters that a run sets, by their names.
    pub hypers: [(&'static str, f64); 3],
}

impl RejectedStep<'_> {
    /// Sets those hyper-parameters of a program, whose names and values as written these are.
    pub fn set_hypers(&self, declared: &[(String, f64)], values: &mut [f64]) {
        for (value, (name, _)) in values.iter_mut().zip(declared) {
            if let Some((_, set)) = self.hypers.iter().find(|(known, _)| known == name) {
                *value = *set;
            }
        }
    }

    /// The bytes of its inputs, by their names.
    pub fn inputs(&self) -> impl Iterator<Item = (&str, &[u8])> {
        let bytes = |buffer: BufferId| self.step.program.bytes(self.memory, buffer);
        let inputs = self.inputs.iter();
        inputs.filter_map(move |input| Some((input.name.as_str(), bytes(input.buffer?))))
    }
}

impl Trainer<'_> {
    /// The step of training that was made last, to be made again by other code: it was not finite,
    /// and so has changed nothing.
    pub fn refused(&self) -> RejectedStep<'_> {
        let step = self.made.unwrap_or(&self.steps.train);
        RejectedStep {
            inputs: &step.inputs,
            memory: &self.memory,
            step,
            samples: self.samples.clone(),
            bucket: self.bucket,
            what: self.refused.unwrap_or(NotFinite::Loss),
            number: self.last_args.number,
            seed: self.last_args.seed,
            hypers: [
                (LR_SCALE, self.state.control.lr_scale),
                (SHARE_HYPER, self.last_args.share * step.batch as f64),
                (NORM_SCALE, self.guard.scale),
            ],
        }
    }
}

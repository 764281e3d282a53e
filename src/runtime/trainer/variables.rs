//! The parameters and states of a run, by path: written, read, as bytes.
//!
//! All steps share one memory, in which each has its place if some step reads or writes it: a state
//! that only evaluation reads has none in the step of training. What no step knows is kept aside, so
//! that a checkpoint has it all the same.

use super::{Steps, Trainer};
use crate::base::tensor::Tensor;
use crate::runtime::program::CompiledProgram;
use std::borrow::Cow;

/// A step's program that knows a parameter or state.
fn knowing<'s>(steps: &'s Steps, name: &str) -> Option<&'s CompiledProgram> {
    let mut programs = steps.all().map(|step| &step.program);
    programs.find(|program| program.buffer(name).is_some())
}

impl Trainer<'_> {
    /// Puts values of parameters and states in their places.
    pub fn write(&mut self, values: &[(String, Tensor)]) {
        for (name, value) in values {
            match knowing(self.steps, name) {
                Some(program) => program.write(&mut self.memory, name, value),
                None => {
                    self.idle.retain(|(known, _)| known != name);
                    self.idle.push((name.clone(), value.clone()));
                }
            }
        }
        self.steps.train.program.refresh(&mut self.memory, self.pool);
        self.guard.forget();
    }

    fn aside(&self, name: &str) -> &Tensor {
        let found = self.idle.iter().find(|(known, _)| known == name);
        &found.unwrap_or_else(|| panic!("the run has a parameter or state `{name}`")).1
    }

    /// A parameter or state as it is, as one axis.
    pub fn read(&self, name: &str) -> Tensor {
        match knowing(self.steps, name) {
            Some(program) => program.read(&self.memory, name),
            None => Tensor::new([self.aside(name).len()], self.aside(name).data.clone()),
        }
    }

    /// The tensor that evaluation reads in place of a parameter or state: its running mean where
    /// there is one.
    pub fn average_of<'n>(&'n self, name: &'n str) -> &'n str {
        let average = self.setup.averages.iter().find(|average| average.of == name);
        average.map_or(name, |average| &average.mean)
    }

    /// The bytes of a parameter or state as it is.
    pub fn bytes(&self, name: &str) -> Cow<'_, [u8]> {
        match knowing(self.steps, name) {
            Some(program) => Cow::Borrowed(program.bytes(&self.memory, name)),
            None => Cow::Owned(self.aside(name).to_bytes()),
        }
    }
}

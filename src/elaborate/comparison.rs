//! Which output of a model is compared with which input of the step, and by which loss: what the task of
//! an output follows from.

use crate::base::step_output::StepOutput;

/// An output and the target that a loss compares it with.
#[derive(Clone, Debug, PartialEq)]
pub struct Comparison {
    /// The output's name; `output` where the model gives one tensor.
    pub output: Option<String>,
    /// The name of the step's input that is the target.
    pub target: Option<String>,
    /// How a step makes the target's numbers of the bytes of an image, where it is one and all channels
    /// are alike: a factor and a summand.
    pub prepared: Option<(f64, f64)>,
    /// The loss of this comparison, among the outputs of the step.
    pub loss: StepOutput,
    /// The label that the loss leaves out, if there is one.
    pub ignore: Option<i64>,
}

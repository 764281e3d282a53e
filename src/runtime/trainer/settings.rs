//! How a run trains.

use super::control::Rules;
use super::steps::Schedules;

/// What to do with a batch whose loss or gradient is not finite. The parameters stay as they were
/// before it in any case.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnNan {
    /// The run ends.
    #[default]
    Stop,
    /// It goes on with the next batch.
    Skip,
    /// It goes on with half the learning rate.
    HalveLr,
}

/// How to train.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Settings {
    /// Passes over the training data.
    pub epochs: usize,
    /// What initial values, shuffling and random operators are drawn from.
    pub seed: u64,
    /// Whether each epoch has an order of its own.
    pub shuffle: bool,
    /// Samples a step of evaluation.
    pub evaluation_batch: usize,
    /// What changes from step to step.
    pub schedules: Schedules,
    /// Batches an update.
    pub accumulate: usize,
    /// What to do where numbers are not finite.
    pub on_nan: OnNan,
    /// What epochs' scores decide.
    pub rules: Rules,
    /// The running means that evaluation takes in place of parameters and layer states.
    pub averages: Vec<Average>,
    /// The states that hold the sums of gradients of an update in progress.
    pub gathered: Vec<String>,
}

/// A parameter or state, and the state that holds its running mean.
#[derive(Clone, Debug, PartialEq)]
pub struct Average {
    /// The path of what is averaged.
    pub of: String,
    /// The path of its mean.
    pub mean: String,
}

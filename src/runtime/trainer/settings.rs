//! How a run trains.

use super::control::Rules;
use super::steps::Schedules;

/// The answer to a batch whose loss or gradient is not finite. The parameters stay as they were
/// before it in any case.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum NonFinitePolicy {
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
pub struct TrainerSettings {
    /// Passes over the training data.
    pub epochs: usize,
    /// Seed of initial values, shuffling and random operators.
    pub seed: u64,
    /// Whether each epoch has an order of its own.
    pub shuffle: bool,
    /// Samples a step of evaluation.
    pub evaluation_batch: usize,
    /// Hyper-parameters that change from step to step.
    pub schedules: Schedules,
    /// Batches an update.
    pub accumulate: usize,
    /// The answer to numbers that are not finite.
    pub on_nan: NonFinitePolicy,
    /// The rules that look at scores after each epoch.
    pub rules: Rules,
    /// The running means that evaluation takes in place of parameters and layer states.
    pub averages: Vec<Average>,
    /// The states that hold the sums of gradients of an update in progress.
    pub accumulated: Vec<String>,
}

/// A parameter or state, and the state that holds its running mean.
#[derive(Clone, Debug, PartialEq)]
pub struct Average {
    /// The path of what is averaged.
    pub of: String,
    /// The path of its mean.
    pub mean: String,
}

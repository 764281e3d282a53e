//! All that a trainer goes by: the settings of the run, and what follows from the data and the steps.

use super::steps::Schedules;
use crate::base::settings::{Monitor, Settings};

/// How to train.
#[derive(Clone, Debug, PartialEq)]
pub struct Setup {
    /// The settings of the `train` block.
    pub settings: Settings,
    /// The number that tells the best epoch.
    pub best: Monitor,
    /// Samples a step of evaluation.
    pub evaluation_batch: usize,
    /// Hyper-parameters that change from step to step.
    pub schedules: Schedules,
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

impl Setup {
    /// Evaluation alone, of so many samples a step.
    pub fn evaluation(batch: usize) -> Setup {
        let settings = Settings::default();
        Setup {
            best: settings.best(false),
            settings,
            evaluation_batch: batch,
            schedules: Schedules::default(),
            averages: Vec::new(),
            accumulated: Vec::new(),
        }
    }
}

//! Where a run is: beside parameters and states of layers and optimiser, all that what follows
//! depends on. Data order and random operators are functions of the seed and these numbers.

use super::control::Control;
use super::{EpochRecord, ScoreSums, exact};
use serde::{Deserialize, Serialize};

/// Where a run is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TrainState {
    /// Epochs that are over.
    pub epoch: usize,
    /// Batches of the next one that are done.
    pub batch: usize,
    /// Updates of the parameters made: what schedules and the optimiser's rule count, and what
    /// random operators are drawn from.
    pub updates: u64,
    /// Batches whose loss or gradient was not finite.
    pub skipped: u64,
    /// Those in a row, up to now.
    pub skipped_in_a_row: u64,
    /// Whether the run stopped before its epochs were made because nothing got better.
    pub stopped_early: bool,
    /// The epoch in progress.
    pub open: OpenEpoch,
    /// The state of the rules that look at scores.
    pub control: Control,
    /// The epochs that are over.
    pub history: Vec<EpochRecord>,
}

/// Sums of the epoch in progress.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct OpenEpoch {
    /// Loss and metrics.
    pub tally: ScoreSums,
    /// Norms of the gradient, one an update.
    #[serde(with = "exact")]
    pub grad_norm: f64,
    /// How many norms.
    pub norms: usize,
    /// Seconds of training.
    pub seconds: f64,
    /// Seconds of those spent waiting for samples.
    pub data_seconds: f64,
}

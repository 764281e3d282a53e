//! Events of a run, the callback that gets them, and how a run ends.

use super::control::Decision;
use super::{EpochRecord, Trainer};
use crate::data::FeedError;
use crate::runtime::pool::ThreadChange;

/// An event of a run, as callbacks get it.
pub enum Event<'a> {
    /// An epoch begins, or goes on.
    EpochStarted {
        /// Its number, from 1.
        epoch: usize,
        /// How many there will be.
        epochs: usize,
        /// How many steps it has.
        steps: usize,
    },
    /// Some steps were made.
    Stepped {
        /// How many of this epoch.
        step: usize,
        /// The loss of the last one's batch.
        loss: f32,
    },
    /// A batch was left out: numbers of its step were not finite.
    Skipped {
        /// Which.
        what: NotFinite,
        /// The epoch, from 1.
        epoch: usize,
        /// The batch of the epoch, from 1.
        step: usize,
        /// Its loss.
        loss: f32,
        /// The part of the learning rate that is left.
        lr_scale: f64,
    },
    /// The learning rate is halved from the next step on, because a callback wants it.
    RateHalved {
        /// The epoch, from 1.
        epoch: usize,
        /// The step of the epoch after which, from 1.
        step: usize,
        /// The part of the learning rate that is left.
        lr_scale: f64,
    },
    /// Steps take fewer threads for now, since that is faster; sent once.
    ThreadsChanged(ThreadChange),
    /// Something that is worth a line.
    Notice(&'a str),
    /// An epoch has ended, validation included.
    EpochEnded {
        /// Scores and times of the epoch.
        record: &'a EpochRecord,
        /// How many there will be.
        epochs: usize,
        /// The decisions that follow from it.
        decision: Decision,
    },
}

/// Who follows a run.
pub trait Callback {
    /// Told what happens, in order.
    fn on_event(&mut self, event: Event<'_>);

    /// Shown the run after each step, and after each epoch with what was decided: the time to keep
    /// what is there.
    fn on_step_end(&mut self, _trainer: &Trainer<'_>, _epoch_over: Option<Decision>) {}

    /// Whether the learning rate is to be halved from the next step on; asked once after each step.
    fn halves_rate(&mut self) -> bool {
        false
    }

    /// Whether the run is to be kept as it is though no checkpoint is due; asked once after each step.
    fn wants_checkpoint(&mut self) -> bool {
        false
    }
}

/// How training ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TrainingOutcome {
    /// All epochs were made.
    Finished,
    /// Nothing got better for as long as the run was to wait.
    StoppedEarly,
    /// It was asked to stop, and did after a whole step.
    Stopped,
}

/// The number that was not finite in a step of training, which then writes nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotFinite {
    /// The loss.
    Loss,
    /// The gradient of a parameter.
    Gradient,
    /// The new state of a layer.
    State,
    /// A new parameter or a new state of the optimiser.
    Update,
}

impl NotFinite {
    /// It in a few words, of a step with this loss: `the loss (NaN)`.
    pub fn words(self, loss: f32) -> String {
        match self {
            NotFinite::Loss => format!("the loss ({loss})"),
            NotFinite::Gradient => "the gradient".into(),
            NotFinite::State => "what a layer writes to its state".into(),
            NotFinite::Update => "what the optimizer writes".into(),
        }
    }
}

/// Reasons for which a run ends early.
#[derive(Clone, Debug, PartialEq)]
pub enum TrainError {
    /// Numbers of a step are infinite or not numbers; parameters and states are as before it.
    NotFinite {
        /// Which.
        what: NotFinite,
        /// The epoch, from 1.
        epoch: usize,
        /// The step of the epoch, from 1.
        step: usize,
        /// The loss.
        loss: f32,
        /// How many batches in a row were like that.
        in_a_row: u64,
    },
    /// A label or index is outside its range.
    BadIndex {
        /// Which of the program's indexed operators.
        site: u32,
        /// The split.
        split: &'static str,
        /// The sample's number in the data that the split was taken from, from 0.
        sample: usize,
    },
    /// A split has too few samples for what was asked.
    NoSamples(&'static str),
    /// A sample cannot be read or prepared.
    Data(FeedError),
}

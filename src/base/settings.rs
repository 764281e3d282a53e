//! The settings of a training run, as plain data: the language reads them, the trainer goes by them.
//!
//! ```text
//! train net on photos {
//!     epochs = 20             Settings { epochs: 20, ema: Some(0.999), …
//!     ema = 0.999                        places: { "epochs": 3:5, "ema": 4:5 } }
//! }
//! ```

use crate::base::fix::Edit;
use crate::base::schema::Schema;
use crate::base::source::Span;
use std::collections::BTreeMap;

/// The settings of a run.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// How often the data are gone through.
    pub epochs: usize,
    /// Samples a step.
    pub batch: usize,
    /// Seed of every random number of the run.
    pub seed: u64,
    /// Whether the samples of an epoch are shuffled.
    pub shuffle: bool,
    /// Whether the samples that are left at an epoch's end make a smaller batch.
    pub last_batch: LastBatch,
    /// When to stop before the epochs are made.
    pub early_stop: Option<EarlyStop>,
    /// When to lower the learning rate.
    pub reduce_on_plateau: Option<ReduceOnPlateau>,
    /// When the run is kept.
    pub checkpoint: Checkpoints,
    /// Batches an update.
    pub accumulate: usize,
    /// The decay of running means of the parameters, which evaluation takes in their place.
    pub ema: Option<f64>,
    /// Patterns of the paths of parameters that are not trained, with their places.
    pub freeze: Vec<(String, Span)>,
    /// Where parameters begin.
    pub init_from: Option<InitFrom>,
    /// Parts of a cross-validation.
    pub folds: Option<usize>,
    /// Weights of classes in the loss of training.
    pub class_weights: Option<ClassWeights>,
    /// The answer to a batch whose loss or gradient is not finite. The parameters stay as they were
    /// before it in any case.
    pub on_nan: OnNan,
    /// Where each setting that is written is, by its key.
    pub places: BTreeMap<String, Span>,
}

/// Treatment of the last, smaller batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LastBatch {
    /// It is a step of its own.
    Keep,
    /// It is left out.
    Drop,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            epochs: 1,
            batch: 32,
            seed: 0,
            shuffle: true,
            last_batch: LastBatch::Keep,
            early_stop: None,
            reduce_on_plateau: None,
            checkpoint: Checkpoints::default(),
            accumulate: 1,
            ema: None,
            freeze: Vec::new(),
            init_from: None,
            folds: None,
            class_weights: None,
            on_nan: OnNan::Stop,
            places: BTreeMap::new(),
        }
    }
}

/// Steps of an epoch where nobody knows how many samples there are.
const UNKNOWN_EPOCH: u64 = 1000;

impl Settings {
    /// How many updates a run makes on so many training samples of each bucket.
    pub fn steps(&self, samples: &[usize]) -> u64 {
        let batches = |samples: &usize| match self.last_batch {
            LastBatch::Keep => samples.div_ceil(self.batch),
            LastBatch::Drop => samples / self.batch,
        };
        let batches: usize = samples.iter().map(batches).sum();
        let an_epoch = batches.div_ceil(self.accumulate);
        (an_epoch as u64).saturating_mul(self.epochs as u64)
    }

    /// The same, as far as the data are known.
    pub fn planned_steps(&self, data: Option<&Schema>) -> f64 {
        let steps = match data.and_then(Schema::train_counts) {
            Some(samples) => self.steps(&samples),
            None => UNKNOWN_EPOCH.saturating_mul(self.epochs as u64),
        };
        steps as f64
    }
}

/// A number of each epoch.
#[derive(Clone, Debug, PartialEq)]
pub struct Monitor {
    /// Its name: `loss`, `val_loss`, `accuracy`, `val_accuracy`.
    pub name: String,
    /// Whether more is better.
    pub higher: bool,
}

/// A number of each epoch that a setting watches.
#[derive(Clone, Debug, PartialEq)]
pub struct Watched {
    /// The number.
    pub monitor: Monitor,
    /// The place of its name.
    pub span: Span,
}

/// When to stop before the epochs are made.
#[derive(Clone, Debug, PartialEq)]
pub struct EarlyStop {
    /// The number that is watched.
    pub watched: Watched,
    /// Epochs in a row without a better value.
    pub epochs: usize,
    /// The least difference that counts as better.
    pub min_delta: f64,
    /// Whether the parameters of the best epoch are put back.
    pub restore: bool,
}

/// When to lower the learning rate.
#[derive(Clone, Debug, PartialEq)]
pub struct ReduceOnPlateau {
    /// The score to compare.
    pub watched: Watched,
    /// Epochs in a row without a better value.
    pub epochs: usize,
    /// Factor of the learning rate at each reduction, in 0..1.
    pub factor: f64,
    /// The least difference that counts as better.
    pub min_delta: f64,
    /// Epochs after a lowering that do not count.
    pub cooldown: usize,
    /// The least part of the written rate that is left.
    pub floor: f64,
}

/// When a run is kept so that it can be taken up again.
#[derive(Clone, Debug, PartialEq)]
pub struct Checkpoints {
    /// Epochs from one to the next; 0 for none but the last.
    pub epochs: usize,
    /// Steps from one to the next within epochs; 0 for none.
    pub steps: usize,
    /// How many stay, beside the best.
    pub keep: usize,
    /// The score by which the best epoch is chosen; the validation loss, or else the loss.
    pub best: Option<Watched>,
}

impl Default for Checkpoints {
    fn default() -> Self {
        Checkpoints { epochs: 1, steps: 0, keep: 2, best: None }
    }
}

/// Where parameters begin.
#[derive(Clone, Debug, PartialEq)]
pub struct InitFrom {
    /// The file, relative to the program's.
    pub file: String,
    /// Patterns of names in the file, and the paths that they become; `*` stands for the same text
    /// in both.
    pub rename: Vec<(String, String)>,
    /// Whether the file has PyTorch's layouts, which are transposed.
    pub pytorch: bool,
    /// Whether parameters that the file does not have begin as if there were none.
    pub partial: bool,
    /// Patterns of paths that begin so whatever the file has.
    pub except: Vec<String>,
    /// Patterns of names in the file that are as if they were not there.
    pub ignore: Vec<String>,
    /// Its place.
    pub span: Span,
    /// Where the file is named in a call of `weights`.
    pub file_span: Option<Span>,
    /// Where lists of its arguments are.
    pub lists: Vec<(InitArgument, Span)>,
}

/// An argument of `weights` that is a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InitArgument {
    /// `rename:`
    Rename,
    /// `except:`
    Except,
    /// `ignore:`
    Ignore,
}

impl InitFrom {
    /// The file alone, as it is.
    pub fn file(file: String, span: Span) -> InitFrom {
        InitFrom {
            file,
            rename: Vec::new(),
            pytorch: false,
            partial: false,
            except: Vec::new(),
            ignore: Vec::new(),
            span,
            file_span: None,
            lists: Vec::new(),
        }
    }

    /// The edit that adds items to an argument; none where the argument is no list.
    pub fn with(&self, argument: InitArgument, items: &str) -> Option<Edit> {
        let (name, is_given) = match argument {
            InitArgument::Rename => ("rename", !self.rename.is_empty()),
            InitArgument::Except => ("except", !self.except.is_empty()),
            InitArgument::Ignore => ("ignore", !self.ignore.is_empty()),
        };
        let at = |span: Span, place: u32| Span { start: place, end: place, ..span };
        let list = self.lists.iter().find(|(known, _)| *known == argument);
        match (list, self.file_span) {
            // Behind the bracket that opens it.
            (Some((_, list)), _) => {
                Some(Edit { span: at(*list, list.start + 1), text: format!("{items}, ") })
            }
            _ if is_given => None,
            (None, Some(file)) => {
                Some(Edit { span: at(file, file.end), text: format!(", {name}: [{items}]") })
            }
            (None, None) => {
                let text = format!("weights({:?}, {name}: [{items}])", self.file);
                Some(Edit { span: self.span, text })
            }
        }
    }
}

/// Weights of classes in the loss of training.
#[derive(Clone, Debug, PartialEq)]
pub enum ClassWeights {
    /// As many samples as there would be of each if all were alike, over those there are.
    Balanced,
    /// As written, by class.
    Given(Vec<f64>),
}

/// The answer to a batch whose loss or gradient is not finite.
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

impl Settings {
    /// The numbers of epochs that some setting watches, with the setting's key.
    pub fn watched(&self) -> impl Iterator<Item = (&'static str, &Watched)> {
        let stop = self.early_stop.iter().map(|it| ("early_stop", &it.watched));
        let plateau = self.reduce_on_plateau.iter().map(|it| ("reduce_on_plateau", &it.watched));
        let best = self.checkpoint.best.iter().map(|it| ("checkpoint", it));
        stop.chain(plateau).chain(best)
    }

    /// Says of each watched number, by its name, whether more is better.
    pub fn set_directions(&mut self, is_higher_better: impl Fn(&str) -> bool) {
        let stop = self.early_stop.iter_mut().map(|it| &mut it.watched);
        let plateau = self.reduce_on_plateau.iter_mut().map(|it| &mut it.watched);
        for Watched { monitor, .. } in stop.chain(plateau).chain(&mut self.checkpoint.best) {
            monitor.higher = is_higher_better(&monitor.name);
        }
    }

    /// The number that tells the best epoch: what `checkpoint` says, else what the run waits for to get better,
    /// else the loss, of validation where there is any.
    pub fn best(&self, has_validation: bool) -> Monitor {
        let stop = self.early_stop.as_ref().map(|stop| &stop.watched);
        let loss = if has_validation { "val_loss" } else { "loss" };
        let usual = || Monitor { name: loss.into(), higher: false };
        let watched = self.checkpoint.best.as_ref().or(stop);
        watched.map_or_else(usual, |watched| watched.monitor.clone())
    }

    /// Whether the parameters of the best epoch are put back at the end.
    pub fn restores(&self) -> bool {
        self.early_stop.as_ref().is_some_and(|stop| stop.restore)
    }

    /// The place of the setting that lowers the learning rate while a run goes on, if one does.
    pub fn lowers_rate(&self) -> Option<Span> {
        let key = match (&self.reduce_on_plateau, self.on_nan) {
            (Some(_), _) => "reduce_on_plateau",
            (None, OnNan::HalveLr) => "on_nan",
            _ => return None,
        };
        self.places.get(key).copied()
    }
}

//! The `train` block: which loss, optimizer and metrics, and the settings of the run.
//!
//! `loss = focal(gamma: 1.5)` chooses the item `focal` with an argument for each call of it;
//! `epochs = 5` sets a number. An unknown key, a key that this version does not have yet and a
//! value of the wrong kind are errors at their places.

use super::call::{Passed, written};
use super::context::{Elaborator, Eval, Reported};
use super::expr::Expect;
use super::gradients::{self, Pattern};
use super::items::FnId;
use super::keys::{self, Checkpoints, ClassWeights, EarlyStop, InitFrom, OnNan, ReduceOnPlateau};
use super::value::Value;
use crate::base::codes;
use crate::base::diagnostic::Diagnostic;
use crate::base::field::{self, Kind};
use crate::base::fix::Edit;
use crate::base::schema::Schema;
use crate::base::source::Span;
use crate::syntax::ast::{Arg, Expr, ExprKind, FunctionKind, Train, TrainKey};
use std::collections::BTreeMap;

/// The settings of a run.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// How often the data are gone through.
    pub epochs: usize,
    /// Samples a step.
    pub batch: usize,
    /// What every random number of the run follows from.
    pub seed: u64,
    /// Whether the samples of an epoch are shuffled.
    pub shuffle: bool,
    /// What becomes of the samples that are left when no whole batch is.
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
    /// Patterns of parameters that are not trained.
    pub freeze: Vec<Pattern>,
    /// Where parameters begin.
    pub init_from: Option<InitFrom>,
    /// Parts of a cross-validation.
    pub folds: Option<usize>,
    /// What each class weighs in the loss of training.
    pub class_weights: Option<ClassWeights>,
    /// What to do with a batch whose loss or gradient is not finite.
    pub on_nan: OnNan,
    /// Where each setting that is written is, by its key.
    pub places: BTreeMap<String, Span>,
}

/// What becomes of the last, smaller batch.
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
    /// How many updates a run makes on so many training samples.
    pub fn steps(&self, samples: usize) -> u64 {
        let batches = match self.last_batch {
            LastBatch::Keep => samples.div_ceil(self.batch),
            LastBatch::Drop => samples / self.batch,
        };
        let an_epoch = batches.div_ceil(self.accumulate);
        (an_epoch as u64).saturating_mul(self.epochs as u64)
    }

    /// The same, as far as the data are known.
    pub(super) fn planned_steps(&self, data: Option<&Schema>) -> f64 {
        let steps = match data.and_then(|data| data.train) {
            Some(samples) => self.steps(samples),
            None => UNKNOWN_EPOCH.saturating_mul(self.epochs as u64),
        };
        steps as f64
    }
}

/// The keys.
pub const KEYS: [&str; 23] = [
    "loss",
    "optimizer",
    "epochs",
    "batch",
    "metrics",
    "seed",
    "shuffle",
    "last_batch",
    gradients::KEYS[0],
    gradients::KEYS[1],
    gradients::KEYS[2],
    gradients::KEYS[3],
    gradients::KEYS[4],
    keys::KEYS[0],
    keys::KEYS[1],
    keys::KEYS[2],
    keys::KEYS[3],
    keys::KEYS[4],
    keys::KEYS[5],
    keys::KEYS[6],
    keys::KEYS[7],
    keys::KEYS[8],
    keys::KEYS[9],
];

/// A loss, metric or optimizer with the arguments that the block gives it.
#[derive(Clone, Copy)]
pub(super) struct Choice<'a> {
    /// The item.
    pub id: FnId,
    /// Its arguments.
    pub args: &'a [Arg],
    /// The place of the choice.
    pub span: Span,
}

impl<'a> Choice<'a> {
    /// The arguments as written.
    pub fn passed(&self) -> Vec<Passed<'a>> {
        written(self.args).collect()
    }
}

/// What a `train` block says.
pub(super) struct Plan<'a> {
    /// The loss.
    pub loss: Choice<'a>,
    /// The metrics.
    pub metrics: Vec<Choice<'a>>,
    /// The optimizer; the prelude's `adam()` where none is named.
    pub optimizer: Option<Choice<'a>>,
    /// The settings that work on gradients and parameters.
    pub gradients: Vec<&'a TrainKey>,
    /// The settings.
    pub settings: Settings,
}

/// Kinds of items whose names may stand in a `train` block by mistake.
const OTHERS: [FunctionKind; 4] =
    [FunctionKind::Loss, FunctionKind::Metric, FunctionKind::Optimizer, FunctionKind::Layer];

impl<'a> Elaborator<'a> {
    /// Reads a `train` block.
    pub fn plan(&mut self, train: &'a Train) -> Eval<Plan<'a>> {
        let mut settings = Settings::default();
        let (mut loss, mut optimizer, mut metrics) = (None, None, Vec::new());
        let mut gradients = Vec::new();
        let mut outcome = Ok(());
        for key in &train.keys {
            let read =
                self.new_key(key, &mut settings).and_then(|()| match key.key.text.as_str() {
                    "loss" => {
                        self.choice(FunctionKind::Loss, &key.value).map(|found| loss = Some(found))
                    }
                    "optimizer" => self
                        .choice(FunctionKind::Optimizer, &key.value)
                        .map(|found| optimizer = Some(found)),
                    "metrics" => self.metrics(&key.value).map(|found| metrics = found),
                    name if gradients::KEYS.contains(&name) => {
                        gradients.push(key);
                        Ok(())
                    }
                    name if keys::KEYS.contains(&name) => self.run_key(key, &mut settings),
                    _ => self.setting(key, &mut settings),
                });
            if let Err(reported) = read {
                outcome = Err(reported);
            }
        }
        // A setting that nobody knows may be the loss.
        let known = |key: &TrainKey| KEYS.contains(&key.key.text.as_str());
        if loss.is_none() && !settings.places.contains_key("loss") && train.keys.iter().all(known) {
            let message = format!("the training of `{}` has no loss", train.model.text);
            let help = "add one: `loss = cross_entropy`";
            outcome = Err(self.error_help(codes::TRAIN_KEY, train.model.span, message, help));
        }
        if let (Some(&norm), Some(&value)) =
            (settings.places.get("clip_norm"), settings.places.get("clip_value"))
        {
            let message = "`clip_norm` and `clip_value` are both set";
            let error = Diagnostic::error(codes::TRAIN_KEY, message)
                .primary(value, "")
                .label(norm, "the other")
                .help("a gradient is clipped one way: keep one of them");
            outcome = Err(self.report(error));
        }
        outcome?;
        let loss = loss.ok_or(Reported)?;
        let prelude_adam = self.items.find(FunctionKind::Optimizer, "adam", false);
        let optimizer = optimizer
            .or_else(|| prelude_adam.map(|id| Choice { id, args: &[], span: train.model.span }));
        Ok(Plan { loss, metrics, optimizer, gradients, settings })
    }

    /// Checks that a key exists and stands once.
    fn new_key(&mut self, key: &TrainKey, settings: &mut Settings) -> Eval<()> {
        let name = key.key.text.as_str();
        if !KEYS.contains(&name) {
            let message = format!("unknown setting `{name}`");
            let error = Diagnostic::error(codes::TRAIN_KEY, message).primary(key.key.span, "");
            let error = match self.items.optimizer_with(name) {
                Some(optimizer) => error.help(format!(
                    "`{name}` is an argument of optimizers: `optimizer = {optimizer}({name}: …)`"
                )),
                None => error
                    .misspelt(key.key.span, name, KEYS)
                    .or_help(|| format!("the settings are {}", KEYS.join(", "))),
            };
            return Err(self.report(error));
        }
        match settings.places.insert(name.into(), key.value.span) {
            None => Ok(()),
            Some(earlier) => {
                let error = Diagnostic::error(codes::DUPLICATE, format!("`{name}` is set twice"))
                    .primary(key.key.span, "set again here")
                    .label(earlier, "first set here");
                Err(self.report(error))
            }
        }
    }

    /// A setting that is a plain value.
    fn setting(&mut self, key: &'a TrainKey, settings: &mut Settings) -> Eval<()> {
        let name = key.key.text.as_str();
        let value = self.expr(&key.value, Expect::Word)?;
        let count = match value {
            Value::Int(count) => u64::try_from(count).ok(),
            _ => None,
        };
        let positive =
            count.filter(|&count| count > 0).and_then(|count| usize::try_from(count).ok());
        let takes = match (name, &value) {
            ("epochs" | "batch", _) => match positive {
                Some(count) if name == "epochs" => {
                    settings.epochs = count;
                    return Ok(());
                }
                Some(count) => {
                    settings.batch = count;
                    return Ok(());
                }
                None => "a positive int",
            },
            ("seed", _) => match count {
                Some(seed) => {
                    settings.seed = seed;
                    return Ok(());
                }
                None => "an int that is not negative",
            },
            ("shuffle", Value::Bool(shuffle)) => {
                settings.shuffle = *shuffle;
                return Ok(());
            }
            ("shuffle", _) => "`true` or `false`",
            (_, Value::Word(word)) if word == "keep" || word == "drop" => {
                settings.last_batch =
                    if word == "keep" { LastBatch::Keep } else { LastBatch::Drop };
                return Ok(());
            }
            _ => "`keep` or `drop`",
        };
        let found = self.describe(&value);
        let message = format!("`{name}` is {takes}, found {found}");
        let mut error = Diagnostic::error(codes::TRAIN_KEY, message).primary(key.value.span, "");
        let words: &[&str] = match name {
            "last_batch" => &["drop", "keep"],
            "shuffle" => &["true", "false"],
            _ => &[],
        };
        if let Value::Word(word) = &value {
            error = error.misspelt(key.value.span, word, words.iter().copied());
        }
        for word in words {
            let edits = vec![Edit { span: key.value.span, text: (*word).to_owned() }];
            error = error.fix(format!("write `{word}`"), edits);
        }
        Err(self.report(error))
    }

    fn metrics(&mut self, value: &'a Expr) -> Eval<Vec<Choice<'a>>> {
        let metrics = match &value.kind {
            ExprKind::List(metrics) => &metrics[..],
            _ => std::slice::from_ref(value),
        };
        let found: Vec<Eval<Choice<'a>>> =
            metrics.iter().map(|metric| self.choice(FunctionKind::Metric, metric)).collect();
        found.into_iter().collect()
    }

    /// A name or call of an item of a kind.
    fn choice(&mut self, kind: FunctionKind, value: &'a Expr) -> Eval<Choice<'a>> {
        let word = kind.word();
        let (name, span, args): (&str, Span, &'a [Arg]) = match &value.kind {
            ExprKind::Name(name) => (name, value.span, &[]),
            ExprKind::Call(call) => (&call.callee.text, call.callee.span, &call.args),
            _ => {
                let message = format!("the name of {} is needed here", kind.one());
                return Err(self.error(codes::TRAIN_KEY, value.span, message));
            }
        };
        if let Some(id) = self.items.find(kind, name, false) {
            return Ok(Choice { id, args, span: value.span });
        }
        let error = Diagnostic::error(codes::UNKNOWN_NAME, format!("unknown {word} `{name}`"))
            .primary(span, format!("no {word} has this name"));
        let names: Vec<&str> = self.items.names(kind).collect();
        let known: &[Kind] = match kind {
            FunctionKind::Loss => &[Kind::Loss],
            FunctionKind::Metric => &[Kind::Metric],
            FunctionKind::Optimizer => &[Kind::Optimizer],
            _ => &[],
        };
        // An item of another kind is no slip of one of this.
        let other = OTHERS.into_iter().find(|&other| self.items.find(other, name, false).is_some());
        let to_come = field::known(name, known).is_some_and(|known| known.to_come);
        if let Some(other) = other.filter(|&other| other != kind && !to_come) {
            let other = other.word();
            let help = format!("`{name}` is the name of a {other}; there are {}", names.join(", "));
            return Err(self.report(error.help(help)));
        }
        let error = error.unknown_item(span, name, names.iter().copied(), known);
        Err(self.report(error.or_help(|| format!("there are {}", names.join(", ")))))
    }
}

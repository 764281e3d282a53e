//! The settings of a run that follow what epochs lead to, and where a run begins and ends:
//!
//! ```text
//! early_stop        = patience(val_loss, 3, min_delta: 0.0, restore: true)
//! reduce_on_plateau = patience(val_loss, 2, factor: 0.1, min_delta: 0.0, cooldown: 0, floor: 0.0)
//! checkpoint        = every(epochs: 1, steps: 500, keep: 2, best: val_accuracy)      or  off
//! init_from         = weights("net.safetensors", rename: [["encoder.*", "*"]], layout: pytorch)
//! class_weights     = balanced                                    or  [1.0, 4.0]
//! ema = 0.999    accumulate = 4    folds = 5    freeze = ["conv*"]    on_nan = skip
//! ```
//!
//! A key goes in, plain data of [`Settings`] come out. Which parameters patterns are about, whether
//! a file fits and whether there is validation data is found out later, by those who know.

use super::call::{Slot, written};
use super::context::{Elaborator, Eval, Reported};
use super::expr::Expect;
use super::gradients::Pattern;
use super::train::Settings;
use super::value::Value;
use crate::base::codes;
use crate::base::diagnostic::Diagnostic;
use crate::base::fix::Edit;
use crate::base::source::Span;
use crate::syntax::ast::{ExprKind, TrainKey};

/// The keys.
pub const KEYS: [&str; 10] = [
    "early_stop",
    "reduce_on_plateau",
    "checkpoint",
    "accumulate",
    "ema",
    "freeze",
    "init_from",
    "folds",
    "class_weights",
    "on_nan",
];

/// A number of each epoch that is watched: `val_loss`, `accuracy`.
#[derive(Clone, Debug, PartialEq)]
pub struct Watched {
    /// Its name.
    pub name: String,
    /// Its place.
    pub span: Span,
}

/// When to stop before the epochs are made.
#[derive(Clone, Debug, PartialEq)]
pub struct EarlyStop {
    /// What is watched.
    pub watched: Watched,
    /// Epochs in a row without a better value.
    pub epochs: usize,
    /// What a better value must differ by.
    pub min_delta: f64,
    /// Whether the parameters of the best epoch are put back.
    pub restore: bool,
}

/// When to lower the learning rate.
#[derive(Clone, Debug, PartialEq)]
pub struct ReduceOnPlateau {
    /// What is watched.
    pub watched: Watched,
    /// Epochs in a row without a better value.
    pub epochs: usize,
    /// What the rate is multiplied by.
    pub factor: f64,
    /// What a better value must differ by.
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
    /// What tells the best epoch; the validation loss, or else the loss.
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
    /// Its place.
    pub span: Span,
}

/// What each class weighs in the loss of training.
#[derive(Clone, Debug, PartialEq)]
pub enum ClassWeights {
    /// As many samples as there would be of each if all were alike, over those there are.
    Balanced,
    /// As written, by class.
    Given(Vec<f64>),
}

/// What to do with a batch whose loss or gradient is not finite.
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

/// Arguments by slot, with their places.
struct Said {
    /// The key and what is called: `early_stop = patience(…)`.
    key: String,
    slots: &'static [&'static str],
    values: Vec<Option<(Value, Span)>>,
    span: Span,
}

impl<'a> Elaborator<'a> {
    /// Reads one of these keys.
    pub fn run_key(&mut self, key: &'a TrainKey, settings: &mut Settings) -> Eval<()> {
        match key.key.text.as_str() {
            "early_stop" => settings.early_stop = Some(self.early_stop(key)?),
            "reduce_on_plateau" => settings.reduce_on_plateau = Some(self.on_plateau(key)?),
            "checkpoint" => settings.checkpoint = self.checkpoint(key)?,
            "accumulate" => settings.accumulate = self.key_count(key, 1, 1 << 20)?,
            "folds" => settings.folds = Some(self.key_count(key, 2, 1000)?),
            "ema" => settings.ema = Some(self.ema(key)?),
            "freeze" => settings.freeze = self.frozen(key)?,
            "init_from" => settings.init_from = Some(self.init_from(key)?),
            "class_weights" => settings.class_weights = Some(self.class_weights(key)?),
            _ => settings.on_nan = self.on_nan(key)?,
        }
        Ok(())
    }

    fn early_stop(&mut self, key: &'a TrainKey) -> Eval<EarlyStop> {
        const SLOTS: &[&str] = &["watch", "epochs", "min_delta", "restore"];
        let said = self.said(key, "patience", SLOTS, 2, "patience(val_loss, 3)")?;
        Ok(EarlyStop {
            watched: self.watched(&said, 0)?.ok_or(Reported)?,
            epochs: self.count(&said, 1, 1, 0)?,
            min_delta: self.number(&said, 2, 0.0..f64::MAX, 0.0)?,
            restore: self.flag(&said, 3, true)?,
        })
    }

    fn on_plateau(&mut self, key: &'a TrainKey) -> Eval<ReduceOnPlateau> {
        const SLOTS: &[&str] = &["watch", "epochs", "factor", "min_delta", "cooldown", "floor"];
        let said = self.said(key, "patience", SLOTS, 2, "patience(val_loss, 3, factor: 0.1)")?;
        Ok(ReduceOnPlateau {
            watched: self.watched(&said, 0)?.ok_or(Reported)?,
            epochs: self.count(&said, 1, 1, 0)?,
            factor: self.number(&said, 2, f64::MIN_POSITIVE..1.0, 0.1)?,
            min_delta: self.number(&said, 3, 0.0..f64::MAX, 0.0)?,
            cooldown: self.count(&said, 4, 0, 0)?,
            floor: self.number(&said, 5, 0.0..1.0, 0.0)?,
        })
    }

    fn checkpoint(&mut self, key: &'a TrainKey) -> Eval<Checkpoints> {
        const SLOTS: &[&str] = &["epochs", "steps", "keep", "best"];
        let usual = Checkpoints::default();
        if matches!(&key.value.kind, ExprKind::Name(word) if word == "off") {
            return Ok(Checkpoints { epochs: 0, ..usual });
        }
        let said = self.said(key, "every", SLOTS, 0, "every(epochs: 1, keep: 2)` or `off")?;
        let steps = self.count(&said, 1, 1, 0)?;
        let epochs = if steps > 0 { 0 } else { usual.epochs };
        Ok(Checkpoints {
            epochs: self.count(&said, 0, 1, epochs)?,
            steps,
            keep: self.count(&said, 2, 1, usual.keep)?,
            best: self.watched(&said, 3)?,
        })
    }

    fn ema(&mut self, key: &'a TrainKey) -> Eval<f64> {
        let value = self.expr(&key.value, Expect::Word)?;
        match value.as_f64() {
            Some(decay) if 0.0 < decay && decay < 1.0 => Ok(decay),
            _ => Err(self.wrong_key(key, "a number between 0 and 1, such as 0.999", &value)),
        }
    }

    fn key_count(&mut self, key: &'a TrainKey, least: i64, most: i64) -> Eval<usize> {
        let value = self.expr(&key.value, Expect::Word)?;
        match value {
            Value::Int(count) if (least..=most).contains(&count) => Ok(count as usize),
            _ => {
                let takes = format!("an int from {least} to {most}");
                Err(self.wrong_key(key, &takes, &value))
            }
        }
    }

    fn frozen(&mut self, key: &'a TrainKey) -> Eval<Vec<Pattern>> {
        let patterns = self.patterns(&key.value)?;
        if patterns.is_empty() {
            let message = "`freeze` names no parameters";
            let help = "write patterns of their paths: `freeze = [\"conv*\"]`";
            return Err(self.error_help(codes::TRAIN_KEY, key.value.span, message, help));
        }
        Ok(patterns)
    }

    fn init_from(&mut self, key: &'a TrainKey) -> Eval<InitFrom> {
        const SLOTS: &[&str] = &["file", "rename", "layout", "partial", "except"];
        let span = key.value.span;
        if let ExprKind::Call(_) = &key.value.kind {
            let said = self.said(key, "weights", SLOTS, 1, "weights(\"net.safetensors\")")?;
            return Ok(InitFrom {
                file: self.text(&said, 0)?.ok_or(Reported)?,
                rename: self.renamed(&said, 1)?,
                pytorch: self.word(&said, 2, &["nnc", "pytorch"])? == Some("pytorch"),
                partial: self.flag(&said, 3, false)?,
                except: self.texts(&said, 4)?,
                span,
            });
        }
        match self.expr(&key.value, Expect::Word)? {
            Value::Str(file) => Ok(InitFrom {
                file,
                rename: Vec::new(),
                pytorch: false,
                partial: false,
                except: Vec::new(),
                span,
            }),
            value => {
                let takes = "the name of a file, or `weights(\"net.safetensors\", …)`";
                Err(self.wrong_key(key, takes, &value))
            }
        }
    }

    fn class_weights(&mut self, key: &'a TrainKey) -> Eval<ClassWeights> {
        let value = self.expr(&key.value, Expect::Word)?;
        // As the step has them: what would be infinite or 0 there is no weight.
        let is_weight = |it: &f64| {
            let (least, most) = (f64::from(f32::MIN_POSITIVE), f64::from(f32::MAX));
            *it == 0.0 || (least..=most).contains(it)
        };
        let weight = |value: &Value| value.as_f64().filter(is_weight);
        let given = match &value {
            Value::Word(word) if word == "balanced" => return Ok(ClassWeights::Balanced),
            Value::List(values) => values.iter().map(weight).collect::<Option<Vec<f64>>>(),
            _ => None,
        };
        match given {
            Some(weights) if weights.iter().any(|&weight| weight > 0.0) => {
                Ok(ClassWeights::Given(weights))
            }
            _ => {
                let takes = "`balanced`, or a list with a weight for each class: 0, or from 1.2e-38 \
                             to 3.4e38; not all 0";
                Err(self.wrong_key(key, takes, &value))
            }
        }
    }

    fn on_nan(&mut self, key: &'a TrainKey) -> Eval<OnNan> {
        const WORDS: [(&str, OnNan); 3] =
            [("stop", OnNan::Stop), ("skip", OnNan::Skip), ("halve_lr", OnNan::HalveLr)];
        let value = self.expr(&key.value, Expect::Word)?;
        if let Value::Word(word) = &value {
            if let Some((_, found)) = WORDS.iter().find(|(name, _)| name == word) {
                return Ok(*found);
            }
            let message = format!("`on_nan` is `stop`, `skip` or `halve_lr`, found `{word}`");
            let error = Diagnostic::error(codes::TRAIN_KEY, message).primary(key.value.span, "");
            let names = WORDS.into_iter().map(|(name, _)| name);
            return Err(self.report(error.misspelt(key.value.span, word, names)));
        }
        Err(self.wrong_key(key, "`stop`, `skip` or `halve_lr`", &value))
    }

    // ---- Arguments

    /// The arguments of the call that a key takes; the first `required` ones must be there.
    fn said(
        &mut self,
        key: &'a TrainKey,
        callee: &str,
        slots: &'static [&'static str],
        required: usize,
        example: &str,
    ) -> Eval<Said> {
        let name = &key.key.text;
        let ExprKind::Call(call) = &key.value.kind else {
            let message = format!("`{name}` is `{example}`");
            return Err(self.error(codes::TRAIN_KEY, key.value.span, message));
        };
        if call.callee.text != callee {
            let message = format!("`{name}` is `{example}`, found `{}`", call.callee.text);
            let span = call.callee.span;
            let edits = vec![Edit { span, text: callee.to_owned() }];
            let error = Diagnostic::error(codes::TRAIN_KEY, message).primary(span, "");
            return Err(self.report(error.fix(format!("write `{callee}`"), edits)));
        }
        let named: Vec<Slot<'_>> = (0..)
            .zip(slots)
            .map(|(index, &name)| Slot { name, required: index < required })
            .collect();
        let args: Vec<_> = written(&call.args).collect();
        let placed = self.place_arguments(callee, &named, &args, key.value.span)?;
        let values = self.evaluate_arguments(&placed, &args, |_| Expect::Word)?;
        Ok(Said { key: name.clone(), slots, values, span: key.value.span })
    }

    fn watched(&mut self, said: &Said, slot: usize) -> Eval<Option<Watched>> {
        match &said.values[slot] {
            None => Ok(None),
            Some((Value::Word(name), span)) => {
                Ok(Some(Watched { name: name.clone(), span: *span }))
            }
            _ => {
                let takes = "the name of a loss or metric, such as `val_loss`";
                Err(self.wrong_argument(said, slot, takes))
            }
        }
    }

    fn count(&mut self, said: &Said, slot: usize, least: i64, default: usize) -> Eval<usize> {
        match said.values[slot] {
            None => Ok(default),
            Some((Value::Int(count), _)) if count >= least && count <= i64::from(u32::MAX) => {
                Ok(count as usize)
            }
            _ => Err(self.wrong_argument(said, slot, &format!("an int that is at least {least}"))),
        }
    }

    fn number(
        &mut self,
        said: &Said,
        slot: usize,
        range: std::ops::Range<f64>,
        default: f64,
    ) -> Eval<f64> {
        let Some((value, _)) = &said.values[slot] else { return Ok(default) };
        match value.as_f64() {
            Some(number) if range.contains(&number) => Ok(number),
            _ => {
                let takes = match (range.start, range.end) {
                    (0.0, f64::MAX) => "a number that is not negative",
                    (0.0, _) => "a number from 0 to below 1",
                    _ => "a number between 0 and 1",
                };
                Err(self.wrong_argument(said, slot, takes))
            }
        }
    }

    fn flag(&mut self, said: &Said, slot: usize, default: bool) -> Eval<bool> {
        match said.values[slot] {
            None => Ok(default),
            Some((Value::Bool(flag), _)) => Ok(flag),
            _ => Err(self.wrong_argument(said, slot, "`true` or `false`")),
        }
    }

    fn text(&mut self, said: &Said, slot: usize) -> Eval<Option<String>> {
        match &said.values[slot] {
            None => Ok(None),
            Some((Value::Str(text), _)) => Ok(Some(text.clone())),
            _ => Err(self.wrong_argument(said, slot, "a string")),
        }
    }

    fn word<'w>(&mut self, said: &Said, slot: usize, words: &[&'w str]) -> Eval<Option<&'w str>> {
        let Some((value, _)) = &said.values[slot] else { return Ok(None) };
        let known = |word: &String| words.iter().copied().find(|known| known == word);
        match value {
            Value::Word(word) if known(word).is_some() => Ok(known(word)),
            _ => {
                let takes: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
                Err(self.wrong_argument(said, slot, &takes.join(" or ")))
            }
        }
    }

    /// A string, or a list of strings.
    fn texts(&mut self, said: &Said, slot: usize) -> Eval<Vec<String>> {
        let Some((value, _)) = &said.values[slot] else { return Ok(Vec::new()) };
        let text = |value: &Value| match value {
            Value::Str(text) => Some(text.clone()),
            _ => None,
        };
        let texts = match value {
            Value::List(values) => values.iter().map(text).collect(),
            value => text(value).map(|text| vec![text]),
        };
        let takes = "a pattern of paths or a list of them, such as `[\"head.*\"]`";
        texts.ok_or_else(|| self.wrong_argument(said, slot, takes))
    }

    /// A list of pairs of strings.
    fn renamed(&mut self, said: &Said, slot: usize) -> Eval<Vec<(String, String)>> {
        let Some((value, _)) = &said.values[slot] else { return Ok(Vec::new()) };
        let pair = |value: &Value| match value {
            Value::List(pair) => match &pair[..] {
                [Value::Str(from), Value::Str(to)] => Some((from.clone(), to.clone())),
                _ => None,
            },
            _ => None,
        };
        let pairs = match value {
            Value::List(pairs) => pairs.iter().map(pair).collect(),
            _ => None,
        };
        let takes = "a list of pairs of strings, such as `[[\"encoder.*\", \"*\"]]`";
        pairs.ok_or_else(|| self.wrong_argument(said, slot, takes))
    }

    fn wrong_argument(&mut self, said: &Said, slot: usize, takes: &str) -> Reported {
        let (name, key) = (said.slots[slot], &said.key);
        let (found, span) = match &said.values[slot] {
            Some((value, span)) => (self.describe(value), *span),
            None => ("nothing".to_owned(), said.span),
        };
        let message = format!("`{name}` of `{key}` is {takes}, found {found}");
        self.error(codes::TRAIN_KEY, span, message)
    }

    fn wrong_key(&mut self, key: &TrainKey, takes: &str, value: &Value) -> Reported {
        let found = self.describe(value);
        let message = format!("`{}` is {takes}, found {found}", key.key.text);
        self.error(codes::TRAIN_KEY, key.value.span, message)
    }
}

impl Settings {
    /// The numbers of epochs that some setting watches, with the setting's key.
    pub fn watched(&self) -> impl Iterator<Item = (&'static str, &Watched)> {
        let stop = self.early_stop.iter().map(|it| ("early_stop", &it.watched));
        let plateau = self.reduce_on_plateau.iter().map(|it| ("reduce_on_plateau", &it.watched));
        let best = self.checkpoint.best.iter().map(|it| ("checkpoint", it));
        stop.chain(plateau).chain(best)
    }

    /// The place of the setting that lowers the learning rate while a run goes on, if one does.
    pub(super) fn lowers_rate(&self) -> Option<Span> {
        let key = match (&self.reduce_on_plateau, self.on_nan) {
            (Some(_), _) => "reduce_on_plateau",
            (None, OnNan::HalveLr) => "on_nan",
            _ => return None,
        };
        self.places.get(key).copied()
    }
}

//! Values of a run's settings, read and checked:
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
//! A key goes in, plain data of [`settings`](crate::base::settings) come out. Which parameters
//! patterns are about, whether a file fits and whether there is validation data is found out later, by those who know.

use crate::base::codes;
use crate::base::diagnostic::Diagnostic;
use crate::base::fix::Edit;
use crate::base::settings::{
    Checkpoints, ClassWeights, EarlyStop, InitArgument, InitFrom, LastBatch, Monitor, OnNan,
    ReduceOnPlateau, Watched,
};
use crate::base::source::Span;
use crate::elaborate::arguments::Expect;
use crate::elaborate::arguments::{ParamPlace, written};
use crate::elaborate::context::{Elaborator, ErrorReported, Eval};
use crate::elaborate::patterns::Pattern;
use crate::elaborate::value::Value;
use crate::syntax::ast::{ExprKind, TrainKey};

/// The arguments of the call that a key takes, by slot, with their places.
struct KeyArgs {
    /// The key and what is called: `early_stop = patience(…)`.
    key: String,
    slots: &'static [&'static str],
    values: Vec<Option<(Value, Span)>>,
    span: Span,
}

/// The places of the lists that the call of `weights` has.
fn init_lists(args: &KeyArgs) -> Vec<(InitArgument, Span)> {
    let of = |(argument, slot): (InitArgument, usize)| match &args.values[slot] {
        Some((Value::List(items), span)) if !items.is_empty() => Some((argument, *span)),
        _ => None,
    };
    let arguments =
        [(InitArgument::Rename, 1), (InitArgument::Except, 4), (InitArgument::Ignore, 5)];
    arguments.into_iter().filter_map(of).collect()
}

impl<'a> Elaborator<'a> {
    /// An int of one or more.
    pub fn positive(&mut self, key: &'a TrainKey) -> Eval<usize> {
        let value = self.expr(&key.value, Expect::Word)?;
        let count = match value {
            Value::Int(count) => usize::try_from(count).ok().filter(|&count| count > 0),
            _ => None,
        };
        count.ok_or_else(|| self.wrong_key(key, "a positive int", &value))
    }

    pub fn seed(&mut self, key: &'a TrainKey) -> Eval<u64> {
        let value = self.expr(&key.value, Expect::Word)?;
        let seed = match value {
            Value::Int(seed) => u64::try_from(seed).ok(),
            _ => None,
        };
        seed.ok_or_else(|| self.wrong_key(key, "an int that is not negative", &value))
    }

    pub fn shuffle(&mut self, key: &'a TrainKey) -> Eval<bool> {
        match self.expr(&key.value, Expect::Word)? {
            Value::Bool(shuffle) => Ok(shuffle),
            value => {
                let takes = "`true` or `false`";
                Err(self.wrong_word(key, takes, &["true", "false"], &value))
            }
        }
    }

    pub fn last_batch(&mut self, key: &'a TrainKey) -> Eval<LastBatch> {
        match self.expr(&key.value, Expect::Word)? {
            Value::Word(word) if word == "keep" => Ok(LastBatch::Keep),
            Value::Word(word) if word == "drop" => Ok(LastBatch::Drop),
            value => Err(self.wrong_word(key, "`keep` or `drop`", &["drop", "keep"], &value)),
        }
    }

    pub fn early_stop(&mut self, key: &'a TrainKey) -> Eval<EarlyStop> {
        const SLOTS: &[&str] = &["watch", "epochs", "min_delta", "restore"];
        let args = self.key_args(key, "patience", SLOTS, 2, "patience(val_loss, 3)")?;
        Ok(EarlyStop {
            watched: self.watched(&args, 0)?.ok_or(ErrorReported)?,
            epochs: self.count(&args, 1, 1, 0)?,
            min_delta: self.number(&args, 2, 0.0..f64::MAX, 0.0)?,
            restore: self.flag(&args, 3, true)?,
        })
    }

    pub fn reduce_on_plateau(&mut self, key: &'a TrainKey) -> Eval<ReduceOnPlateau> {
        const SLOTS: &[&str] = &["watch", "epochs", "factor", "min_delta", "cooldown", "floor"];
        let args =
            self.key_args(key, "patience", SLOTS, 2, "patience(val_loss, 3, factor: 0.1)")?;
        Ok(ReduceOnPlateau {
            watched: self.watched(&args, 0)?.ok_or(ErrorReported)?,
            epochs: self.count(&args, 1, 1, 0)?,
            factor: self.number(&args, 2, f64::MIN_POSITIVE..1.0, 0.1)?,
            min_delta: self.number(&args, 3, 0.0..f64::MAX, 0.0)?,
            cooldown: self.count(&args, 4, 0, 0)?,
            floor: self.number(&args, 5, 0.0..1.0, 0.0)?,
        })
    }

    pub fn checkpoint(&mut self, key: &'a TrainKey) -> Eval<Checkpoints> {
        const SLOTS: &[&str] = &["epochs", "steps", "keep", "best"];
        let usual = Checkpoints::default();
        if matches!(&key.value.kind, ExprKind::Name(word) if word == "off") {
            return Ok(Checkpoints { epochs: 0, ..usual });
        }
        let args = self.key_args(key, "every", SLOTS, 0, "every(epochs: 1, keep: 2)` or `off")?;
        let steps = self.count(&args, 1, 1, 0)?;
        let epochs = if steps > 0 { 0 } else { usual.epochs };
        Ok(Checkpoints {
            epochs: self.count(&args, 0, 1, epochs)?,
            steps,
            keep: self.count(&args, 2, 1, usual.keep)?,
            best: self.watched(&args, 3)?,
        })
    }

    pub fn ema(&mut self, key: &'a TrainKey) -> Eval<f64> {
        let value = self.expr(&key.value, Expect::Word)?;
        match value.as_f64() {
            Some(decay) if 0.0 < decay && decay < 1.0 => Ok(decay),
            _ => Err(self.wrong_key(key, "a number between 0 and 1, such as 0.999", &value)),
        }
    }

    pub fn key_count(&mut self, key: &'a TrainKey, least: i64, most: i64) -> Eval<usize> {
        let value = self.expr(&key.value, Expect::Word)?;
        match value {
            Value::Int(count) if (least..=most).contains(&count) => Ok(count as usize),
            _ => {
                let takes = format!("an int from {least} to {most}");
                Err(self.wrong_key(key, &takes, &value))
            }
        }
    }

    pub fn freeze(&mut self, key: &'a TrainKey) -> Eval<Vec<Pattern>> {
        let patterns = self.patterns(&key.value)?;
        if patterns.is_empty() {
            let message = "`freeze` names no parameters";
            let help = "write patterns of their paths: `freeze = [\"conv*\"]`";
            return Err(self.error_help(codes::TRAIN_KEY, key.value.span, message, help));
        }
        Ok(patterns)
    }

    pub fn init_from(&mut self, key: &'a TrainKey) -> Eval<InitFrom> {
        const SLOTS: &[&str] = &["file", "rename", "layout", "partial", "except", "ignore"];
        let span = key.value.span;
        if let ExprKind::Call(_) = &key.value.kind {
            let args = self.key_args(key, "weights", SLOTS, 1, "weights(\"net.safetensors\")")?;
            return Ok(InitFrom {
                file: self.text(&args, 0)?.ok_or(ErrorReported)?,
                rename: self.renamed(&args, 1)?,
                pytorch: self.word(&args, 2, &["nnc", "pytorch"])? == Some("pytorch"),
                partial: self.flag(&args, 3, false)?,
                except: self.texts(&args, 4)?,
                ignore: self.texts(&args, 5)?,
                span,
                file_span: args.values[0].as_ref().map(|(_, span)| *span),
                lists: init_lists(&args),
            });
        }
        match self.expr(&key.value, Expect::Word)? {
            Value::Str(file) => Ok(InitFrom::file(file, span)),
            value => {
                let takes = "the name of a file, or `weights(\"net.safetensors\", …)`";
                Err(self.wrong_key(key, takes, &value))
            }
        }
    }

    pub fn class_weights(&mut self, key: &'a TrainKey) -> Eval<ClassWeights> {
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

    pub fn on_nan(&mut self, key: &'a TrainKey) -> Eval<OnNan> {
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
    fn key_args(
        &mut self,
        key: &'a TrainKey,
        callee: &str,
        slots: &'static [&'static str],
        required: usize,
        example: &str,
    ) -> Eval<KeyArgs> {
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
        let named: Vec<ParamPlace<'_>> = (0..)
            .zip(slots)
            .map(|(index, &name)| ParamPlace { name, required: index < required })
            .collect();
        let args: Vec<_> = written(&call.args).collect();
        let placed = self.place_arguments(callee, &named, &args, key.value.span)?;
        let values = self.evaluate_arguments(&placed, &args, |_| Expect::Word)?;
        Ok(KeyArgs { key: name.clone(), slots, values, span: key.value.span })
    }

    fn watched(&mut self, args: &KeyArgs, slot: usize) -> Eval<Option<Watched>> {
        match &args.values[slot] {
            None => Ok(None),
            Some((Value::Word(name), span)) => {
                // Which way is better is known with the metrics: `Settings::set_directions`.
                let monitor = Monitor { name: name.clone(), higher: false };
                Ok(Some(Watched { monitor, span: *span }))
            }
            _ => {
                let takes = "the name of a loss or metric, such as `val_loss`";
                Err(self.wrong_argument(args, slot, takes))
            }
        }
    }

    fn count(&mut self, args: &KeyArgs, slot: usize, least: i64, default: usize) -> Eval<usize> {
        match args.values[slot] {
            None => Ok(default),
            Some((Value::Int(count), _)) if count >= least && count <= i64::from(u32::MAX) => {
                Ok(count as usize)
            }
            _ => Err(self.wrong_argument(args, slot, &format!("an int that is at least {least}"))),
        }
    }

    fn number(
        &mut self,
        args: &KeyArgs,
        slot: usize,
        range: std::ops::Range<f64>,
        default: f64,
    ) -> Eval<f64> {
        let Some((value, _)) = &args.values[slot] else { return Ok(default) };
        match value.as_f64() {
            Some(number) if range.contains(&number) => Ok(number),
            _ => {
                let takes = match (range.start, range.end) {
                    (0.0, f64::MAX) => "a number that is not negative",
                    (0.0, _) => "a number from 0 to below 1",
                    _ => "a number between 0 and 1",
                };
                Err(self.wrong_argument(args, slot, takes))
            }
        }
    }

    fn flag(&mut self, args: &KeyArgs, slot: usize, default: bool) -> Eval<bool> {
        match args.values[slot] {
            None => Ok(default),
            Some((Value::Bool(flag), _)) => Ok(flag),
            _ => Err(self.wrong_argument(args, slot, "`true` or `false`")),
        }
    }

    fn text(&mut self, args: &KeyArgs, slot: usize) -> Eval<Option<String>> {
        match &args.values[slot] {
            None => Ok(None),
            Some((Value::Str(text), _)) => Ok(Some(text.clone())),
            _ => Err(self.wrong_argument(args, slot, "a string")),
        }
    }

    fn word<'w>(
        &mut self,
        args: &KeyArgs,
        slot: usize,
        words: &[&'w str],
    ) -> Eval<Option<&'w str>> {
        let Some((value, _)) = &args.values[slot] else { return Ok(None) };
        let known = |word: &String| words.iter().copied().find(|known| known == word);
        match value {
            Value::Word(word) if known(word).is_some() => Ok(known(word)),
            _ => {
                let takes: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
                Err(self.wrong_argument(args, slot, &takes.join(" or ")))
            }
        }
    }

    /// A string, or a list of strings.
    fn texts(&mut self, args: &KeyArgs, slot: usize) -> Eval<Vec<String>> {
        let Some((value, _)) = &args.values[slot] else { return Ok(Vec::new()) };
        let text = |value: &Value| match value {
            Value::Str(text) => Some(text.clone()),
            _ => None,
        };
        let texts = match value {
            Value::List(values) => values.iter().map(text).collect(),
            value => text(value).map(|text| vec![text]),
        };
        let takes = "a pattern of paths or a list of them, such as `[\"head.*\"]`";
        texts.ok_or_else(|| self.wrong_argument(args, slot, takes))
    }

    /// A list of pairs of strings.
    fn renamed(&mut self, args: &KeyArgs, slot: usize) -> Eval<Vec<(String, String)>> {
        let Some((value, _)) = &args.values[slot] else { return Ok(Vec::new()) };
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
        pairs.ok_or_else(|| self.wrong_argument(args, slot, takes))
    }

    fn wrong_argument(&mut self, args: &KeyArgs, slot: usize, takes: &str) -> ErrorReported {
        let (name, key) = (args.slots[slot], &args.key);
        let (found, span) = match &args.values[slot] {
            Some((value, span)) => (self.describe(value), *span),
            None => ("nothing".to_owned(), args.span),
        };
        let message = format!("`{name}` of `{key}` is {takes}, found {found}");
        self.error(codes::TRAIN_KEY, span, message)
    }

    fn wrong_key(&mut self, key: &TrainKey, takes: &str, value: &Value) -> ErrorReported {
        self.wrong_word(key, takes, &[], value)
    }

    /// The same where the value is one of these words.
    fn wrong_word(
        &mut self,
        key: &TrainKey,
        takes: &str,
        words: &[&str],
        value: &Value,
    ) -> ErrorReported {
        let found = self.describe(value);
        let message = format!("`{}` is {takes}, found {found}", key.key.text);
        let mut error = Diagnostic::error(codes::TRAIN_KEY, message).primary(key.value.span, "");
        if let Value::Word(word) = value {
            error = error.misspelt(key.value.span, word, words.iter().copied());
        }
        for word in words {
            let edits = vec![Edit { span: key.value.span, text: (*word).to_owned() }];
            error = error.fix(format!("write `{word}`"), edits);
        }
        self.report(error)
    }
}

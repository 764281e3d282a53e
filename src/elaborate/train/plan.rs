//! The `train` block: which loss, optimizer and metrics, and the settings of the run.
//!
//! `loss = focal(gamma: 1.5)` chooses the item `focal` with an argument for each call of it;
//! `epochs = 5` sets a number. A key is a row of [`SETTINGS`]; one that is not there, one that
//! stands twice and a value of the wrong kind are errors at their places.

use crate::base::codes;
use crate::base::diagnostic::Diagnostic;
use crate::base::field::{self, NameKind};
use crate::base::settings::Settings;
use crate::base::source::Span;
use crate::elaborate::arguments::{Passed, written};
use crate::elaborate::context::{Elaborator, ErrorReported, Eval};
use crate::elaborate::items::FnId;
use crate::syntax::ast::{Arg, BinaryOp, Expr, ExprKind, FunctionKind, Train, TrainKey, UnaryOp};

/// The optimizer of a `train` block without the key `optimizer`; an item of the prelude.
pub const DEFAULT_OPTIMIZER: &str = "adam";

/// The keys of those settings that work on gradients and parameters around the optimizer's rule.
pub const GRADIENT_KEYS: [&str; 5] = ["clip_norm", "clip_value", "weight_decay", "l1", "l2"];

/// A setting of a `train` block.
struct TrainSetting {
    /// Its name in the block.
    key: &'static str,
    /// Reads its value into what the block says so far.
    read: for<'a> fn(&mut Elaborator<'a>, &'a TrainKey, &mut Draft<'a>) -> Eval<()>,
}

/// A setting that a method of the elaborator reads into a field of [`Settings`].
macro_rules! run_setting {
    ($key:ident, $read:ident $(($($argument:expr),+))? $(, $wrap:path)?) => {
        TrainSetting {
            key: stringify!($key),
            read: |core, key, draft| {
                let value = core.$read(key $($(, $argument)+)?)?;
                draft.settings.$key = $($wrap)?(value);
                Ok(())
            },
        }
    };
}

/// A setting that works on gradients, which is read with the optimizer's rule.
const fn gradient_setting(key: &'static str) -> TrainSetting {
    TrainSetting {
        key,
        read: |_, key, draft| {
            draft.gradients.push(key);
            Ok(())
        },
    }
}

/// The settings, in the order in which messages name them.
const SETTINGS: [TrainSetting; 23] = [
    TrainSetting {
        key: "loss",
        read: |core, key, draft| {
            draft.loss = Some(core.loss(&key.value)?);
            Ok(())
        },
    },
    TrainSetting {
        key: "optimizer",
        read: |core, key, draft| {
            draft.optimizer = Some(core.choice(FunctionKind::Optimizer, &key.value)?);
            Ok(())
        },
    },
    run_setting!(epochs, positive),
    run_setting!(batch, positive),
    TrainSetting {
        key: "metrics",
        read: |core, key, draft| {
            draft.metrics = core.metrics(&key.value)?;
            Ok(())
        },
    },
    run_setting!(seed, seed),
    run_setting!(shuffle, shuffle),
    run_setting!(last_batch, last_batch),
    gradient_setting(GRADIENT_KEYS[0]),
    gradient_setting(GRADIENT_KEYS[1]),
    gradient_setting(GRADIENT_KEYS[2]),
    gradient_setting(GRADIENT_KEYS[3]),
    gradient_setting(GRADIENT_KEYS[4]),
    run_setting!(early_stop, early_stop, Some),
    run_setting!(reduce_on_plateau, reduce_on_plateau, Some),
    run_setting!(checkpoint, checkpoint),
    run_setting!(accumulate, key_count(1, 1 << 20)),
    run_setting!(ema, ema, Some),
    run_setting!(freeze, freeze),
    run_setting!(init_from, init_from, Some),
    run_setting!(folds, key_count(2, 1000), Some),
    run_setting!(class_weights, class_weights, Some),
    run_setting!(on_nan, on_nan),
];

/// The keys of all settings.
pub const KEYS: [&str; SETTINGS.len()] = {
    let mut keys = [""; SETTINGS.len()];
    let mut index = 0;
    while index < keys.len() {
        keys[index] = SETTINGS[index].key;
        index += 1;
    }
    keys
};

/// The settings of a `train` block that have been read so far.
#[derive(Default)]
struct Draft<'a> {
    loss: Option<LossPlan<'a>>,
    optimizer: Option<Choice<'a>>,
    metrics: Vec<Choice<'a>>,
    gradients: Vec<&'a TrainKey>,
    settings: Settings,
}

/// A loss, metric or optimizer with the arguments that the block gives it.
#[derive(Clone, Copy)]
pub(in crate::elaborate) struct Choice<'a> {
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

/// A loss: a sum of terms.
pub(in crate::elaborate) struct LossPlan<'a> {
    /// The terms, in order.
    pub terms: Vec<LossTerm<'a>>,
}

/// A term of a loss: `0.5 * mse(values)`.
pub(in crate::elaborate) struct LossTerm<'a> {
    /// The loss.
    pub choice: Choice<'a>,
    /// The numbers that it is multiplied by.
    pub weights: Vec<&'a Expr>,
    /// Whether it is subtracted.
    pub is_negative: bool,
}

impl LossTerm<'_> {
    /// Whether it is nothing but a loss.
    pub fn is_plain(&self) -> bool {
        self.weights.is_empty() && !self.is_negative
    }
}

/// A `train` block, read and checked.
pub(in crate::elaborate) struct TrainPlan<'a> {
    /// The loss.
    pub loss: LossPlan<'a>,
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
    pub fn plan(&mut self, train: &'a Train) -> Eval<TrainPlan<'a>> {
        let mut draft = Draft::default();
        let mut outcome = Ok(());
        for key in &train.keys {
            let setting = self.new_key(key, &mut draft.settings);
            if let Err(reported) = setting.and_then(|it| (it.read)(self, key, &mut draft)) {
                outcome = Err(reported);
            }
        }
        let Draft { loss, optimizer, metrics, gradients, settings } = draft;
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
        let loss = loss.ok_or(ErrorReported)?;
        let prelude_adam = self.items.find(FunctionKind::Optimizer, DEFAULT_OPTIMIZER, false);
        let optimizer = optimizer
            .or_else(|| prelude_adam.map(|id| Choice { id, args: &[], span: train.model.span }));
        Ok(TrainPlan { loss, metrics, optimizer, gradients, settings })
    }

    /// The setting of a key, which must exist and stand once.
    fn new_key(&mut self, key: &TrainKey, settings: &mut Settings) -> Eval<&'static TrainSetting> {
        let name = key.key.text.as_str();
        let Some(setting) = SETTINGS.iter().find(|setting| setting.key == name) else {
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
        };
        match settings.places.insert(name.into(), key.value.span) {
            None => Ok(setting),
            Some(earlier) => {
                let error = Diagnostic::error(codes::DUPLICATE, format!("`{name}` is set twice"))
                    .primary(key.key.span, "set again here")
                    .label(earlier, "first set here");
                Err(self.report(error))
            }
        }
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

    /// A loss, or a sum of losses times numbers.
    fn loss(&mut self, value: &'a Expr) -> Eval<LossPlan<'a>> {
        let mut terms = Vec::new();
        self.loss_terms(value, false, &mut terms)?;
        Ok(LossPlan { terms })
    }

    fn loss_terms(
        &mut self,
        value: &'a Expr,
        is_negative: bool,
        terms: &mut Vec<LossTerm<'a>>,
    ) -> Eval<()> {
        match &value.kind {
            ExprKind::Binary(op @ (BinaryOp::Add | BinaryOp::Sub), left, right) => {
                self.loss_terms(left, is_negative, terms)?;
                self.loss_terms(right, is_negative != (*op == BinaryOp::Sub), terms)
            }
            ExprKind::Binary(BinaryOp::Mul, left, right) => {
                let is_loss = |expr: &Expr| match &expr.kind {
                    ExprKind::Name(name) => self.items.find(FunctionKind::Loss, name, false),
                    ExprKind::Call(call) => {
                        self.items.find(FunctionKind::Loss, &call.callee.text, false)
                    }
                    _ => None,
                };
                let (weight, loss) = match is_loss(left) {
                    Some(_) => (right, left),
                    None => (left, right),
                };
                let before = terms.len();
                self.loss_terms(loss, is_negative, terms)?;
                terms[before..].iter_mut().for_each(|term| term.weights.push(weight));
                Ok(())
            }
            ExprKind::Unary(UnaryOp::Neg, loss) => self.loss_terms(loss, !is_negative, terms),
            _ => {
                let choice = self.choice(FunctionKind::Loss, value)?;
                terms.push(LossTerm { choice, weights: Vec::new(), is_negative });
                Ok(())
            }
        }
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
        let known: &[NameKind] = match kind {
            FunctionKind::Loss => &[NameKind::Loss],
            FunctionKind::Metric => &[NameKind::Metric],
            FunctionKind::Optimizer => &[NameKind::Optimizer],
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

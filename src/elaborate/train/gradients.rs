//! The settings that work on gradients and parameters around the optimizer's rule:
//! `clip_norm = 1.0`, `clip_value`, `l1`, `l2` and `weight_decay`.
//!
//! Each becomes a number of the rule's graph, computed once a step, and an output that the
//! `update` pass finds by name ([`rule`](crate::graph::rule)); a schedule may stand for it.
//! `decay(1e-4, except: ["*.bias"])` says by patterns which parameters it is about.
//!
//! ```text
//! weight_decay = 0.01      hyper1 train.weight_decay = 0.01
//!                          output keep = cast (1 - lr · train.weight_decay)
//! ```

use super::plan::TrainPlan;
use super::rule::{RuleContext, SCHEDULED};
use crate::base::codes;
use crate::base::diagnostic::Diagnostic;
use crate::base::limits;
use crate::base::names::near;
use crate::base::source::Span;
use crate::base::tensor::DType;
use crate::elaborate::arguments::Expect;
use crate::elaborate::arguments::{ParamPlace, written};
use crate::elaborate::context::{Elaborator, ErrorReported, Eval};
use crate::elaborate::domain::FINITE;
use crate::elaborate::patterns::{Pattern, known_patterns, matches};
use crate::elaborate::value::Value;
use crate::graph::rule::{
    CLIP_NORM, CLIP_VALUE, DECOUPLED_DECAY, EMA, FROZEN, L1, L2, SHARE, SHARE_HYPER,
};
use crate::graph::{Binary, Graph, NodeId};
use crate::syntax::ast::{Expr, ExprKind, TrainKey};

/// Which parameters a setting is about, as patterns of their paths.
pub(in crate::elaborate) struct Patterns {
    /// The name of the rule's output.
    output: &'static str,
    /// If not empty, one of these must match.
    only: Vec<Pattern>,
    /// None of these may.
    except: Vec<Pattern>,
    /// The place of the setting.
    span: Span,
}

impl<'a> RuleContext<'a> {
    /// Elaborates the settings into the rule's graph; what they are about is found out later.
    pub fn gradient_keys(&mut self, plan: &TrainPlan<'a>) -> Eval<Vec<Patterns>> {
        let mut found = Vec::new();
        let mut outcome = Ok(());
        if !plan.settings.freeze.is_empty() {
            let span = plan.settings.places["freeze"];
            let only = plan.settings.freeze.clone();
            found.push(Patterns { output: FROZEN, only: Vec::new(), except: only, span });
        }
        for key in &plan.gradients {
            match self.gradient_key(key) {
                Ok(patterns) => found.extend(patterns),
                Err(ErrorReported) => outcome = Err(ErrorReported),
            }
        }
        self.means(plan)?;
        self.accumulation(plan)?;
        outcome.map(|()| found)
    }

    /// The decay of running means: `min(decay, (step - 1) / (step + 9))`, so that the first step's
    /// mean is the value itself and early ones follow it closely (as TensorFlow's
    /// `ExponentialMovingAverage` with `num_updates`, counted from the first update).
    fn means(&mut self, plan: &TrainPlan<'a>) -> Eval<()> {
        let Some(decay) = plan.settings.ema else { return Ok(()) };
        let span = plan.settings.places["ema"];
        self.core.at(span);
        let step = self.core.builder.step();
        let [one, nine] = [1.0, 9.0].map(|number| self.core.builder.constant(number, DType::F64));
        let before = self.uniform(Binary::Sub, step, one, span)?;
        let after = self.uniform(Binary::Add, step, nine, span)?;
        let early = self.uniform(Binary::Div, before, after, span)?;
        let decay = self.core.builder.hyper("train.ema", decay);
        let decay = self.uniform(Binary::Min, decay, early, span)?;
        self.rule_number(EMA, decay, span)
    }

    /// The part of a batch in an update that several make, which the run says for each.
    fn accumulation(&mut self, plan: &TrainPlan<'a>) -> Eval<()> {
        if plan.settings.accumulate == 1 {
            return Ok(());
        }
        let span = plan.settings.places["accumulate"];
        self.core.at(span);
        let share = self.core.builder.hyper(SHARE_HYPER, 1.0);
        self.rule_number(SHARE, share, span)
    }

    fn gradient_key(&mut self, key: &'a TrainKey) -> Eval<Option<Patterns>> {
        let name = key.key.text.as_str();
        match name {
            "clip_norm" | "clip_value" => {
                let number = self.key_number(name, &key.value, true)?;
                let output = if name == "clip_norm" { CLIP_NORM } else { CLIP_VALUE };
                if let Some(node) = number {
                    self.rule_number(output, node, key.value.span)?;
                }
                Ok(None)
            }
            _ => {
                let (value, mut patterns) = self.decay(key)?;
                let Some(node) = self.key_number(name, value, false)? else { return Ok(None) };
                let (output, node) = match name {
                    // The penalty is l1·Σ|p|, or l2·Σp², whose slope is 2·l2·p.
                    "l1" => (L1, node),
                    "l2" => (L2, self.twice(node, value.span)?),
                    _ => (DECOUPLED_DECAY, self.decay_factor(node, key)?),
                };
                self.rule_number(output, node, key.value.span)?;
                patterns.output = output;
                Ok(Some(patterns))
            }
        }
    }

    /// The number of a setting as a node; `None` where it is 0 and changes nothing.
    fn key_number(&mut self, key: &str, expr: &'a Expr, positive: bool) -> Eval<Option<NodeId>> {
        let value = self.core.expr(expr, Expect::Number)?;
        match value {
            Value::Tensor(node) if self.core.is_each_step(node) => {
                let name = format!("{}{key}", SCHEDULED);
                if self.core.builder.graph.output(&name).is_none() {
                    let number = self.core.tensor(&value, expr.span)?;
                    self.core.builder.output(&name, number);
                }
                return Ok(Some(node));
            }
            _ => {}
        }
        match value.as_f64() {
            Some(0.0) if !positive => Ok(None),
            Some(number) if number > 0.0 && (number as f32).is_finite() => {
                self.core.at(expr.span);
                Ok(Some(self.core.builder.hyper(&format!("train.{key}"), number)))
            }
            _ => {
                let takes = match value.as_f64() {
                    Some(number) if number > 0.0 => FINITE,
                    _ if positive => "positive",
                    _ => "not negative",
                };
                let found = self.core.describe(&value);
                let message = format!("`{key}` is a number that is {takes}, found {found}");
                Err(self.core.error(codes::TRAIN_KEY, expr.span, message))
            }
        }
    }

    /// Names a number for the `update` pass.
    fn rule_number(&mut self, output: &str, node: NodeId, span: Span) -> Eval<()> {
        let number = self.core.tensor(&Value::Tensor(node), span)?;
        self.core.builder.output(output, number);
        Ok(())
    }

    fn twice(&mut self, node: NodeId, span: Span) -> Eval<NodeId> {
        let two = self.core.builder.constant(2.0, DType::F64);
        self.uniform(Binary::Mul, two, node, span)
    }

    /// `1 - lr · weight_decay`
    fn decay_factor(&mut self, node: NodeId, key: &TrainKey) -> Eval<NodeId> {
        let lr = match &self.learning_rate {
            Some(lr) => lr.clone(),
            None => {
                let message = "`weight_decay` needs an optimizer with an argument `lr`";
                let help = "`l2` adds to the gradient, whatever the optimizer";
                return Err(self.core.error_help(codes::TRAIN_KEY, key.key.span, message, help));
            }
        };
        let lr = self.core.node(&lr, key.key.span)?;
        let share = self.uniform(Binary::Mul, lr, node, key.value.span)?;
        let one = self.core.builder.constant(1.0, DType::F64);
        self.uniform(Binary::Sub, one, share, key.value.span)
    }

    pub(in crate::elaborate) fn uniform(
        &mut self,
        op: Binary,
        a: NodeId,
        b: NodeId,
        span: Span,
    ) -> Eval<NodeId> {
        self.core.at(span);
        let built = self.core.builder.binary(op, a, b);
        match self.core.built(span, &[a, b], built)? {
            Value::Tensor(node) => Ok(node),
            _ => Err(ErrorReported),
        }
    }

    /// The number of a setting, and what it is about: all parameters, or what `decay` says.
    fn decay(&mut self, key: &'a TrainKey) -> Eval<(&'a Expr, Patterns)> {
        let (mut only, mut except) = (Vec::new(), Vec::new());
        let span = key.value.span;
        let value = match &key.value.kind {
            ExprKind::Call(call) if call.callee.text == "decay" => {
                let slots = ["value", "only", "except"];
                let slots = slots.map(|name| ParamPlace { name, required: name == "value" });
                let args: Vec<_> = written(&call.args).collect();
                let placed = self.core.place_arguments("decay", &slots, &args, span)?;
                let at = |slot: usize| placed[slot].map(|index| &call.args[index].value);
                for (slot, list) in [(1, &mut only), (2, &mut except)] {
                    if let Some(expr) = at(slot) {
                        *list = self.core.patterns(expr)?;
                    }
                }
                at(0).ok_or(ErrorReported)?
            }
            _ => &key.value,
        };
        Ok((value, Patterns { output: DECOUPLED_DECAY, only, except, span }))
    }
}

impl<'a> Elaborator<'a> {
    /// A pattern, or a list of them.
    pub(in crate::elaborate) fn patterns(&mut self, expr: &'a Expr) -> Eval<Vec<Pattern>> {
        if let ExprKind::List(items) = &expr.kind {
            let found: Vec<Eval<_>> = items.iter().map(|item| self.patterns(item)).collect();
            let found: Eval<Vec<Vec<_>>> = found.into_iter().collect();
            return self.few(found?.concat(), expr.span);
        }
        let value = self.expr(expr, Expect::Any)?;
        let texts = match &value {
            Value::List(values) => values.iter().map(text).collect(),
            value => text(value).map(|text| vec![text]),
        };
        match texts {
            Some(texts) => {
                self.few(texts.into_iter().map(|text| (text, expr.span)).collect(), expr.span)
            }
            None => {
                let found = self.describe(&value);
                let message = format!("a pattern of parameters is a string, found {found}");
                let help = "such as `\"*.bias\"`, where `*` stands for any characters";
                Err(self.error_help(codes::WRONG_KIND, expr.span, message, help))
            }
        }
    }

    /// Patterns, unless they are too many: each is compared with every parameter.
    fn few(&mut self, patterns: Vec<Pattern>, span: Span) -> Eval<Vec<Pattern>> {
        if patterns.len() <= limits::PATTERNS {
            return Ok(patterns);
        }
        let message = format!("more than {} patterns of parameters", limits::PATTERNS);
        Err(self.stop(span, message, "`*` stands for any characters: `\"encoder.*\"`"))
    }
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::Str(text) => Some(text.clone()),
        _ => None,
    }
}

impl Patterns {
    /// The parameters that the setting leaves out; patterns that match none are reported.
    pub fn excluded(
        &self,
        graph: &Graph,
        found: &mut Vec<Diagnostic>,
    ) -> (&'static str, Vec<String>) {
        let paths: Vec<&str> = graph.params.values().map(|param| param.path.as_str()).collect();
        let before = found.len();
        for (pattern, span) in self.only.iter().chain(&self.except) {
            if found.len() >= limits::FINDINGS {
                break;
            }
            if !paths.iter().any(|path| matches(pattern, path)) {
                found.push(unmatched(pattern, *span, &paths));
            }
        }
        let any = |patterns: &[Pattern], path: &str| {
            patterns.iter().any(|(pattern, _)| matches(pattern, path))
        };
        let concerned = |path: &str| {
            (self.only.is_empty() || any(&self.only, path)) && !any(&self.except, path)
        };
        let excluded: Vec<String> =
            paths.iter().filter(|path| !concerned(path)).map(|path| path.to_string()).collect();
        if found.len() == before && excluded.len() == paths.len() && !paths.is_empty() {
            let message = match self.output {
                FROZEN => "`freeze` leaves no parameter to train",
                _ => "`only` and `except` leave no parameter",
            };
            found.push(Diagnostic::error(codes::TRAIN_KEY, message).primary(self.span, ""));
        }
        (self.output, excluded)
    }
}

fn unmatched(pattern: &str, span: Span, paths: &[&str]) -> Diagnostic {
    const SHOWN: usize = 6;
    let error = Diagnostic::error(codes::TRAIN_KEY, format!("no parameter matches `{pattern}`"))
        .primary(span, "");
    let known = known_patterns(paths);
    let known = known.iter().map(String::as_str);
    // The place is that of the string, quotes included.
    let quoted: Vec<String> = near(pattern, known).iter().map(|path| format!("{path:?}")).collect();
    let error = error.misspelt(span, &format!("{pattern:?}"), quoted.iter().map(String::as_str));
    error.or_help(|| {
        let more = if paths.len() > SHOWN { ", …" } else { "" };
        let shown = paths[..paths.len().min(SHOWN)].join(", ");
        format!("the parameters are {shown}{more}")
    })
}

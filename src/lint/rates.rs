//! Numbers outside any sane range: learning rates, decays, dropout of nothing or of everything.

use super::LintInput;
use crate::base::codes;
use crate::base::diagnostic::Diagnostic;
use crate::base::fix::{Certainty, Edit, Fix};
use crate::base::source::Span;
use crate::repair;
use crate::syntax::ast::{Call, Expr, ExprKind, FunctionKind, ItemKind, UnaryOp};
use crate::syntax::walk;
use std::ops::RangeInclusive;

/// Learning rates that somebody may mean.
const RATES: RangeInclusive<f64> = 1e-8..=5.0;
/// Decays and penalties that somebody may mean.
const DECAYS: RangeInclusive<f64> = 0.0..=1.0;

/// All lints of this file.
pub fn lints(program: &LintInput<'_>, found: &mut Vec<Diagnostic>) {
    if let Some(train) = program.train() {
        for key in &train.keys {
            match key.key.text.as_str() {
                "optimizer" => {
                    if let ExprKind::Call(call) = &key.value.kind {
                        optimizer(program, call, found);
                    }
                }
                name @ ("weight_decay" | "l1" | "l2") => {
                    let usual = if name == "weight_decay" { "1e-2" } else { "1e-4" };
                    outside(program, name, &key.value, &DECAYS, Some(usual.into()), found);
                }
                _ => {}
            }
        }
    }
    if !program.declares(FunctionKind::Layer, "dropout") {
        dropout(program, found);
    }
}

fn optimizer(program: &LintInput<'_>, call: &Call, found: &mut Vec<Diagnostic>) {
    for (index, arg) in call.args.iter().enumerate() {
        let editable = program.editable();
        let name = match &arg.name {
            Some(name) => name.text.as_str(),
            None => match repair::parameter(&editable, &call.callee.text, index) {
                Some(name) => name,
                None => continue,
            },
        };
        let range = match name {
            "lr" => &RATES,
            "weight_decay" | "lr_decay" => &DECAYS,
            _ => continue,
        };
        // A schedule begins with the rate that it goes down from.
        let peak = match &arg.value.kind {
            ExprKind::Call(schedule) => schedule.args.first().map(|first| &first.value),
            _ => Some(&arg.value),
        };
        if let ExprKind::Call(schedule) = &arg.value.kind {
            let floors = schedule.args.iter().skip(1);
            let named = floors.filter(|it| it.name.as_ref().is_some_and(|it| it.text == "floor"));
            for floor in named {
                outside(program, "floor", &floor.value, &(0.0..=5.0), None, found);
            }
        }
        if let Some(value) = peak {
            let default = repair::default(&editable, &call.callee.text, name);
            outside(program, name, value, range, default, found);
        }
    }
}

fn outside(
    program: &LintInput<'_>,
    name: &str,
    value: &Expr,
    range: &RangeInclusive<f64>,
    default: Option<String>,
    found: &mut Vec<Diagnostic>,
) {
    let Some((number, place)) = number(program, value) else { return };
    if range.contains(&number) {
        return;
    }
    let (least, most) = (range.start(), range.end());
    let message = format!("`{name}` is {number:?}, far from what trains");
    let mut warning = Diagnostic::warning(codes::ODD_RATE, message)
        .primary(place, format!("sane values lie between {least:?} and {most:?}"));
    if let Some(default) = default {
        let title = format!("write {default}, a usual one");
        let fix = Fix::new(title, vec![Edit { span: place, text: default }]);
        warning.fixes.push(fix.read_as(Certainty::Suggestion));
    }
    found.push(warning);
}

/// Dropout that does nothing, or leaves nothing.
fn dropout(program: &LintInput<'_>, found: &mut Vec<Diagnostic>) {
    let functions =
        program.files.iter().flat_map(|file| &file.items).filter_map(|item| match &item.kind {
            ItemKind::Function(function) => Some(function),
            _ => None,
        });
    for (call, span) in
        functions.flat_map(walk::calls).filter(|(it, _)| it.callee.text == "dropout")
    {
        let rate =
            call.args.iter().find(|arg| arg.name.as_ref().is_none_or(|name| name.text == "rate"));
        let Some((rate, place)) = rate.and_then(|rate| number(program, &rate.value)) else {
            continue;
        };
        let says = match rate {
            0.0 => "drops nothing: it does nothing",
            1.0 => "drops everything: nothing is left to learn from",
            _ => continue,
        };
        let message = format!("`dropout` with a rate of {rate:?}");
        let mut warning = Diagnostic::warning(codes::ODD_DROPOUT, message).primary(place, says);
        let editable = program.editable();
        let default = repair::default(&editable, "dropout", "rate").map(|text| {
            let edits = vec![Edit { span: place, text: text.clone() }];
            let title = format!("write {text}, the default");
            Fix::new(title, edits).read_as(Certainty::Suggestion)
        });
        let without = repair::without_stage(&editable, span);
        // Nothing dropped was meant as nothing; everything dropped was not.
        if rate == 0.0 {
            warning.fixes.extend(without.into_iter().chain(default));
        } else {
            warning.fixes.extend(default.into_iter().chain(without));
        }
        found.push(warning);
    }
}

/// A number that is written here, or in a constant; with its place.
fn number(program: &LintInput<'_>, expr: &Expr) -> Option<(f64, Span)> {
    match &expr.kind {
        ExprKind::Int(value) => Some((*value as f64, expr.span)),
        ExprKind::Float(value) => Some((*value, expr.span)),
        ExprKind::Unary(UnaryOp::Neg, inner) => {
            number(program, inner).map(|(value, _)| (-value, expr.span))
        }
        ExprKind::Name(name) => {
            let items = program.files.iter().flat_map(|file| &file.items);
            let constants = items.filter_map(|item| match &item.kind {
                ItemKind::Const { name, value } => Some((name, value)),
                _ => None,
            });
            let (_, value) = constants.into_iter().find(|(other, _)| other.text == *name)?;
            matches!(value.kind, ExprKind::Int(_) | ExprKind::Float(_))
                .then(|| number(program, value))?
        }
        _ => None,
    }
}

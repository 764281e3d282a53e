//! BinaryOperands transposed, exchanged, or of another kind: `q @ k` → `q @ transpose(k)`, `1 / 2` →
//! `1.0 / 2`, `a - b` on shapes → `a + b`.

use super::scene::{BinaryOperands, Scene, distance};
use super::{Candidate, candidate, cost, swap};
use crate::base::source::Span;
use crate::syntax::ast::{BinaryOp, Expr, ExprKind};

/// Other operands.
pub fn edits(scene: &Scene<'_>, found: &mut Vec<Candidate>) {
    for operands in &scene.operands {
        if operands.distance > distance::AROUND + distance::LABELLED {
            continue;
        }
        if operands.op == BinaryOp::Matmul {
            products(scene, operands, found);
        }
        // Integers meet floats by a cast.
        if scene.shapes.iter().any(|shape| !shape.starts_with("f32")) {
            casts(scene, operands, found);
        }
        numbers(scene, operands, found);
    }
}

/// `q @ k` → `q @ transpose(k)`, `k @ q`, `q * k`.
fn products(scene: &Scene<'_>, operands: &BinaryOperands<'_>, found: &mut Vec<Candidate>) {
    let (left, right) = (operands.left, operands.right);
    let cost = cost::TRANSPOSED + operands.distance;
    for operand in [right, left] {
        let text = scene.program.sources.text(operand.span);
        if !text.starts_with("transpose(") {
            let edit = format!("transpose({text})");
            found.push(candidate(format!("write `{edit}`"), operand.span, edit, cost));
        }
        if let ExprKind::Call(call) = &operand.kind
            && call.callee.text == "transpose"
            && let [only] = &call.args[..]
        {
            let text = scene.program.sources.text(only.value.span);
            found.push(candidate(format!("write `{text}`"), operand.span, text, cost - 10));
        }
    }
    found.push(swap(scene, [left.span, right.span], cost::OPERAND + operands.distance));
    let between = Span { start: left.span.end, end: right.span.start, ..left.span };
    let cost = cost::OPERAND + 5 + operands.distance;
    found.push(candidate("write `*`", between, " * ", cost));
}

/// `a + label` → `a + cast(label, f32)`.
fn casts(scene: &Scene<'_>, operands: &BinaryOperands<'_>, found: &mut Vec<Candidate>) {
    for operand in [operands.left, operands.right] {
        if matches!(operand.kind, ExprKind::Name(_) | ExprKind::Call(_)) {
            let text = format!("cast({}, f32)", scene.program.sources.text(operand.span));
            let cost = cost::STAGE + operands.distance;
            found.push(candidate(format!("write `{text}`"), operand.span, text, cost));
        }
    }
}

/// `C / reduction` → `C`, `1 / x` → `1.0 / x`.
fn numbers(scene: &Scene<'_>, operands: &BinaryOperands<'_>, found: &mut Vec<Candidate>) {
    let (left, right) = (operands.left, operands.right);
    let is_count = |expr: &Expr| match &expr.kind {
        ExprKind::Name(name) => scene.counts[operands.item].contains(&name.as_str()),
        kind => matches!(kind, ExprKind::Int(_)),
    };
    if is_count(left) && is_count(right) {
        for operand in [left, right] {
            let text = scene.program.sources.text(operand.span);
            let cost = cost::NUMBER_NAME + operands.distance;
            let whole = left.span.to(right.span);
            found.push(candidate(format!("write `{text}` alone"), whole, text, cost));
        }
    }
    for operand in [left, right] {
        if let ExprKind::Int(value) = operand.kind {
            let text = format!("{value}.0");
            let cost = cost::OTHER_KIND + operands.distance;
            found.push(candidate(format!("write `{text}`"), operand.span, text, cost));
        }
    }
}

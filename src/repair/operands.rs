//! Operands transposed, exchanged, or of another kind: `q @ k` → `q @ transpose(k)`, `1 / 2` →
//! `1.0 / 2`, `a - b` on shapes → `a + b`.

use super::scene::{Scene, distance};
use super::{Candidate, candidate, cost, swap};
use crate::syntax::ast::{BinaryOp, ExprKind};

/// Other operands.
pub fn edits(scene: &Scene<'_>, found: &mut Vec<Candidate>) {
    for operands in &scene.operands {
        if operands.distance > distance::AROUND + distance::LABELLED {
            continue;
        }
        let (left, right) = (operands.left, operands.right);
        let cost = cost::OPERAND + operands.distance;
        if operands.op == BinaryOp::Matmul {
            for operand in [right, left] {
                let text = scene.program.sources.text(operand.span);
                let edit = format!("transpose({text})");
                found.push(candidate(format!("write `{edit}`"), operand.span, edit, cost));
                if let ExprKind::Call(call) = &operand.kind
                    && call.callee.text == "transpose"
                    && let [only] = &call.args[..]
                {
                    let text = scene.program.sources.text(only.value.span);
                    found.push(candidate(format!("write `{text}`"), operand.span, text, cost));
                }
            }
            found.push(swap(scene, [left.span, right.span], cost + 1));
        }
        for operand in [left, right] {
            if let ExprKind::Int(value) = operand.kind {
                let text = format!("{value}.0");
                let cost = cost::OTHER_KIND + operands.distance;
                found.push(candidate(format!("write `{text}`"), operand.span, text, cost));
            }
        }
    }
}

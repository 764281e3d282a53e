//! Stages more, less, and in another order: `x |> dense(10)` → `x |> flatten |> dense(10)`.

use super::scene::{Pipeline, Scene, distance};
use super::{Candidate, before, candidate, cost, swap};
use crate::base::source::Span;
use crate::syntax::ast::{Stage, StageKind};

/// What is put before a stage, and what that adds to the cost.
const INSERTED: [(&str, u32); 3] = [("flatten", 0), ("global_avg_pool", 6), ("transpose", 6)];

/// Stages more, less, and in another order.
pub fn edits(scene: &Scene<'_>, found: &mut Vec<Candidate>) {
    for pipeline in &scene.pipelines {
        for (index, stage) in pipeline.stages.iter().enumerate() {
            let distance = scene.distance(stage.span, pipeline.item);
            more(stage, distance, found);
            if distance <= distance::ITEM {
                less(pipeline, index, distance, found);
                if let Some(next) = pipeline.stages.get(index + 1) {
                    let cost = cost::SWAP + distance;
                    found.push(swap(scene, [stage.span, next.span], cost));
                }
            }
        }
        at_the_end(scene, pipeline, found);
    }
    for call in scene.calls.iter().filter(|call| !call.piped) {
        // `dense(x, 10)` → `dense(flatten(x), 10)`
        let Some(first) = call.call.args.first() else { continue };
        let text = scene.program.sources.text(first.value.span);
        let cost = cost::STAGE + call.distance;
        if call.distance <= distance::ITEM {
            let edit = format!("flatten({text})");
            found.push(candidate(format!("write `{edit}`"), first.value.span, edit, cost));
        }
    }
}

fn more(stage: &Stage, distance: u32, found: &mut Vec<Candidate>) {
    // Values become rows before a layer that takes rows; elsewhere it is less likely.
    let takes_rows = matches!(&stage.kind, StageKind::Call(call) if call.callee.text == "dense");
    for (inserted, extra) in INSERTED {
        let extra = extra + if takes_rows { 0 } else { 2 };
        let cost = cost::STAGE + extra + distance;
        let text = format!("{inserted} |> ");
        found.push(candidate(format!("add `|> {inserted}`"), before(stage.span), text, cost));
    }
}

/// A stage after the last one.
fn at_the_end(scene: &Scene<'_>, pipeline: &Pipeline<'_>, found: &mut Vec<Candidate>) {
    let Some(last) = pipeline.stages.last() else { return };
    let distance = scene.distance(last.span, pipeline.item);
    for (inserted, extra) in INSERTED {
        let cost = cost::STAGE + 4 + extra + distance;
        let text = format!(" |> {inserted}");
        found.push(candidate(format!("add `|> {inserted}`"), super::after(last.span), text, cost));
    }
}

/// The pipeline without a stage, and without the `|>` before it.
fn less(pipeline: &Pipeline<'_>, index: usize, distance: u32, found: &mut Vec<Candidate>) {
    let stage = pipeline.stages[index];
    let span = match (index.checked_sub(1), pipeline.stages.get(index + 1)) {
        (Some(before), _) => Span { start: pipeline.stages[before].span.end, ..stage.span },
        (None, Some(next)) => Span { end: next.span.start, ..stage.span },
        (None, None) => return,
    };
    let name = match &stage.kind {
        StageKind::Call(call) => call.callee.text.as_str(),
        StageKind::Repeat { .. } => "repeat",
    };
    let cost = cost::FEWER + distance;
    found.push(candidate(format!("leave `|> {name}` out"), span, "", cost));
}

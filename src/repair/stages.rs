//! Stages more, less, and in another order: `x |> dense(10)` → `x |> flatten |> dense(10)`.

use super::scene::{Pipeline, Scene, distance};
use super::{Candidate, before, candidate, cost, swap};
use crate::base::source::Span;
use crate::syntax::ast::{PipeStage, StageKind};

/// Stages to insert before another, each with its extra cost.
const INSERTED: [(&str, u32); 3] = [("flatten", 0), ("global_avg_pool", 60), ("transpose", 60)];

/// Stages more, less, and in another order.
pub fn edits(scene: &Scene<'_>, found: &mut Vec<Candidate>) {
    for pipeline in &scene.pipelines {
        for (index, stage) in pipeline.stages.iter().enumerate() {
            let distance = scene.distance(stage.span, pipeline.item);
            // Rows that are needed at a stage can be made before any of those that lead there.
            let later = pipeline.stages[index..].iter();
            let nearest = later.map(|stage| scene.distance(stage.span, pipeline.item)).min();
            more(scene, stage, nearest.unwrap_or(distance), found);
            if distance < distance::ITEM {
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

fn more(scene: &Scene<'_>, stage: &PipeStage, distance: u32, found: &mut Vec<Candidate>) {
    // Values become rows before a layer that takes rows; elsewhere it is less likely.
    let takes_rows = matches!(&stage.kind, StageKind::Call(call) if call.callee.text == "dense");
    // What slides over images or sequences wants rows to have axes.
    for dims in scene.told_dims().filter(|dims| dims.len() == 2 && distance < distance::ITEM) {
        let Ok(values) = dims[1].parse::<usize>() else { continue };
        let batch = dims[0];
        let side = values.isqrt();
        let image = (side * side == values).then(|| format!("[{batch}, {side}, {side}, 1]"));
        for (shape, extra) in
            image.into_iter().map(|it| (it, 0)).chain([(format!("[{batch}, {values}, 1]"), 5)])
        {
            let cost = cost::STAGE + 10 + extra + distance;
            let text = format!("reshape({shape}) |> ");
            let title = format!("add `|> reshape({shape})`");
            found.push(candidate(title, before(stage.span), text, cost));
        }
    }
    // Integers meet floats by a cast.
    if scene.shapes.iter().any(|shape| ["i32", "u8", "bool"].iter().any(|it| shape.starts_with(it)))
    {
        let cost = cost::STAGE + distance;
        found.push(candidate("add `|> cast(f32)`", before(stage.span), "cast(f32) |> ", cost));
    }
    let sequences = scene.told_dims().any(|dims| dims.len() == 3 && dims[0] == "N");
    for (inserted, extra) in INSERTED {
        // One answer for a sequence is a mean over time, more likely than a weight for each step.
        let extra = if sequences && inserted == "global_avg_pool" { 0 } else { extra };
        let extra = extra + u32::from(sequences && inserted == "flatten") * 10;
        let extra = extra + if takes_rows { 0 } else { 20 };
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
        let cost = cost::STAGE + 40 + extra + distance;
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
        (None, None) => match pipeline.first {
            Some(first) => Span { start: first.end, ..stage.span },
            None => return,
        },
    };
    let name = match &stage.kind {
        StageKind::Call(call) => call.callee.text.as_str(),
        StageKind::Repeat { .. } => "repeat",
    };
    let cost = cost::FEWER + distance;
    found.push(candidate(format!("leave `|> {name}` out"), span, "", cost));
}

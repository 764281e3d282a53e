//! Declared shapes that become others: `f32[N, 3, 32, 32]` → `f32[N, 32, 32, 3]`, `f32[N, 28, 28]`
//! → `f32[N, 28, 28, 1]`, `f32[N, 12]` → `f32[N, 10]`.

use super::scene::{Declared, Scene, distance};
use super::{Candidate, after, candidate, cost};
use crate::base::source::Span;
use crate::syntax::ast::{Dim, ExprKind};

/// Element types, of which another may be meant.
const DTYPES: [&str; 4] = ["f32", "i32", "u8", "bool"];

/// Other declared shapes.
pub fn edits(scene: &Scene<'_>, found: &mut Vec<Candidate>) {
    for declared in &scene.types {
        if declared.distance > distance::ELSEWHERE {
            continue;
        }
        let Some(dims) = &declared.ty.dims else { continue };
        let spans: Vec<Span> = dims.iter().map(span).collect();
        numbers(scene, declared, dims, found);
        order(scene, declared, &spans, found);
        count(scene, declared, &spans, found);
        whole(scene, declared, found);
        for dtype in DTYPES.iter().filter(|dtype| **dtype != declared.ty.name.text) {
            let cost = cost::DECLARED + 3 + declared.distance;
            let span = declared.ty.name.span;
            found.push(candidate(format!("declare {dtype}"), span, *dtype, cost));
        }
    }
}

fn span(dim: &Dim) -> Span {
    match dim {
        Dim::Expr(expr) => expr.span,
        // `..S` begins two characters before its name.
        Dim::Rest(name) => Span { start: name.span.start - 2, ..name.span },
    }
}

/// One dimension of another extent, or of another name.
fn numbers(scene: &Scene<'_>, declared: &Declared<'_>, dims: &[Dim], found: &mut Vec<Candidate>) {
    let cost = cost::DECLARED + declared.distance;
    for dim in dims {
        let Dim::Expr(expr) = dim else { continue };
        let written = scene.program.sources.text(expr.span);
        let is_number = matches!(expr.kind, ExprKind::Int(_));
        for number in scene.numbers.iter().filter(|number| **number > 0).take(12) {
            let text = number.to_string();
            if text != written {
                let cost = cost + if is_number { 0 } else { 3 };
                found.push(candidate(format!("declare {text}"), expr.span, text, cost));
            }
        }
        for name in scene.names[declared.item].iter().filter(|name| **name != written) {
            let cost = cost + 3;
            found.push(candidate(format!("declare `{name}`"), expr.span, *name, cost));
        }
    }
}

/// Two dimensions exchanged, or the second moved to the end, as channels are.
fn order(scene: &Scene<'_>, declared: &Declared<'_>, spans: &[Span], found: &mut Vec<Candidate>) {
    let texts: Vec<&str> = spans.iter().map(|span| scene.program.sources.text(*span)).collect();
    let cost = cost::REORDER + declared.distance;
    let mut orders: Vec<Vec<&str>> = Vec::new();
    if texts.len() > 2 {
        let mut last = texts.clone();
        let channels = last.remove(1);
        last.push(channels);
        orders.push(last);
    }
    for a in 0..texts.len() {
        for b in a + 1..texts.len() {
            let mut swapped = texts.clone();
            swapped.swap(a, b);
            orders.push(swapped);
        }
    }
    let (Some(first), Some(last)) = (spans.first(), spans.last()) else { return };
    let place = first.to(*last);
    for texts in orders {
        let text = texts.join(", ");
        found.push(candidate(format!("declare `[{text}]`"), place, text, cost));
    }
}

/// A dimension more or less.
fn count(scene: &Scene<'_>, declared: &Declared<'_>, spans: &[Span], found: &mut Vec<Candidate>) {
    let Some(last) = spans.last() else { return };
    let cost = cost::DECLARED + declared.distance;
    let numbers = scene.numbers.iter().filter(|number| **number > 0);
    for number in std::iter::once(&1).chain(numbers.take(6)) {
        let title = format!("declare one axis more, {number}");
        found.push(candidate(title, after(*last), format!(", {number}"), cost));
    }
    for pair in spans.windows(2) {
        let dropped = Span { start: pair[0].end, ..pair[1] };
        let shown = scene.program.sources.text(pair[1]);
        let title = format!("leave the axis `{shown}` out");
        found.push(candidate(title, dropped, "", cost + 4));
    }
}

/// The whole type as the mistake tells it.
fn whole(scene: &Scene<'_>, declared: &Declared<'_>, found: &mut Vec<Candidate>) {
    let written = scene.program.sources.text(declared.ty.span);
    for shape in scene.shapes.iter().filter(|shape| shape.as_str() != written) {
        let cost = cost::DECLARED + 4 + declared.distance;
        found.push(candidate(format!("declare `{shape}`"), declared.ty.span, shape, cost));
    }
}

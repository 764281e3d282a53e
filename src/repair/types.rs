//! Declared shapes that become others: `f32[N, 3, 32, 32]` → `f32[N, 32, 32, 3]`, `f32[N, 28, 28]`
//! → `f32[N, 28, 28, 1]`, `f32[N, 12]` → `f32[N, 10]`.

use super::scene::{Declared, Of, Scene};
use super::{Candidate, DECLARED, after, candidate, cost};
use crate::base::fix::{Edit, Fix};
use crate::base::source::Span;
use crate::syntax::ast::{DimExpr, Expr, ExprKind};

/// Element types, of which another may be meant.
const DTYPES: [&str; 4] = ["f32", "i32", "u8", "bool"];

/// Other declared shapes.
pub fn edits(scene: &Scene<'_>, found: &mut Vec<Candidate>) {
    for declared in &scene.types {
        let Some(dims) = &declared.ty.dims else { continue };
        let spans: Vec<Span> = dims.iter().map(span).collect();
        numbers(scene, declared, dims, found);
        order(scene, declared, &spans, found);
        count(scene, declared, &spans, found);
        whole(scene, declared, found);
        match declared.of {
            Of::Result => fresh(scene, declared, dims, found),
            Of::Argument => once(scene, declared, dims, found),
            Of::Input | Of::Kept => {}
        }
        for dtype in DTYPES.iter().filter(|dtype| **dtype != declared.ty.name.text) {
            let cost = base(declared) + 30 + declared.distance;
            let span = declared.ty.name.span;
            found.push(candidate(format!("declare {dtype}"), span, *dtype, cost));
        }
    }
}

/// Base cost of changing a declared shape, by the declaration.
fn base(declared: &Declared<'_>) -> u32 {
    match declared.of {
        Of::Kept => cost::NUMBER,
        Of::Result => cost::DECLARED - 20,
        Of::Argument => cost::DECLARED - 30,
        // What goes in is given from outside.
        Of::Input => cost::DECLARED + 60,
    }
}

/// A name that binds two dimensions as two names: `[N, H, H, C]` → `[N, H, W, C]`.
fn once(scene: &Scene<'_>, declared: &Declared<'_>, dims: &[DimExpr], found: &mut Vec<Candidate>) {
    let mut seen: Vec<&str> = Vec::new();
    for dim in dims {
        let DimExpr::Expr(Expr { kind: ExprKind::Name(name), span }) = dim else { continue };
        if !seen.contains(&name.as_str()) {
            seen.push(name);
            continue;
        }
        let other = if name == "H" { "W".to_owned() } else { format!("{name}2") };
        if !scene.counts[declared.item].contains(&other.as_str()) {
            let cost = cost::DECLARED - 20 + declared.distance;
            found.push(candidate(format!("declare `{other}`"), *span, other, cost));
        }
    }
}

/// The names of a result's dimensions as new ones: `[N, H, W, C]` → `[N, OH, OW, C]`.
fn fresh(scene: &Scene<'_>, declared: &Declared<'_>, dims: &[DimExpr], found: &mut Vec<Candidate>) {
    let names: Vec<(Span, &str)> = dims
        .iter()
        .skip(1)
        .filter_map(|dim| match dim {
            DimExpr::Expr(Expr { kind: ExprKind::Name(name), span }) => {
                Some((*span, name.as_str()))
            }
            _ => None,
        })
        .filter(|(_, name)| name.starts_with(char::is_uppercase))
        .collect();
    for last in 1..=names.len() {
        let renamed = &names[..last];
        let fresh = |name: &str| format!("O{name}");
        if renamed.iter().any(|(_, name)| scene.counts[declared.item].contains(&&*fresh(name))) {
            continue;
        }
        let edits =
            renamed.iter().map(|(span, name)| Edit { span: *span, text: fresh(name) }).collect();
        let title = "give the result dimensions of its own".to_owned();
        let fix = Fix::new(title, edits);
        found.push(Candidate::new(fix, cost::DECLARED + 5 + declared.distance));
    }
}

fn span(dim: &DimExpr) -> Span {
    match dim {
        DimExpr::Expr(expr) => expr.span,
        // `..S` begins two characters before its name.
        DimExpr::Rest(name) => Span { start: name.span.start - 2, ..name.span },
    }
}

/// One dimension of another extent, or of another name.
fn numbers(
    scene: &Scene<'_>,
    declared: &Declared<'_>,
    dims: &[DimExpr],
    found: &mut Vec<Candidate>,
) {
    for dim in dims {
        let DimExpr::Expr(expr) = dim else { continue };
        let cost = base(declared) + scene.distance(expr.span, declared.item);
        let written = scene.program.sources.text(expr.span);
        let is_number = matches!(expr.kind, ExprKind::Int(_));
        for number in scene.numbers.iter().filter(|number| **number > 0).take(12) {
            let text = number.to_string();
            if text != written {
                let cost = cost + if is_number { 0 } else { 60 };
                let title = format!("declare {text}");
                found.push(candidate(title, expr.span, text, cost).choosing(expr.span, DECLARED));
            }
        }
        for name in scene.counts[declared.item].iter().filter(|name| **name != written) {
            let cost = cost + if is_number { 20 } else { 10 };
            let title = format!("declare `{name}`");
            found.push(candidate(title, expr.span, *name, cost).choosing(expr.span, DECLARED));
        }
    }
}

/// Two dimensions exchanged, or the second moved to the end, as channels are.
fn order(scene: &Scene<'_>, declared: &Declared<'_>, spans: &[Span], found: &mut Vec<Candidate>) {
    let texts: Vec<&str> = spans.iter().map(|span| scene.program.sources.text(*span)).collect();
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
        // An order that a value has is likelier than any other.
        let told = scene.told_dims().any(|dims| dims == texts);
        let cost = if told { cost::REORDER } else { cost::DECLARED + 20 } + declared.distance;
        let text = texts.join(", ");
        let title = format!("declare `[{text}]`");
        let order = candidate(title, place, text, cost);
        found.push(if told { order } else { order.choosing(place, "") });
    }
}

/// A dimension more or less.
fn count(scene: &Scene<'_>, declared: &Declared<'_>, spans: &[Span], found: &mut Vec<Candidate>) {
    let (Some(first), Some(last)) = (spans.first(), spans.last()) else { return };
    if scene.program.sources.text(*first) != "N" {
        let title = "declare the batch, `N`";
        found.push(candidate(
            title,
            super::before(*first),
            "N, ",
            cost::NUMBER + declared.distance,
        ));
    } else if let Some(second) = spans.get(1) {
        let dropped = Span { end: second.start, ..*first };
        let cost = base(declared) + 40 + declared.distance;
        found.push(candidate("leave the batch out", dropped, "", cost));
    }
    let cost = base(declared) + declared.distance;
    let numbers = scene.numbers.iter().filter(|number| **number > 0);
    for number in std::iter::once(&1).chain(numbers.take(6)) {
        let title = format!("declare one axis more, {number}");
        let place = after(*last);
        found.push(candidate(title, place, format!(", {number}"), cost).choosing(place, ""));
    }
    for pair in spans.windows(2) {
        let dropped = Span { start: pair[0].end, ..pair[1] };
        let shown = scene.program.sources.text(pair[1]);
        let title = format!("leave the axis `{shown}` out");
        found.push(candidate(title, dropped, "", cost + 40));
    }
}

/// The whole type as the mistake tells it.
fn whole(scene: &Scene<'_>, declared: &Declared<'_>, found: &mut Vec<Candidate>) {
    let written = scene.program.sources.text(declared.ty.span);
    for dims in scene.told_dims() {
        let shape = format!("{}[{}]", declared.ty.name.text, dims.join(", "));
        let cost = base(declared) + 35 + declared.distance;
        if shape != written {
            found.push(candidate(format!("declare `{shape}`"), declared.ty.span, shape, cost));
        }
    }
    for shape in scene.shapes.iter().filter(|shape| shape.as_str() != written) {
        let cost = base(declared) + 40 + declared.distance;
        found.push(candidate(format!("declare `{shape}`"), declared.ty.span, shape, cost));
    }
}

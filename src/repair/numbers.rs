//! Literals that become others: `dense(100)` → `dense(10)`, `axis: 2` → `axis: 1`, `"same"` →
//! `same`, and names that become others of their scope.
//!
//! A number comes from those that the mistake speaks of, from what follows from them (sums,
//! products, quotients), and from what such an argument usually is.

use super::scene::{Literal, Scene, distance};
use super::{Candidate, candidate, cost};
use crate::base::source::Span;
use crate::syntax::ast::{ExprKind, UnaryOp};

/// How many numbers are tried at one place.
const MOST: usize = 40;

/// Other literals.
pub fn edits(scene: &Scene<'_>, found: &mut Vec<Candidate>) {
    let derived = derived(scene);
    for literal in &scene.literals {
        match &literal.expr.kind {
            ExprKind::Int(value) => number(scene, literal, *value, &derived, found),
            ExprKind::Unary(UnaryOp::Neg, operand) => {
                if let ExprKind::Int(value) = operand.kind {
                    number(scene, literal, -value, &derived, found);
                }
            }
            ExprKind::Name(name) => names(scene, literal, name, &derived, found),
            ExprKind::Float(_) | ExprKind::Bool(_) | ExprKind::Str(_) | ExprKind::List(_) => {}
            _ => continue,
        }
        other_kind(scene, literal, found);
    }
}

fn number(
    scene: &Scene<'_>,
    literal: &Literal<'_>,
    value: i64,
    derived: &[i64],
    found: &mut Vec<Candidate>,
) {
    let span = literal.expr.span;
    let (extra, numbers) = choices(scene, literal, value, derived);
    for (order, number) in numbers.into_iter().filter(|&number| number != value).enumerate() {
        let cost = cost::NUMBER + extra + literal.distance + u32::from(order > 4);
        found.push(candidate(
            format!("write {number} for {value}"),
            span,
            number.to_string(),
            cost,
        ));
    }
    // A number that the layer's own argument stands for.
    for name in &scene.names[literal.item] {
        if *name == literal.slot.name {
            let cost = cost::NUMBER + literal.distance;
            found.push(candidate(format!("write `{name}` for {value}"), span, *name, cost));
        } else if literal.distance < distance::ITEM {
            let cost = cost::NAME + literal.distance;
            found.push(candidate(format!("write `{name}` for {value}"), span, *name, cost));
        }
    }
}

/// What else a number may be, and what the kind of argument adds to the cost.
fn choices(
    scene: &Scene<'_>,
    literal: &Literal<'_>,
    value: i64,
    derived: &[i64],
) -> (u32, Vec<i64>) {
    let positive = |numbers: &[i64]| -> Vec<i64> {
        numbers.iter().copied().filter(|&number| number > 0).collect()
    };
    let small = |most: i64| positive(derived).into_iter().filter(move |&number| number <= most);
    match literal.slot.name {
        "axis" => (0, vec![1, -1, 2, 3, 0, -2, -3]),
        "pad" => (0, (0..=7).chain(small(16)).collect()),
        "stride" => (1, (1..=4).chain(small(8)).collect()),
        "size" => (5, [1, 2, 3, 4, 5, 7].into_iter().chain(small(16)).collect()),
        "dilation" => (2, vec![1, 2, 4]),
        "groups" => (1, [1, 2, 4, 8].into_iter().chain(positive(derived)).take(MOST).collect()),
        "repeat" => (6, vec![value - 1, value + 1]),
        _ => {
            let classes = scene.program.classes.and_then(|classes| i64::try_from(classes).ok());
            let near = [value - 1, value + 1, value * 2, value / 2];
            let all = scene.numbers.iter().copied().chain(classes);
            let all = all.chain(derived.iter().copied()).chain(near);
            let mut numbers: Vec<i64> = Vec::new();
            for number in all.filter(|&number| number > 0 || (number == -1 && value < 0)) {
                if !numbers.contains(&number) {
                    numbers.push(number);
                }
            }
            numbers.truncate(MOST);
            (0, numbers)
        }
    }
}

/// The numbers that a mistake speaks of, and what follows from two or three of them.
fn derived(scene: &Scene<'_>) -> Vec<i64> {
    let told: Vec<i64> = scene.numbers.iter().copied().filter(|number| *number > 0).collect();
    let mut found = told.clone();
    let mut add = |number: i64| {
        if number > 0 && !found.contains(&number) {
            found.push(number);
        }
    };
    // What `flatten` makes of a shape.
    for shape in &scene.shapes {
        let dims: Vec<i64> =
            shape.split(['[', ']', ',']).filter_map(|dim| dim.trim().parse().ok()).collect();
        for from in 0..dims.len() {
            for to in from + 2..=dims.len() {
                let product = dims[from..to].iter().try_fold(1i64, |a, &b| a.checked_mul(b));
                add(product.unwrap_or(0));
            }
        }
    }
    for &a in &told {
        for &b in &told {
            if b > 1 && a % b == 0 {
                add(a / b);
            }
            add((a - b).abs());
            add(a.saturating_add(b));
        }
    }
    for &a in &told {
        for &b in &told {
            add(a.saturating_mul(b));
        }
    }
    found
}

/// Another name of the scope, or a number.
fn names(
    scene: &Scene<'_>,
    literal: &Literal<'_>,
    name: &str,
    derived: &[i64],
    found: &mut Vec<Candidate>,
) {
    if literal.distance >= distance::ITEM {
        return;
    }
    let span = literal.expr.span;
    for other in scene.names[literal.item].iter().filter(|other| **other != name) {
        let cost = cost::NAME + literal.distance;
        found.push(candidate(format!("write `{other}` for `{name}`"), span, *other, cost));
    }
    let is_number = matches!(literal.slot.name, "units" | "filters" | "stride" | "pad" | "axis");
    if is_number {
        for number in derived.iter().take(8) {
            let cost = cost::NAME + 1 + literal.distance;
            found.push(candidate(format!("write {number}"), span, number.to_string(), cost));
        }
    }
    // A word is a string where one is needed.
    if literal.distance <= distance::LABELLED {
        let cost = cost::OTHER_KIND + 4 + literal.distance;
        found.push(candidate(format!("write \"{name}\""), span, format!("\"{name}\""), cost));
    }
}

/// The same, as a literal of another kind.
fn other_kind(scene: &Scene<'_>, literal: &Literal<'_>, found: &mut Vec<Candidate>) {
    if literal.distance > distance::AROUND {
        return;
    }
    let texts: Vec<String> = match &literal.expr.kind {
        ExprKind::Int(value) => {
            let mut texts = vec![format!("{value}.0"), format!("[{value}]")];
            texts.extend(match value {
                0 => Some("false".into()),
                1 => Some("true".into()),
                _ => None,
            });
            texts
        }
        ExprKind::Float(value) if value.fract() == 0.0 && value.abs() < 1e15 => {
            vec![format!("{}", *value as i64)]
        }
        ExprKind::Str(text) => vec![text.clone()],
        ExprKind::Bool(value) => vec![format!("\"{value}\""), u8::from(*value).to_string()],
        ExprKind::List(_) => return unwrapped(scene, literal, found),
        _ => return,
    };
    for text in texts {
        let cost = cost::OTHER_KIND + literal.distance;
        found.push(candidate(format!("write `{text}`"), literal.expr.span, text, cost));
    }
}

/// `[3, 3]` → `3`, `["a"]` → `"a"`, `[1, 2, 3]` → `[1, 2]`.
fn unwrapped(scene: &Scene<'_>, literal: &Literal<'_>, found: &mut Vec<Candidate>) {
    let ExprKind::List(entries) = &literal.expr.kind else { return };
    let span = literal.expr.span;
    if let Some(first) = entries.first() {
        let one = scene.program.sources.text(first.span);
        let cost = cost::OTHER_KIND + 2 + literal.distance;
        found.push(candidate(format!("write `{one}`"), span, one, cost));
    }
    if let [.., before, last] = &entries[..] {
        let span = Span { start: before.span.end, ..last.span };
        let cost = cost::LESS + literal.distance;
        found.push(candidate("leave the last entry out", span, "", cost));
    }
}

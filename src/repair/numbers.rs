//! Literals that become others: `dense(100)` → `dense(10)`, `axis: 2` → `axis: 1`, `"same"` →
//! `same`, and names that become others of their scope.
//!
//! A number comes from those that the mistake speaks of, from what follows from them (sums,
//! products, quotients), and from what such an argument usually is.

use super::scene::{CallSite, LiteralSite, Scene, distance};
use super::{Candidate, candidate, cost};
use crate::base::codes;
use crate::base::source::Span;
use crate::syntax::ast::{ExprKind, UnaryOp};

/// How many numbers are tried at one place.
const MOST: usize = 40;
/// How many times another number one may be, to be what was meant.
const FARTHEST: i64 = 1000;

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
                let text = scene.program.sources.text(operand.span);
                let cost = cost::NUMBER + literal.distance;
                let title = format!("write {text}, without its sign");
                let edit = candidate(title, literal.expr.span, text, cost);
                // `-1` stands for what follows, or for the last: its sign is no slip.
                let is_word = matches!(operand.kind, ExprKind::Int(1));
                found.push(if is_word { edit.choosing(literal.expr.span, "") } else { edit });
            }
            ExprKind::Name(name) => names(scene, literal, name, &derived, found),
            ExprKind::List(entries) if literal.slot.name == "axis" && entries.len() == 2 => {
                for axes in ["[1, 2]", "[0, 1]", "[2, 3]", "[-2, -1]"] {
                    let cost = cost::NUMBER + literal.distance;
                    let title = format!("write `{axes}`");
                    let span = literal.expr.span;
                    found.push(candidate(title, span, axes, cost).choosing(span, ""));
                }
            }
            ExprKind::List(_) if literal.slot.name == "size" => image_size(scene, literal, found),
            ExprKind::Float(_) | ExprKind::Bool(_) | ExprKind::Str(_) | ExprKind::List(_) => {}
            _ => continue,
        }
        other_kind(scene, literal, found);
    }
}

/// The size of images, as the model takes them.
fn image_size(scene: &Scene<'_>, literal: &LiteralSite<'_>, found: &mut Vec<Candidate>) {
    for dims in scene.told_dims().filter(|dims| dims.len() == 4) {
        let size = format!("[{}, {}]", dims[1], dims[2]);
        let cost = cost::NUMBER + literal.distance;
        found.push(candidate(format!("write `{size}`"), literal.expr.span, size, cost));
    }
}

fn number(
    scene: &Scene<'_>,
    literal: &LiteralSite<'_>,
    value: i64,
    derived: &[i64],
    found: &mut Vec<Candidate>,
) {
    let span = literal.expr.span;
    // Nobody who writes `dense(0)` means 1 or 2.
    if scene.code == codes::DOMAIN && value <= 0 {
        return;
    }
    for number in choices(scene, literal, value, derived) {
        // Nobody slips by three places.
        if value >= 0 && number > 0 && value.max(number) / value.min(number).max(1) > FARTHEST {
            continue;
        }
        let cost = cost::NUMBER + literal.distance + unlikely(scene, literal, value, number);
        let title = format!("write {number} for {value}");
        found.push(candidate(title, span, number.to_string(), cost).choosing(span, ""));
    }
    // A number that the layer's own argument stands for.
    if literal.slot.name == "pad" {
        // An even window has no whole number that keeps the size.
        let even = window_is_even(scene, literal);
        let cost = cost::NUMBER + if even { 12 } else { 50 } + literal.distance;
        found.push(candidate("write `same`", span, "same", cost).choosing(span, ""));
    }
    // A dimension is a width, never a stride.
    let is_width = !matches!(literal.slot.name, "stride" | "pad" | "size" | "dilation" | "axis");
    let fits = |name: &&&str| is_width || !name.starts_with(char::is_uppercase);
    for name in scene.counts[literal.item].iter().filter(fits) {
        let same = *name == literal.slot.name;
        if same || (is_width && literal.distance < distance::ITEM) {
            let cost = if same { cost::NUMBER } else { cost::NUMBER_NAME } + literal.distance;
            let named = candidate(format!("write `{name}` for {value}"), span, *name, cost);
            found.push(if same { named } else { named.choosing(span, "") });
        }
    }
}

/// Extra cost of a number in another's place: for its distance, and for values that such an
/// argument hardly ever has.
fn unlikely(scene: &Scene<'_>, literal: &LiteralSite<'_>, value: i64, number: i64) -> u32 {
    let far = if literal.slot.name == "axis" {
        0
    } else if value > 0 && number > 0 {
        ((number as f64 / value as f64).log2().abs() * 14.0).min(80.0) as u32
    } else {
        6
    };
    let pools = literal.slot.call.is_some_and(|call| call.callee.text.ends_with("pool"));
    far + match (literal.slot.name, number) {
        ("size" | "pad", _) if pools && (number <= 1 || literal.slot.name == "pad") => cost::HARDLY,
        // A padding that keeps the size is meant.
        ("pad", _) if keeps_size(scene, literal, value) => 60,
        ("size", 1) => 80,
        ("size", _) if !pools && number % 2 == 0 => 110,
        ("size", _) => 40,
        ("stride", 1) if pools => cost::HARDLY,
        ("stride", 1) => 40,
        ("groups" | "units" | "filters", 1) => 60,
        ("repeat", _) => 60,
        // The first axis is the batch, as is the last but one of rows: samples are hardly ever mixed.
        ("axis", 0) => cost::HARDLY,
        ("axis", -2) if scene.told_dims().all(|dims| dims.len() == 2) => cost::HARDLY,
        ("dilation", 1) => 60,
        ("dilation", _) => 20,
        _ => 0,
    }
}

/// Whether a literal is an argument of a convolution with an even window.
fn window_is_even(scene: &Scene<'_>, literal: &LiteralSite<'_>) -> bool {
    let own =
        |call: &&CallSite<'_>| literal.slot.call.is_some_and(|it| std::ptr::eq(it, call.call));
    let size = scene.calls.iter().find(own).and_then(|call| scene.argument(call, "size"));
    matches!(size.map(|size| &size.value.kind), Some(ExprKind::Int(size)) if size % 2 == 0)
}

/// Whether a padding is the one that keeps the size of its convolution.
fn keeps_size(scene: &Scene<'_>, literal: &LiteralSite<'_>, pad: i64) -> bool {
    let call = scene
        .calls
        .iter()
        .find(|call| literal.slot.call.is_some_and(|own| std::ptr::eq(own, call.call)));
    let size = call.and_then(|call| scene.argument(call, "size"));
    matches!(size.map(|size| &size.value.kind), Some(ExprKind::Int(size)) if size / 2 == pad)
}

/// Candidates for a number.
fn choices(scene: &Scene<'_>, literal: &LiteralSite<'_>, value: i64, derived: &[i64]) -> Vec<i64> {
    let positive = || derived.iter().copied().filter(|&number| number > 0);
    let near = [value - 1, value + 1, value * 2, value / 2];
    let numbers: Vec<i64> = match literal.slot.name {
        "axis" | "order" => vec![1, -1, 2, 3, 0, -2, -3],
        "pad" => (0..=7).chain(positive().filter(|&number| number <= 16)).collect(),
        "stride" => (1..=4).chain(positive().filter(|&number| number <= 8)).collect(),
        "size" => [1, 2, 3, 4, 5, 7].into_iter().chain(positive().filter(|&it| it <= 16)).collect(),
        "dilation" => vec![1, 2, 4],
        "repeat" => vec![value - 1, value + 1],
        _ => {
            let classes = scene.program.classes.and_then(|classes| i64::try_from(classes).ok());
            let told = scene.numbers.iter().copied();
            // Widths that divide are multiples.
            let multiples = scene.numbers.iter().filter(|&&it| it > 1).flat_map(|&it| {
                let below = value / it * it;
                [below, below + it]
            });
            let all = told
                .clone()
                .chain(told.map(|number| number - 1))
                .chain(classes)
                .chain(near)
                .chain(multiples.collect::<Vec<_>>());
            all.chain(positive()).filter(|&it| it > 0 || (it == -1 && value < 0)).collect()
        }
    };
    let mut chosen: Vec<i64> = Vec::new();
    for number in numbers.into_iter().filter(|&number| number != value) {
        if !chosen.contains(&number) {
            chosen.push(number);
        }
    }
    chosen.truncate(MOST);
    chosen
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
    for shape in scene.told_dims() {
        let dims: Vec<i64> = shape.iter().filter_map(|dim| dim.parse().ok()).collect();
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
    literal: &LiteralSite<'_>,
    name: &str,
    derived: &[i64],
    found: &mut Vec<Candidate>,
) {
    if literal.distance >= distance::ITEM {
        return;
    }
    let span = literal.expr.span;
    let is_number = scene.counts[literal.item].contains(&name)
        || matches!(literal.slot.name, "units" | "filters" | "stride" | "axis" | "groups");
    let is_width = !matches!(literal.slot.name, "stride" | "pad" | "size" | "dilation" | "axis");
    let (others, base) = match is_number {
        true => (&scene.counts[literal.item], cost::NUMBER_NAME),
        // Another value is rarely what was meant: it leaves the first one without a use.
        false => (&scene.tensors[literal.item], cost::NAME + 80),
    };
    let fits =
        |other: &&&str| **other != name && (is_width || !other.starts_with(char::is_uppercase));
    for other in others.iter().filter(fits) {
        let cost = base + literal.distance;
        let other = candidate(format!("write `{other}` for `{name}`"), span, *other, cost);
        found.push(if is_number { other.choosing(span, "") } else { other.suggested() });
    }
    if is_number && is_width {
        for times in [2, 3, 4] {
            let cost = cost::NUMBER_NAME + 10 + times + literal.distance;
            let text = format!("{times} * {name}");
            found.push(candidate(format!("write `{text}`"), span, text, cost).choosing(span, ""));
        }
    }
    if is_number {
        for number in derived.iter().take(8) {
            let cost = cost::NAME + literal.distance;
            let title = format!("write {number}");
            found.push(candidate(title, span, number.to_string(), cost).choosing(span, ""));
        }
    }
    if literal.slot.name == "loss" {
        for loss in scene.losses().filter(|loss| *loss != name) {
            let cost = cost::NAME + literal.distance;
            let title = format!("take the loss `{loss}`");
            found.push(candidate(title, span, loss, cost).suggested());
        }
    }
    if literal.slot.name == "pad" {
        for word in ["same", "valid"].into_iter().filter(|word| *word != name) {
            let cost = cost::NUMBER + literal.distance;
            found.push(candidate(format!("write `{word}`"), span, word, cost).choosing(span, ""));
        }
    }
    // A word is a string where one is needed.
    if literal.distance <= distance::LABELLED {
        let cost = cost::OTHER_KIND + 40 + literal.distance;
        found.push(candidate(format!("write \"{name}\""), span, format!("\"{name}\""), cost));
    }
}

/// The same, as a literal of another kind.
fn other_kind(scene: &Scene<'_>, literal: &LiteralSite<'_>, found: &mut Vec<Candidate>) {
    // A number in quotes is a number, wherever the mistake shows.
    let quoted = matches!(&literal.expr.kind, ExprKind::Str(text) if text.parse::<f64>().is_ok());
    if literal.distance > distance::AROUND && !quoted {
        return;
    }
    let texts: Vec<String> = match &literal.expr.kind {
        ExprKind::Int(value) => {
            let mut texts = vec![format!("{value}.0"), format!("[{value}]")];
            // Percent.
            if (2..100).contains(value) {
                texts.push(format!("{}", *value as f64 / 100.0));
            }
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
        ExprKind::Str(text) => {
            let percent = text.strip_suffix('%').and_then(|it| it.trim().parse::<f64>().ok());
            let parent = text.rsplit_once('/').map(|(parent, _)| format!("\"{parent}\""));
            let percent = percent.map(|percent| format!("{}", percent / 100.0));
            [Some(text.clone()), percent, parent].into_iter().flatten().collect()
        }
        ExprKind::Bool(value) => vec![format!("\"{value}\""), u8::from(*value).to_string()],
        ExprKind::List(_) => return unwrapped(scene, literal, found),
        _ => return,
    };
    for text in texts {
        let cost = cost::OTHER_KIND + literal.distance;
        let title = format!("write `{text}`");
        // `dropout(20)` is in percent; `dropout(2)` may be anything.
        let unsure = matches!(&literal.expr.kind, ExprKind::Int(value) if (2..10).contains(value))
            && text.starts_with("0.");
        let edit = candidate(title, literal.expr.span, text, cost);
        found.push(if unsure { edit.suggested() } else { edit });
    }
}

/// `[3, 3]` → `3`, `["a"]` → `"a"`, `[1, 2, 3]` → `[1, 2]`.
fn unwrapped(scene: &Scene<'_>, literal: &LiteralSite<'_>, found: &mut Vec<Candidate>) {
    let ExprKind::List(entries) = &literal.expr.kind else { return };
    let span = literal.expr.span;
    if let Some(first) = entries.first() {
        let one = scene.program.sources.text(first.span);
        let cost = cost::OTHER_KIND + 25 + literal.distance;
        found.push(candidate(format!("write `{one}`"), span, one, cost));
    }
    // A shape begins with the batch.
    if literal.slot.name == "shape"
        && let Some(first) = entries.first()
    {
        let cost = cost::ARGUMENT + literal.distance;
        found.push(candidate("add the batch, `N`", super::before(first.span), "N, ", cost));
    }
    let of_axes = matches!(literal.slot.name, "size" | "stride" | "pad" | "dilation");
    if let ([.., before, last], true) = (&entries[..], of_axes) {
        let span = Span { start: before.span.end, ..last.span };
        let cost = cost::OTHER_KIND + 15 + literal.distance;
        found.push(candidate("leave the last entry out", span, "", cost));
    }
}

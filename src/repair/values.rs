//! Values wrapped or compared: `a == b` → `cast(a == b, f32)`, `gap * gap` → `mean(gap * gap, axis:
//! 1)`, `if by` → `if by > 0`; settings and data that a `train` block lacks or has for nothing.

use super::scene::Scene;
use super::{Candidate, after, candidate, cost};
use crate::base::codes;
use crate::base::fix::{Edit, Fix};
use crate::base::source::Span;
use crate::syntax::ast::{ExprKind, ItemKind};

/// Values wrapped, and settings more or less.
pub fn edits(scene: &Scene<'_>, found: &mut Vec<Candidate>) {
    let Some(place) = scene.primary() else { return };
    let text = scene.program.sources.text(place);
    match scene.code {
        codes::RESULT => {
            for (wrapped, more) in [
                (format!("cast({text}, f32)"), 0),
                (format!("mean({text}, axis: 1)"), 2),
                (format!("mean({text}, axis: -1)"), 4),
            ] {
                let cost = cost::STAGE + 5 + more;
                found.push(candidate(format!("write `{wrapped}`"), place, wrapped, cost));
            }
        }
        codes::CONDITION => {
            let compared = format!("{text} > 0");
            found.push(candidate(format!("write `{compared}`"), place, compared, cost::STAGE));
        }
        codes::BODY => last_binding(scene, place, found),
        codes::ASSIGNMENT => binding(scene, place, found),
        _ => {}
    }
    train(scene, place, found);
}

/// A body that ends in a `let`: its value is what was meant.
fn last_binding(scene: &Scene<'_>, place: Span, found: &mut Vec<Candidate>) {
    let text = scene.program.sources.text(place);
    let Some(start) = text.rfind("let ") else { return };
    let Some(equals) = text[start..].find('=') else { return };
    let end = start + equals + 1;
    let end = end + text[end..].len() - text[end..].trim_start().len();
    let span = Span::new(place.file, place.start as usize + start, place.start as usize + end);
    found.push(candidate("end in the value", span, "", cost::STAGE));
}

/// `x <- x + 1` → `let x = x + 1`.
fn binding(scene: &Scene<'_>, place: Span, found: &mut Vec<Candidate>) {
    let rest = &scene.program.sources.file(place.file).text[place.end as usize..];
    let Some(at) = rest.find("<-") else { return };
    let arrow = place.end as usize + at;
    let edits = vec![
        Edit { span: super::before(place), text: "let ".into() },
        Edit { span: Span::new(place.file, arrow, arrow + 2), text: "=".into() },
    ];
    let fix = Fix::new("bind a new value by `let`", edits);
    found.push(Candidate::new(fix, cost::STAGE));
}

/// A `train` block on the data that there are, or without a setting.
fn train(scene: &Scene<'_>, place: Span, found: &mut Vec<Candidate>) {
    let items = || scene.program.files.iter().flat_map(|file| &file.items);
    for item in items() {
        let ItemKind::Train(train) = &item.kind else { continue };
        for data in items() {
            if let (ItemKind::Data { name, .. }, None) = (&data.kind, &train.data) {
                let title = format!("train on `{}`", name.text);
                let text = format!(" on {}", name.text);
                found.push(candidate(title, after(train.model.span), text, cost::STAGE));
            }
        }
        for key in &train.keys {
            let span = key.key.span.to(key.value.span);
            if !span.contains(place) && !place.contains(span) {
                continue;
            }
            let title = format!("leave `{}` out", key.key.text);
            let whole = setting(&scene.program.sources.file(span.file).text, span);
            found.push(candidate(title, whole, "", cost::FEWER + 20));
            // An entry of a list of metrics.
            let ExprKind::List(entries) = &key.value.kind else { continue };
            for (index, entry) in entries.iter().enumerate().filter(|(_, it)| it.span == place) {
                let span = match index.checked_sub(1).map(|before| entries[before].span) {
                    Some(before) => Span { start: before.end, ..entry.span },
                    None => entry.span,
                };
                let shown = scene.program.sources.text(entry.span);
                found.push(candidate(format!("leave `{shown}` out"), span, "", cost::LESS));
            }
        }
    }
}

/// The place of a setting with the rest of its line, where it has a line of its own; else with the
/// space before it.
fn setting(text: &str, span: Span) -> Span {
    let (start, end) = (span.start as usize, span.end as usize);
    let newline = text[..start].rfind('\n');
    let to = text[end..].find('\n').map_or(text.len(), |at| end + at);
    let before = &text[newline.map_or(0, |newline| newline + 1)..start];
    let after = text[end..to].trim();
    match newline {
        // A comment behind a setting is about it.
        Some(newline)
            if before.trim().is_empty() && (after.is_empty() || after.starts_with("//")) =>
        {
            Span::new(span.file, newline, to)
        }
        _ => Span::new(span.file, text[..start].trim_end_matches(' ').len(), end),
    }
}

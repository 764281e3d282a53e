//! Inlay hints: the shape behind each stage of a pipeline and each `let`, and what a data field is.
//!
//! ```text
//! image |> conv(32, 3)⟨f32[N, 26, 26, 32]⟩ |> flatten⟨f32[N, 21632]⟩
//! ```
//!
//! A place that runs several times has the first of its shapes and `…`; its tooltip has all.

use super::analysis::Analysis;
use super::hover::{described, of_field};
use crate::base::source::Span;
use crate::elaborate::ShownValue;
use crate::syntax::ast::{Block, ExprKind, Item, ItemKind, Statement, StmtKind};
use crate::syntax::walk::{self, SyntaxNode};

/// A value longer than this is no hint.
const LONGEST: usize = 60;

/// A text to show behind a byte of the file.
#[derive(Clone, Debug, PartialEq)]
pub struct Hint {
    /// The byte.
    pub byte: usize,
    /// The text.
    pub label: String,
    /// All that is known, in Markdown.
    pub tooltip: String,
}

/// The hints between two bytes of the file, in the order of their places.
pub fn hints(analysis: &Analysis, from: usize, to: usize) -> Vec<Hint> {
    let mut found = Vec::new();
    for item in analysis.tree().iter().flat_map(|file| &file.items) {
        if item.span.start as usize > to || (item.span.end as usize) < from {
            continue;
        }
        of_item(analysis, item, &mut found);
    }
    found.retain(|hint| (from..=to).contains(&hint.byte));
    found.sort_by_key(|hint| hint.byte);
    found.dedup_by_key(|hint| hint.byte);
    found
}

/// The hints of a sound state of a text, for what a later state has that is half typed.
#[derive(Clone, Debug, Default)]
pub(super) struct KnownHints {
    text: String,
    hints: Vec<Hint>,
}

impl KnownHints {
    /// Those of an analysis, where it is of a sound text.
    pub fn of(analysis: &Analysis) -> Option<KnownHints> {
        if analysis.half_typed || analysis.models.is_empty() {
            return None;
        }
        let text = analysis.text().to_owned();
        Some(KnownHints { hints: hints(analysis, 0, text.len()), text })
    }

    /// Those before and behind the part in which a text differs from that one, in their places there.
    pub fn moved(&self, text: &str) -> Vec<Hint> {
        let pairs = self.text.bytes().zip(text.bytes());
        let start = pairs.take_while(|(old, new)| old == new).count();
        let most = self.text.len().min(text.len()) - start;
        let pairs = self.text.bytes().rev().zip(text.bytes().rev()).take(most);
        let end = pairs.take_while(|(old, new)| old == new).count();
        let moved = self.hints.iter().filter_map(|hint| {
            let behind = self.text.len() - hint.byte;
            let byte = match hint.byte {
                byte if byte <= start => byte,
                _ if behind <= end => text.len() - behind,
                _ => return None,
            };
            Some(Hint { byte, ..hint.clone() })
        });
        moved.collect()
    }
}

/// Adds hints of a sound state for those parts of the text that were not looked at.
pub(super) fn fill(analysis: &Analysis, text: &str, known: &KnownHints, found: &mut Vec<Hint>) {
    if !analysis.half_typed {
        return;
    }
    let looked_at = analysis.text().as_bytes();
    let is_blank = |byte: usize| looked_at.get(byte).is_none_or(u8::is_ascii_whitespace);
    for hint in known.moved(text) {
        let before = hint.byte.wrapping_sub(1);
        let is_written = text.as_bytes().get(before).is_some_and(|it| !it.is_ascii_whitespace());
        if is_written && is_blank(before) && found.iter().all(|it| it.byte != hint.byte) {
            found.push(hint);
        }
    }
    found.sort_by_key(|hint| hint.byte);
}

fn of_item(analysis: &Analysis, item: &Item, found: &mut Vec<Hint>) {
    if let ItemKind::Data { name, value, fields } = &item.kind {
        let Some(schema) = analysis.schema(&name.text) else { return };
        for written in fields.iter().flatten() {
            let Some(field) = schema.field(&written.name.text) else { continue };
            let end = written.role.as_ref().map_or(written.value.span, |role| role.span).end;
            let text = of_field(field);
            let label = text.split_once(": ").map_or(text.as_str(), |(_, rest)| rest).to_owned();
            found.push(Hint { byte: end as usize, label: format!(": {label}"), tooltip: text });
        }
        if fields.is_none() {
            let text = schema.fields.iter().map(of_field).collect::<Vec<_>>().join("; ");
            let (byte, tooltip) = (value.span.end as usize, text.clone());
            found.push(Hint { byte, label: format!(" {text}"), tooltip });
        }
        return;
    }
    walk::item_nodes(item, &mut |node| {
        if let SyntaxNode::Stage(stage) = node {
            found.extend(of_value(analysis, stage.span, stage.span.end, " "));
        }
    });
    if let ItemKind::Function(function) = &item.kind {
        statements(&function.body, &mut |stmt| {
            let StmtKind::Let { name, value } = &stmt.kind else { return };
            let literal = matches!(
                value.kind,
                ExprKind::Int(_) | ExprKind::Float(_) | ExprKind::Bool(_) | ExprKind::Str(_)
            );
            if !literal {
                found.extend(of_value(analysis, name.span, name.span.end, ": "));
            }
        });
    }
}

/// The hint of a place with values.
fn of_value(analysis: &Analysis, span: Span, byte: u32, before: &str) -> Option<Hint> {
    let values = analysis.values.get(&span)?;
    let mut shown: Vec<&ShownValue> = Vec::new();
    for value in values {
        if !shown.iter().any(|known| known.value == value.value) {
            shown.push(value);
        }
    }
    let first = shown.first().filter(|first| first.value.len() <= LONGEST)?;
    let more = if shown.len() > 1 { " …" } else { "" };
    let label = format!("{before}{}{more}", first.value);
    Some(Hint { byte: byte as usize, label, tooltip: described(values) })
}

/// Calls `meet` for every statement of a block, those of inner blocks included.
fn statements(block: &Block, meet: &mut dyn FnMut(&Statement)) {
    block.stmts.iter().for_each(&mut *meet);
    walk::blocks(block).into_iter().for_each(|inner| statements(inner, meet));
}

//! Semantic tokens: what each word of a file is, for its colour.

use super::analysis::Analysis;
use super::documents::OpenText;
use super::names::{NameRole, NameTarget};
use crate::syntax::ast::FunctionKind;
use crate::syntax::{ITEM_WORDS, RESERVED, TokenKind, tokens};
use gen_lsp_types::SemanticToken;
use std::collections::HashMap;
use std::ops::Range;

/// The kinds of token, in the order of their numbers.
pub(super) const LEGEND: [&str; 14] = [
    "keyword",
    "string",
    "number",
    "comment",
    "operator",
    "function",
    "class",
    "parameter",
    "variable",
    "property",
    "type",
    "typeParameter",
    "enumMember",
    "namespace",
];

/// Facts on a token beside its kind: it is declared here; it is the prelude's or built in.
pub(super) const MODIFIERS: [&str; 2] = ["declaration", "defaultLibrary"];

const DECLARATION: u32 = 1;
const LIBRARY: u32 = 2;

fn number(kind: &str) -> u32 {
    LEGEND
        .iter()
        .position(|known| *known == kind)
        .and_then(|it| u32::try_from(it).ok())
        .unwrap_or(0)
}

/// The tokens of a range of the open text's bytes, as the protocol counts them: each from the one before.
pub(super) fn semantic_tokens(
    analysis: &Analysis,
    open: &OpenText,
    range: Range<usize>,
) -> Vec<SemanticToken> {
    let text = &open.text;
    let names: HashMap<usize, (u32, u32)> = named(analysis);
    let mut found: Vec<(Range<usize>, u32, u32)> = Vec::new();
    // No token goes beyond its line.
    let start = text[..range.start].rfind('\n').map_or(0, |newline| newline + 1);
    let end = text[range.end..].find('\n').map_or(text.len(), |newline| range.end + newline);
    let mut at = start;
    for token in tokens(text, start..end) {
        comments(text, at..token.start, &mut found);
        at = token.end();
        let kind = match token.kind {
            TokenKind::Str => ("string", 0),
            TokenKind::Number => ("number", 0),
            TokenKind::Sign if "()[]{},".contains(token.text) => continue,
            TokenKind::Sign => ("operator", 0),
            TokenKind::Other => continue,
            TokenKind::Word => {
                if let Some(&(kind, modifiers)) = names.get(&token.start) {
                    found.push((token.start..token.end(), kind, modifiers));
                    continue;
                }
                let words = ["on", "none", "scan", "carry", "over", "minimize", "maximize"];
                let is_word = RESERVED.contains(&token.text)
                    || words.contains(&token.text)
                    || (token.first && ITEM_WORDS.contains(&token.text));
                if !is_word {
                    continue;
                }
                ("keyword", 0)
            }
        };
        found.push((token.start..token.end(), number(kind.0), kind.1));
    }
    comments(text, at..end, &mut found);
    found.retain(|(bytes, ..)| bytes.start < range.end && range.start < bytes.end);
    relative(open, &found)
}

/// The kinds and modifiers of the file's names, by their first byte.
fn named(analysis: &Analysis) -> HashMap<usize, (u32, u32)> {
    let of_file = analysis.names.uses.iter().filter(|name| name.span.file == analysis.main);
    let kinds = of_file.map(|name| {
        let (kind, modifiers) = match name.target {
            NameTarget::Declared(index) => {
                let declared = &analysis.names.declared[index];
                let declares = if declared.span == name.span { DECLARATION } else { 0 };
                let library = analysis.sources.file(declared.span.file).builtin;
                let kind = match declared.role {
                    NameRole::Function(FunctionKind::Model) => "class",
                    NameRole::Function(_) | NameRole::Stage => "function",
                    NameRole::Constant => "enumMember",
                    NameRole::Data => "namespace",
                    NameRole::Field => "property",
                    NameRole::Argument => "parameter",
                    NameRole::Dimension => "typeParameter",
                    NameRole::Variable => "variable",
                    NameRole::Weight | NameRole::State => "property",
                };
                (kind, declares | if library { LIBRARY } else { 0 })
            }
            NameTarget::Operator | NameTarget::DataCall => ("function", LIBRARY),
            NameTarget::TrainKey | NameTarget::Member => ("property", 0),
            NameTarget::Type => ("type", LIBRARY),
            NameTarget::Word => ("enumMember", 0),
        };
        (name.span.start as usize, (number(kind), modifiers))
    });
    kinds.collect()
}

/// The comments of a text between tokens.
fn comments(text: &str, range: Range<usize>, found: &mut Vec<(Range<usize>, u32, u32)>) {
    let mut at = range.start;
    for line in text[range].split_inclusive('\n') {
        if let Some(slashes) = line.find("//") {
            found.push((at + slashes..at + line.trim_end().len(), number("comment"), 0));
        }
        at += line.len();
    }
}

fn relative(open: &OpenText, found: &[(Range<usize>, u32, u32)]) -> Vec<SemanticToken> {
    let (mut line, mut column) = (0, 0);
    let token = |(bytes, kind, modifiers): &(Range<usize>, u32, u32)| {
        let place = open.lines.range(&open.text, bytes.start, bytes.end);
        let start = place.start;
        let delta_start =
            if start.line == line { start.character - column } else { start.character };
        let token = SemanticToken {
            delta_line: start.line - line,
            delta_start,
            length: place.end.character.saturating_sub(start.character),
            token_type: *kind,
            token_modifiers_bitset: *modifiers,
        };
        (line, column) = (start.line, start.character);
        token
    };
    found.iter().map(token).collect()
}

//! The structure of a file: its symbols, what can be folded, and selections that grow.

use super::analysis::Analysis;
use crate::base::source::Span;
use crate::syntax::ast::{FunctionKind, Item, ItemKind, Name, Statement, StmtKind};
use crate::syntax::walk::{self, SyntaxNode};
use crate::syntax::{TokenKind, tokens};
use gen_lsp_types::SymbolKind;

/// A symbol of the file.
#[derive(Debug)]
pub(super) struct OutlineEntry {
    pub name: String,
    pub detail: String,
    pub kind: SymbolKind,
    pub whole: Span,
    pub name_span: Span,
    pub children: Vec<OutlineEntry>,
}

/// The name of an item that has one, and its kind.
pub(super) fn named(item: &Item) -> Option<(&Name, SymbolKind)> {
    match &item.kind {
        ItemKind::Use { .. } | ItemKind::Train(_) => None,
        ItemKind::Const { name, .. } => Some((name, SymbolKind::Constant)),
        ItemKind::Data { name, .. } => Some((name, SymbolKind::Object)),
        ItemKind::Function(function) if function.kind == FunctionKind::Model => {
            Some((&function.name, SymbolKind::Class))
        }
        ItemKind::Function(function) => Some((&function.name, SymbolKind::Function)),
    }
}

/// The items of the file, with what they declare.
pub(super) fn symbols(analysis: &Analysis) -> Vec<OutlineEntry> {
    let items = analysis.tree().into_iter().flat_map(|file| &file.items);
    items.map(|item| of_item(analysis, item)).collect()
}

fn of_item(analysis: &Analysis, item: &Item) -> OutlineEntry {
    let entry = |name: &str, kind: SymbolKind, name_span: Span| OutlineEntry {
        name: name.to_owned(),
        detail: item.kind.word().to_owned(),
        kind,
        whole: item.span,
        name_span,
        children: Vec::new(),
    };
    match &item.kind {
        ItemKind::Use { path, path_span } => entry(path, SymbolKind::Module, *path_span),
        ItemKind::Const { name, .. } => entry(&name.text, SymbolKind::Constant, name.span),
        ItemKind::Data { name, fields, .. } => {
            let mut data = entry(&name.text, SymbolKind::Object, name.span);
            data.children = fields
                .iter()
                .flatten()
                .map(|field| pair(&field.name, SymbolKind::Field, field.value.span))
                .collect();
            data
        }
        ItemKind::Train(train) => {
            let mut block = entry(&train.model.text, SymbolKind::Event, train.model.span);
            let keys = train.keys.iter();
            block.children =
                keys.map(|it| pair(&it.key, SymbolKind::Property, it.value.span)).collect();
            block
        }
        ItemKind::Function(function) => {
            let kind = match function.kind {
                FunctionKind::Model => SymbolKind::Class,
                _ => SymbolKind::Function,
            };
            let mut symbol = entry(&function.name.text, kind, function.name.span);
            if let Some(result) = &function.result {
                symbol.detail += &format!(" → {}", analysis.sources.text(result.span));
            }
            symbol.children = function.body.stmts.iter().filter_map(declared).collect();
            symbol
        }
    }
}

/// The symbol of a statement that declares a name.
fn declared(stmt: &Statement) -> Option<OutlineEntry> {
    let (name, kind) = match &stmt.kind {
        StmtKind::Let { name, .. } => (name, SymbolKind::Variable),
        StmtKind::Param(it) | StmtKind::State(it) | StmtKind::Carry(it) => {
            (&it.name, SymbolKind::Field)
        }
        StmtKind::Require { .. } | StmtKind::Assign { .. } | StmtKind::Expr(_) => return None,
    };
    Some(leaf(&name.text, kind, name.span, stmt.span))
}

/// A name, and a value behind it.
fn pair(name: &Name, kind: SymbolKind, value: Span) -> OutlineEntry {
    leaf(&name.text, kind, name.span, name.span.to(value))
}

fn leaf(name: &str, kind: SymbolKind, name_span: Span, whole: Span) -> OutlineEntry {
    let (detail, children) = (String::new(), Vec::new());
    OutlineEntry { name: name.to_owned(), detail, kind, whole, name_span, children }
}

/// Places that can be folded, by their bytes: brackets over several lines, and comments that follow
/// each other (then `true`).
pub(super) fn folds(text: &str) -> Vec<(usize, usize, bool)> {
    let mut found = Vec::new();
    let mut open = Vec::new();
    for token in tokens(text, 0..text.len()) {
        if token.kind != TokenKind::Sign {
            continue;
        }
        match token.text {
            "(" | "[" | "{" => open.push(token.start),
            ")" | "]" | "}" => {
                if let Some(start) = open.pop()
                    && text[start..token.start].contains('\n')
                {
                    found.push((start, token.start, false));
                }
            }
            _ => {}
        }
    }
    let mut comment: Option<(usize, usize, usize)> = None;
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let end = at + line.trim_end().len();
        comment = match (line.trim_start().starts_with("//"), comment) {
            (true, Some((start, _, lines))) => Some((start, end, lines + 1)),
            (true, None) => Some((at, end, 1)),
            (false, before) => {
                found
                    .extend(before.filter(|it| it.2 > 1).map(|(start, end, _)| (start, end, true)));
                None
            }
        };
        at += line.len();
    }
    found.extend(comment.filter(|it| it.2 > 1).map(|(start, end, _)| (start, end, true)));
    found
}

/// The places around a byte, the smallest first, each larger than the one before.
pub(super) fn selections(analysis: &Analysis, byte: usize) -> Vec<Span> {
    let mut found: Vec<Span> = Vec::new();
    let Ok(at) = u32::try_from(byte) else { return found };
    let around = |span: Span| span.file == analysis.main && span.start <= at && at <= span.end;
    let mut add = |span: Span| {
        if around(span) {
            found.push(span);
        }
    };
    analysis.names.at(analysis.main, byte).into_iter().for_each(|name| add(name.span));
    for item in analysis.tree().into_iter().flat_map(|file| &file.items) {
        if !around(item.span) {
            continue;
        }
        add(item.span);
        if let ItemKind::Function(function) = &item.kind {
            add(function.body.span);
        }
        walk::item_nodes(item, &mut |node| match node {
            SyntaxNode::Expr(expr) => add(expr.span),
            SyntaxNode::Stage(stage) => add(stage.span),
            SyntaxNode::Type(ty) => add(ty.span),
            SyntaxNode::Name(name) => add(name.span),
        });
    }
    add(Span::new(analysis.main, 0, analysis.text().len()));
    found.sort_by_key(|span| (span.end - span.start, span.start));
    found.dedup();
    let mut nested: Vec<Span> = Vec::new();
    for span in found {
        if nested.last().is_none_or(|inner| span.contains(*inner)) {
            nested.push(span);
        }
    }
    nested
}

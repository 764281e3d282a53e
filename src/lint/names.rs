//! Names that nothing uses: `let` bindings, arguments of layers, items of the named file.
//!
//! An argument that its item's kind prescribes is left alone: a loss's target, an optimizer's
//! `step`, a model's inputs. So is a name that begins with an underscore.

use super::Program;
use crate::base::codes;
use crate::base::diagnostic::Diagnostic;
use crate::base::fix::{Edit, Fix};
use crate::base::source::Span;
use crate::repair;
use crate::syntax::ast::{Block, Function, FunctionKind, ItemKind, StmtKind};
use crate::syntax::walk::{self, Mention};

/// All lints of this file.
pub fn lints(program: &Program<'_>, found: &mut Vec<Diagnostic>) {
    for item in program.files.iter().flat_map(|file| &file.items) {
        if let ItemKind::Function(function) = &item.kind {
            let mentions = walk::mentions(function);
            bindings(program, &function.body, &mentions, found);
            arguments(program, function, &mentions, found);
        }
    }
    items(program, found);
}

fn is_meant(name: &str) -> bool {
    name.starts_with('_')
}

/// `let` statements whose name nothing mentions after them.
fn bindings(
    program: &Program<'_>,
    block: &Block,
    mentions: &[Mention<'_>],
    found: &mut Vec<Diagnostic>,
) {
    for (index, stmt) in block.stmts.iter().enumerate() {
        if let StmtKind::Let { name, .. } = &stmt.kind {
            // Until the block ends, or the name is bound anew.
            let again = block.stmts[index + 1..].iter().find(|other| {
                matches!(&other.kind, StmtKind::Let { name: other, .. } if other.text == name.text)
            });
            let end = again.map_or(block.span.end, |other| other.span.end);
            let used = mentions.iter().any(|mention| {
                mention.name == name.text
                    && mention.span.start >= stmt.span.end
                    && mention.span.start < end
            });
            if !used && !is_meant(&name.text) {
                let message = format!("nothing uses `{}`", name.text);
                let mut warning = Diagnostic::warning(codes::UNUSED_BINDING, message)
                    .primary(name.span, "bound here");
                warning.fixes.extend(repair::without_statement(&program.editable(), name.span));
                found.push(warning.help("use it, or leave the statement out"));
            }
        }
    }
    for inner in walk::blocks(block) {
        bindings(program, inner, mentions, found);
    }
}

/// Arguments of layers, losses and so on that the body does not mention.
fn arguments(
    program: &Program<'_>,
    function: &Function,
    mentions: &[Mention<'_>],
    found: &mut Vec<Diagnostic>,
) {
    let prescribed = match function.kind {
        FunctionKind::Layer => 0,
        FunctionKind::Loss | FunctionKind::Metric => 2,
        FunctionKind::Optimizer => 3,
        FunctionKind::Schedule | FunctionKind::Initializer => 2,
        FunctionKind::Model => {
            let tensors = function.params.iter();
            tensors.take_while(|it| it.ty.as_ref().is_none_or(|ty| ty.dims.is_some())).count()
        }
    };
    for param in function.params.iter().skip(prescribed) {
        let name = &param.name;
        // A default or a dimension of a later argument may use it.
        let used = mentions.iter().any(|it| it.name == name.text && it.span != name.span);
        // Names in a tensor's own type are what the body wants of it.
        let gives_dims = param.ty.as_ref().and_then(|ty| ty.dims.as_ref()).is_some_and(|dims| {
            walk::dim_names(dims).any(|dim| mentions.iter().filter(|it| it.name == dim).count() > 1)
        });
        if used || gives_dims || is_meant(&name.text) {
            continue;
        }
        let kind = function.kind.word();
        let message = format!("the {kind} `{}` does not use `{}`", function.name.text, name.text);
        let mut warning = Diagnostic::warning(codes::UNUSED_ARGUMENT, message)
            .primary(param.span, "declared here");
        // It was meant for a call that takes one of that name.
        let handed_on = walk::calls(function)
            .into_iter()
            .filter_map(|(_, span)| repair::handed_on(&program.editable(), span, &name.text));
        warning.fixes.extend(handed_on);
        warning.fixes.extend(repair::without_parameter(&program.editable(), function, param));
        found.push(warning.help("use it, or leave it out"));
    }
}

/// Items of the named file that nothing mentions. What another file offers need not be used.
fn items(program: &Program<'_>, found: &mut Vec<Diagnostic>) {
    let Some(main) = program.files.first() else { return };
    let everywhere: Vec<(usize, Vec<Mention<'_>>)> = program
        .files
        .iter()
        .flat_map(|file| &file.items)
        .map(walk::mentions_of_item)
        .enumerate()
        .collect();
    for (index, item) in main.items.iter().enumerate() {
        let name = match &item.kind {
            ItemKind::Const { name, .. } | ItemKind::Data { name, .. } => name,
            ItemKind::Function(function) if function.kind != FunctionKind::Model => &function.name,
            ItemKind::Function(_) | ItemKind::Train(_) | ItemKind::Use { .. } => continue,
        };
        // What only itself calls is not used either.
        let others = everywhere.iter().filter(|(other, _)| *other != index);
        let used = others.flat_map(|(_, mentions)| mentions).any(|it| it.name == name.text);
        if used || is_meant(&name.text) {
            continue;
        }
        let kind = item.kind.word();
        let message = format!("nothing uses the {kind} `{}`", name.text);
        let warning = Diagnostic::warning(codes::UNUSED_ITEM, message)
            .primary(name.span, "declared here")
            .help("use it, or leave it out");
        let fix = without_item(program, item.span);
        found.push(Diagnostic { fixes: vec![fix], ..warning });
    }
}

/// An item removed with its documentation and the empty line after it.
fn without_item(program: &Program<'_>, span: Span) -> Fix {
    let text = &program.sources.file(span.file).text;
    let mut start = text[..span.start as usize].rfind('\n').map_or(0, |newline| newline + 1);
    while let Some(line) = text[..start.saturating_sub(1)].rfind('\n').map(|newline| newline + 1)
        && text[line..start].trim_start().starts_with("///")
    {
        start = line;
    }
    let rest = &text[span.end as usize..];
    let mut end = span.end as usize + rest.find('\n').map_or(rest.len(), |newline| newline + 1);
    if text[end..].starts_with('\n') {
        end += 1;
    }
    let span = Span::new(span.file, start, end);
    let edits = vec![Edit { span, text: String::new() }];
    Fix::new("leave it out", edits)
}

//! Names that nothing uses: `let` bindings, arguments of layers, items of the named file.
//!
//! An argument that its item's kind prescribes is left alone: a loss's target, an optimizer's
//! `step`, a model's inputs. So is a name that begins with an underscore.

use super::LintInput;
use crate::base::codes;
use crate::base::diagnostic::Diagnostic;
use crate::base::fix::{Certainty, Edit, Fix};
use crate::base::limits::{Budget, FINDINGS, FIX_STEPS};
use crate::base::source::Span;
use crate::repair;
use crate::syntax::ast::{Block, Function, FunctionKind, ItemKind, Name, StmtKind};
use crate::syntax::walk::{self, Mention};
use std::collections::HashMap;

/// How many calls are proposed for an argument that is not used.
const MOST_HANDED: usize = 3;

/// All lints of this file.
pub fn lints(program: &LintInput<'_>, found: &mut Vec<Diagnostic>) {
    let mut out = Out { found, fixes: Budget::new(FIX_STEPS), size: size(program) };
    for item in program.files.iter().flat_map(|file| &file.items) {
        if let ItemKind::Function(function) = &item.kind {
            let mentions = Mentions::of(walk::mentions(function));
            bindings(program, &function.body, &mentions, &mut out);
            arguments(program, function, &mentions, &mut out);
        }
    }
    items(program, &mut out);
}

/// The warnings so far, and the steps that may still be spent on fixes.
struct Out<'f> {
    found: &'f mut Vec<Diagnostic>,
    fixes: Budget,
    /// Cost of one walk over the program, in steps.
    size: usize,
}

impl Out<'_> {
    /// Whether there is no use in looking further: nobody reads so many.
    fn is_full(&self) -> bool {
        self.found.len() > FINDINGS
    }

    /// Whether a fix that takes a walk over the program may be looked for.
    fn may_look(&self) -> bool {
        self.fixes.spend(self.size)
    }
}

/// The bytes of a program's texts, as a measure of its trees.
fn size(program: &LintInput<'_>) -> usize {
    program.files.iter().map(|file| program.sources.file(file.id).text.len()).sum()
}

/// Where each name is mentioned, in order.
struct Mentions<'a>(HashMap<&'a str, Vec<Span>>);

impl<'a> Mentions<'a> {
    fn of(mentions: Vec<Mention<'a>>) -> Self {
        let mut places: HashMap<&str, Vec<Span>> = HashMap::new();
        for mention in mentions {
            places.entry(mention.name).or_default().push(mention.span);
        }
        places.values_mut().for_each(|places| places.sort_by_key(|span| span.start));
        Mentions(places)
    }

    fn places(&self, name: &str) -> &[Span] {
        self.0.get(name).map_or(&[], Vec::as_slice)
    }

    /// Whether a name is mentioned from one place of the file on and before another.
    fn between(&self, name: &str, start: u32, end: u32) -> bool {
        let places = self.places(name);
        let first = places.partition_point(|span| span.start < start);
        places.get(first).is_some_and(|span| span.start < end)
    }
}

fn is_meant(name: &str) -> bool {
    name.starts_with('_')
}

/// `let` statements whose name nothing mentions after them.
fn bindings(program: &LintInput<'_>, block: &Block, mentions: &Mentions<'_>, out: &mut Out<'_>) {
    // Where each name is bound anew, if it is, walking backwards.
    let mut ends: HashMap<&str, u32> = HashMap::new();
    let mut unused: Vec<&Name> = Vec::new();
    for stmt in block.stmts.iter().rev() {
        if let StmtKind::Let { name, .. } = &stmt.kind {
            // Until the block ends, or the name is bound anew.
            let end = ends.insert(&name.text, stmt.span.end).unwrap_or(block.span.end);
            if !mentions.between(&name.text, stmt.span.end, end) && !is_meant(&name.text) {
                unused.push(name);
            }
        }
    }
    for name in unused.into_iter().rev() {
        if out.is_full() {
            return;
        }
        let message = format!("nothing uses `{}`", name.text);
        let mut warning =
            Diagnostic::warning(codes::UNUSED_BINDING, message).primary(name.span, "bound here");
        if out.may_look() {
            warning.fixes.extend(repair::without_statement(&program.editable(), name.span));
        }
        out.found.push(warning.help("use it, or leave the statement out"));
    }
    for inner in walk::blocks(block) {
        bindings(program, inner, mentions, out);
    }
}

/// Arguments of layers, losses and so on that the body does not mention.
fn arguments(
    program: &LintInput<'_>,
    function: &Function,
    mentions: &Mentions<'_>,
    out: &mut Out<'_>,
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
    let calls = walk::calls(function);
    for param in function.params.iter().skip(prescribed) {
        let name = &param.name;
        // A default or a dimension of a later argument may use it.
        let used = mentions.places(&name.text).iter().any(|&span| span != name.span);
        // Names in a tensor's own type are what the body wants of it.
        let gives_dims =
            param.ty.as_ref().and_then(|ty| ty.dims.as_ref()).is_some_and(|dims| {
                walk::dim_names(dims).any(|dim| mentions.places(dim).len() > 1)
            });
        if used || gives_dims || is_meant(&name.text) {
            continue;
        }
        if out.is_full() {
            return;
        }
        let kind = function.kind.word();
        let message = format!("the {kind} `{}` does not use `{}`", function.name.text, name.text);
        let mut warning = Diagnostic::warning(codes::UNUSED_ARGUMENT, message)
            .primary(param.span, "declared here");
        // It was meant for a call that takes one of that name.
        for &(_, span) in &calls {
            if warning.fixes.len() == MOST_HANDED || !out.may_look() {
                break;
            }
            let handed = repair::handed_on(&program.editable(), span, &name.text);
            // Of several calls, nothing says which is meant.
            warning.fixes.extend(handed.map(|fix| fix.read_as(Certainty::Alternative)));
        }
        warning.fixes.extend(repair::without_parameter(&program.editable(), function, param));
        out.found.push(warning.help("use it, or leave it out"));
    }
}

/// Which items mention a name.
#[derive(PartialEq)]
enum Users {
    One(usize),
    Several,
}

/// Items of the named file that nothing mentions. What another file offers need not be used.
fn items(program: &LintInput<'_>, out: &mut Out<'_>) {
    let Some(main) = program.files.first() else { return };
    // The items that mention each name: one, or several.
    let mut users: HashMap<&str, Users> = HashMap::new();
    for (index, item) in program.files.iter().flat_map(|file| &file.items).enumerate() {
        for mention in walk::mentions_of_item(item) {
            let users = users.entry(mention.name).or_insert(Users::One(index));
            if *users != Users::One(index) {
                *users = Users::Several;
            }
        }
    }
    for (index, item) in main.items.iter().enumerate() {
        let name = match &item.kind {
            ItemKind::Const { name, .. } | ItemKind::Data { name, .. } => name,
            ItemKind::Function(function) if function.kind != FunctionKind::Model => &function.name,
            ItemKind::Function(_) | ItemKind::Train(_) | ItemKind::Use { .. } => continue,
        };
        // What only itself calls is not used either.
        let used = users.get(&name.text[..]).is_some_and(|users| *users != Users::One(index));
        if used || is_meant(&name.text) {
            continue;
        }
        if out.is_full() {
            return;
        }
        let kind = item.kind.word();
        let message = format!("nothing uses the {kind} `{}`", name.text);
        let warning = Diagnostic::warning(codes::UNUSED_ITEM, message)
            .primary(name.span, "declared here")
            .help("use it, or leave it out");
        let fix = without_item(program, item.span);
        out.found.push(Diagnostic { fixes: vec![fix], ..warning });
    }
}

/// An item removed with its documentation and the empty line after it.
fn without_item(program: &LintInput<'_>, span: Span) -> Fix {
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

//! Single edits that whoever finds a mistake asks for: a stage left out, an argument given, a
//! statement removed.

use super::scene::{CallSite, Scene};
use super::{RepairInput, after, arguments};
use crate::base::diagnostic::Diagnostic;
use crate::base::fix::{Edit, Fix};
use crate::base::source::Span;
use crate::syntax::ast::{self, ExprKind, Function, ItemKind, ParamDecl, Train};
use crate::syntax::walk::{self, SyntaxNode};

fn fix(title: String, edits: Vec<Edit>) -> Fix {
    Fix::new(title, edits)
}

/// The surroundings of one place.
fn at<'a>(program: &RepairInput<'a>, place: Span) -> Scene<'a> {
    Scene::of(program, &Diagnostic::error("", "").primary(place, ""))
}

fn call_at<'s, 'a>(scene: &'s Scene<'a>, place: Span) -> Option<&'s CallSite<'a>> {
    scene.calls.iter().find(|call| call.span == place)
}

/// The program without the stage, or the call around its argument, that stands at a place.
pub fn without_stage(program: &RepairInput<'_>, place: Span) -> Option<Fix> {
    let scene = at(program, place);
    for pipeline in &scene.pipelines {
        let Some(index) = pipeline.stages.iter().position(|stage| stage.span == place) else {
            continue;
        };
        let shown = program.sources.text(place);
        let span = match (index.checked_sub(1), pipeline.stages.get(index + 1)) {
            (Some(before), _) => Span { start: pipeline.stages[before].span.end, ..place },
            (None, Some(next)) => Span { end: next.span.start, ..place },
            // The only stage goes with the `|>` before it.
            (None, None) => {
                let text = &program.sources.file(place.file).text[..place.start as usize];
                let start = text.trim_end().strip_suffix("|>")?.trim_end().len();
                Span { start: u32::try_from(start).ok()?, ..place }
            }
        };
        let edits = vec![Edit { span, text: String::new() }];
        return Some(fix(format!("leave `|> {shown}` out"), edits));
    }
    let call = call_at(&scene, place)?;
    let argument = program.sources.text(call.call.args.first()?.value.span);
    let edits = vec![Edit { span: place, text: argument.to_owned() }];
    Some(fix(format!("write `{argument}` alone"), edits))
}

/// The call at a place with one argument more: `bias: false`.
pub fn with_argument(program: &RepairInput<'_>, place: Span, argument: &str) -> Option<Fix> {
    let scene = at(program, place);
    let call = call_at(&scene, place)?;
    Some(arguments::with(&scene, call, argument, 0).fix)
}

/// The call at a place with an argument handed on under its own name, where the callee takes one of
/// that name and has none.
pub fn handed_on(program: &RepairInput<'_>, place: Span, name: &str) -> Option<Fix> {
    let scene = at(program, place);
    let call = call_at(&scene, place)?;
    let takes = scene.parameters(&call.call.callee.text).contains(&name);
    let given = scene.argument(call, name).is_some();
    let argument = format!("{name}: {name}");
    (takes && !given).then(|| arguments::with(&scene, call, &argument, 0).fix)
}

/// The call at a place with another value of an argument that it has.
pub fn argument_as(program: &RepairInput<'_>, place: Span, name: &str, value: &str) -> Option<Fix> {
    let scene = at(program, place);
    let call = call_at(&scene, place)?;
    let argument = scene.argument(call, name)?;
    let edits = vec![Edit { span: argument.value.span, text: value.to_owned() }];
    Some(fix(format!("write `{name}: {value}`"), edits))
}

/// A `train` block with one setting more.
pub fn with_setting(
    program: &RepairInput<'_>,
    train: &Train,
    key: &str,
    value: &str,
) -> Option<Fix> {
    let last = train.keys.last()?;
    let text = &program.sources.file(last.key.span.file).text;
    let line = text[..last.key.span.start as usize].rfind('\n').map_or(0, |newline| newline + 1);
    let indent = &text[line..last.key.span.start as usize];
    // The equals signs of a block mostly stand in one column.
    let column = text[last.key.span.start as usize..].find('=').unwrap_or(0);
    let padded = format!("{key:<column$}");
    let padded = if padded.ends_with(' ') { padded } else { format!("{padded} ") };
    let text = format!("\n{indent}{padded}= {value}");
    let edits = vec![Edit { span: after(last.value.span), text }];
    Some(fix(format!("add `{key} = {value}`"), edits))
}

/// Where a number is written in the call at a place (or is that place), and in the result that the
/// model declares.
pub fn occurrences(
    program: &RepairInput<'_>,
    place: Span,
    number: usize,
    model: &str,
) -> (Vec<Span>, Vec<Span>) {
    let is_number = |expr: &ast::Expr| matches!(expr.kind, ExprKind::Int(value) if usize::try_from(value) == Ok(number));
    let (mut written, mut declared) = (Vec::new(), Vec::new());
    for item in program.files.iter().flat_map(|file| &file.items) {
        walk::item_nodes(item, &mut |node| {
            if let SyntaxNode::Expr(expr) = node
                && place.contains(expr.span)
                && is_number(expr)
            {
                written.push(expr.span);
            }
        });
        if let ItemKind::Function(Function { name, result: Some(ty), .. }) = &item.kind
            && name.text == model
        {
            let dims = ty.dims.iter().flatten().filter_map(|dim| match dim {
                ast::DimExpr::Expr(expr) if is_number(expr) => Some(expr.span),
                _ => None,
            });
            declared.extend(dims.filter(|span| !written.contains(span)));
        }
    }
    (written, declared)
}

/// The program without the `let` statement that binds the name at a place, or contains it.
pub fn without_statement(program: &RepairInput<'_>, place: Span) -> Option<Fix> {
    let functions = program.files.iter().flat_map(|file| &file.items);
    let functions = functions.filter_map(|item| match &item.kind {
        ItemKind::Function(function) => Some(function),
        _ => None,
    });
    for function in functions {
        let mut open = vec![&function.body];
        while let Some(block) = open.pop() {
            let found = block.stmts.iter().find(|stmt| {
                let removable = matches!(
                    &stmt.kind,
                    ast::StmtKind::Let { .. } | ast::StmtKind::Param(_) | ast::StmtKind::State(_)
                );
                removable && stmt.span.contains(place)
            });
            if let Some(stmt) = found {
                let edits =
                    vec![Edit { span: whole_line(program, stmt.span), text: String::new() }];
                return Some(fix("leave the statement out".into(), edits));
            }
            open.extend(walk::blocks(block));
        }
    }
    None
}

/// A place with the rest of its lines, where nothing but space stands there.
fn whole_line(program: &RepairInput<'_>, span: Span) -> Span {
    let text = &program.sources.file(span.file).text;
    let start = text[..span.start as usize].rfind('\n').map_or(0, |newline| newline + 1);
    let end = text[span.end as usize..].find('\n').map(|at| span.end as usize + at + 1);
    let Some(end) = end else { return span };
    let before = &text[start..span.start as usize];
    let after = text[span.end as usize..end].trim();
    // A comment behind a statement is about it.
    if before.trim().is_empty() && (after.is_empty() || after.starts_with("//")) {
        Span::new(span.file, start, end)
    } else {
        span
    }
}

/// The program without a parameter of a function.
pub fn without_parameter(
    program: &RepairInput<'_>,
    function: &Function,
    param: &ParamDecl,
) -> Option<Fix> {
    let index = function.params.iter().position(|other| other.span == param.span)?;
    let span = match (index.checked_sub(1), function.params.get(index + 1)) {
        (Some(before), _) => Span { start: function.params[before].span.end, ..param.span },
        (None, Some(next)) => Span { end: next.span.start, ..param.span },
        (None, None) => param.span,
    };
    let shown = program.sources.text(param.name.span);
    Some(fix(format!("leave `{shown}` out"), vec![Edit { span, text: String::new() }]))
}

/// The name of the parameter that a call's argument at an index is for.
pub fn parameter<'a>(program: &RepairInput<'a>, callee: &str, index: usize) -> Option<&'a str> {
    let own = |function: &Function| match function.kind {
        ast::FunctionKind::Optimizer => 3,
        _ => 0,
    };
    let function = find(program, callee)?;
    function.params.get(own(function) + index).map(|param| param.name.text.as_str())
}

/// The default of a parameter, as it is written.
pub fn default(program: &RepairInput<'_>, callee: &str, name: &str) -> Option<String> {
    let function = find(program, callee)?;
    let param = function.params.iter().find(|param| param.name.text == name)?;
    Some(program.sources.text(param.default.as_ref()?.span).to_owned())
}

fn find<'a>(program: &RepairInput<'a>, callee: &str) -> Option<&'a Function> {
    let files = program.files.iter().chain([program.prelude]);
    files.flat_map(|file| &file.items).find_map(|item| match &item.kind {
        ItemKind::Function(function) if function.name.text == callee => Some(function),
        _ => None,
    })
}

//! The model's head against the classes of its data: a label that points outside it is an error, a
//! class that no label names is suspicious.
//!
//! The head is the axis along which a loss picks by the data's label.

use super::LintInput;
use crate::base::codes;
use crate::base::diagnostic::Diagnostic;
use crate::base::fix::{Edit, Fix};
use crate::base::source::Span;
use crate::graph::{Dim, DimOrigin, NodeId, Op};
use crate::repair;
use crate::syntax::ast::{ExprKind, ItemKind};

/// Heads that are narrower or wider than the data's classes.
pub fn lints(program: &LintInput<'_>, found: &mut Vec<Diagnostic>) {
    let Some(schema) = program.schema else { return };
    let (Some(classes), Some(training)) = (schema.classes(), &program.experiment.training) else {
        return;
    };
    let Some(target) = schema.target().map(|field| &field.name) else { return };
    let graph = &program.experiment.train;
    for node in graph.nodes.values() {
        if !matches!(node.op, Op::Pick) || !is_label(program, node.args[1], target) {
            continue;
        }
        let scores = node.args[0];
        let axis = graph.ty(scores).shape.rank() - 1;
        let Dim::Known(width) = graph.ty(scores).shape[axis] else { continue };
        let Some(place) = head(program, scores, axis) else { continue };
        let data = training.data.as_deref().unwrap_or("data");
        let label = format!("{width} wide");
        let mut finding = match width.cmp(&classes) {
            std::cmp::Ordering::Equal => continue,
            std::cmp::Ordering::Less => Diagnostic::error(
                codes::NARROW_HEAD,
                format!("the head has {width} outputs, but `{data}` has {classes} classes"),
            )
            .primary(place, label)
            .note(format!("a label from {width} to {} would point outside it", classes - 1)),
            std::cmp::Ordering::Greater => Diagnostic::warning(
                codes::WIDE_HEAD,
                format!("the head has {width} outputs, but `{data}` has {classes} classes"),
            )
            .primary(place, label)
            .note(format!("no label is {classes} or more, so the rest only learns to be small")),
        };
        finding = finding.help(format!("`{data}.classes` is the number of classes"));
        let fixes = fixes(program, place, width, classes, data);
        finding.fixes.extend(fixes);
        if !found.iter().any(|known| known.place() == finding.place()) {
            found.push(finding);
        }
    }
}

/// Images that have three channels and no colours.
pub fn grey(program: &LintInput<'_>, found: &mut Vec<Diagnostic>) {
    let (Some(schema), Some(train)) = (program.schema, program.train()) else { return };
    let Some(data) = train.data.as_ref().filter(|_| schema.is_grey()) else { return };
    let items = program.files.iter().flat_map(|file| &file.items);
    let source = items.into_iter().find_map(|item| match &item.kind {
        ItemKind::Data { name, value, .. } if name.text == data.text => Some(value),
        _ => None,
    });
    let Some(mut source) = source else { return };
    while let ExprKind::Pipe(before, _) = &source.kind {
        source = before;
    }
    let message =
        format!("every image of `{}` is grey, but is loaded in three channels", data.text);
    let mut warning = Diagnostic::warning(codes::GREY_IMAGES, message)
        .primary(source.span, "three channels, all the same")
        .help("`channels: 1` loads them as they are, in a third of the memory");
    warning.fixes.extend(repair::with_argument(&program.editable(), source.span, "channels: 1"));
    found.push(warning);
}

/// Whether a value is the data's label, converted or not.
fn is_label(program: &LintInput<'_>, mut node: NodeId, label: &str) -> bool {
    let graph = &program.experiment.train;
    loop {
        match graph.nodes[node].op {
            Op::Cast(_) | Op::Reshape(_) => node = graph.nodes[node].args[0],
            Op::Input(input) => return graph.inputs[input].name == label,
            _ => return false,
        }
    }
}

/// The place that fixed the head's width.
fn head(program: &LintInput<'_>, node: NodeId, axis: usize) -> Option<Span> {
    match program.experiment.train.dim_origin(node, axis)? {
        DimOrigin::Written(origin) | DimOrigin::Formula(origin, _) => {
            program.user_place(Some(*origin))
        }
        DimOrigin::Data(_) | DimOrigin::From(..) => None,
    }
}

/// The head's number, and the same number in the model's declared result, as the classes.
fn fixes(
    program: &LintInput<'_>,
    place: Span,
    width: usize,
    classes: usize,
    data: &str,
) -> Vec<Fix> {
    let editable = program.editable();
    let (written, declared) =
        repair::occurrences(&editable, place, width, &program.experiment.model);
    let edits = |places: &[Span], text: &str| -> Vec<Edit> {
        places.iter().map(|&span| Edit { span, text: text.to_owned() }).collect()
    };
    if written.is_empty() {
        let member = format!("{data}.classes");
        return repair::argument_as(&editable, place, "units", &member).into_iter().collect();
    }
    let both: Vec<Span> = written.iter().chain(&declared).copied().collect();
    let number = classes.to_string();
    let member = format!("{data}.classes");
    [(&both, &number), (&written, &number), (&both, &member)]
        .into_iter()
        .map(|(places, text)| Fix::new(format!("write `{text}` for {width}"), edits(places, text)))
        .collect()
}

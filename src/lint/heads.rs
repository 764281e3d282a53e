//! The model's head against the classes of its data: a label that points outside it is an error, a
//! class that no label names is suspicious.
//!
//! The head is the axis along which a loss picks by the data's label.

use super::{DataItem, LintInput};
use crate::base::codes;
use crate::base::diagnostic::Diagnostic;
use crate::base::fix::{Edit, Fix};
use crate::base::schema::{Field, Schema};
use crate::base::source::Span;
use crate::graph::{Dim, NodeId, Op};
use crate::repair;
use std::cmp::Ordering;

/// Heads that are narrower or wider than the data's classes.
pub fn lints(program: &LintInput<'_>, found: &mut Vec<Diagnostic>) {
    let Some(schema) = program.schema.filter(|_| program.experiment.training.is_some()) else {
        return;
    };
    let data = program.data_name().unwrap_or("data");
    let graph = &program.experiment.train;
    for node in graph.nodes.values().filter(|node| matches!(node.op, Op::Pick)) {
        let Some(field) = label(program, schema, node.args[1]) else { continue };
        let Some(classes) = field.as_class().and_then(|class| class.count) else { continue };
        let scores = node.args[0];
        let axis = graph.ty(scores).shape.rank() - 1;
        let Dim::Known(width) = graph.ty(scores).shape[axis] else { continue };
        let Some(place) = program.extent_place(scores, axis) else { continue };
        // `DATA.classes` are those of the first target.
        let is_first = schema.target().is_some_and(|target| target.name == field.name);
        let (of, member) = match is_first {
            true => (data.to_owned(), format!("{data}.classes")),
            false => (format!("{data}.{}", field.name), format!("{data}.{}.count", field.name)),
        };
        let message = format!("the head has {width} outputs, but `{of}` has {classes} classes");
        let label = format!("{width} wide");
        let mut finding = match width.cmp(&classes) {
            Ordering::Equal => continue,
            Ordering::Less => Diagnostic::error(codes::NARROW_HEAD, message)
                .primary(place, label)
                .note(format!("a label from {width} to {} would point outside it", classes - 1)),
            Ordering::Greater => {
                Diagnostic::warning(codes::WIDE_HEAD, message).primary(place, label).note(format!(
                    "no label is {classes} or more, so the rest only learns to be small"
                ))
            }
        };
        finding = finding.help(format!("`{member}` is the number of classes"));
        finding.fixes.extend(fixes(program, place, width, classes, &member));
        if !found.iter().any(|known| known.place() == finding.place()) {
            found.push(finding);
        }
    }
}

/// Images that have three channels and no colours.
pub fn grey(program: &LintInput<'_>, found: &mut Vec<Diagnostic>) {
    let (Some(schema), Some(train)) = (program.schema, program.train()) else { return };
    let Some(data) = train.data.as_ref().filter(|_| schema.is_grey()) else { return };
    let Some(DataItem { source, .. }) = program.data_item() else { return };
    let message =
        format!("every image of `{}` is grey, but is loaded in three channels", data.text);
    let mut warning = Diagnostic::warning(codes::GREY_IMAGES, message)
        .primary(source, "three channels, all the same")
        .help("`channels: 1` loads them as they are, in a third of the memory");
    warning.fixes.extend(repair::with_argument(&program.editable(), source, "channels: 1"));
    found.push(warning);
}

/// The target that a value is, converted or not.
fn label<'a>(program: &LintInput<'a>, schema: &'a Schema, mut node: NodeId) -> Option<&'a Field> {
    let graph = &program.experiment.train;
    loop {
        match graph.nodes[node].op {
            Op::Cast(_) | Op::Reshape(_) => node = graph.nodes[node].args[0],
            Op::Input(input) => {
                return schema.field(&graph.inputs[input].name).filter(|field| field.is_target);
            }
            _ => return None,
        }
    }
}

/// The head's number, and the same number in the model's declared result, as the classes.
fn fixes(
    program: &LintInput<'_>,
    place: Span,
    width: usize,
    classes: usize,
    member: &str,
) -> Vec<Fix> {
    let editable = program.editable();
    let (written, declared) =
        repair::occurrences(&editable, place, width, &program.experiment.model);
    let edits = |places: &[Span], text: &str| -> Vec<Edit> {
        places.iter().map(|&span| Edit { span, text: text.to_owned() }).collect()
    };
    if written.is_empty() {
        return repair::argument_as(&editable, place, "units", member).into_iter().collect();
    }
    let both: Vec<Span> = written.iter().chain(&declared).copied().collect();
    let number = classes.to_string();
    [(&both, number.as_str()), (&written, &number), (&both, member)]
        .into_iter()
        .map(|(places, text)| Fix::new(format!("write `{text}` for {width}"), edits(places, text)))
        .collect()
}

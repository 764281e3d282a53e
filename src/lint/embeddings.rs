//! Tables that are looked up by a field of the data and have fewer rows than it has categories: the
//! first sample with a later one would end the run.

use super::LintInput;
use crate::base::codes;
use crate::base::diagnostic::Diagnostic;
use crate::graph::{Dim, Op};
use crate::repair;

/// Embeddings that are too small for their fields.
pub fn lints(program: &LintInput<'_>, found: &mut Vec<Diagnostic>) {
    let (Some(schema), Some(data)) = (program.schema, program.data_name()) else { return };
    let graph = &program.experiment.train;
    for node in graph.nodes.values() {
        let Op::Gather(axis) = node.op else { continue };
        let field = program.input_behind(node.args[1]).and_then(|name| schema.field(name));
        let count = field.and_then(|field| field.as_class()?.count);
        let (Some(field), Some(count)) = (field, count) else { continue };
        let Dim::Known(rows) = graph.ty(node.args[0]).shape[axis] else { continue };
        let Some(place) = program.extent_place(node.args[0], axis) else { continue };
        let is_known = |known: &Diagnostic| {
            known.code == codes::SMALL_EMBEDDING && known.place() == Some(place)
        };
        if rows >= count || found.iter().any(is_known) {
            continue;
        }
        let name = &field.name;
        let message = format!(
            "the embedding has {rows} rows, but `{name}` of `{data}` has {count} categories"
        );
        let member = format!("{data}.{name}.count");
        let mut error = Diagnostic::error(codes::SMALL_EMBEDDING, message)
            .primary(place, format!("{rows} rows"))
            .note(format!("a category from {rows} to {} would point outside it", count - 1))
            .help(format!("`{member}` is the number of categories"));
        error.fixes.extend(repair::argument_as(&program.editable(), place, "count", &member));
        found.push(error);
    }
}

//! The headers of functions as they are written, and their documentation.

use super::analysis::Analysis;
use super::names::{DeclaredName, NameRole};
use crate::base::source::Span;
use crate::syntax::ast::{self, FunctionKind};

/// The header of a function: all before its body.
pub(super) fn header(analysis: &Analysis, declared: &DeclaredName) -> Option<String> {
    let files = analysis.files.iter().chain([&*analysis.prelude]);
    let mut items = files.filter(|file| file.id == declared.span.file).flat_map(|file| &file.items);
    let function = items.find_map(|item| match &item.kind {
        ast::ItemKind::Function(it) if it.name.span == declared.span => Some((item, it)),
        _ => None,
    });
    let (item, function) = function?;
    let header = Span { end: function.body.span.start, ..item.span };
    let text = analysis.sources.text(header).split_whitespace().collect::<Vec<_>>().join(" ");
    Some(text.replace("( ", "(").replace(", )", ")").trim_end().to_owned())
}

/// The documentation of an item.
pub(super) fn documentation(declared: &DeclaredName) -> String {
    declared.doc.lines().map(str::trim).collect::<Vec<_>>().join("\n")
}

/// The parameters that a call of a function does not give by place: what is piped in, and what the
/// compiler gives (an optimizer's parameter, gradient and step).
pub(super) fn given_otherwise(declared: &DeclaredName, is_piped: bool) -> usize {
    match declared.role {
        NameRole::Function(FunctionKind::Optimizer) => 3,
        NameRole::Function(FunctionKind::Schedule | FunctionKind::Initializer) => 2,
        _ => usize::from(is_piped),
    }
}

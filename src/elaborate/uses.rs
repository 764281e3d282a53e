//! The `use` items of files, and checks of a whole program.
//!
//! [`uses`] lists a file's `use` items; whoever reads files follows them and passes all that it
//! found to [`elaborate`](super::elaborate). What it could not find becomes a diagnostic here.

use super::items::Items;
use crate::base::codes;
use crate::base::diagnostic::Diagnostic;
use crate::base::names::near;
use crate::base::source::Span;
use crate::graph::{Graph, OriginId};
use crate::syntax::ast::{File, ItemKind, Name};

/// A `use "file.nn"`.
#[derive(Clone, Debug, PartialEq)]
pub struct Use {
    /// The path as written.
    pub path: String,
    /// The place of the path.
    pub span: Span,
}

/// The `use` items of a file.
pub fn uses(file: &File) -> Vec<Use> {
    let items = file.items.iter().filter_map(|item| match &item.kind {
        ItemKind::Use { path, path_span } => Some(Use { path: path.clone(), span: *path_span }),
        _ => None,
    });
    items.collect()
}

/// Files that use one another: the `use` items in order, the last of which leads back to the file
/// of the first.
pub fn cycle(chain: &[Use]) -> Diagnostic {
    let paths: Vec<&str> = chain.iter().map(|step| step.path.as_str()).collect();
    let mut error = Diagnostic::error(codes::CYCLE, "files use one another in a cycle")
        .note(format!("the files: {}", paths.join(" → ")))
        .help("move what both need to a third file");
    let mut steps = chain.iter().rev();
    if let Some(last) = steps.next() {
        error = error.primary(last.span, "this closes the cycle");
    }
    for step in steps {
        error = error.label(step.span, "which is used here");
    }
    error
}

/// A `use` of a file that cannot be read, and why; `looked` is where it was looked for, `there`
/// what programs are in that folder.
pub fn missing_file(step: &Use, looked: &str, reason: &str, there: &[String]) -> Diagnostic {
    let (folder, name) = match step.path.rsplit_once('/') {
        Some((folder, name)) => (format!("{folder}/"), name),
        None => (String::new(), step.path.as_str()),
    };
    let same =
        |there: &&str| there.ends_with(&format!("/{name}")) || **there == format!("{name}.nn");
    let there = || there.iter().map(String::as_str);
    let near: Vec<String> = there()
        .filter(same)
        .chain(near(name, there()))
        .filter(|near| *near != name)
        .map(|name| format!("\"{folder}{name}\""))
        .collect();
    let written = format!("\"{}\"", step.path);
    Diagnostic::error(codes::MISSING_FILE, format!("cannot read `{}`", step.path))
        .primary(step.span, reason)
        .note(format!("looked for at {looked}"))
        .misspelt(step.span, &written, near.iter().map(String::as_str))
        .or_help(|| "the path is relative to the file that uses it".into())
}

/// The data that a `train` block names, where nothing declares them.
pub(super) fn unknown_data(items: &Items<'_>, data: &Name) -> Option<Diagnostic> {
    if items.find_data(&data.text).is_some() {
        return None;
    }
    let error = Diagnostic::error(codes::UNKNOWN_NAME, format!("unknown data `{}`", data.text))
        .primary(data.span, "no `data` item has this name");
    let names: Vec<&str> = items.data.iter().map(|item| item.name.text.as_str()).collect();
    let error = error.misspelt(data.span, &data.text, names);
    Some(error.or_help(|| format!("declare them: `data {} = digits()`", data.text)))
}

/// Errors about parameters and states that only one of the training and evaluation graphs has.
pub(super) fn kept_differ(train: &Graph, eval: &Graph) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    for (graph, other, when) in [(train, eval, "while training"), (eval, train, "outside training")]
    {
        let kept = kept(graph);
        let others = kept_paths(other);
        for (path, origin) in kept {
            if others.contains(&path) {
                continue;
            }
            let message = format!("`{path}` is declared only {when}");
            let mut error = Diagnostic::error(codes::DECLARATION, message)
                .help("declare it before the `if training`, and use it inside");
            if let Some(origin) = origin {
                error = error.primary(graph.origins.get(origin).span, "");
            }
            found.push(error);
        }
    }
    found
}

fn kept(graph: &Graph) -> Vec<(&str, Option<OriginId>)> {
    let params = graph.params.values().map(|param| (param.path.as_str(), param.origin));
    params.chain(graph.states.values().map(|state| (state.path.as_str(), state.origin))).collect()
}

fn kept_paths(graph: &Graph) -> Vec<&str> {
    kept(graph).into_iter().map(|(path, _)| path).collect()
}

//! The misfits of a file of weights and a model, and what to write so that the rest fits.
//!
//! ```text
//! `dense.weight` is f32[1000, 512] in the file, which is f32[512, 1000] in this language's order, but
//! f32[512, 2] in the model
//! help: `except: ["dense.*"]` lets these begin as if there were no file
//! ```

use crate::base::diagnostic::Diagnostic;
use crate::base::fix::{Certainty, Fix};
use crate::base::names::nearest;
use crate::base::settings::{InitArgument, InitFrom};
use crate::base::tensor::DType;
use crate::elaborate::path_matches;

/// A parameter or state that the file does not fit.
pub(super) struct Misfit {
    pub path: String,
    pub kind: MisfitKind,
}

pub(super) enum MisfitKind {
    /// The file does not have it.
    Missing,
    /// It has another shape or type there.
    Shape {
        /// As the file has it.
        of_file: String,
        /// As it is read from PyTorch's layout, where that is another shape.
        read: Option<String>,
        of_model: String,
        /// Whether the file's shape is the model's, unturned.
        as_here: bool,
        /// Whether its axes stand the other way round, as PyTorch writes them.
        backwards: bool,
    },
}

impl Misfit {
    fn message(&self) -> String {
        let path = &self.path;
        match &self.kind {
            MisfitKind::Missing => format!("the file has no `{path}`"),
            MisfitKind::Shape { of_file, read: None, of_model, .. } => {
                format!("`{path}` is {of_file} in the file, but {of_model} in the model")
            }
            MisfitKind::Shape { of_file, read: Some(read), of_model, .. } => format!(
                "`{path}` is {of_file} in the file, which is {read} in this language's order, but \
                 {of_model} in the model"
            ),
        }
    }
}

/// The error about values that do not fit, with the setting that would leave exactly those out.
pub(super) fn unfit(
    wrong: impl Fn(String) -> Diagnostic,
    misfits: &[Misfit],
    from: &InitFrom,
    names: &[String],
    paths: &[&str],
) -> Diagnostic {
    const SHOWN: usize = 5;
    let mut error = wrong(misfits[0].message());
    if let MisfitKind::Missing = misfits[0].kind
        && let Some(near) = nearest(&misfits[0].path, names.iter().map(String::as_str))
    {
        error = error.note(format!("it has `{near}`"));
    }
    for misfit in misfits.iter().skip(1).take(SHOWN) {
        error = error.note(misfit.message());
    }
    if misfits.len() > SHOWN + 1 {
        error = error.note(format!("and {} more", misfits.len() - SHOWN - 1));
    }
    let of_shape = |misfit: &&Misfit| matches!(misfit.kind, MisfitKind::Shape { .. });
    let backwards =
        |misfit: &Misfit| matches!(misfit.kind, MisfitKind::Shape { backwards: true, .. });
    if misfits.iter().any(backwards) {
        return error.help("`layout: pytorch` transposes what PyTorch has written");
    }
    let as_here = |misfit: &Misfit| matches!(misfit.kind, MisfitKind::Shape { as_here: true, .. });
    if misfits.iter().filter(of_shape).all(as_here) && misfits.iter().any(as_here) {
        return error.help("the file has this language's order: leave `layout: pytorch` out");
    }
    match misfits.iter().filter(of_shape).count() {
        0 => error.help("`partial: true` lets what is missing begin as if there were no file"),
        _ => {
            // What is left out already stays so.
            let before = from.except.iter().map(|pattern| format!("{pattern:?}"));
            let mut patterns: Vec<String> = before.collect();
            patterns.extend(patterns_of(misfits, paths));
            let new = patterns_of(misfits, paths).join(", ");
            let patterns = patterns.join(", ");
            let help = format!("`except: [{patterns}]` lets these begin as if there were no file");
            let mut error = error.help(help);
            if let Some(edit) = from.with(InitArgument::Except, &new) {
                let title = format!("leave {new} as without a file");
                error.fixes.push(Fix::new(title, vec![edit]).read_as(Certainty::Suggestion));
            }
            error
        }
    }
}

/// Patterns that match these paths and no others: of whole layers where all of them is meant.
fn patterns_of(misfits: &[Misfit], paths: &[&str]) -> Vec<String> {
    let is_misfit = |path: &str| misfits.iter().any(|misfit| misfit.path == path);
    let mut patterns: Vec<String> = Vec::new();
    for Misfit { path, .. } in misfits {
        let layer = path.rsplit_once('.').map(|(layer, _)| format!("{layer}.*"));
        let whole = |pattern: &String| {
            paths.iter().filter(|path| path_matches(pattern, path)).all(|path| is_misfit(path))
        };
        let pattern = layer.filter(whole).unwrap_or_else(|| path.clone());
        if !patterns.contains(&format!("{pattern:?}")) {
            patterns.push(format!("{pattern:?}"));
        }
    }
    patterns
}

/// `f32[784, 10]`.
pub(crate) fn shown(dtype: DType, shape: &[usize]) -> String {
    let extents: Vec<String> = shape.iter().map(usize::to_string).collect();
    format!("{}[{}]", dtype.name(), extents.join(", "))
}

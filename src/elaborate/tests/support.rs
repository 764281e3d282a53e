//! Parsing and elaborating text in tests.

use crate::base::diagnostic::Diagnostic;
use crate::base::source::Sources;
use crate::elaborate::{
    ElaborateOptions, Experiment, PRELUDE, PRELUDE_NAME, ProgramFiles, elaborate,
};
use crate::syntax::parse;

/// Elaborates a program of one file.
pub(super) fn with(text: &str, request: &ElaborateOptions) -> Result<Experiment, Vec<Diagnostic>> {
    let mut sources = Sources::new();
    let main = sources.add("main.nn", text);
    let prelude = sources.add_builtin(PRELUDE_NAME, PRELUDE);
    let files = vec![parse(&sources, main).expect("the program parses")];
    let prelude = parse(&sources, prelude).expect("the prelude parses");
    elaborate(&ProgramFiles { files: &files, prelude: &prelude }, request)
}

/// Elaborates a program that must be right.
pub(super) fn good(text: &str) -> Experiment {
    with(text, &ElaborateOptions::default())
        .unwrap_or_else(|errors| panic!("{}", list(text, &errors)))
}

/// The errors of a program that must be wrong.
pub(super) fn bad(text: &str) -> Vec<Diagnostic> {
    with(text, &ElaborateOptions::default()).expect_err("the program is wrong")
}

/// The only error of a program.
pub(super) fn only(text: &str) -> Diagnostic {
    let mut errors = bad(text);
    assert_eq!(errors.len(), 1, "{}", list(text, &errors));
    errors.remove(0)
}

/// The message of an error and the text it points at.
pub(super) fn list(text: &str, errors: &[Diagnostic]) -> String {
    let lines = errors.iter().map(|error| {
        let labels = error.labels.iter().map(|label| {
            let at = text.get(label.span.start as usize..label.span.end as usize).unwrap_or("?");
            format!("    at {at:?}: {}\n", label.text)
        });
        format!(
            "{} {}\n{}    notes {:?}, help {:?}\n",
            error.code,
            error.message,
            labels.collect::<String>(),
            error.notes,
            error.help
        )
    });
    lines.collect()
}

/// The text under an error's primary place.
pub(super) fn primary<'t>(text: &'t str, error: &Diagnostic) -> &'t str {
    let span = error.place().expect("the error has a place");
    &text[span.start as usize..span.end as usize]
}

/// The parameters' paths and types.
pub(super) fn params(experiment: &Experiment) -> Vec<String> {
    let params = experiment.train.params.values();
    params.map(|param| format!("{}: {}", param.path, param.ty)).collect()
}

/// The type of an output of the training graph.
pub(super) fn output(experiment: &Experiment, name: &str) -> String {
    let node = experiment.train.output(name).expect("the output exists");
    experiment.train.ty(node).to_string()
}

//! `tests/golden/syntax`: a file's syntax tree, or its syntax errors, and its tidy form.

use nnc::base::diagnostic::Diagnostic;
use nnc::base::source::Sources;
use nnc::syntax;

use super::{Case, Output, Suite, diagnostics};

pub const SUITE: Suite = Suite {
    folder: "syntax",
    input: "nn",
    outputs: &[
        Output { extension: "ast", produce: tree },
        Output { extension: "fmt", produce: formatted },
        Output { extension: "stderr", produce: errors },
    ],
};

fn parsed(case: &Case) -> (Sources, Result<syntax::ast::File, Vec<Diagnostic>>) {
    let mut sources = Sources::new();
    let file = sources.add(&case.name, &case.text);
    let parsed = syntax::parse(&sources, file);
    (sources, parsed)
}

fn tree(case: &Case) -> Result<Option<String>, String> {
    let (_, parsed) = parsed(case);
    Ok(parsed.ok().map(|file| syntax::dump(&file)))
}

/// The tidy form, of a file that is not tidy.
fn formatted(case: &Case) -> Result<Option<String>, String> {
    let (sources, parsed) = parsed(case);
    let Ok(tree) = parsed else { return Ok(None) };
    let tidy = syntax::format(&sources, tree.id).map_err(|_| "it parses, but is not formatted")?;
    let mut again = Sources::new();
    let file = again.add(&case.name, &tidy);
    let tree_again = syntax::parse(&again, file)
        .map_err(|errors| format!("{tidy}\n{}", diagnostics::render(&again, &errors)))?;
    if syntax::dump(&tree) != syntax::dump(&tree_again) {
        return Err(format!("formatting changes what it means:\n{tidy}"));
    }
    if syntax::format(&again, file).as_ref() != Ok(&tidy) {
        return Err(format!("formatting twice is not formatting once:\n{tidy}"));
    }
    Ok((tidy != case.text).then_some(tidy))
}

fn errors(case: &Case) -> Result<Option<String>, String> {
    let (sources, parsed) = parsed(case);
    let errors = parsed.err().unwrap_or_default();
    diagnostics::check_marks(&sources, &errors)?;
    for fix in errors.iter().flat_map(|error| &error.fixes) {
        mends(&sources, fix, errors.len())?;
    }
    Ok((!errors.is_empty()).then(|| diagnostics::render(&sources, &errors)))
}

/// A fix that is offered must leave fewer errors than there were.
fn mends(sources: &Sources, fix: &nnc::base::diagnostic::Fix, errors: usize) -> Result<(), String> {
    let mut fixed = Sources::new();
    let file = fixed.add("fixed.nn", diagnostics::apply(sources, fix));
    match syntax::parse(&fixed, file) {
        Err(left) if left.len() >= errors => Err(format!(
            "the fix `{}` does not mend it:\n{}",
            fix.title,
            diagnostics::render(&fixed, &left)
        )),
        _ => Ok(()),
    }
}

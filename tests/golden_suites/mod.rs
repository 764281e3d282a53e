//! The golden suites: which folders there are, and what is made of the inputs in them.
//!
//! To add one, write a module with its outputs and add an entry to [`suites`]; a pass of the pipeline has one by itself.

mod check;
mod cli;
mod codegen;
pub mod diagnostics;
mod elaborate;
mod graph;
mod loops;
mod pass;
mod schedule;
mod step;
mod syntax;

use std::path::PathBuf;

/// A folder of inputs, each with its expected outputs beside it.
pub struct Suite {
    /// The folder, under `tests/golden`.
    pub folder: &'static str,
    /// The extension of inputs.
    pub input: &'static str,
    /// What is made of each input.
    pub outputs: &'static [Output],
}

/// One thing that is made of an input.
pub struct Output {
    /// The extension of its expectation.
    pub extension: &'static str,
    /// Makes it. `None`: this input has none (no tree of a file with syntax errors), and there may
    /// be no expectation. An error fails the test, whatever is expected.
    pub produce: fn(&Case) -> Result<Option<String>, String>,
}

/// An input.
pub struct Case {
    /// The file's name, as diagnostics should print it.
    pub name: String,
    /// Where it is.
    #[allow(dead_code)] // For suites whose inputs name other files.
    pub path: PathBuf,
    /// What it says.
    pub text: String,
}

/// All suites.
pub fn suites() -> Vec<Suite> {
    let before = [syntax::SUITE, elaborate::SUITE, graph::SUITE, loops::SUITE];
    let behind = [schedule::SUITE, step::SUITE, codegen::SUITE, cli::SUITE, check::SUITE];
    before.into_iter().chain(pass::suites()).chain(behind).collect()
}

//! All that is known of a program when it was parsed and checked: its trees, its graphs and data, and what is
//! wrong with it.

use super::source::DataSource;
use super::torch_names::NameTable;
use crate::base::diagnostic::Diagnostic;
use crate::elaborate::{Experiment, ProgramFiles};
use crate::syntax::ast;
use std::sync::Arc;

/// An elaborated program and its data source.
#[derive(Debug)]
pub struct Front {
    /// Model, graphs and training of the program; of samples in buckets, for those of the largest.
    pub experiment: Experiment,
    /// The same for each smaller bucket, ascending.
    pub smaller: Vec<Experiment>,
    /// Where its samples come from, if it names data.
    pub source: Option<DataSource>,
    /// Warnings of the lints.
    pub warnings: Vec<Diagnostic>,
    /// How the names of a file of weights were matched, where they are not the program's.
    pub(crate) names: Option<NameTable>,
}

/// A program's files as trees, the named one first, and the prelude.
pub(crate) struct ParsedProgram {
    pub files: Vec<ast::File>,
    pub prelude: Arc<ast::File>,
    /// The words, numbers and signs of the files.
    pub tokens: usize,
}

impl ParsedProgram {
    pub fn program(&self) -> ProgramFiles<'_> {
        ProgramFiles { files: &self.files, prelude: &self.prelude }
    }
}

/// All that is known of a program.
#[derive(Default)]
pub(crate) struct CheckedProgram {
    /// The elaborated program, where nothing is wrong with it.
    pub experiment: Option<Experiment>,
    /// The same for each bucket of its samples but the largest.
    pub smaller: Vec<Experiment>,
    /// Its data source, where that is known.
    pub source: Option<DataSource>,
    /// Mistakes.
    pub errors: Vec<Diagnostic>,
    /// Warnings of the lints.
    pub warnings: Vec<Diagnostic>,
    /// How the names of a file of weights were matched, where they are not the program's.
    pub names: Option<NameTable>,
    /// Whether a file could not be parsed, so that nothing else was looked at.
    pub unread: bool,
}

impl CheckedProgram {
    /// The elaborated program, or all mistakes.
    pub fn front(mut self) -> Result<Front, Vec<Diagnostic>> {
        match self.experiment {
            Some(experiment) if self.errors.is_empty() => {
                let CheckedProgram { smaller, source, warnings, names, .. } = self;
                Ok(Front { experiment, smaller, source, warnings, names })
            }
            _ => {
                self.errors.append(&mut self.warnings);
                Err(self.errors)
            }
        }
    }
}

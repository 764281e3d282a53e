//! `nnc fmt`: source files in the canonical form.

use super::{STANDARD_INPUT, is_piped, render, standard_input, threads, write};
use crate::base::shown::Show;
use crate::base::source::Sources;
use crate::driver::{self, Failure};
use clap::Args;
use std::path::{Path, PathBuf};

/// Rewrites files in place; `-` reads standard input and writes standard output.
#[derive(Args)]
pub struct FmtArgs {
    /// Source files, or `-`
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// Change nothing; list the files that would change and exit with 1 if there are any
    #[arg(long)]
    check: bool,
}

impl FmtArgs {
    /// Formats each file; goes on after one with a mistake, so that all are told at once.
    pub fn execute(self) -> Result<u8, Failure> {
        threads::prepare();
        let mut code = 0;
        for path in &self.files {
            match self.format_one(path) {
                Ok(changed) if self.check && changed => {
                    write::line(&path.shown().to_string())?;
                    code = code.max(1);
                }
                Ok(_) => {}
                Err(Failure::Program { diagnostics, sources }) => {
                    render::print(&diagnostics, &sources);
                    code = code.max(1);
                }
                Err(other) => return Err(other),
            }
        }
        Ok(code)
    }

    /// Formats one file; says whether it differed from its canonical form.
    fn format_one(&self, path: &Path) -> Result<bool, Failure> {
        let piped = is_piped(path);
        let text = read(path, piped)?;
        let mut sources = Sources::new();
        let name = if piped { STANDARD_INPUT.into() } else { path.to_string_lossy().into_owned() };
        let file = sources.add(name, text);
        let formatted = match crate::syntax::format(&sources, file) {
            Ok(formatted) => formatted,
            Err(diagnostics) => {
                return Err(Failure::Program { diagnostics, sources: Box::new(sources) });
            }
        };
        let changed = formatted != sources.file(file).text;
        if piped && !self.check {
            write::raw(formatted.as_bytes())?;
        } else if changed && !self.check {
            write::replace(path, &formatted)?;
        }
        Ok(changed)
    }
}

fn read(path: &Path, piped: bool) -> Result<String, Failure> {
    if !piped {
        return driver::source_text(path);
    }
    standard_input()
}

//! `nnc fmt`: source files in the canonical form.

use super::render;
use crate::base::source::Sources;
use crate::driver::Failure;
use clap::Args;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

/// Rewrites files in place; `-` reads standard input and writes standard output.
#[derive(Args)]
pub struct Fmt {
    /// Source files, or `-`
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// Change nothing; list the files that would change and exit with 1 if there are any
    #[arg(long)]
    check: bool,
}

impl Fmt {
    /// Formats each file; goes on after one with a mistake, so that all are told at once.
    pub fn execute(self) -> Result<u8, Failure> {
        let mut code = 0;
        for path in &self.files {
            match self.format_one(path) {
                Ok(changed) if self.check && changed => {
                    println!("{}", path.display());
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
        let piped = path == Path::new("-");
        let text = read(path, piped)?;
        let mut sources = Sources::new();
        let name = if piped { "<stdin>".into() } else { path.display().to_string() };
        let file = sources.add(name, text);
        let formatted = match crate::syntax::format(&sources, file) {
            Ok(formatted) => formatted,
            Err(diagnostics) => {
                return Err(Failure::Program { diagnostics, sources: Box::new(sources) });
            }
        };
        let changed = formatted != sources.file(file).text;
        if piped && !self.check {
            print!("{formatted}");
        } else if changed && !self.check {
            replace(path, &formatted)?;
        }
        Ok(changed)
    }
}

fn read(path: &Path, piped: bool) -> Result<String, Failure> {
    let mut bytes = Vec::new();
    let result = if piped {
        std::io::stdin().read_to_end(&mut bytes).map(|_| ())
    } else {
        std::fs::read(path).map(|read| bytes = read)
    };
    result.map_err(|error| Failure::Io(format!("cannot read {}: {error}", path.display())))?;
    String::from_utf8(bytes)
        .map_err(|_| Failure::Data(format!("{} is not UTF-8 text", path.display())))
}

/// Replaces a file's contents at once: a crash leaves the old file or the new one.
fn replace(path: &Path, text: &str) -> Result<(), Failure> {
    let fail =
        |error: std::io::Error| Failure::Io(format!("cannot write {}: {error}", path.display()));
    // The file behind a symbolic link is what is formatted.
    let path = path.canonicalize().map_err(fail)?;
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut file = tempfile::NamedTempFile::new_in(folder).map_err(fail)?;
    file.write_all(text.as_bytes()).map_err(fail)?;
    let permissions = std::fs::metadata(&path).map_err(fail)?.permissions();
    std::fs::set_permissions(file.path(), permissions).map_err(fail)?;
    file.persist(&path).map_err(|error| fail(error.error))?;
    Ok(())
}

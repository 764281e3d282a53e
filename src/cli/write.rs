//! Results to standard output and to files, where a failure must be told.

use crate::driver::Failure;
use std::io::{ErrorKind, Write};
use std::path::Path;

/// Writes a result to standard output. A reader that has gone ends the program quietly, a full
/// device is an error.
pub fn out(text: &str) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    let written = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    match written {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == ErrorKind::BrokenPipe => std::process::exit(0),
        Err(error) => Err(Failure::Io(format!("cannot write to standard output: {error}"))),
    }
}

/// Replaces a file's contents at once: a crash leaves the old file or the new one.
pub fn replace(path: &Path, text: &str) -> Result<(), Failure> {
    let fail =
        |error: std::io::Error| Failure::Io(format!("cannot write {}: {error}", path.display()));
    // The file behind a symbolic link is what is written.
    let path = path.canonicalize().map_err(fail)?;
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut file = tempfile::NamedTempFile::new_in(folder).map_err(fail)?;
    file.write_all(text.as_bytes()).map_err(fail)?;
    let permissions = std::fs::metadata(&path).map_err(fail)?.permissions();
    std::fs::set_permissions(file.path(), permissions).map_err(fail)?;
    file.persist(&path).map_err(|error| fail(error.error))?;
    Ok(())
}

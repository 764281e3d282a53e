//! Everything that is printed and written for the user: results to standard output and into files,
//! notes and errors to standard error.
//!
//! What goes to a terminal has nothing hidden in it ([`shown`](crate::base::shown)), wherever it came
//! from. So in this room `println!` and `eprintln!` are those of `cli`, which end here.
//! What must keep its bytes (a formatted program, a script) goes through [`raw`].

use crate::base::shown::{Show, visible_lines};
use crate::driver::Failure;
use crate::files;
use std::io::{ErrorKind, Write};
use std::path::Path;

/// Writes a result to standard output. A reader that has gone ends the program quietly, a full
/// device is an error.
pub fn out(text: &str) -> Result<(), Failure> {
    raw(visible_lines(text).as_bytes())
}

/// The same, of what is a file's contents more than a text for people.
pub fn raw(bytes: &[u8]) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    let written = out.write_all(bytes).and_then(|()| out.flush());
    match written {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == ErrorKind::BrokenPipe => std::process::exit(0),
        Err(error) => Err(Failure::Io(format!("cannot write to standard output: {error}"))),
    }
}

/// What `println!` does here: as [`out`], but a failure ends the program.
pub fn print(text: &str) {
    if let Err(Failure::Io(message)) = out(text) {
        note(&format!("error: {message}"));
        std::process::exit(2);
    }
}

/// What `eprintln!` does here. Where nobody hears it, there is nobody to tell.
pub fn note(text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{}", visible_lines(text));
}

/// The same, of a text that has colours of our own, whose foreign parts are shown already.
pub fn painted(text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}

/// Replaces a file's contents at once: a crash leaves the old file or the new one.
pub fn replace(path: &Path, text: &str) -> Result<(), Failure> {
    files::write::replace(path, text.as_bytes())
        .map_err(|error| Failure::Io(format!("cannot write {}: {error}", path.shown())))
}

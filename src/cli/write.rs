//! Everything that is printed and written for the user: results to standard output and into files,
//! notes and errors to standard error.
//!
//! Text for a terminal has nothing hidden in it ([`shown`](crate::base::shown)), wherever it came
//! from. So in this room there is no `println!`, which would end the program where its reader has
//! gone, and `eprintln!` is that of `cli`, which ends here. Text that must keep its bytes (a
//! formatted program, a script) goes through [`raw`].

use crate::base::shown::{Show, visible_lines};
use crate::driver::Failure;
use crate::files;
use std::io::Write;
use std::path::Path;

/// Columns of standard output where no terminal shows it: what is piped does not depend on the window.
const PIPED_WIDTH: usize = 80;

/// Columns that standard output has for what people read.
pub fn width() -> usize {
    let terminal = console::Term::stdout();
    match terminal.is_term() {
        true => usize::from(terminal.size().1).max(40),
        false => PIPED_WIDTH,
    }
}

/// Writes a result to standard output. That nobody reads it any more, or that a device is full, is
/// for `main` to judge.
pub fn out(text: &str) -> Result<(), Failure> {
    raw(visible_lines(text).as_bytes())
}

/// The same with the line's end.
pub fn line(text: &str) -> Result<(), Failure> {
    out(&format!("{text}\n"))
}

/// The same, of what is a file's contents more than a text for people.
pub fn raw(bytes: &[u8]) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    out.write_all(bytes).and_then(|()| out.flush()).map_err(Failure::Output)
}

/// Writes a note to standard error, as `eprintln!` does here. A closed standard error is ignored.
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

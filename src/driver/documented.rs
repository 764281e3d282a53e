//! The documentation of a program's items, read from its files.

use crate::driver::session::{Failure, Request, Session};
use crate::elaborate::Documentation;

impl Session {
    /// The documentation of the items of a program, and of the files that it uses. Nothing is
    /// elaborated, so a program whose shapes do not fit has its documentation, too.
    pub fn documentation(&mut self, request: &Request) -> Result<Documentation, Failure> {
        let text = self.main_text(request)?;
        let (parsed, errors) = self.parse(&request.file, text)?;
        match errors.is_empty() {
            true => Ok(Documentation::of_files(&parsed.files, &self.sources)),
            false => Err(self.program_failure(errors)),
        }
    }
}

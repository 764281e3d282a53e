//! Why the grammar did not match, in the words of a user.

use std::ops::Range;

use pest::error::{Error, InputLocation};

use crate::base::diagnostic::Diagnostic;
use crate::base::source::{FileId, Span};
use crate::syntax::codes;
use crate::syntax::parse::Rule;

/// The error of parsing `chunk` of a file.
pub(super) fn explain(
    file: FileId,
    text: &str,
    chunk: Range<usize>,
    error: &Error<Rule>,
) -> Diagnostic {
    let at = chunk.start
        + match error.location {
            InputLocation::Pos(at) | InputLocation::Span((at, _)) => at,
        };
    let _ = text;
    Diagnostic::error(codes::UNEXPECTED, "syntax error").primary(Span::new(file, at, at), "here")
}

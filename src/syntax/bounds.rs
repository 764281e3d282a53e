//! How much text is taken at all, before anything walks over it.
//!
//! In: the text of a file. Out: how many words, numbers and signs it has, or the limit of
//! [`limits`] that it passes.
//!
//! ```text
//! const a = 4 + 2     6 tokens
//! ```
//!
//! Everything after this takes time and memory by the size of the text, the parser above all: so
//! these limits bound it. What a program unfolds to is bounded where it is evaluated.

use crate::base::codes;
use crate::base::diagnostic::Diagnostic;
use crate::base::limits;
use crate::base::source::{FileId, Span};
use crate::syntax::tokens::{TokenKind, next};

/// The number of tokens of a file, or the first limit that it passes.
pub fn measure(file: FileId, text: &str) -> Result<usize, Box<Diagnostic>> {
    if text.len() > limits::SOURCE_BYTES {
        let message = format!("the file has {} bytes", text.len());
        return Err(too_large(Span::new(file, 0, 0), message));
    }
    let mut count = 0;
    let mut at = 0;
    while let Some((kind, start, end)) = next(text, at) {
        at = end;
        count += 1;
        if kind == TokenKind::Word && end - start > limits::NAME_BYTES {
            let message = format!("a name of {} bytes", end - start);
            return Err(too_large(Span::new(file, start, end), message));
        }
        if count > limits::SOURCE_TOKENS {
            let most = limits::SOURCE_TOKENS;
            let message = format!("the file has more than {most} words, numbers and signs");
            return Err(too_large(Span::new(file, start, end), message));
        }
    }
    Ok(count)
}

/// The report of a program past a limit of its text.
pub fn too_large(place: Span, message: String) -> Box<Diagnostic> {
    let help = format!(
        "a program has at most {} bytes and {} words, numbers and signs in at most {} files; a \
         name has at most {} bytes",
        limits::SOURCE_BYTES,
        limits::SOURCE_TOKENS,
        limits::SOURCE_FILES,
        limits::NAME_BYTES
    );
    Box::new(Diagnostic::error(codes::FILE_TOO_LARGE, message).primary(place, "").help(help))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::source::Sources;

    fn measured(text: &str) -> Result<usize, String> {
        let mut sources = Sources::new();
        let file = sources.add("test.nn", text);
        measure(file, text).map_err(|error| error.message)
    }

    #[test]
    fn tokens_are_counted_without_comments() {
        assert_eq!(measured("const a = 4 + 2 // and no more\n"), Ok(6));
        assert_eq!(measured("  \n// nothing"), Ok(0));
    }

    #[test]
    fn what_is_at_a_limit_is_taken_and_what_is_past_it_refused() {
        let signs = "+ ".repeat(limits::SOURCE_TOKENS);
        assert_eq!(measured(&signs), Ok(limits::SOURCE_TOKENS));
        assert!(measured(&(signs + "+")).is_err());
        let name = "a".repeat(limits::NAME_BYTES);
        assert_eq!(measured(&name), Ok(1));
        assert!(measured(&(name + "a")).is_err());
        let comment = format!("//{}", "a".repeat(limits::SOURCE_BYTES - 2));
        assert_eq!(measured(&comment), Ok(0));
        assert!(measured(&(comment + "a")).is_err());
    }
}

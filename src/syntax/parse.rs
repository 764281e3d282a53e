//! Text to syntax tree.
//!
//! In: a file of [`Sources`]. Out: its [`ast::File`], or every independent syntax error in it.
//!
//! ```text
//! const width = 4 + 2     Const { name: width, value: Binary(Add, 4, 2) }
//! ```
//!
//! The text is first cut into items by [`scan`](super::scan), and the grammar
//! (`grammar/nn.pest`) is run on each by itself, so one mistake does not hide those in other items.
//! Nothing here knows what a name means.

use pest::Parser as _;

use crate::base::diagnostic::Diagnostic;
use crate::base::source::{FileId, Sources, Span};
use crate::syntax::ast;
use crate::syntax::codes;
use crate::syntax::scan::scan;
use crate::syntax::slips;
use crate::syntax::tree::Tree;

/// The parser that `grammar/nn.pest` generates.
#[allow(missing_docs)] // One variant a grammar rule.
pub(super) mod grammar {
    #[derive(pest_derive::Parser)]
    #[grammar = "../grammar/nn.pest"]
    pub(crate) struct Grammar;
}

pub(super) use grammar::{Grammar, Rule};

/// Files larger than this are refused: places are 32-bit.
const MAX_BYTES: usize = 1 << 30;

/// Parses a file. The errors come in the order of their places, one an item at most (and if the
/// brackets do not match, only the errors about them).
pub fn parse(sources: &Sources, file: FileId) -> Result<ast::File, Vec<Diagnostic>> {
    let text = &sources.file(file).text;
    if text.len() > MAX_BYTES {
        let error = Diagnostic::error(codes::TOO_LARGE, "the file is larger than 1 GiB")
            .primary(Span::new(file, 0, 0), "");
        return Err(vec![error]);
    }
    let mut items = Vec::new();
    let mut errors = Vec::new();
    for chunk in scan(file, text)? {
        match Grammar::parse(Rule::file, &text[chunk.clone()]) {
            Ok(pairs) => match Tree::new(file, text, chunk.start).items(pairs) {
                Ok(found) => items.extend(found),
                Err(error) => errors.push(*error),
            },
            Err(error) => errors.push(slips::explain(file, text, chunk, &error)),
        }
    }
    if errors.is_empty() { Ok(ast::File { id: file, items }) } else { Err(errors) }
}

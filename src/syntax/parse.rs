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

use std::cmp::Reverse;
use std::ops::Range;

use pest::Parser as _;
use pest::error::InputLocation;
use rayon::prelude::*;

use crate::base::diagnostic::Diagnostic;
use crate::base::source::{FileId, Sources};
use crate::syntax::ast;
use crate::syntax::bounds::measure;
use crate::syntax::grammar::ParseResult;
use crate::syntax::grammar::{Grammar, Rule};
use crate::syntax::scan::{MAX_ERRORS, scan};
use crate::syntax::slips;
use crate::syntax::tree::TreeBuilder;

/// Parses a file. The errors come in the order of their places, one an item at most (and if the
/// brackets do not match, only the errors about them).
pub fn parse(sources: &Sources, file: FileId) -> Result<ast::File, Vec<Diagnostic>> {
    let text = &sources.file(file).text;
    measure(file, text).map_err(|error| vec![*error])?;
    parse_chunks(file, text, scan(file, text)?)
}

/// Parses parts of a file, each of which holds whole items.
pub(super) fn parse_chunks(
    file: FileId,
    text: &str,
    chunks: Vec<Range<usize>>,
) -> Result<ast::File, Vec<Diagnostic>> {
    // Parts of a file need nothing of each other.
    let parsed: Vec<_> =
        chunks.par_iter().map(|chunk| parse_chunk(file, text, chunk.clone())).collect();
    let mut items = Vec::new();
    let mut errors = Vec::new();
    for (chunk, parsed) in chunks.into_iter().zip(parsed) {
        match parsed {
            Ok(found) => items.extend(found),
            Err(mut error) => {
                check_fixes(file, text, chunk, &mut error);
                errors.push(*error);
                if errors.len() == MAX_ERRORS {
                    break;
                }
            }
        }
    }
    if errors.is_empty() { Ok(ast::File { id: file, items }) } else { Err(errors) }
}

/// Parses the items in a part of a file.
fn parse_chunk(file: FileId, text: &str, chunk: Range<usize>) -> ParseResult<Vec<ast::Item>> {
    match Grammar::parse(Rule::file, &text[chunk.clone()]) {
        Ok(pairs) => TreeBuilder::new(file, text, chunk.start).items(pairs),
        Err(error) => Err(Box::new(slips::explain(file, text, chunk, &error))),
    }
}

/// The byte at which a text stops being items, if it does; its brackets match.
pub(super) fn first_error(file: FileId, text: &str) -> Option<usize> {
    match Grammar::parse(Rule::file, text) {
        Ok(pairs) => {
            let error = TreeBuilder::new(file, text, 0).items(pairs).err()?;
            Some(error.place().map_or(0, |span| span.start as usize))
        }
        Err(error) => Some(match error.location {
            InputLocation::Pos(at) | InputLocation::Span((at, _)) => at,
        }),
    }
}

/// Keeps the fixes after which the part parses, or fails only further on.
fn check_fixes(file: FileId, text: &str, chunk: Range<usize>, error: &mut Diagnostic) {
    let place = error.place().map_or(0, |span| span.start);
    error.fixes.retain_mut(|fix| {
        let mut fixed = text[chunk.clone()].to_string();
        let mut edits: Vec<_> = fix.edits.iter().collect();
        edits.sort_by_key(|edit| Reverse(edit.span.start));
        for edit in edits {
            let (start, end) = (edit.span.start as usize, edit.span.end as usize);
            fixed.replace_range(start - chunk.start..end - chunk.start, &edit.text);
        }
        let whole = 0..fixed.len();
        fix.checked = match scan(file, &fixed)
            .and_then(|_| parse_chunk(file, &fixed, whole).map_err(|error| vec![*error]))
        {
            Ok(_) => true,
            Err(left) => left.iter().all(|left| {
                left.place().is_some_and(|span| span.start as usize + chunk.start > place as usize)
            }),
        };
        fix.checked
    });
}

//! Text to tidy text.
//!
//! In: a file that parses. Out: the same program with canonical spaces, indents and commas, every
//! comment kept.
//!
//! ```text
//! train m on d{loss=mse // why     train m on d {
//! epochs=3 }                           loss   = mse // why
//!                                      epochs = 3
//!                                  }
//! ```
//!
//! Line breaks are the author's, as long as lines fit in [`WIDTH`]: a long line is broken before
//! `else`, at its `|>`s, or within its brackets, outermost first. Brackets that open at the end of a
//! line have their closer on a line of its own and a comma after the last part; others are joined to
//! one line. Text that was formatted once does not change any more, and its syntax tree is that of
//! the original. Words and parentheses are never added or removed.

use pest::Parser as _;
use pest::iterators::Pair;

use crate::base::diagnostic::Diagnostic;
use crate::base::source::{FileId, Sources};
use crate::syntax::grammar::{Grammar, Rule};
use crate::syntax::layout::{Piece, TextLayout, commas};
use crate::syntax::parse::parse;
use crate::syntax::scan::scan;
use crate::syntax::write::{FormattedLine, write};

/// How many characters a line should have at most.
pub const WIDTH: usize = 100;

/// Formats a file, or says why it does not parse.
pub fn format(sources: &Sources, file: FileId) -> Result<String, Vec<Diagnostic>> {
    parse(sources, file)?;
    let text = &sources.file(file).text;
    let mut pieces = Vec::new();
    let mut at = 0;
    for chunk in scan(file, text)? {
        let mut pairs = Grammar::parse(Rule::file, &text[chunk.clone()]).expect("it has parsed");
        let mut tokens = Vec::new();
        flatten(pairs.next().expect("one file"), Rule::file, &mut tokens);
        for (token, parent) in tokens {
            let span = token.as_span();
            let (start, end) = (chunk.start + span.start(), chunk.start + span.end());
            let lines = comments(&text[at..start], &mut pieces);
            let text = &text[start..end];
            pieces.push(Piece { rule: token.as_rule(), parent, text, lines });
            at = end;
        }
    }
    comments(&text[at..], &mut pieces);
    Ok(layout(pieces))
}

/// The text of the pieces: laid out anew with more breaks until no line is too long that could be
/// broken.
fn layout(pieces: Vec<Piece>) -> String {
    let mut layout = TextLayout::new(commas(pieces));
    loop {
        layout.settle();
        let written = write(&layout);
        let long = written.lines.iter().filter(|line| line.width > WIDTH);
        if !layout.break_lines(long.map(|&FormattedLine { first, end, .. }| first..end)) {
            return written.text;
        }
        layout = TextLayout::new(commas(layout.into_pieces()));
    }
}

/// The tokens of a pair, in order, each with the rule that it is directly part of.
fn flatten<'a>(pair: Pair<'a, Rule>, parent: Rule, tokens: &mut Vec<(Pair<'a, Rule>, Rule)>) {
    let rule = pair.as_rule();
    let mut inner = pair.clone().into_inner().peekable();
    if inner.peek().is_some() {
        inner.for_each(|inner| flatten(inner, rule, tokens));
    } else if !pair.as_str().is_empty() && rule != Rule::file {
        tokens.push((pair, parent));
    }
}

/// Adds the comments in what stands between two tokens. Returns how many line breaks there are
/// after the last of them.
fn comments<'a>(between: &'a str, pieces: &mut Vec<Piece<'a>>) -> usize {
    let mut lines = 0;
    let mut rest = between;
    while let Some(at) = rest.find(['\n', '/']) {
        let comment = &rest[at..];
        if !comment.starts_with("//") {
            lines += 1;
            rest = &rest[at + 1..];
            continue;
        }
        let end = comment.find('\n').unwrap_or(comment.len());
        let text = comment[..end].trim_end();
        pieces.push(Piece { rule: Rule::COMMENT, parent: Rule::file, text, lines });
        lines = 0;
        rest = &comment[end..];
    }
    lines
}

//! Writes laid-out pieces: spaces within lines, indents before them.
//!
//! In: a [`TextLayout`]. Out: the text and the width of each line.
//!
//! The contents of brackets are indented by 4 from the line that opens them, and so is a line that
//! goes on with the statement above, but for two alignments:
//!
//! ```text
//! let y = x |> conv(8, 3) |> relu      let skip = if wide { x }
//!           |> conv(8, 3)                         else { y }
//! ```
//!
//! The `=` of settings of a `train` item, and of fields of a `data` item, that follow one another are
//! aligned too.

use std::collections::HashMap;

use crate::syntax::grammar::Rule;
use crate::syntax::layout::{Piece, TextLayout};

const INDENT: usize = 4;

/// Formatted text and its lines.
pub(super) struct FormattedText {
    pub(super) text: String,
    pub(super) lines: Vec<FormattedLine>,
}

/// A line of formatted text.
pub(super) struct FormattedLine {
    /// The first piece.
    pub(super) first: usize,
    /// One past the last piece.
    pub(super) end: usize,
    /// How many characters it has.
    pub(super) width: usize,
}

/// Where the current statement, or part between commas, is.
#[derive(Clone, Copy, Default)]
struct WritePosition {
    /// The indent of its first line.
    indent: usize,
    /// The indent of the line that opened what it stands in.
    outer: usize,
    /// The column of the first `|>` on its first line.
    pipe: Option<usize>,
    /// The column of its `if` that is not after an `else`.
    if_: Option<usize>,
    /// Whether its first line is complete.
    broken: bool,
}

/// The text of a layout.
pub(super) fn write(layout: &TextLayout) -> FormattedText {
    let mut writer = Writer {
        layout,
        padding: padding(layout),
        next_tokens: layout.next_tokens(),
        out: String::new(),
        column: 0,
        line_indent: 0,
        places: vec![WritePosition::default()],
        lines: Vec::new(),
    };
    for i in 0..layout.pieces.len() {
        writer.piece(i);
    }
    writer.end_line(layout.pieces.len());
    if !layout.pieces.is_empty() {
        writer.out.push('\n');
    }
    FormattedText { text: writer.out, lines: writer.lines }
}

struct Writer<'a> {
    layout: &'a TextLayout<'a>,
    /// Further spaces before some `=`.
    padding: HashMap<usize, usize>,
    /// For each piece, the first that is no comment from there on.
    next_tokens: Vec<Option<usize>>,
    out: String,
    column: usize,
    line_indent: usize,
    /// One for each open bracket, and one for the file.
    places: Vec<WritePosition>,
    lines: Vec<FormattedLine>,
}

impl Writer<'_> {
    fn piece(&mut self, i: usize) {
        let piece = &self.layout.pieces[i];
        let outer = if piece.closes() { self.places.pop().map(|place| place.outer) } else { None };
        if i == 0 || self.layout.lines[i] > 0 {
            self.begin_line(i, outer);
        } else {
            let padding = self.padding.get(&i).copied().unwrap_or(0);
            let space = usize::from(spaced(&self.layout.pieces[i - 1], piece));
            self.spaces(padding + space);
        }
        self.note_columns(i);
        self.out.push_str(piece.text);
        self.column += piece.text.chars().count();
        if piece.opens() {
            let (outer, indent) = (self.line_indent, self.line_indent + INDENT);
            self.places.push(WritePosition { outer, indent, ..WritePosition::default() });
        }
    }

    fn begin_line(&mut self, i: usize, closed: Option<usize>) {
        if i > 0 {
            self.end_line(i);
            self.out.push_str(&"\n".repeat(self.layout.lines[i]));
        }
        // A comment stands where the token after it will.
        let token = self.next_tokens[i];
        let rule = token.map_or(Rule::COMMENT, |token| self.layout.pieces[token].rule);
        let continued = self.layout.continued[i];
        let place = self.places.last_mut().expect("the file's own");
        let indent = match closed {
            Some(outer) => outer,
            None if !continued => {
                *place = WritePosition {
                    indent: place.indent,
                    outer: place.outer,
                    ..WritePosition::default()
                };
                place.indent
            }
            None => {
                place.broken = true;
                let aligned = match rule {
                    Rule::pipe => place.pipe,
                    Rule::kw_else => place.if_,
                    _ => None,
                };
                aligned.unwrap_or(place.indent + INDENT)
            }
        };
        self.column = 0;
        self.line_indent = indent;
        self.spaces(indent);
        self.lines.push(FormattedLine { first: i, end: i, width: 0 });
    }

    fn end_line(&mut self, end: usize) {
        if let Some(line) = self.lines.last_mut() {
            line.end = end;
            line.width = self.column;
        }
    }

    /// Remembers the columns that later lines of the statement are aligned with.
    fn note_columns(&mut self, i: usize) {
        let column = self.column;
        let after_else = i > 0 && self.layout.pieces[i - 1].rule == Rule::kw_else;
        let place = self.places.last_mut().expect("the file's own");
        match self.layout.pieces[i].rule {
            Rule::pipe if !place.broken => place.pipe = place.pipe.or(Some(column)),
            Rule::kw_if if !after_else => place.if_ = Some(column),
            _ => {}
        }
    }

    fn spaces(&mut self, count: usize) {
        self.out.extend(std::iter::repeat_n(' ', count));
        self.column += count;
    }
}

/// Whether a space stands between two pieces of a line.
fn spaced(before: &Piece, piece: &Piece) -> bool {
    use Rule::*;
    match (before.rule, piece.rule) {
        (_, COMMENT) | (number, dot) => true,
        (open_brace, close_brace) => false,
        (open_paren | open_bracket | dot | dots | dots_to | neg, _) => false,
        (_, comma | close_paren | close_bracket | dot | dots_to) => false,
        (comma, colon) => true,
        (_, colon) => false,
        (colon, _) => before.parent != slice_end,
        (_, dots) => !matches!(piece.parent, expr | domain),
        (_, open_paren) => matches!(piece.parent, paren | record | record_type),
        (_, open_bracket) => piece.parent == list,
        _ => true,
    }
}

/// The spaces that align the `=` of settings on lines that follow one another.
fn padding(layout: &TextLayout) -> HashMap<usize, usize> {
    let mut padding = HashMap::new();
    let mut run: Vec<(usize, usize)> = Vec::new();
    let mut finish = |run: &mut Vec<(usize, usize)>| {
        let widest = run.iter().map(|&(_, width)| width).max().unwrap_or(0);
        padding.extend(run.drain(..).map(|(equals, width)| (equals, widest - width)));
    };
    for (i, piece) in layout.pieces.iter().enumerate() {
        let is_list = |rule| matches!(rule, Rule::train_item | Rule::fields);
        let directly = layout.around[i].is_some_and(|opener| is_list(layout.pieces[opener].parent));
        if !directly {
            if is_list(piece.parent) && piece.closes() {
                finish(&mut run);
            }
            continue;
        }
        if layout.lines[i] > 1 || (piece.is_comment() && layout.lines[i] > 0) {
            finish(&mut run);
        }
        let setting =
            piece.rule == Rule::equals && matches!(piece.parent, Rule::train_key | Rule::field);
        if setting && layout.lines[i] == 0 && layout.lines[i - 1] > 0 {
            run.push((i, layout.pieces[i - 1].text.chars().count()));
        }
    }
    finish(&mut run);
    padding
}

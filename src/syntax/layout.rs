//! Tokens and comments to lines: the formatter's choices.
//!
//! In: the pieces of a file in order, each with how many line breaks stood before it. Out: text.
//!
//! Three steps: decide which brackets are spread over lines and which breaks are kept
//! ([`TextLayout::settle`]); write it; and while some line is too long and can be broken, break it and
//! write it again. Every break that is chosen would also be kept if the author had written it,
//! which is why a second run changes nothing.

use crate::syntax::grammar::Rule;
use std::ops::Range;

/// A token or a comment.
#[derive(Clone, Debug)]
pub(super) struct Piece<'a> {
    /// A token's rule, or `COMMENT`.
    pub(super) rule: Rule,
    /// The rule that the token is directly part of.
    pub(super) parent: Rule,
    pub(super) text: &'a str,
    /// How many line breaks stand before it; at most 2 are kept, which is an empty line.
    pub(super) lines: usize,
}

impl Piece<'_> {
    pub(super) fn is_comment(&self) -> bool {
        self.rule == Rule::COMMENT
    }

    pub(super) fn opens(&self) -> bool {
        matches!(self.rule, Rule::open_paren | Rule::open_bracket | Rule::open_brace)
    }

    pub(super) fn closes(&self) -> bool {
        matches!(self.rule, Rule::close_paren | Rule::close_bracket | Rule::close_brace)
    }

    /// Whether an expression goes on after a line break before this.
    fn continues(&self) -> bool {
        matches!(self.rule, Rule::pipe | Rule::kw_else | Rule::kw_as) || self.is_infix()
    }

    /// Whether an expression goes on after a line break after this.
    fn reaches_on(&self) -> bool {
        use Rule::*;
        self.is_infix()
            || matches!(
                self.rule,
                sub | neg
                    | not
                    | pipe
                    | comma
                    | colon
                    | equals
                    | write
                    | arrow
                    | dots
                    | dots_to
                    | kw_else
                    | kw_as
            )
    }

    /// A binary operator that may begin a line.
    pub(super) fn is_infix(&self) -> bool {
        use Rule::*;
        matches!(self.rule, or | and | eq | ne | le | ge | lt | gt | add | mul | div | matmul | pow)
    }
}

/// The pieces with what was decided about them.
pub(super) struct TextLayout<'a> {
    pub(super) pieces: Vec<Piece<'a>>,
    /// For each piece, the bracket directly around it (an opener and its closer have the one that
    /// is around both).
    pub(super) around: Vec<Option<usize>>,
    /// For each opener its closer and the reverse; itself elsewhere.
    pub(super) partner: Vec<usize>,
    /// Whether what an opener encloses is spread over lines.
    pub(super) spread: Vec<bool>,
    /// Line breaks before each piece: 0, 1 or 2.
    pub(super) lines: Vec<usize>,
    /// Whether the line that begins with a piece goes on with the statement above.
    pub(super) continued: Vec<bool>,
}

/// Brackets with commas that open at a line's end have one after the last part; others do not.
pub(super) fn commas(pieces: Vec<Piece>) -> Vec<Piece> {
    let layout = TextLayout::new(pieces);
    let count = layout.pieces.len();
    let (mut dropped, mut added) = (vec![false; count], vec![false; count]);
    for (opener, piece) in layout.pieces.iter().enumerate() {
        let plain = matches!(piece.rule, Rule::open_brace) || piece.parent == Rule::paren;
        if !piece.opens() || plain {
            continue;
        }
        let inside = opener + 1..layout.partner[opener];
        let Some(last) = inside.rev().find(|&i| !layout.pieces[i].is_comment()) else { continue };
        let comma = layout.pieces[last].rule == Rule::comma;
        dropped[last] = comma && !layout.spread[opener];
        added[last] = !comma && layout.spread[opener];
    }
    let mut pieces = Vec::with_capacity(count);
    let mut carried = 0;
    for (i, mut piece) in layout.pieces.into_iter().enumerate() {
        piece.lines += std::mem::take(&mut carried);
        if dropped[i] {
            carried = piece.lines;
            continue;
        }
        let parent = piece.parent;
        pieces.push(piece);
        if added[i] {
            pieces.push(Piece { rule: Rule::comma, parent, text: ",", lines: 0 });
        }
    }
    pieces
}

impl<'a> TextLayout<'a> {
    /// Finds the brackets' partners, and which of them are spread over lines.
    pub(super) fn new(pieces: Vec<Piece<'a>>) -> Self {
        let count = pieces.len();
        let mut around = vec![None; count];
        let mut partner: Vec<usize> = (0..count).collect();
        let mut open: Vec<usize> = Vec::new();
        let mut spread = vec![false; count];
        for (i, piece) in pieces.iter().enumerate() {
            if piece.closes() {
                let opener = open.pop().expect("brackets match");
                (partner[opener], partner[i]) = (i, opener);
                // A block within a block's one line would be spread: so is that one.
                if let Some(&outer) = open.last() {
                    spread[outer] |= spread[opener] && pieces[outer].rule == Rule::open_brace;
                }
            }
            around[i] = open.last().copied();
            if let Some(&opener) = open.last() {
                let brace = pieces[opener].rule == Rule::open_brace;
                let breaks = piece.lines > 0 && (brace || opener + 1 == i);
                spread[opener] |= breaks || piece.is_comment();
            }
            if piece.opens() {
                open.push(i);
            }
        }
        for (i, piece) in pieces.iter().enumerate() {
            // A break before the closer is inside; `around` of a closer is outside.
            let brace = piece.rule == Rule::close_brace && piece.lines > 0;
            spread[partner[i]] |= brace;
        }
        let (lines, continued) = (vec![0; count], vec![false; count]);
        TextLayout { pieces, around, partner, spread, lines, continued }
    }

    /// The pieces, with the breaks that were decided.
    pub(super) fn into_pieces(self) -> Vec<Piece<'a>> {
        let lines = self.lines.into_iter();
        self.pieces.into_iter().zip(lines).map(|(piece, lines)| Piece { lines, ..piece }).collect()
    }

    /// For each piece, the first that is no comment from there on.
    pub(super) fn next_tokens(&self) -> Vec<Option<usize>> {
        let mut found = vec![None; self.pieces.len()];
        let mut next = None;
        for (i, piece) in self.pieces.iter().enumerate().rev() {
            if !piece.is_comment() {
                next = Some(i);
            }
            found[i] = next;
        }
        found
    }

    /// Decides where lines begin.
    pub(super) fn settle(&mut self) {
        let next_tokens = self.next_tokens();
        let mut last_token: Option<usize> = None;
        for (i, &next_token) in next_tokens.iter().enumerate() {
            let piece = &self.pieces[i];
            let before = i.checked_sub(1);
            let opened = before.filter(|&before| self.pieces[before].opens());
            let reaches = last_token.is_some_and(|last| self.pieces[last].reaches_on());
            let goes_on = next_token.is_some_and(|next| self.pieces[next].continues());
            let in_block =
                self.around[i].is_none_or(|opener| self.pieces[opener].rule == Rule::open_brace);
            let after_comma = last_token.is_some_and(|last| self.pieces[last].rule == Rule::comma);
            let first_inside = last_token.is_some_and(|last| self.pieces[last].opens());
            self.continued[i] = last_token.is_some()
                && !first_inside
                && match in_block {
                    true => reaches || goes_on,
                    false => !after_comma && !piece.closes(),
                };
            let mut lines = piece.lines.min(2);
            if piece.closes() {
                lines = usize::from(self.spread[self.partner[i]]);
            } else if let Some(opener) = opened {
                let trailing = piece.is_comment() && piece.lines == 0;
                lines = usize::from(self.spread[opener] && !trailing);
            } else if self.around[i].is_some_and(|opener| !self.spread[opener]) {
                lines = 0;
            } else if first_inside || self.continued[i] {
                lines = lines.min(1);
            }
            if self.closes_up(i) || self.sticks(i) {
                lines = 0;
            }
            if before.is_none() {
                lines = 0;
            } else if before.is_some_and(|before| self.pieces[before].is_comment()) {
                lines = lines.max(1);
            }
            self.lines[i] = lines;
            if !self.pieces[i].is_comment() {
                last_token = Some(i);
            }
        }
    }

    /// Whether a piece is the `else` after a block that is spread over lines.
    fn closes_up(&self, i: usize) -> bool {
        self.pieces[i].rule == Rule::kw_else
            && i > 0
            && self.pieces[i - 1].rule == Rule::close_brace
            && self.spread[self.partner[i - 1]]
    }

    /// Whether a line break before a piece is never kept: around a colon, before a comma, between
    /// `else` and what it is about.
    fn sticks(&self, i: usize) -> bool {
        let before = i.checked_sub(1).map(|before| self.pieces[before].rule);
        let rule = self.pieces[i].rule;
        rule != Rule::COMMENT
            && (matches!(rule, Rule::comma | Rule::colon)
                || matches!(before, Some(Rule::colon | Rule::kw_else | Rule::kw_as)))
            && !(rule == Rule::colon && before == Some(Rule::comma))
            && !(rule == Rule::colon && i > 0 && self.pieces[i - 1].opens())
            && !self.pieces[i].closes()
    }

    /// Adds a break, or several of one kind, to each of these lines of pieces. False: there is none,
    /// or they cannot be broken.
    pub(super) fn break_lines(&mut self, long: impl Iterator<Item = Range<usize>>) -> bool {
        let mut changed = false;
        for line in long {
            let chosen = self.breaks(line.start, line.end);
            changed |= !chosen.is_empty();
            for i in chosen {
                self.lines[i] = 1;
            }
        }
        changed
    }

    /// Where a line of the pieces `first..end` is best broken: before an `else`, before each `|>`
    /// of one pipeline, within brackets, or before operators, whichever is outermost. Only where
    /// the author's own breaks would be kept: directly within what is spread over lines.
    fn breaks(&self, first: usize, end: usize) -> Vec<usize> {
        let inside = first + 1..end;
        let breakable = |&i: &usize| self.around[i].is_none_or(|opener| self.spread[opener]);
        let of = |rule: Rule| -> Vec<usize> {
            let found = inside.clone().filter(breakable);
            found.filter(|&i| self.pieces[i].rule == rule && !self.closes_up(i)).collect()
        };
        let elses = of(Rule::kw_else);
        if !elses.is_empty() {
            return elses;
        }
        let pipes = of(Rule::pipe);
        if !pipes.is_empty() {
            return pipes;
        }
        // The widest brackets that open on the line, one part a line.
        let groups = (first..end).filter(|&i| {
            self.pieces[i].opens()
                && !self.spread[i]
                && self.partner[i] > i + 1
                && self.around[i].is_none_or(|around| self.spread[around])
        });
        if let Some(opener) = groups.max_by_key(|&i| self.length(i)) {
            let parts = opener + 2..self.partner[opener];
            let brace = self.pieces[opener].rule == Rule::open_brace;
            let after_comma = parts
                .filter(|&i| !brace && self.around[i] == Some(opener))
                .filter(|&i| self.pieces[i - 1].rule == Rule::comma);
            return std::iter::once(opener + 1).chain(after_comma).collect();
        }
        let operators = inside.clone().filter(breakable).filter(|&i| self.pieces[i].is_infix());
        operators.collect()
    }

    /// How many characters brackets enclose, about.
    fn length(&self, opener: usize) -> usize {
        self.pieces[opener..self.partner[opener]].iter().map(|piece| piece.text.len() + 1).sum()
    }
}

//! Looks over a file's brackets and strings before the grammar sees it.
//!
//! In: text. Out: where its items begin (so that each is parsed by itself, and one mistake does
//! not hide the next item's), or what is wrong with its brackets.
//!
//! ```text
//! layer f(x) {        error: this `{` is never closed
//! model g(y) { y }    label: the next item begins here
//! ```
//!
//! Afterwards every bracket has its partner and nesting is bounded, so the recursive parser can
//! neither run out of stack nor blame the end of the file for a bracket on line 3. Nothing else is
//! checked here.

use std::ops::Range;

use crate::base::codes;
use crate::base::diagnostic::Diagnostic;
use crate::base::source::{FileId, Span};
use crate::syntax::tokens::{RESERVED, end_of_string};

/// How deeply brackets may be nested.
pub const MAX_NESTING: usize = 64;

/// After this many errors the rest of a file is not looked at.
pub(super) const MAX_ERRORS: usize = 100;

/// The words that begin an item.
pub const ITEM_WORDS: [&str; 11] = [
    "use",
    "const",
    "data",
    "train",
    "layer",
    "model",
    "loss",
    "metric",
    "optimizer",
    "schedule",
    "initializer",
];

/// The byte ranges of the text that hold one item each, with the comments after it; the first also
/// has what stands before any item. Together they are the whole text.
pub fn scan(file: FileId, text: &str) -> Result<Vec<Range<usize>>, Vec<Diagnostic>> {
    let (items, errors) = scan_all(file, text);
    if errors.is_empty() { Ok(items) } else { Err(errors) }
}

/// The same ranges as far as they can be told where brackets do not match, and what is wrong.
pub(super) fn scan_all(file: FileId, text: &str) -> (Vec<Range<usize>>, Vec<Diagnostic>) {
    let mut scanner = Scanner {
        file,
        text,
        open: Vec::new(),
        starts: vec![0],
        errors: Vec::new(),
        too_deep: false,
        broken: false,
        open_string: None,
    };
    scanner.scan();
    let mut ends = scanner.starts[1..].to_vec();
    ends.push(text.len());
    let items = scanner.starts.into_iter().zip(ends).map(|(start, end)| start..end).collect();
    (items, scanner.errors)
}

struct Scanner<'a> {
    file: FileId,
    text: &'a str,
    /// The open brackets: their bytes and places.
    open: Vec<(u8, usize)>,
    /// Where items begin; the first is 0.
    starts: Vec<usize>,
    errors: Vec<Diagnostic>,
    /// Whether the depth was complained about, which is done once.
    too_deep: bool,
    /// Whether a closing bracket of this item was complained about: those that follow then mean
    /// little.
    broken: bool,
    /// A string of this item that is not closed on its line.
    open_string: Option<(usize, usize)>,
}

impl Scanner<'_> {
    fn scan(&mut self) {
        let bytes = self.text.as_bytes();
        let mut at = 0;
        let mut line_start = true;
        let mut indented = false;
        while at < bytes.len() && self.errors.len() < MAX_ERRORS {
            let byte = bytes[at];
            let next = match byte {
                b'"' => end_of_string(bytes, at),
                b'/' if bytes.get(at + 1) == Some(&b'/') => end_of_line(bytes, at),
                _ => at + 1,
            };
            if line_start && !byte.is_ascii_whitespace() {
                self.item_start(at, indented);
            }
            if byte == b'"' && !(next > at + 1 && bytes[next - 1] == b'"') {
                self.open_string.get_or_insert((at, next));
            }
            match byte {
                b'(' | b'[' | b'{' => self.opened(byte, at),
                b')' | b']' | b'}' => self.closed(byte, at),
                _ => {}
            }
            match byte {
                b'\n' => (line_start, indented) = (true, false),
                b' ' | b'\t' | b'\r' => indented = true,
                _ => line_start = false,
            }
            at = next;
        }
        // In a file that was not looked at to its end, closers may follow; and where brackets are
        // too deep, that says enough.
        if self.errors.len() < MAX_ERRORS && !self.too_deep && !self.broken {
            while let Some((bracket, place)) = self.open.pop() {
                self.unclosed(bracket, place, None);
            }
        }
        self.errors.sort_by_key(|error| error.place().map(|span| span.start));
    }

    /// At the first byte of a line: notes where an item begins. An item's first line at the very
    /// left of the page means that brackets still open were forgotten.
    fn item_start(&mut self, at: usize, indented: bool) {
        let line = &self.text[at..];
        let begins = match (indented, self.open.is_empty()) {
            (true, true) => header(line).is_some_and(|word| ITEM_WORDS.contains(&word)),
            (true, false) => false,
            (false, true) => header(line).is_some(),
            (false, false) => header(line).is_some_and(|word| ITEM_WORDS.contains(&word)),
        };
        if !begins {
            return;
        }
        if let Some((bracket, place)) = self.open.pop() {
            if !self.broken {
                self.unclosed(bracket, place, Some(at));
            }
            self.open.clear();
        }
        self.broken = false;
        self.open_string = None;
        if at > 0 {
            self.starts.push(at);
        }
    }

    fn opened(&mut self, bracket: u8, at: usize) {
        self.open.push((bracket, at));
        if self.open.len() > MAX_NESTING && !self.too_deep {
            (self.too_deep, self.broken) = (true, true);
            let error = Diagnostic::error(
                codes::TOO_DEEP,
                format!("brackets are nested more than {MAX_NESTING} deep"),
            )
            .primary(self.span(at), format!("the {}th open bracket", MAX_NESTING + 1))
            .help("name an inner part with `let`, or make it a layer of its own");
            self.errors.push(error);
        }
    }

    fn closed(&mut self, closer: u8, at: usize) {
        let shown = closer as char;
        let Some((opener, place)) = self.open.pop() else {
            if self.blame_string() || std::mem::replace(&mut self.broken, true) {
                return;
            }
            let error = Diagnostic::error(codes::STRAY_CLOSER, format!("`{shown}` closes nothing"))
                .primary(self.span(at), "no bracket is open here")
                .help(format!(
                    "remove the `{shown}`, or add the `{}` it belongs to",
                    partner(closer)
                ));
            self.errors.push(error);
            return;
        };
        if partner(opener) == shown {
            return;
        }
        // One that fits an outer bracket shows that the inner one was forgotten.
        let fits = self.open.iter().rposition(|&(outer, _)| partner(outer) == shown);
        if let Some(outer) = fits {
            self.open.truncate(outer);
        }
        if self.blame_string() || std::mem::replace(&mut self.broken, true) {
            return;
        }
        let error = Diagnostic::error(
            codes::MISMATCHED,
            format!("`{}` is closed by `{shown}`", opener as char),
        )
        .primary(self.span(at), format!("expected `{}`", partner(opener)))
        .label(self.span(place), "opened here");
        self.errors.push(error);
    }

    /// Where an item has a string that goes on past its line, that is what is wrong with its
    /// brackets. Whether that was said.
    fn blame_string(&mut self) -> bool {
        let Some((start, end)) = self.open_string.take() else { return false };
        let error = Diagnostic::error(codes::UNCLOSED_STRING, "this string is never closed")
            .primary(Span::new(self.file, start, end), "no `\"` before the end of the line")
            .help("write a line break within a string as `\\n`");
        self.errors.push(error);
        self.broken = true;
        true
    }

    fn unclosed(&mut self, bracket: u8, place: usize, next_item: Option<usize>) {
        if self.blame_string() {
            return;
        }
        let shown = bracket as char;
        let mut error =
            Diagnostic::error(codes::UNCLOSED, format!("this `{shown}` is never closed"))
                .primary(self.span(place), format!("no `{}` closes it", partner(bracket)));
        if let Some(item) = next_item {
            let word = self.text[item..].find(char::is_whitespace).unwrap_or(1);
            let span = Span::new(self.file, item, item + word);
            error = error.label(span, "the next item begins here");
        }
        self.errors.push(error.help(format!("add `{}` where it ends", partner(bracket))));
    }

    fn span(&self, at: usize) -> Span {
        Span::new(self.file, at, at + 1)
    }
}

/// The first word of a line that reads like the header of an item, though perhaps of a misspelled
/// one: a word, and then a name or a string.
fn header(line: &str) -> Option<&str> {
    let end = line.find(|c: char| !(c == '_' || c.is_alphanumeric())).unwrap_or(line.len());
    let (word, rest) = line.split_at(end);
    let named = rest
        .trim_start_matches([' ', '\t'])
        .starts_with(|c: char| c == '_' || c == '"' || c.is_alphabetic());
    let spaced = rest.starts_with([' ', '\t']);
    (named && spaced && !word.is_empty() && !RESERVED.contains(&word)).then_some(word)
}

fn partner(bracket: u8) -> char {
    match bracket {
        b'(' => ')',
        b'[' => ']',
        b'{' => '}',
        b')' => '(',
        b']' => '[',
        _ => '{',
    }
}

fn end_of_line(bytes: &[u8], start: usize) -> usize {
    bytes[start..].iter().position(|&byte| byte == b'\n').map_or(bytes.len(), |line| start + line)
}

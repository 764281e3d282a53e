//! Text cut into words, for explaining what the grammar did not match and for editors, whose text is
//! half typed.
//!
//! ```text
//! a && 1.     Word(a) Sign(&&) Number(1.)
//! ```
//!
//! Unlike the grammar this accepts anything: operators of other languages and malformed numbers
//! are one token each, so that they can be named. Nothing is parsed from these tokens.

use std::ops::Range;

/// Words that cannot be names.
pub const RESERVED: [&str; 14] = [
    "if", "else", "let", "param", "state", "require", "repeat", "in", "as", "and", "or", "not",
    "true", "false",
];

/// The kind of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenKind {
    /// A name or a word of the language.
    Word,
    /// Digits and what sticks to them.
    Number,
    /// A string, with or without its closing quote.
    Str,
    /// An operator or a bracket, of any language.
    Sign,
    /// Any other character.
    Other,
}

/// A token and its place.
#[derive(Clone, Debug)]
pub struct Token<'a> {
    /// Its kind.
    pub kind: TokenKind,
    /// Its text.
    pub text: &'a str,
    /// Its first byte.
    pub start: usize,
    /// Whether it is the first of its line.
    pub first: bool,
}

impl Token<'_> {
    /// One past its last byte.
    pub fn end(&self) -> usize {
        self.start + self.text.len()
    }

    /// Whether it is this word or sign.
    pub fn is(&self, text: &str) -> bool {
        self.text == text && self.kind != TokenKind::Str
    }

    /// Whether an expression can end with this token.
    pub(super) fn ends_value(&self) -> bool {
        match self.kind {
            TokenKind::Word => {
                !["if", "else", "let", "not", "and", "or", "in"].contains(&self.text)
            }
            TokenKind::Number | TokenKind::Str => true,
            TokenKind::Sign => [")", "]", "}"].contains(&self.text),
            TokenKind::Other => false,
        }
    }
}

/// Signs of several characters, longer ones first.
const LONG_SIGNS: [&str; 24] = [
    "===", "!==", "**=", "...", "..=", "|>", "<-", "->", "=>", "==", "!=", "<=", ">=", "&&", "||",
    "**", "..", "::", ":=", "+=", "-=", "*=", "/=", "//",
];

/// The tokens of a range of the text.
pub fn tokens(text: &str, range: Range<usize>) -> Vec<Token<'_>> {
    let text = &text[..range.end];
    let mut found = Vec::new();
    let mut at = range.start;
    while let Some((kind, start, end)) = next(text, at) {
        let first = found.is_empty() || text[at..start].contains('\n');
        found.push(Token { kind, text: &text[start..end], start, first });
        at = end;
    }
    found
}

/// The kind, start and end of the next token; `None` where only space and comments follow.
pub(super) fn next(text: &str, mut at: usize) -> Option<(TokenKind, usize, usize)> {
    loop {
        let rest = &text[at..];
        let c = rest.chars().next()?;
        if c.is_ascii_whitespace() || c == '\u{FEFF}' {
            at += c.len_utf8();
        } else if rest.starts_with("//") {
            at += rest.find('\n').unwrap_or(rest.len());
        } else {
            let (kind, length) = token(rest, c);
            return Some((kind, at, at + length));
        }
    }
}

/// The kind and length of the token that the text begins with.
fn token(rest: &str, c: char) -> (TokenKind, usize) {
    let word = |c: char| c == '_' || c.is_alphanumeric();
    if c == '"' {
        return (TokenKind::Str, end_of_string(rest.as_bytes(), 0));
    }
    if c.is_ascii_digit() {
        return (TokenKind::Number, number_length(rest.as_bytes()));
    }
    if word(c) {
        return (TokenKind::Word, rest.find(|c| !word(c)).unwrap_or(rest.len()));
    }
    if let Some(sign) = LONG_SIGNS.iter().find(|sign| rest.starts_with(**sign)) {
        return (TokenKind::Sign, sign.len());
    }
    let kind =
        if "+-*/@^<>=!%&|.,:;()[]{}~".contains(c) { TokenKind::Sign } else { TokenKind::Other };
    (kind, c.len_utf8())
}

fn number_length(bytes: &[u8]) -> usize {
    let mut at = 0;
    while at < bytes.len() {
        let sign_of_exponent =
            matches!(bytes[at], b'+' | b'-') && matches!(bytes[at - 1], b'e' | b'E');
        let range = bytes[at] == b'.' && bytes.get(at + 1) == Some(&b'.');
        let part = bytes[at].is_ascii_alphanumeric() || matches!(bytes[at], b'_' | b'.');
        if range || !(part || sign_of_exponent) {
            break;
        }
        at += 1;
    }
    at
}

/// One past the string that begins at `start`; a string without a closing quote ends before its
/// line does.
pub(super) fn end_of_string(bytes: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    while at < bytes.len() {
        match bytes[at] {
            b'"' => return at + 1,
            b'\n' => return at,
            b'\\' if bytes.get(at + 1).is_some_and(|&byte| byte != b'\n') => at += 2,
            _ => at += 1,
        }
    }
    bytes.len()
}

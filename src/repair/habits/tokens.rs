//! Words, numbers, strings and signs of any of the languages that a line may be written in.
//!
//! ```text
//! nn.Conv2d(1, 'same')  # x     Word(nn) Sign(.) Word(Conv2d) Sign(() Number(1) Sign(,) Text('same') Sign())
//! ```
//!
//! Unlike the grammar this accepts anything: both kinds of quotes, and comments of Python.

/// The kind of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ForeignTokenKind {
    /// A name or a word of a language.
    Word,
    /// Digits and what sticks to them.
    Number,
    /// A string with its quotes.
    Text,
    /// An operator, a bracket, or anything else.
    Sign,
}

/// A token and its place.
#[derive(Clone, Copy, Debug)]
pub struct ForeignToken<'a> {
    pub kind: ForeignTokenKind,
    pub text: &'a str,
    pub start: usize,
    /// Whether it is the first of its line.
    pub first: bool,
}

impl<'a> ForeignToken<'a> {
    /// One past its last byte.
    pub fn end(&self) -> usize {
        self.start + self.text.len()
    }

    /// Whether it is this word or sign.
    pub fn is(&self, text: &str) -> bool {
        self.text == text && self.kind != ForeignTokenKind::Text
    }

    /// Whether it is an opening bracket.
    pub fn opens(&self) -> bool {
        self.kind == ForeignTokenKind::Sign && matches!(self.text, "(" | "[" | "{")
    }

    /// Whether it is a closing bracket.
    pub fn closes(&self) -> bool {
        self.kind == ForeignTokenKind::Sign && matches!(self.text, ")" | "]" | "}")
    }

    /// The text of a string.
    pub fn content(&self) -> Option<&'a str> {
        let inner = self.text.get(1..self.text.len().checked_sub(1)?)?;
        (self.kind == ForeignTokenKind::Text).then_some(inner)
    }
}

const LONG_SIGNS: [&str; 10] = ["|>", "->", "<-", "==", "!=", "<=", ">=", "..", "**", "//"];

/// The tokens of a text.
pub fn tokens(text: &str) -> Vec<ForeignToken<'_>> {
    let mut found = Vec::new();
    let (mut at, mut first) = (0, true);
    while let Some(c) = text[at..].chars().next() {
        let rest = &text[at..];
        if c == '\n' {
            first = true;
        }
        if c.is_whitespace() {
            at += c.len_utf8();
        } else if rest.starts_with("//") || c == '#' {
            at += rest.find('\n').unwrap_or(rest.len());
        } else {
            let (kind, length) = token(rest, c);
            found.push(ForeignToken { kind, text: &rest[..length], start: at, first });
            first = false;
            at += length;
        }
    }
    found
}

/// The kind and length of the token that a text begins with.
fn token(rest: &str, c: char) -> (ForeignTokenKind, usize) {
    let word = |c: char| c == '_' || c.is_alphanumeric();
    let run = |part: &dyn Fn(char) -> bool| rest.find(|c| !part(c)).unwrap_or(rest.len());
    if c == '"' || c == '\'' {
        let line = rest.lines().next().unwrap_or(rest);
        return match line[1..].find(c) {
            Some(end) => (ForeignTokenKind::Text, end + 2),
            None => (ForeignTokenKind::Sign, 1),
        };
    }
    if c.is_ascii_digit() {
        return (ForeignTokenKind::Number, number(rest));
    }
    if word(c) {
        return (ForeignTokenKind::Word, run(&word));
    }
    let long = LONG_SIGNS.iter().find(|sign| rest.starts_with(**sign));
    (ForeignTokenKind::Sign, long.map_or(c.len_utf8(), |sign| sign.len()))
}

/// The length of a number: `1e-3`, `0.5`, `28`.
fn number(rest: &str) -> usize {
    let bytes = rest.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        let exponent = at > 0 && matches!(bytes[at - 1], b'e' | b'E');
        let sign = exponent && matches!(bytes[at], b'+' | b'-');
        let range = bytes[at] == b'.' && bytes.get(at + 1) == Some(&b'.');
        let part = bytes[at].is_ascii_alphanumeric() || matches!(bytes[at], b'_' | b'.');
        if range || !(part || sign) {
            break;
        }
        at += 1;
    }
    at
}

/// The index of the bracket that closes the one at `open`; `None` where none does.
pub fn closer(tokens: &[ForeignToken<'_>], open: usize) -> Option<usize> {
    let mut depth = 0usize;
    for (index, token) in tokens.iter().enumerate().skip(open) {
        if token.opens() {
            depth += 1;
        } else if token.closes() {
            depth = depth.checked_sub(1)?;
            if depth == 0 {
                return Some(index);
            }
        }
    }
    None
}

/// Tokens cut at those outside of brackets that `cuts`, which are left out; empty parts too.
pub fn split<'t, 'a>(
    tokens: &'t [ForeignToken<'a>],
    cuts: impl Fn(&ForeignToken<'a>) -> bool,
) -> Vec<&'t [ForeignToken<'a>]> {
    let mut depth = 0i32;
    let cut = |token: &ForeignToken<'a>| {
        depth += i32::from(token.opens()) - i32::from(token.closes());
        depth == 0 && cuts(token)
    };
    tokens.split(cut).filter(|part| !part.is_empty()).collect()
}

/// Tokens cut into statements: a line begins one unless it goes on with the one above.
pub fn statements<'t, 'a>(inner: &'t [ForeignToken<'a>]) -> Vec<&'t [ForeignToken<'a>]> {
    let mut found = Vec::new();
    let (mut start, mut depth) = (0, 0i32);
    for (at, token) in inner.iter().enumerate() {
        let goes_on = |token: &ForeignToken<'a>| {
            token.kind == ForeignTokenKind::Sign
                && matches!(token.text, "|>" | "+" | "*" | "/" | "@" | ".")
        };
        let open = |token: &ForeignToken<'a>| {
            goes_on(token)
                || (token.kind == ForeignTokenKind::Sign && matches!(token.text, "," | "=" | "->"))
        };
        let above = at.checked_sub(1).is_some_and(|before| open(&inner[before]));
        if token.first && depth == 0 && !goes_on(token) && !above && at > start {
            found.push(&inner[start..at]);
            start = at;
        }
        depth += i32::from(token.opens()) - i32::from(token.closes());
    }
    if start < inner.len() {
        found.push(&inner[start..]);
    }
    found
}

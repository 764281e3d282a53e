//! Edits of a text that has no tree: brackets and quotes put in, taken away or exchanged, words and
//! operators of other languages.
//!
//! `x |> dense(32 |> relu` → `x |> dense(32) |> relu`. Nothing is known but the places of the
//! mistake and the words of their lines, so that each bracket is tried wherever a word ends.

use super::{Candidate, candidate};
use crate::base::codes;
use crate::base::diagnostic::Diagnostic;
use crate::base::fix::{Edit, Fix};
use crate::base::source::{Sources, Span};

/// How many lines behind a place a bracket may have been forgotten.
const LINES: usize = 2;

/// Edits that might mend a text, the smallest first.
pub fn edits(sources: &Sources, error: &Diagnostic) -> Vec<Candidate> {
    let mut found = Vec::new();
    let Some(place) = error.place() else { return found };
    let text = Text { text: &sources.file(place.file).text, place };
    match error.code {
        codes::UNCLOSED | codes::MISMATCHED | codes::STRAY_CLOSER | codes::UNCLOSED_STRING => {
            brackets(&text, error, &mut found);
        }
        codes::UNEXPECTED | codes::BAD_INDEX => {
            brackets(&text, error, &mut found);
            found.push(candidate("take all of it, `..`", super::before(place), "..", 20));
        }
        codes::BAD_ESCAPE => {
            let backslash = Span { end: place.start + 1, ..place };
            found.push(candidate("write `/`", backslash, "/", 10));
            found.push(candidate("write `\\\\`", backslash, "\\\\", 20));
            found.push(candidate("leave the backslash out", backslash, "", 30));
        }
        codes::CHAINED_COMPARISON => chained(&text, error, &mut found),
        codes::MISPLACED_NOT => {
            let words = text.ends_of_words(place.end as usize);
            for end in words.into_iter().take(4) {
                found.extend(wrapped(&text, place.start as usize, end, 10));
            }
        }
        codes::AFTER_STAGE => {
            let start = text.statement(place.start as usize);
            let end = text.before(place.start as usize).trim_end().len();
            found.extend(wrapped(&text, start, end, 10));
        }
        codes::NOT_CALLABLE => method(&text, &mut found),
        codes::FOREIGN_OPERATOR => {
            found.push(candidate("write `//`", place, "//", 40));
        }
        _ => {}
    }
    anywhere(&text, error, &mut found);
    found.sort_by_key(|candidate| candidate.cost);
    found
}

/// Words of other languages, and what stands for them here.
const WORDS: [(&str, &[&str]); 12] = [
    ("for", &["repeat"]),
    ("import", &["use"]),
    ("from", &["use"]),
    ("include", &["use"]),
    ("dataset", &["data"]),
    ("def", &["layer", "model"]),
    ("fn", &["layer", "model"]),
    ("class", &["layer", "model"]),
    ("elif", &["else if"]),
    ("return", &[""]),
    ("var", &["let"]),
    ("|", &["|>"]),
];

/// Slips that are found under many codes: a sign forgotten, a word of another language, quotes.
fn anywhere(text: &Text<'_>, error: &Diagnostic, found: &mut Vec<Candidate>) {
    foreign_words(text, found);
    forgotten_signs(text, found);
    on_its_line(text, error, found);
    at_its_place(text, found);
    if let Some(at) = error.labels.iter().filter(|it| !it.primary).map(|it| it.span.start).max()
        && error.code == codes::UNCLOSED
    {
        let body = text.before(at as usize).trim_end().len();
        found.push(candidate("add `}`", text.span(body, body), "\n}", 14));
    }
}

/// `for epoch in 3 { … }` → `repeat epoch in 3 { … }`.
fn foreign_words(text: &Text<'_>, found: &mut Vec<Candidate>) {
    let start = text.place.start as usize;
    let (shown, word) = (text.shown(), name(&text.text[start..]));
    let at_word = text.span(start, start + word.len());
    for (theirs, ours) in WORDS.iter().filter(|(theirs, _)| *theirs == word || *theirs == shown) {
        let place = if *theirs == shown { text.place } else { at_word };
        for ours in *ours {
            let rest =
                usize::from(ours.is_empty() && text.text[place.end as usize..].starts_with(' '));
            let place = Span { end: place.end + rest as u32, ..place };
            found.push(candidate(format!("write `{ours}` for `{theirs}`"), place, *ours, 5));
        }
    }
}

/// A comma, an arrow or a pipe that is missing, and a name that is in two words or on two lines.
fn forgotten_signs(text: &Text<'_>, found: &mut Vec<Candidate>) {
    for (sign, cost) in [(", ", 30), ("-> ", 31), ("|> ", 32)] {
        let title = format!("add `{}`", sign.trim());
        found.push(candidate(title, super::before(text.place), sign, cost));
    }
    found.push(candidate("write `->`", text.place, "->", 33));
    let start = text.place.start as usize;
    let gap = text.before(start).trim_end().len();
    if gap < start {
        found.push(candidate("write one word", text.span(gap, start), "_", 34));
        found.push(candidate("write it on one line", text.span(gap, start), "", 35));
    }
}

/// Slips that show in the whole line: quotes and comments of other languages, a `let` forgotten.
fn on_its_line(text: &Text<'_>, error: &Diagnostic, found: &mut Vec<Candidate>) {
    let start = text.place.start as usize;
    let line = text.before(start).rfind('\n').map_or(0, |newline| newline + 1);
    let line_end = text.text[start..].find('\n').map_or(text.text.len(), |at| start + at);
    let whole = &text.text[line..line_end];
    if whole.contains('\'') {
        let edited = whole.replace('\'', "\"");
        found.push(candidate("write double quotes", text.span(line, line_end), edited, 8));
    }
    if let Some(comment) = whole.trim().strip_prefix("/*").and_then(|it| it.strip_suffix("*/")) {
        let indent = &whole[..whole.len() - whole.trim_start().len()];
        let edited = format!("{indent}// {}", comment.trim());
        found.push(candidate("write `//`", text.span(line, line_end), edited, 8));
    }
    let first = line + whole.len() - whole.trim_start().len();
    let statement = whole.trim_start();
    let first_word = name(statement);
    let behind = &statement[first_word.len()..];
    if behind.trim_start().starts_with('=') {
        found.push(candidate("add `let`", text.span(first, first), "let ", 9));
    }
    if error.code == codes::UNUSED_VALUE {
        // `relu(h)` in PyTorch's manner changes `h`.
        let argument = name(behind.trim_start_matches('('));
        for name in [argument, first_word].into_iter().filter(|name| !name.is_empty()) {
            let title = format!("name it: `let {name} = …`");
            found.push(candidate(title, text.span(first, first), format!("let {name} = "), 10));
        }
    }
}

/// Slips that show at the place itself: a string for a name, a hexadecimal number, a call of nothing.
fn at_its_place(text: &Text<'_>, found: &mut Vec<Candidate>) {
    let (start, end) = (text.place.start as usize, text.place.end as usize);
    let shown = text.shown();
    if let Some(string) = shown.strip_prefix('"').and_then(|it| it.strip_suffix('"')) {
        found.push(candidate(format!("write `{string}`"), text.place, string, 9));
    }
    // `0` may have been taken for the number already.
    let zero = match shown.starts_with('x') && text.text[..start].ends_with('0') {
        true => start - 1,
        false => start,
    };
    if let Some(hex) = text.text[zero..].strip_prefix("0x") {
        let digits: String = hex.chars().take_while(char::is_ascii_hexdigit).collect();
        if let Ok(number) = i64::from_str_radix(&digits, 16) {
            let place = text.span(zero, zero + 2 + digits.len());
            found.push(candidate(format!("write {number}"), place, number.to_string(), 9));
        }
    }
    if text.text[end..].starts_with("()") {
        found.push(candidate("leave `()` out", text.span(end, end + 2), "", 12));
    }
}

/// The name that a text begins with; empty where it begins with none.
fn name(text: &str) -> &str {
    let end = text.find(|c: char| !c.is_alphanumeric() && c != '_');
    &text[..end.unwrap_or(text.len())]
}

/// A file's text around a place.
struct Text<'a> {
    text: &'a str,
    place: Span,
}

impl<'a> Text<'a> {
    fn span(&self, start: usize, end: usize) -> Span {
        Span::new(self.place.file, start, end)
    }

    /// The text at the place.
    fn shown(&self) -> &'a str {
        &self.text[self.place.start as usize..self.place.end as usize]
    }

    fn before(&self, at: usize) -> &'a str {
        &self.text[..at]
    }

    /// Where words and brackets end, from a place to the end of the lines that count.
    fn ends_of_words(&self, from: usize) -> Vec<usize> {
        let mut ends = Vec::new();
        let mut lines = 0;
        let mut in_word = false;
        for (at, c) in self.text[from..].char_indices() {
            let is_word = c.is_alphanumeric() || matches!(c, '_' | '.' | '"' | '/');
            if in_word && !is_word {
                ends.push(from + at);
            }
            if matches!(c, ')' | ']' | '}') {
                ends.push(from + at + 1);
            }
            in_word = is_word;
            lines += usize::from(c == '\n');
            if lines == LINES {
                break;
            }
        }
        ends.dedup();
        ends
    }

    /// Where the statement of a place begins: behind the last `=` or brace, or its line.
    fn statement(&self, at: usize) -> usize {
        let line = self.before(at).rfind('\n').map_or(0, |newline| newline + 1);
        let open = self.text[line..at].rfind(['=', '{']).map_or(line, |found| line + found + 1);
        open + self.text[open..at].len() - self.text[open..at].trim_start().len()
    }
}

/// A part of the text in round brackets.
fn wrapped(text: &Text<'_>, start: usize, end: usize, cost: u32) -> Option<Candidate> {
    if start >= end {
        return None;
    }
    let edits = vec![
        Edit { span: text.span(start, start), text: "(".into() },
        Edit { span: text.span(end, end), text: ")".into() },
    ];
    let title = format!("write `({})`", &text.text[start..end]);
    Some(Candidate::new(Fix::new(title, edits), cost))
}

/// A bracket or quote more, another one, or one less.
fn brackets(text: &Text<'_>, error: &Diagnostic, found: &mut Vec<Candidate>) {
    let start = error.labels.iter().map(|label| label.span.start as usize).min().unwrap_or(0);
    let shown = &text.text[text.place.start as usize..text.place.end as usize];
    let quote = text.text[start..].lines().next().is_some_and(|line| line.contains('"'));
    for closer in [")", "]", "}", "\""].into_iter().filter(|it| *it != "\"" || quote) {
        for (order, end) in text.ends_of_words(start).into_iter().enumerate() {
            let cost = 20 + u32::try_from(order).unwrap_or(0);
            found.push(candidate(format!("add `{closer}`"), text.span(end, end), closer, cost));
        }
        if closer != shown && closer != "\"" && matches!(shown, ")" | "]" | "}") {
            found.push(candidate(
                format!("write `{closer}` for `{shown}`"),
                text.place,
                closer,
                15,
            ));
        }
    }
    for label in error.labels.iter().filter(|label| label.span.end == label.span.start + 1) {
        let shown = &text.text[label.span.start as usize..label.span.end as usize];
        found.push(candidate(format!("leave `{shown}` out"), label.span, "", 18));
    }
    // A closing bracket too many stands anywhere before the one that shows it.
    let line = text.before(text.place.start as usize);
    let from = line.match_indices('\n').rev().nth(LINES).map_or(0, |(newline, _)| newline);
    for (at, closer) in line[from..].match_indices([')', ']', '}']) {
        let span = text.span(from + at, from + at + 1);
        found.push(candidate(format!("leave `{closer}` out"), span, "", 40));
    }
}

/// `a < b < c` → `a < b and b < c`.
fn chained(text: &Text<'_>, error: &Diagnostic, found: &mut Vec<Candidate>) {
    let Some(first) = error.labels.iter().find(|label| !label.primary) else { return };
    let between = text.text[first.span.end as usize..text.place.start as usize].trim();
    let edit = format!("and {between} ");
    found.push(candidate(format!("write `{}`", edit.trim()), super::before(text.place), edit, 10));
}

/// `dense(x, 32).relu()` → `dense(x, 32) |> relu`.
fn method(text: &Text<'_>, found: &mut Vec<Candidate>) {
    let value = &text.text[text.place.start as usize..text.place.end as usize];
    let Some(dot) = value.rfind('.') else { return };
    let dot = text.place.start as usize + dot;
    let end = text.place.end as usize;
    let mut edits = vec![Edit { span: text.span(dot, dot + 1), text: " |> ".into() }];
    if text.text[end..].starts_with("()") {
        edits.push(Edit { span: text.span(end, end + 2), text: String::new() });
    }
    let title = format!("write `|> {}`", &text.text[dot + 1..end]);
    found.push(Candidate::new(Fix::new(title, edits), 10));
}

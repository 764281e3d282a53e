//! Fields of CSV files (RFC 4180).

use super::shown::Show;
use std::borrow::Cow;

/// A field as a file has it: in quotes where it has to be.
pub fn field(text: &str) -> String {
    match text.contains([',', '"', '\n', '\r']) {
        true => format!("\"{}\"", text.replace('"', "\"\"")),
        false => text.to_owned(),
    }
}

/// A text from outside (the name of a file or class, a setting) as a field: nothing hidden is in it,
/// and no spreadsheet takes it for a formula. One that begins as formulas do gets a `'` before it, as
/// OWASP advises; numbers stay.
pub fn cell(text: &str) -> String {
    let formula = text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n']);
    let shown = text.shown().to_string();
    let cell = match formula && text.parse::<f64>().is_err() {
        true => Cow::Owned(format!("'{shown}")),
        false => Cow::Borrowed(&shown[..]),
    };
    field(&cell)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_means_something_is_quoted() {
        assert_eq!(field("plain name"), "plain name");
        assert_eq!(field("a,b"), "\"a,b\"");
        assert_eq!(field("say \"x\"\n"), "\"say \"\"x\"\"\n\"");
    }

    #[test]
    fn foreign_texts_are_no_formulas_and_hide_nothing() {
        assert_eq!(cell("=1+2\",A1"), "\"'=1+2\"\",A1\"");
        for start in ["+", "-", "@", "\t", "\r", "="] {
            assert!(cell(&format!("{start}cmd")).starts_with('\''), "{start:?}");
        }
        assert_eq!(cell("a\u{1b}[31m\n.png"), "a\\u001b[31m\\n.png");
        assert_eq!((cell("-0.5"), cell("cat"), cell("")), ("-0.5".into(), "cat".into(), "".into()));
    }
}

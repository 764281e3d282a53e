//! Tables as text (RFC 4180), written and read by the crate `csv`.
//!
//! ```
//! # use nnc::base::csv::{records, row};
//! let text = row(["a,b", "1"]) + &row(["c", "2"]);
//! assert_eq!(text, "\"a,b\",1\nc,2\n");
//! assert_eq!(records(&text, b',').next().unwrap().fields, ["a,b", "1"]);
//! ```
//!
//! The reader decides what a table means: its header, its numbers, the end of its rows.

use super::shown::Show;
use ::csv::{ReaderBuilder, StringRecord, Terminator, Trim, WriterBuilder};

/// A row as a file has it, its end included; fields stand in quotes where they have to.
pub fn row<F: AsRef<[u8]>>(fields: impl IntoIterator<Item = F>) -> String {
    let mut writer = WriterBuilder::new().terminator(Terminator::Any(b'\n')).from_writer(vec![]);
    writer.write_record(fields).expect("memory takes all there is");
    let bytes = writer.into_inner().expect("memory takes all there is");
    String::from_utf8_lossy(&bytes).into_owned()
}

/// A text from outside (the name of a file or class, a setting) for a field: nothing hidden is in it,
/// and no spreadsheet takes it for a formula. One that begins as formulas do gets a `'` before it, as
/// OWASP advises; numbers stay.
pub fn cell(text: &str) -> String {
    let formula = text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n']);
    let shown = text.shown().to_string();
    match formula && text.parse::<f64>().is_err() {
        true => format!("'{shown}"),
        false => shown,
    }
}

/// A row that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// The line that it begins on, from 1.
    pub line: usize,
    /// Its fields, without space around them.
    pub fields: Vec<String>,
}

/// The rows of a text whose fields this character separates; lines without anything are passed over.
pub fn records(text: &str, delimiter: u8) -> impl Iterator<Item = Record> {
    // A mark of the encoding is no part of the first name.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut reader = ReaderBuilder::new()
        .delimiter(delimiter)
        .has_headers(false)
        .flexible(true)
        .trim(Trim::All)
        .from_reader(text.as_bytes());
    let mut record = StringRecord::new();
    // The reader's own count of lines stands before what it passes over, so lines are counted here.
    let (mut at, mut line) = (0, 1);
    std::iter::from_fn(move || {
        loop {
            if !reader.read_record(&mut record).expect("a text in memory is read to its end") {
                return None;
            }
            let start = record.position().map_or(at, |place| place.byte() as usize);
            let begins = start + text[start..].find(|c| c != '\r' && c != '\n').unwrap_or(0);
            line += text[at..begins].bytes().filter(|&byte| byte == b'\n').count();
            at = begins;
            if record.iter().any(|field| !field.is_empty()) || record.len() > 1 {
                let fields = record.iter().map(str::to_owned).collect();
                return Some(Record { line, fields });
            }
        }
    })
}

/// The separator of fields: a tab or `;` where the first line with anything on it has one
/// outside of quotes, `,` otherwise.
pub fn delimiter(text: &str) -> u8 {
    let first = text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
    // What stands between quotes is every second part.
    let outside = || first.split('"').step_by(2);
    let has = |sign: &char| outside().any(|part| part.contains(*sign));
    ['\t', ';'].iter().find(|sign| has(sign)).map_or(b',', |&sign| sign as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_means_something_is_quoted() {
        assert_eq!(row(["plain name", "a,b"]), "plain name,\"a,b\"\n");
        assert_eq!(row(["say \"x\"\n", ""]), "\"say \"\"x\"\"\n\",\n");
    }

    #[test]
    fn foreign_texts_are_no_formulas_and_hide_nothing() {
        assert_eq!(cell("=1+2\",A1"), "'=1+2\",A1");
        for start in ["+", "-", "@", "\t", "\r", "="] {
            assert!(cell(&format!("{start}cmd")).starts_with('\''), "{start:?}");
        }
        assert_eq!(cell("a\u{1b}[31m\n.png"), "a\\u001b[31m\\n.png");
        assert_eq!((cell("-0.5"), cell("cat"), cell("")), ("-0.5".into(), "cat".into(), "".into()));
    }

    #[test]
    fn rows_come_back_with_their_lines() {
        let lines = |text: &str| -> Vec<(usize, Vec<String>)> {
            records(text, b',').map(|record| (record.line, record.fields)).collect()
        };
        let fields = |texts: &[&str]| texts.iter().map(|text| text.to_string()).collect::<Vec<_>>();
        let wanted =
            vec![(1, fields(&["a", "b"])), (4, fields(&["1", "2"])), (5, fields(&["", ""]))];
        assert_eq!(lines("a , b\n\n  \n1,2\n,\n"), wanted);
        assert_eq!(lines("a,b\r\n\r\n\r\n1,2\r\n,\r\n"), wanted, "as Windows ends lines");
        let quoted = vec![(2, fields(&["a,\nb", "c"])), (4, fields(&["d"]))];
        assert_eq!(lines("\u{feff}\n\"a,\nb\",c\nd"), quoted);
        assert_eq!(lines(""), []);
    }

    #[test]
    fn a_delimiter_is_not_looked_for_in_quotes() {
        let texts = ["1,2", "1;2", "1\t2", "\"a;b\",c", "\n \nx;y", ""];
        assert_eq!(texts.map(delimiter), [b',', b';', b'\t', b',', b';', b',']);
    }
}

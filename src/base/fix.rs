//! Edits of a program's text that mend what a diagnostic is about.
//!
//! ```
//! # use nnc::base::{fix::{Edit, apply}, source::{Sources, Span}};
//! # let file = Sources::new().add("a.nn", "");
//! let edit = Edit { span: Span::new(file, 6, 8), text: "10".into() };
//! assert_eq!(apply("dense(11)", [&edit]), "dense(10)");
//! ```

use crate::base::source::{FileId, Span};
use std::ops::Range;

/// One replacement of text; several make a [`Fix`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edit {
    /// The text to replace; empty to insert.
    pub span: Span,
    /// The replacement.
    pub text: String,
}

/// How surely an edit says what the author meant, if the program holds with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Certainty {
    /// The same thing, spelt otherwise: `BatchNorm2d` and `batch_norm`.
    Spelling,
    /// The likely one: `desne` and `dense`.
    Likely,
    /// One of several as likely: it is meant where it alone holds.
    Alternative,
    /// Something else than is written: only the author can decide.
    Suggestion,
}

/// Edits that would mend the error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fix {
    /// The change in a few words, as the help line says it.
    pub title: String,
    /// Whether the program was checked again with the edits: the error was gone, and there was no
    /// new one.
    pub checked: bool,
    /// Whether `--fix` may make it: nothing else can be meant, and nothing is taken away.
    pub automatic: bool,
    /// Whether it was checked together with the others of its file that are so: `--fix` makes all of
    /// them at once.
    pub joint: bool,
    /// How surely it is what was meant, before it is checked.
    pub reading: Certainty,
    /// The edits, applied together.
    pub edits: Vec<Edit>,
}

impl Fix {
    /// Edits that have not been checked.
    pub fn new(title: impl Into<String>, edits: Vec<Edit>) -> Fix {
        let reading = Certainty::Likely;
        Fix { title: title.into(), checked: false, automatic: true, joint: false, reading, edits }
    }

    /// The same edits, meant as surely as that.
    pub fn read_as(self, reading: Certainty) -> Fix {
        Fix { reading, automatic: reading != Certainty::Suggestion, ..self }
    }

    /// The file that the edits are made in, all in one.
    pub fn file(&self) -> Option<FileId> {
        self.edits.first().map(|edit| edit.span.file)
    }
}

/// A file's text with its edits made, which do not overlap.
pub fn apply<'e>(text: &str, edits: impl IntoIterator<Item = &'e Edit>) -> String {
    let bytes = |edit: &'e Edit| edit.span.start as usize..edit.span.end as usize;
    replaced(text, edits.into_iter().map(|edit| (bytes(edit), edit.text.as_str())))
}

/// A text with others in the place of some of its bytes.
pub fn replaced<'e>(
    text: &str,
    replacements: impl IntoIterator<Item = (Range<usize>, &'e str)>,
) -> String {
    let mut replacements: Vec<(Range<usize>, &str)> = replacements.into_iter().collect();
    replacements.sort_by_key(|(bytes, _)| (bytes.start, bytes.end));
    let mut edited = String::with_capacity(text.len() + 16);
    let mut done = 0;
    for (bytes, replacement) in replacements {
        edited.push_str(&text[done..bytes.start]);
        edited.push_str(replacement);
        done = bytes.end;
    }
    edited.push_str(&text[done..]);
    edited
}

/// Where a place stands once the edits are made; an edit within it moves its end.
pub fn moved(span: Span, edits: &[Edit]) -> Span {
    let mut moved = span;
    for edit in edits.iter().filter(|edit| edit.span.file == span.file) {
        let grown = edit.text.len() as i64 - i64::from(edit.span.end - edit.span.start);
        let shifted = |at: u32| u32::try_from(i64::from(at) + grown).unwrap_or(0);
        if edit.span.end <= span.start {
            moved.start = shifted(moved.start);
        }
        if edit.span.end <= span.end {
            moved.end = shifted(moved.end);
        }
    }
    moved
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::source::Sources;

    #[test]
    fn edits_are_made_and_places_move_with_them() {
        let mut sources = Sources::new();
        let text = "x |> dense(10) |> relu";
        let file = sources.add("a.nn", text);
        let insert = Edit { span: Span::new(file, 5, 5), text: "flatten |> ".into() };
        let number = Edit { span: Span::new(file, 11, 13), text: "9".into() };
        let edits = [number, insert];
        let edited = apply(text, &edits);
        assert_eq!(edited, "x |> flatten |> dense(9) |> relu");
        sources.replace(file, edited);
        assert_eq!(sources.text(moved(Span::new(file, 18, 22), &edits)), "relu");
        assert_eq!(sources.text(moved(Span::new(file, 0, 1), &edits)), "x");
        assert_eq!(sources.text(moved(Span::new(file, 0, 14), &edits)), "x |> flatten |> dense(9)");
    }
}

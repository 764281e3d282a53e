//! The texts that a client has open, as it edits them.

use super::lines::{ColumnUnit, TextLines};
use super::uri;
use gen_lsp_types::TextDocumentContentChangeEvent;
use std::path::{Path, PathBuf};

/// A text that a client has open.
#[derive(Clone, Debug)]
pub struct OpenText {
    /// Its address, as the client writes it.
    pub uri: String,
    /// The path that it is analysed under: relative files are beside it.
    pub path: PathBuf,
    /// The client's number of this state of the text.
    pub version: i32,
    /// The text.
    pub text: String,
    /// Its lines.
    pub lines: TextLines,
    unit: ColumnUnit,
}

impl OpenText {
    /// A text as it was opened.
    pub fn new(uri: &str, version: i32, text: String, unit: ColumnUnit) -> OpenText {
        let path = uri::to_path(uri).unwrap_or_else(|| PathBuf::from(unsaved_name(uri)));
        let lines = TextLines::of(&text, unit);
        OpenText { uri: uri.to_owned(), path, version, text, lines, unit }
    }

    /// Makes the changes, each to what those before it left.
    pub fn change(&mut self, version: i32, changes: Vec<TextDocumentContentChangeEvent>) {
        use TextDocumentContentChangeEvent::{
            TextDocumentContentChangePartial as Partial,
            TextDocumentContentChangeWholeDocument as Whole,
        };
        for change in changes {
            match change {
                Partial(change) => {
                    let start = self.lines.byte(&self.text, change.range.start);
                    let end = self.lines.byte(&self.text, change.range.end).max(start);
                    self.text.replace_range(start..end, &change.text);
                }
                Whole(change) => self.text = change.text,
            }
            self.lines = TextLines::of(&self.text, self.unit);
        }
        self.version = version;
    }

    /// The folder that it is in.
    pub fn folder(&self) -> &Path {
        self.path.parent().unwrap_or(Path::new(""))
    }
}

/// A name for a text that is no file, which no file has.
fn unsaved_name(uri: &str) -> String {
    let plain = |c: char| if c.is_alphanumeric() { c } else { '_' };
    format!("{}.nn", uri.chars().map(plain).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use gen_lsp_types::{Position, Range, TextDocumentContentChangePartial};

    fn partial(from: (u32, u32), to: (u32, u32), text: &str) -> TextDocumentContentChangeEvent {
        let at = |(line, character)| Position { line, character };
        let range = Range { start: at(from), end: at(to) };
        let text = text.to_owned();
        TextDocumentContentChangePartial { range, text, ..Default::default() }.into()
    }

    #[test]
    fn changes_are_made_in_turn_to_what_those_before_left() {
        let text = "let 🦊 = 1\r\nlet b = 2\r\n".to_owned();
        let mut open = OpenText::new("file:///a/b.nn", 1, text, ColumnUnit::Utf16);
        let insert = partial((0, 4), (0, 6), "fox\nnew");
        let behind = partial((2, 4), (2, 5), "c");
        open.change(2, vec![insert, behind]);
        assert_eq!((open.text.as_str(), open.version), ("let fox\nnew = 1\r\nlet c = 2\r\n", 2));
        // A client whose range is beyond the text, or the wrong way round, does no harm.
        open.change(3, vec![partial((9, 0), (2, 0), "!")]);
        assert!(open.text.ends_with("2\r\n!"));
        assert_eq!(open.folder(), Path::new("/a"));
    }
}

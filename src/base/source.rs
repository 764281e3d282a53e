//! Source files and places in them.
//!
//! A [`Sources`] holds the text of every file of a compilation (the prelude too); a [`Span`] is
//! a byte range of one of them. Reading files is the driver's work, not done here.

use crate::base::entity::Arena;
use crate::entity;
use std::fmt;

entity! {
    /// One file of a compilation.
    pub struct FileId("file");
}

/// A file's name, as diagnostics print it, and its text.
#[derive(Clone, Debug)]
pub struct SourceFile {
    /// Name in diagnostics: the path as the user wrote it, or `<prelude>`.
    pub name: String,
    /// The text, with line ends as they are in the file.
    pub text: String,
    /// Whether this is part of the compiler, so that its callers are to blame, not its lines.
    pub builtin: bool,
}

/// The files of one compilation.
#[derive(Clone, Default)]
pub struct Sources {
    files: Arena<FileId, SourceFile>,
}

impl fmt::Debug for Sources {
    /// The files' names: their texts would bury whatever else is printed.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.files.values().map(|file| &file.name)).finish()
    }
}

impl Sources {
    /// No files yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a user's file.
    pub fn add(&mut self, name: impl Into<String>, text: impl Into<String>) -> FileId {
        self.files.push(SourceFile { name: name.into(), text: text.into(), builtin: false })
    }

    /// Adds a file that ships with the compiler.
    pub fn add_builtin(&mut self, name: impl Into<String>, text: impl Into<String>) -> FileId {
        self.files.push(SourceFile { name: name.into(), text: text.into(), builtin: true })
    }

    /// A file.
    pub fn file(&self, id: FileId) -> &SourceFile {
        &self.files[id]
    }

    /// Puts another text in a file's place.
    pub fn replace(&mut self, id: FileId, text: String) {
        self.files[id].text = text;
    }

    /// All files with their ids, in order of addition.
    pub fn iter(&self) -> impl Iterator<Item = (FileId, &SourceFile)> {
        self.files.iter()
    }

    /// The text under a span.
    pub fn text(&self, span: Span) -> &str {
        &self.files[span.file].text[span.start as usize..span.end as usize]
    }

    /// The line and column (both from 1; the column in characters) of a byte offset.
    pub fn line_column(&self, file: FileId, offset: u32) -> (usize, usize) {
        line_column(&self.files[file].text, offset as usize)
    }

    /// `name:line:column` of a span's start.
    pub fn place(&self, span: Span) -> String {
        let (line, column) = self.line_column(span.file, span.start);
        format!("{}:{line}:{column}", self.files[span.file].name)
    }
}

/// The line and column (both from 1; the column in characters) of a byte offset into a text.
pub fn line_column(text: &str, offset: usize) -> (usize, usize) {
    let before = &text[..offset];
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    let line = before.bytes().filter(|&byte| byte == b'\n').count() + 1;
    (line, before[line_start..].chars().count() + 1)
}

/// A range of bytes in one file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Span {
    /// The file.
    pub file: FileId,
    /// The first byte.
    pub start: u32,
    /// One past the last byte.
    pub end: u32,
}

impl Span {
    /// The bytes `start..end` of `file`.
    pub fn new(file: FileId, start: usize, end: usize) -> Self {
        let narrow = |offset| u32::try_from(offset).expect("a source file is smaller than 4 GiB");
        Span { file, start: narrow(start), end: narrow(end) }
    }

    /// Whether another span lies within this one.
    pub fn contains(self, other: Span) -> bool {
        self.file == other.file && self.start <= other.start && other.end <= self.end
    }

    /// The smallest span that covers both, which lie in one file.
    pub fn to(self, other: Span) -> Span {
        debug_assert_eq!(self.file, other.file);
        Span { file: self.file, start: self.start.min(other.start), end: self.end.max(other.end) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_count_characters_and_lines_count_newlines() {
        let mut sources = Sources::new();
        let file = sources.add("a.nn", "let é = 1\r\nlet x = 2\n");
        assert_eq!(sources.line_column(file, 0), (1, 1));
        assert_eq!(sources.line_column(file, 7), (1, 7));
        assert_eq!(sources.line_column(file, 12), (2, 1));
        assert_eq!(sources.place(Span::new(file, 16, 17)), "a.nn:2:5");
    }
}

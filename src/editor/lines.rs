//! Bytes of a text and positions of the Language Server Protocol, which count lines and, within a
//! line, UTF-16 units (or bytes, or characters, where the client says so).
//!
//! ```text
//! let 🦊 = x     `=` is byte 9 of its line, UTF-16 unit 7, character 6
//! ```
//!
//! A line ends at `\n`, `\r\n` or `\r`. A position behind the end of its line is the line's end, one
//! within a character its beginning, and one behind the last line the text's end: no position is
//! refused, since a client's text may be one edit ahead.

use crate::base::source::Span;
use gen_lsp_types::{Position, PositionEncodingKind, Range};

/// The unit that columns are counted in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ColumnUnit {
    /// Bytes.
    Utf8,
    /// UTF-16 units, the protocol's default.
    #[default]
    Utf16,
    /// Characters.
    Utf32,
}

impl ColumnUnit {
    /// The unit to use with a client that offers these: bytes where it can, since nothing is counted.
    pub fn best_of(offered: &[PositionEncodingKind]) -> ColumnUnit {
        match offered.contains(&PositionEncodingKind::UTF8) {
            true => ColumnUnit::Utf8,
            false => ColumnUnit::Utf16,
        }
    }

    /// Its name in the protocol.
    pub fn name(self) -> PositionEncodingKind {
        match self {
            ColumnUnit::Utf8 => PositionEncodingKind::UTF8,
            ColumnUnit::Utf16 => PositionEncodingKind::UTF16,
            ColumnUnit::Utf32 => PositionEncodingKind::UTF32,
        }
    }

    /// How many units a character is.
    fn width(self, c: char) -> usize {
        match self {
            ColumnUnit::Utf8 => c.len_utf8(),
            ColumnUnit::Utf16 => c.len_utf16(),
            ColumnUnit::Utf32 => 1,
        }
    }
}

/// The beginnings of a text's lines.
#[derive(Clone, Debug)]
pub struct TextLines {
    starts: Vec<usize>,
    unit: ColumnUnit,
}

impl TextLines {
    /// Those of a text.
    pub fn of(text: &str, unit: ColumnUnit) -> TextLines {
        let bytes = text.as_bytes();
        let ends = bytes.iter().enumerate().filter(|&(at, &byte)| {
            byte == b'\n' || (byte == b'\r' && bytes.get(at + 1) != Some(&b'\n'))
        });
        let starts = std::iter::once(0).chain(ends.map(|(at, _)| at + 1)).collect();
        TextLines { starts, unit }
    }

    /// The position of a byte of the text that the lines are of; the text's end, of one behind it.
    pub fn position(&self, text: &str, byte: usize) -> Position {
        let byte = byte.min(text.len());
        let line = self.starts.partition_point(|&start| start <= byte) - 1;
        let before = text.get(self.starts[line]..byte).unwrap_or_default();
        let column: usize = before.chars().map(|c| self.unit.width(c)).sum();
        let narrow = |number| u32::try_from(number).unwrap_or(u32::MAX);
        Position { line: narrow(line), character: narrow(column) }
    }

    /// The byte of a position.
    pub fn byte(&self, text: &str, position: Position) -> usize {
        let line = position.line as usize;
        let Some(&start) = self.starts.get(line) else { return text.len() };
        let end = self.starts.get(line + 1).copied().unwrap_or(text.len());
        let content = text[start..end].trim_end_matches(['\n', '\r']);
        let mut column = 0;
        for (at, c) in content.char_indices() {
            column += self.unit.width(c);
            if column > position.character as usize {
                return start + at;
            }
        }
        start + content.len()
    }

    /// The range of bytes of the text.
    pub fn range(&self, text: &str, start: usize, end: usize) -> Range {
        Range { start: self.position(text, start), end: self.position(text, end) }
    }

    /// The range of a place.
    pub fn range_of(&self, text: &str, span: Span) -> Range {
        self.range(text, span.start as usize, span.end as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(line: u32, character: u32) -> Position {
        Position { line, character }
    }

    #[test]
    fn columns_are_counted_in_the_units_of_the_client() {
        let text = "let 🦊 = x\r\nlet é = y\rz";
        for (unit, column) in
            [(ColumnUnit::Utf8, 9), (ColumnUnit::Utf16, 7), (ColumnUnit::Utf32, 6)]
        {
            let lines = TextLines::of(text, unit);
            assert_eq!(lines.position(text, 9), at(0, column));
            assert_eq!(lines.byte(text, at(0, column)), 9);
            assert_eq!(lines.position(text, text.find("let é").unwrap()), at(1, 0));
            assert_eq!(lines.position(text, text.len()), at(2, 1));
        }
    }

    #[test]
    fn a_position_outside_of_the_text_is_the_nearest_inside() {
        let text = "ab\r\n🦊\n";
        let lines = TextLines::of(text, ColumnUnit::Utf16);
        assert_eq!(lines.byte(text, at(0, 99)), 2);
        assert_eq!(lines.byte(text, at(1, 1)), 4, "within the fox is before it");
        assert_eq!(lines.byte(text, at(7, 0)), text.len());
        assert_eq!(lines.position(text, 999), at(2, 0));
    }

    #[test]
    fn every_byte_goes_there_and_back() {
        let text = "é🦊\r\nx\n\n  y🦊";
        for unit in [ColumnUnit::Utf8, ColumnUnit::Utf16, ColumnUnit::Utf32] {
            let lines = TextLines::of(text, unit);
            for (byte, c) in text.char_indices().filter(|(_, c)| !"\r\n".contains(*c)) {
                assert_eq!(lines.byte(text, lines.position(text, byte)), byte, "{c:?}");
            }
        }
    }
}

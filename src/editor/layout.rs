//! Formatting as small edits: only lines that change are replaced, so that cursors and folds stay.

use super::documents::OpenText;
use crate::base::changed::changed_lines;
use crate::base::source::Sources;
use crate::syntax;
use gen_lsp_types::TextEdit;
use std::ops::Range;

/// The edits that format the lines around a range of bytes; none where the text does not parse.
pub(super) fn edits(open: &OpenText, range: Range<usize>) -> Vec<TextEdit> {
    let mut sources = Sources::new();
    let file = sources.add(open.path.to_string_lossy(), open.text.as_str());
    let Ok(formatted) = syntax::format(&sources, file) else { return Vec::new() };
    let formatted = match open.text.contains("\r\n") {
        true => formatted.replace('\n', "\r\n"),
        false => formatted,
    };
    let edits = changed_lines(&open.text, &formatted).into_iter().filter_map(|changed| {
        let bytes = changed.bytes;
        let touched = bytes.start <= range.end && range.start <= bytes.end;
        let range = open.lines.range(&open.text, bytes.start, bytes.end);
        touched.then_some(TextEdit { range, new_text: changed.new.concat() })
    });
    edits.collect()
}

//! Formatting as small edits: only lines that change are replaced, so that cursors and folds stay.

use super::documents::OpenText;
use crate::base::source::Sources;
use crate::syntax;
use gen_lsp_types::TextEdit;
use similar::{DiffOp, TextDiff};
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
    let difference = TextDiff::from_lines(open.text.as_str(), formatted.as_str());
    let starts = |lines: &[&str]| -> Vec<usize> {
        let ends = lines.iter().scan(0, |at, line| {
            *at += line.len();
            Some(*at)
        });
        std::iter::once(0).chain(ends).collect()
    };
    let old = starts(&open.text.split_inclusive('\n').collect::<Vec<_>>());
    let new = starts(&formatted.split_inclusive('\n').collect::<Vec<_>>());
    let changes = difference.ops().iter().filter(|op| !matches!(op, DiffOp::Equal { .. }));
    let edits = changes.filter_map(|op| {
        let (before, after) = (op.old_range(), op.new_range());
        let bytes = old[before.start]..old[before.end];
        let touched = bytes.start <= range.end && range.start <= bytes.end;
        let text = formatted[new[after.start]..new[after.end]].to_owned();
        let range = open.lines.range(&open.text, bytes.start, bytes.end);
        touched.then_some(TextEdit { range, new_text: text })
    });
    edits.collect()
}

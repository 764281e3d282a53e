//! The lines that differ between two texts, by Myers' algorithm.
//!
//! ```
//! # use nnc::base::changed::changed_lines;
//! let changed = changed_lines("a\nb\nc\n", "a\nx\ny\nc\n");
//! assert_eq!((changed[0].bytes.clone(), &changed[0].new[..]), (2..4, &["x\n", "y\n"][..]));
//! ```

use similar::{DiffOp, TextDiff};
use std::ops::Range;

/// Lines of a text, and those that stand in their place in another. Each has its line end; either
/// may be none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangedLines<'t> {
    /// The bytes of the old lines.
    pub bytes: Range<usize>,
    /// The old lines.
    pub old: Vec<&'t str>,
    /// The new ones.
    pub new: Vec<&'t str>,
}

/// The runs of lines in which `after` differs from `before`, in order.
pub fn changed_lines<'t>(before: &'t str, after: &'t str) -> Vec<ChangedLines<'t>> {
    let diff = TextDiff::from_lines(before, after);
    let (old, new) = (diff.old_slices(), diff.new_slices());
    let bytes = |lines: &[&str]| lines.iter().map(|line| line.len()).sum::<usize>();
    let (mut at, mut changed) = (0, Vec::new());
    for op in diff.ops() {
        let (old, new) = (&old[op.old_range()], &new[op.new_range()]);
        let start = at;
        at += bytes(old);
        if !matches!(op, DiffOp::Equal { .. }) {
            changed.push(ChangedLines { bytes: start..at, old: old.to_vec(), new: new.to_vec() });
        }
    }
    changed
}

//! The change that an edit makes, as `diff -u` prints it, or the changed lines alone.

use crate::base::fit::shown;
use crate::base::shown::{Show, visible};
use console::measure_text_width as columns;
use similar::{ChangeTag, TextDiff};
use std::path::Path;

/// The difference of two texts of a file.
pub fn unified(path: &Path, before: &str, after: &str) -> String {
    let name = path.shown().to_string();
    let text = TextDiff::from_lines(before, after).unified_diff().header(&name, &name).to_string();
    text.chars().map(|c| if c == '\n' || c == '\t' { c } else { visible(c) }).collect()
}

/// A line that an edit takes away or puts in.
pub struct DiffLine {
    /// Whether it is taken away.
    pub removed: bool,
    number: usize,
    text: String,
    /// Where it differs from the line that it replaces, in characters.
    differs: usize,
}

/// The lines that an edit changes, with their numbers.
pub fn lines(before: &str, after: &str) -> Vec<DiffLine> {
    let diff = TextDiff::from_lines(before, after);
    let changed: Vec<(bool, usize, &str)> = diff
        .iter_all_changes()
        .filter_map(|change| match change.tag() {
            ChangeTag::Equal => None,
            ChangeTag::Delete => Some((true, change.old_index()?, change.value())),
            ChangeTag::Insert => Some((false, change.new_index()?, change.value())),
        })
        .collect();
    let of = |removed| {
        let texts = changed.iter().filter(move |(it, ..)| *it == removed).map(|(.., text)| *text);
        texts.collect::<String>()
    };
    let (old, new) = (of(true), of(false));
    let same = old.chars().zip(new.chars()).take_while(|(a, b)| a == b).count();
    let line = |&(removed, index, text): &(bool, usize, &str)| {
        let text = text.trim_end().to_owned();
        DiffLine { removed, number: index + 1, differs: same.min(text.chars().count()), text }
    };
    changed.iter().map(line).collect()
}

/// A changed line in at most so many columns, shown around what differs.
pub fn around(line: &DiffLine, width: usize) -> String {
    let head = format!("{:>3} {} ", line.number, if line.removed { '-' } else { '+' });
    let room = width - columns(&head);
    let text = shown(&line.text);
    if columns(&text) <= room {
        return format!("{head}{text}");
    }
    let from = line.differs.saturating_sub(room / 2);
    let mut row = String::from(if from > 0 { "…" } else { "" });
    for c in text.chars().skip(from + usize::from(from > 0)) {
        if columns(&row) + 3 > room {
            row.push('…');
            break;
        }
        row.push(c);
    }
    format!("{head}{row}")
}

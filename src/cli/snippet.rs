//! The lines of a program that labels point into, each label on a row of its own, nothing wider
//! than asked for.
//!
//! ```text
//!    ╭─ model.nn:4:5
//!  2 │     let narrow = x |> dense(5)
//!    │                       ──────── 5 is fixed here
//!  4 │     narrow + wide
//!    │     ━━━━━━━━━━━━━ here
//!    ╰─
//! ```
//!
//! Columns are those of a terminal: a tab is a space, a wide character two columns. A line that is
//! too long is shown around its labels, with `…` where something is left out.

use crate::base::diagnostic::Label;
use crate::base::shown::{Show, visible, visible_lines};
use crate::base::source::{FileId, Sources};
use console::measure_text_width as columns;
use std::collections::BTreeMap;

/// Columns of a line that are shown before its first label, where not all of it fits.
const BEFORE: usize = 12;

/// How parts of a report are coloured.
#[derive(Clone, Copy)]
pub struct Paint {
    /// Whether they are.
    pub color: bool,
    /// The colour of the place to blame: red or yellow.
    pub blame: u8,
}

impl Paint {
    /// A text in one of the terminal's sixteen colours.
    pub fn paint(self, code: u8, text: &str) -> String {
        if self.color && !text.is_empty() {
            format!("\x1b[{code}m{text}\x1b[0m")
        } else {
            text.to_owned()
        }
    }
}

/// Blue: what belongs to the layout.
pub const FRAME: u8 = 34;
/// Cyan: places that the finding has to do with.
const OTHER: u8 = 36;

/// The labelled lines of one file.
pub fn push(
    text: &mut String,
    (file, labels): (FileId, &[&Label]),
    sources: &Sources,
    width: usize,
    paint: Paint,
) {
    let mut lines: BTreeMap<usize, Vec<&Label>> = BTreeMap::new();
    for label in labels {
        let (line, _) = sources.line_column(file, label.span.start);
        lines.entry(line).or_default().push(label);
    }
    let Some((&last, _)) = lines.last_key_value() else { return };
    let margin = last.to_string().len().max(2);
    let first = labels.iter().find(|label| label.primary).or(labels.first());
    let place = first.map(|label| sources.place(label.span)).unwrap_or_default();
    let bar = |sign: &str| paint.paint(FRAME, &format!(" {:margin$} {sign}", ""));
    text.push_str(&format!("{} {}\n", bar("╭─"), place.shown()));
    let all: Vec<&str> = sources.file(file).text.split('\n').collect();
    let mut shown = None;
    for (line, mut labels) in lines {
        // A gap is told by a dotted bar, a single line in it is shown.
        match shown {
            Some(before) if line == before + 2 => {
                let between = cut(all[before], 0, width.saturating_sub(margin + 4));
                push_line(text, before + 1, margin, &between, paint);
            }
            Some(before) if line > before + 2 => text.push_str(&format!("{}\n", bar("┆"))),
            _ => {}
        }
        shown = Some(line);
        labels.sort_by_key(|label| (!label.primary, label.span.start));
        push_labelled(text, (line, all[line - 1]), &labels, sources, (margin, width), paint);
    }
    text.push_str(&format!("{}\n", bar("╰─")));
}

/// A line with its number.
fn push_line(text: &mut String, line: usize, margin: usize, shown: &str, paint: Paint) {
    let number = paint.paint(FRAME, &format!(" {line:>margin$} │"));
    text.push_str(format!("{number} {shown}").trim_end());
    text.push('\n');
}

/// A line and a row for each of its labels.
fn push_labelled(
    text: &mut String,
    (number, line): (usize, &str),
    labels: &[&Label],
    sources: &Sources,
    (margin, width): (usize, usize),
    paint: Paint,
) {
    let room = width.saturating_sub(margin + 4).max(20);
    let line = line.trim_end_matches('\r');
    let start = |label: &Label| {
        let (_, column) = sources.line_column(label.span.file, label.span.start);
        columns_of(line, column - 1)
    };
    let whole = columns(&shown(line));
    // Where the line does not fit, it is shown from a little before its first label.
    let first = labels.iter().map(|label| start(label)).min().unwrap_or(0);
    let skipped = if whole <= room { 0 } else { first.saturating_sub(BEFORE) };
    push_line(text, number, margin, &cut(line, skipped, room), paint);
    for label in labels {
        let covered = sources.text(label.span);
        let first_line = covered.split('\n').next().unwrap_or_default().trim_end();
        let from = (start(label) - skipped.min(start(label))).min(room - 1);
        let long = columns(&shown(first_line)).max(1).min(room - from);
        let (sign, code) = if label.primary { ("━", paint.blame) } else { ("─", OTHER) };
        let mut says = visible_lines(&label.text).into_owned();
        if covered.trim_end().contains('\n') {
            let (end, _) = sources.line_column(label.span.file, label.span.end);
            says = format!("{says} (to line {end})").trim_start().to_owned();
        }
        let under = format!("{}{}", " ".repeat(from), paint.paint(code, &sign.repeat(long)));
        let bar = paint.paint(FRAME, &format!(" {:margin$} │", ""));
        let behind = room.saturating_sub(from + long + 1);
        if columns(&says) <= behind {
            let row = format!("{bar} {under} {}", paint.paint(code, &says));
            text.push_str(row.trim_end());
            text.push('\n');
            continue;
        }
        text.push_str(&format!("{bar} {under}\n"));
        for row in wrapped(&says, room) {
            let indent = from.min(room - columns(&row));
            text.push_str(&format!("{bar} {}{}\n", " ".repeat(indent), paint.paint(code, &row)));
        }
    }
}

/// A text in rows of at most so many columns, broken between words, and within those that are
/// longer than a row.
pub fn wrapped(text: &str, room: usize) -> Vec<String> {
    let mut rows = vec![String::new()];
    for word in text.split_whitespace() {
        let mut word = word.to_owned();
        let row = rows.last().map_or(0, |row| columns(row));
        if row > 0 && row + 1 + columns(&word) > room {
            rows.push(String::new());
        } else if row > 0 {
            rows.last_mut().expect("there is a row").push(' ');
        }
        while columns(&word) > room {
            let head = cut_columns(&word, 0, room);
            word = word[head.len()..].to_owned();
            rows.last_mut().expect("there is a row").push_str(&head);
            rows.push(String::new());
        }
        rows.last_mut().expect("there is a row").push_str(&word);
    }
    rows
}

/// A line as it is shown, a character for each of its own: a tab is one space, and something stands
/// for what is hidden.
pub fn shown(line: &str) -> String {
    line.chars().map(|c| if c == '\t' { ' ' } else { visible(c) }).collect()
}

/// The columns of the first characters of a line.
fn columns_of(line: &str, characters: usize) -> usize {
    columns(&shown(&line.chars().take(characters).collect::<String>()))
}

/// The part of a line from a column on that fits into some columns.
fn cut(line: &str, skipped: usize, room: usize) -> String {
    let line = shown(line.trim_end_matches('\r'));
    if skipped == 0 && columns(&line) <= room {
        return line;
    }
    let begin = if skipped > 0 { "…" } else { "" };
    let part = cut_columns(&line, skipped + begin.chars().count(), room);
    let rest = columns(&line) > skipped + begin.chars().count() + columns(&part);
    if rest || columns(begin) + columns(&part) > room {
        let less = cut_columns(&part, 0, room - columns(begin) - 1);
        return format!("{begin}{less}…");
    }
    format!("{begin}{part}")
}

/// The characters of a text from one column on, as many as fit.
fn cut_columns(text: &str, from: usize, room: usize) -> String {
    let (mut at, mut kept) = (0, String::new());
    for c in text.chars() {
        let wide = columns(c.encode_utf8(&mut [0; 4]));
        if at >= from && at + wide <= from + room {
            kept.push(c);
        }
        at += wide;
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_cut_around_their_labels_and_texts_wrapped() {
        assert_eq!(cut("short", 0, 20), "short");
        assert_eq!(cut("0123456789abcdef", 0, 10), "012345678…");
        assert_eq!(cut("0123456789abcdef", 4, 10), "…56789abc…");
        assert_eq!(cut("0123456789abcdef", 8, 10), "…9abcdef");
        assert_eq!(wrapped("one two three", 8), ["one two", "three"]);
        assert_eq!(wrapped("abcdefghij", 4), ["abcd", "efgh", "ij"]);
        assert_eq!(columns_of("\té世x", 3), 4, "a tab is a space, a wide character two");
    }
}

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
//! A label over several lines has a bar to their left, from where it begins to where it ends, as
//! rustc draws it:
//!
//! ```text
//!  2 │   layer scale(x: f32[N, D]) -> f32[N, D] {
//!    │ ┏━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━┛
//!  3 │ ┃     let y = 2.0 * x
//!  4 │ ┃ }
//!    │ ┗━┛ has no value
//! ```
//!
//! Columns are those of a terminal: a tab is a space, a wide character two columns. A line that is
//! too long is shown around its labels, with `…` where something is left out; so are the lines in the
//! middle of a long label.

use crate::base::fit::{columns_of, cut, shown, wrapped};
use crate::base::shown::{Show, visible_lines};
use crate::base::source::line_column;
use console::measure_text_width as columns;
use miette::LabeledSpan;
use std::collections::BTreeMap;

/// Columns of a line that are shown before its first label, where not all of it fits.
const BEFORE: usize = 12;
/// Bars beside one another, at most; a label that finds no place is marked on its first line.
const MOST_BARS: usize = 3;
/// Lines of a label that are all shown.
const MOST_LINES: usize = 7;
/// Lines shown from the beginning of a longer one, and from its end.
const ENDS: (usize, usize) = (4, 2);

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

/// A file's text and the name that it goes by.
pub struct SnippetSource {
    /// The name.
    pub name: String,
    /// The text.
    pub text: String,
}

/// A label with where it is: lines from 1, columns in characters from 0.
struct LabelMark<'a> {
    primary: bool,
    says: &'a str,
    line: usize,
    start: usize,
    /// The line and column of the last character that is not space, at the start of an empty label.
    last_line: usize,
    last: usize,
    /// The covered part of its first line.
    first_line: &'a str,
    /// The place of its bar, if it has one.
    bar: Option<usize>,
}

impl<'a> LabelMark<'a> {
    fn new(label: &'a LabeledSpan, text: &'a str) -> LabelMark<'a> {
        let covered = &text[label.offset()..label.offset() + label.len()];
        let (line, column) = line_column(text, label.offset());
        let trimmed = covered.trim_end();
        let last = trimmed.char_indices().last().map_or(0, |(index, _)| index);
        let (last_line, last_column) = line_column(text, label.offset() + last);
        LabelMark {
            primary: label.primary(),
            says: label.label().unwrap_or_default(),
            line,
            start: column - 1,
            last_line,
            last: last_column - 1,
            first_line: covered.split('\n').next().unwrap_or_default().trim_end(),
            bar: None,
        }
    }

    fn code(&self, paint: Paint) -> u8 {
        if self.primary { paint.blame } else { OTHER }
    }

    /// The signs of its marks: a line, a bar, corners at the beginning and the end of a bar, and
    /// where the bar's ends meet the text.
    fn signs(&self) -> [&'static str; 5] {
        match self.primary {
            true => ["━", "┃", "┏", "┗", "┛"],
            false => ["─", "│", "┌", "└", "┘"],
        }
    }

    /// Whether its bar stands to the left of a line's own text.
    fn is_beside(&self, line: usize) -> bool {
        self.bar.is_some() && self.line < line && line <= self.last_line
    }
}

/// The labelled lines of one file.
pub fn push(
    text: &mut String,
    source: &SnippetSource,
    labels: &[LabeledSpan],
    width: usize,
    paint: Paint,
) {
    let marks = with_bars(labels.iter().map(|label| LabelMark::new(label, &source.text)).collect());
    let lines = labelled_lines(&marks);
    let Some((&last, _)) = lines.last_key_value() else { return };
    let bars = marks.iter().filter_map(|mark| mark.bar).max().map_or(0, |bar| bar + 1);
    let margin = last.to_string().len().max(2);
    let room = width.saturating_sub(margin + 4 + 2 * bars).max(20);
    let all: Vec<&str> = source.text.split('\n').collect();
    let mut drawing = Drawing { text, marks: &marks, bars, margin, room, paint };
    let first = marks.iter().find(|mark| mark.primary).or(marks.first());
    let place = first
        .map_or(String::new(), |mark| format!("{}:{}:{}", source.name, mark.line, mark.start + 1));
    drawing.frame("╭─", &format!(" {}", place.shown()));
    let mut before = None;
    for (line, labels) in lines {
        // A gap is told by a dotted bar, a single line in it is shown.
        match before {
            Some(before) if line == before + 2 => {
                drawing.line(before + 1, &cut(all[before], 0, room));
            }
            Some(before) if line > before + 2 => {
                let beside = drawing.beside(line);
                drawing.frame("┆", format!(" {beside}").trim_end());
            }
            _ => {}
        }
        before = Some(line);
        drawing.labelled(line, all[line - 1].trim_end_matches('\r'), labels);
    }
    drawing.frame("╰─", "");
}

/// Gives labels over several lines a bar each, the longest to the left; those that share no line
/// share a place.
fn with_bars(mut marks: Vec<LabelMark<'_>>) -> Vec<LabelMark<'_>> {
    let mut long: Vec<usize> =
        (0..marks.len()).filter(|&it| marks[it].last_line > marks[it].line).collect();
    long.sort_by_key(|&it| (marks[it].line, std::cmp::Reverse(marks[it].last_line)));
    for index in long {
        let (line, last_line) = (marks[index].line, marks[index].last_line);
        let is_free = |bar: &usize| {
            let mut others = marks.iter().filter(|mark| mark.bar == Some(*bar));
            others.all(|other| other.last_line < line || last_line < other.line)
        };
        let free = (0..MOST_BARS).find(is_free);
        marks[index].bar = free;
    }
    marks
}

/// The lines that are shown, with the labels that begin on them, the primary one first.
fn labelled_lines<'m, 'a>(marks: &'m [LabelMark<'a>]) -> BTreeMap<usize, Vec<&'m LabelMark<'a>>> {
    let mut lines: BTreeMap<usize, Vec<&LabelMark>> = BTreeMap::new();
    for mark in marks {
        lines.entry(mark.line).or_default().push(mark);
        if mark.bar.is_some() {
            let between = mark.line + 1..=mark.last_line;
            let is_long = mark.last_line - mark.line >= MOST_LINES;
            let in_middle = |line: &usize| {
                is_long && *line >= mark.line + ENDS.0 && *line + ENDS.1 <= mark.last_line
            };
            between.filter(|line| !in_middle(line)).for_each(|line| {
                lines.entry(line).or_default();
            });
        }
    }
    for labels in lines.values_mut() {
        labels.sort_by_key(|mark| (!mark.primary, mark.start));
    }
    lines
}

/// Rows that are being drawn.
struct Drawing<'d, 'a> {
    text: &'d mut String,
    marks: &'d [LabelMark<'a>],
    /// How many bars stand beside one another.
    bars: usize,
    /// Columns of the numbers of lines.
    margin: usize,
    /// Columns of the lines themselves.
    room: usize,
    paint: Paint,
}

impl<'a> Drawing<'_, 'a> {
    /// A row without a number.
    fn frame(&mut self, sign: &str, rest: &str) {
        let margin = self.margin;
        let frame = self.paint.paint(FRAME, &format!(" {:margin$} {sign}", ""));
        self.text.push_str(&format!("{frame}{rest}\n"));
    }

    /// A row below a line.
    fn row(&mut self, rest: &str) {
        self.frame("│", format!(" {rest}").trim_end());
    }

    /// A line with its number.
    fn line(&mut self, line: usize, shown: &str) {
        let (margin, beside) = (self.margin, self.beside(line));
        let number = self.paint.paint(FRAME, &format!(" {line:>margin$} │"));
        self.text.push_str(format!("{number} {beside}{shown}").trim_end());
        self.text.push('\n');
    }

    /// The bars to the left of a line.
    fn beside(&self, line: usize) -> String {
        self.bars_left_of(self.bars, |mark| mark.is_beside(line))
    }

    /// The bars in the first places, of those labels that have one there.
    fn bars_left_of(&self, places: usize, there: impl Fn(&LabelMark<'a>) -> bool) -> String {
        let sign = |bar: usize| {
            let mark = self.marks.iter().find(|mark| mark.bar == Some(bar) && there(mark));
            mark.map_or("  ".to_owned(), |mark| {
                self.paint.paint(mark.code(self.paint), mark.signs()[1]) + " "
            })
        };
        (0..places).map(sign).collect()
    }

    /// A line and a row for each label that begins or ends on it.
    fn labelled(&mut self, number: usize, line: &str, labels: Vec<&LabelMark<'a>>) {
        let ends = |mark: &&LabelMark<'a>| mark.bar.is_some() && mark.last_line == number;
        let mut ending: Vec<&LabelMark<'a>> = self.marks.iter().filter(ends).collect();
        ending.sort_by_key(|mark| std::cmp::Reverse(mark.bar));
        // Where the line does not fit, it is shown from a little before its first label.
        let starts = labels.iter().map(|mark| mark.start);
        let first = starts.chain(ending.iter().map(|mark| mark.last)).min();
        let first = first.map_or(0, |first| columns_of(line, first));
        let whole = columns(&shown(line));
        let skipped = if whole <= self.room { 0 } else { first.saturating_sub(BEFORE) };
        self.line(number, &cut(line, skipped, self.room));
        let (mut long, short): (Vec<_>, Vec<_>) =
            labels.into_iter().partition(|mark| mark.bar.is_some());
        for mark in short {
            self.underlined(mark, number, (line, skipped));
        }
        for mark in ending {
            self.ended(mark, self.column(line, mark.last, skipped));
        }
        long.sort_by_key(|mark| mark.bar);
        for mark in long {
            self.begun(mark, self.column(line, mark.start, skipped));
        }
    }

    /// The column at which a character of a line is shown.
    fn column(&self, line: &str, characters: usize, skipped: usize) -> usize {
        columns_of(line, characters).saturating_sub(skipped).min(self.room - 1)
    }

    /// A label on one line.
    fn underlined(&mut self, mark: &LabelMark<'a>, number: usize, (line, skipped): (&str, usize)) {
        let from = self.column(line, mark.start, skipped);
        let long = columns(&shown(mark.first_line)).max(1).min(self.room - from);
        let under = self.paint.paint(mark.code(self.paint), &mark.signs()[0].repeat(long));
        let mut says = visible_lines(mark.says).into_owned();
        if mark.last_line > mark.line {
            says = format!("{says} (to line {})", mark.last_line).trim_start().to_owned();
        }
        let beside = self.beside(number);
        let under = format!("{beside}{}{under}", " ".repeat(from));
        self.says(mark, &says, &under, &beside, (from, from + long));
    }

    /// The row where a bar begins: from its place to the character that the label begins with.
    fn begun(&mut self, mark: &LabelMark<'a>, column: usize) {
        let [across, _, corner, _, up] = mark.signs();
        let Some(bar) = mark.bar else { return };
        // Those in earlier places that begin on the same line have begun in rows before this one.
        let left = self.bars_left_of(bar, |other| {
            other.line == mark.line || other.is_beside(mark.line) && other.last_line > mark.line
        });
        let under = format!("{corner}{}{up}", across.repeat(2 * (self.bars - bar) - 1 + column));
        let under = self.paint.paint(mark.code(self.paint), &under);
        self.row(&format!("{left}{under}"));
    }

    /// The row where a bar ends, below the label's last character, and what the label says.
    fn ended(&mut self, mark: &LabelMark<'a>, column: usize) {
        let [across, _, _, corner, up] = mark.signs();
        let Some(bar) = mark.bar else { return };
        let left = self.bars_left_of(bar, |other| other.is_beside(mark.last_line));
        let under = format!("{corner}{}{up}", across.repeat(2 * (self.bars - bar) - 1 + column));
        let under = format!("{left}{}", self.paint.paint(mark.code(self.paint), &under));
        let beside = format!("{left}{}", "  ".repeat(self.bars - bar));
        self.says(mark, &visible_lines(mark.says), &under, &beside, (column, column + 1));
    }

    /// The row of a mark and what its label says, behind the mark or below it; `beside` are the bars
    /// that stand left of that.
    fn says(
        &mut self,
        mark: &LabelMark<'a>,
        says: &str,
        under: &str,
        beside: &str,
        (from, to): (usize, usize),
    ) {
        let code = mark.code(self.paint);
        if columns(says) <= self.room.saturating_sub(to + 1) {
            let says = self.paint.paint(code, says);
            return self.row(&format!("{under} {says}"));
        }
        self.row(under);
        for row in wrapped(says, self.room) {
            let indent = from.min(self.room.saturating_sub(columns(&row)));
            let says = self.paint.paint(code, &row);
            self.row(&format!("{beside}{}{says}", " ".repeat(indent)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "layer f(x) {\n    let a = x\n    let b = a\n}\nmodel m(x) {\n    f(x)\n}\n";

    /// The drawing of labels, each at the first place of a text and with what it says.
    fn drawn(labels: &[(&str, &str)], text: &str, width: usize) -> String {
        let label = |(index, (place, says)): (usize, &(&str, &str))| {
            let start = text.find(place).expect("a part of the text");
            let span = start..start + place.len();
            let says = Some(says.to_string());
            match index {
                0 => LabeledSpan::new_primary_with_span(says, span),
                _ => LabeledSpan::new_with_span(says, span),
            }
        };
        let labels: Vec<LabeledSpan> = labels.iter().enumerate().map(label).collect();
        let source = SnippetSource { name: "a.nn".into(), text: text.into() };
        let mut drawing = String::new();
        push(&mut drawing, &source, &labels, width, Paint { color: false, blame: 31 });
        drawing
    }

    #[test]
    fn a_label_over_several_lines_has_a_bar() {
        let body = "{\n    let a = x\n    let b = a\n}";
        let wanted = "    ╭─ a.nn:1:12
  1 │   layer f(x) {
    │ ┏━━━━━━━━━━━━┛
  2 │ ┃     let a = x
  3 │ ┃     let b = a
    │ ┃         ─ here
  4 │ ┃ }
    │ ┗━┛ no value
    ╰─
";
        assert_eq!(drawn(&[(body, "no value"), ("b", "here")], TEXT, 80), wanted);
    }

    #[test]
    fn bars_stand_beside_one_another_or_in_one_place() {
        let inner = "a = x\n    let b = a";
        let wanted = "    ╭─ a.nn:2:9
  1 │     layer f(x) {
    │ ┌───┘
  2 │ │       let a = x
    │ │ ┏━━━━━━━━━┛
  3 │ │ ┃     let b = a
    │ │ ┗━━━━━━━━━━━━━┛ inner
  4 │ │   }
    │ └───┘ outer
  5 │     model m(x) {
    │ ┌──────────────┘
  6 │ │       f(x)
  7 │ │   }
    │ └───┘ last
    ╰─
";
        let outer = &TEXT[..TEXT.find("\nmodel").unwrap()];
        let labels = [(inner, "inner"), (outer, "outer"), ("{\n    f(x)\n}", "last")];
        assert_eq!(drawn(&labels, TEXT, 80), wanted);
    }

    #[test]
    fn the_middle_of_a_long_label_is_left_out_and_nothing_is_too_wide() {
        let lines: String = (0..30).map(|it| format!("    let value_{it} = x\n")).collect();
        let text = format!("layer f(x) {{\n{lines}}}\n");
        let body = &text[text.find('{').unwrap()..text.len() - 1];
        let wide = drawn(&[(body, "no value")], &text, 80);
        assert!(
            wide.contains("  4 │ ┃     let value_2 = x\n    ┆ ┃\n 31 │ ┃     let value_29"),
            "{wide}"
        );
        let says = "words that need more than a row ".repeat(3);
        for width in 30..60 {
            let text = drawn(&[(body, &says), ("value_29 = x", &says)], &text, width);
            assert!(text.lines().all(|row| columns(row) <= width), "{width}:\n{text}");
        }
    }
}

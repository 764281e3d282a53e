//! Facts about a column whose meaning nobody has said: whether it holds numbers or texts, and what is
//! wrong where it holds both.
//!
//! ```text
//! 1  2  3        numbers              1  2  x   an error: a number in 2 rows, but not in 1
//! red  blue      texts                1  2  NA  the same, with `na: ["NA"]` as the way out
//!                                     $1  $2    an error: texts that are meant as numbers
//! ```

use std::collections::BTreeSet;

use rustc_hash::FxHashSet;

use super::cells::TableFormat;
use super::number::{OddCell, cut, finite, meant, number};
use crate::data::error::DataError;

/// A column of more different texts is no category.
pub const MOST_CATEGORIES: usize = 1000;
/// Words for a missing value that a message shows.
const MOST_WORDS: usize = 8;

/// Cells of a kind.
#[derive(Default)]
pub struct MetCells {
    /// How many there are.
    pub count: usize,
    /// The first one, with its line.
    first: Option<(u64, Vec<u8>)>,
}

impl MetCells {
    fn meet(&mut self, line: u64, cell: &[u8]) {
        self.count += 1;
        self.first.get_or_insert_with(|| (line, cell.to_vec()));
    }

    /// Adds those further down.
    fn append(&mut self, more: MetCells) {
        self.count += more.count;
        self.first = self.first.take().or(more.first);
    }
}

/// Facts about a column.
#[derive(Default)]
pub struct ColumnSurvey {
    numbers: MetCells,
    /// Cells without a value.
    pub missing: MetCells,
    /// Cells that are no numbers.
    pub texts: MetCells,
    /// Those of them that are meant as numbers.
    meant: MetCells,
    /// How many of them are words for a missing value, and the words.
    absent: usize,
    words: BTreeSet<Vec<u8>>,
    /// Different texts, as far as they are counted.
    pub different: FxHashSet<Vec<u8>>,
}

impl ColumnSurvey {
    /// Adds the facts about a cell.
    pub fn meet(&mut self, line: u64, cell: &[u8], format: &TableFormat) {
        let cell = cell.trim_ascii();
        if cell.is_empty() || format.na.iter().any(|na| na.as_bytes() == cell) {
            return self.missing.meet(line, cell);
        }
        self.count(cell);
        if finite(cell).is_some() {
            return self.numbers.meet(line, cell);
        }
        self.texts.meet(line, cell);
        match meant(cell) {
            OddCell::Number => self.meant.meet(line, cell),
            OddCell::Absent => {
                self.absent += 1;
                if self.words.len() < MOST_WORDS {
                    self.words.insert(cell.to_vec());
                }
            }
            OddCell::Text => {}
        }
    }

    /// Counts a text, unless enough are known.
    fn count(&mut self, cell: &[u8]) {
        if self.different.len() <= MOST_CATEGORIES && !self.different.contains(cell) {
            self.different.insert(cell.to_vec());
        }
    }

    /// Adds the facts about rows further down.
    pub fn append(&mut self, more: ColumnSurvey) {
        self.numbers.append(more.numbers);
        self.missing.append(more.missing);
        self.texts.append(more.texts);
        self.meant.append(more.meant);
        self.absent += more.absent;
        let left = MOST_WORDS - self.words.len();
        self.words.extend(more.words.into_iter().take(left));
        more.different.iter().for_each(|cell| self.count(cell));
    }

    /// Refuses a column that holds both numbers and texts, or texts that are meant as numbers.
    pub fn one_kind(&self, name: &str) -> Result<(), DataError> {
        let (numbers, texts) = (self.numbers.count, self.texts.count);
        match (&self.numbers.first, &self.texts.first) {
            (Some((line, number)), Some(_)) if numbers < texts - self.absent => {
                let message = format!(
                    "`{}` is a text in {}, but a number in {numbers}; the first is line {line}: `{}`",
                    cut(name),
                    rows(texts),
                    shown(number)
                );
                Err(DataError::new(message).help(as_category("mend the cells; if it holds texts")))
            }
            (Some(_), Some((line, text))) => {
                let message = format!(
                    "`{}` is a number in {}, but not in {}; the first is line {line}: `{}`",
                    cut(name),
                    rows(numbers),
                    texts,
                    shown(text)
                );
                Err(DataError::new(message).help(self.way_out(text)))
            }
            // All but a few: a text that is a number by chance makes no numbers of the others.
            _ if 2 * self.meant.count > texts - self.absent => {
                let Some((line, text)) = &self.meant.first else { return Ok(()) };
                let Err(error) = number(text) else { return Ok(()) };
                let column = cut(name);
                let message = format!("line {line}, column `{column}`: {}", error.message);
                let help = error.help.unwrap_or_default();
                Err(DataError::new(message)
                    .help(as_category(&format!("{help}; if it holds texts"))))
            }
            _ => Ok(()),
        }
    }

    /// Ways out for texts in a column of numbers.
    fn way_out(&self, first: &[u8]) -> String {
        if self.absent == self.texts.count {
            let words = self.words.iter().map(|word| format!("\"{}\"", shown(word)));
            let words = words.collect::<Vec<_>>().join(", ");
            return format!("if it means that there is no value, say so: `na: [{words}]`");
        }
        let is_odd = self.meant.count + self.absent == self.texts.count;
        let odd = self.meant.first.as_ref().filter(|_| is_odd);
        let help = match odd.map(|(_, cell)| number(cell)) {
            Some(Err(error)) => error.help.unwrap_or_default().into(),
            _ => format!(
                "mend the cells, or, if they mean that there is no value, `na: [\"{}\"]`",
                shown(first)
            ),
        };
        as_category(&format!("{help}; if it holds texts"))
    }

    /// Says that cells have no value, and what to do.
    pub fn without_values(&self, name: &str) -> DataError {
        let all = self.missing.count + self.numbers.count + self.texts.count;
        let message = format!(
            "`{}` has no value in {} of {all} rows; the first is line {}",
            cut(name),
            self.missing.count,
            self.missing.first.as_ref().map_or(0, |(line, _)| *line)
        );
        let word = match self.texts.count {
            0 => "numbers([…], missing: mean)",
            _ => "category(missing: unknown)",
        };
        let help = format!(
            "write the fields in braces and say what becomes of them: `{word}`, or `missing: drop`"
        );
        DataError::new(message).help(help)
    }
}

fn shown(cell: &[u8]) -> String {
    cut(&String::from_utf8_lossy(cell))
}

fn rows(count: usize) -> String {
    if count == 1 { "1 row".into() } else { format!("{count} rows") }
}

fn as_category(before: &str) -> String {
    format!("{before}, write the fields in braces and make it a `category`")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The message about a column, with its help.
    fn told(cells: &[&str]) -> Option<(String, String)> {
        let format = TableFormat { delimiter: b',', header: true, na: Vec::new() };
        let mut column = ColumnSurvey::default();
        for (line, cell) in (2..).zip(cells) {
            let mut next = ColumnSurvey::default();
            next.meet(line, cell.as_bytes(), &format);
            column.append(next);
        }
        let error = column.one_kind("a").err()?;
        Some((error.message.to_string(), error.help.unwrap_or_default().to_string()))
    }

    #[test]
    fn a_column_holds_numbers_or_texts() {
        for sound in [
            &["1", "-2.5", "", "1e3"][..],
            &["red", "blue", "NA"],
            &["none", "low", "50%"],
            &["2024-01-01", "2024-01-02"],
            &["A1", "B2", "12:30"],
        ] {
            assert_eq!(told(sound), None, "{sound:?}");
        }
        for (cells, wanted, help) in [
            (
                &["1", "2", "NA", "?"][..],
                "is a number in 2 rows, but not in 2; the first is line 4: `NA`",
                "na: [\"?\", \"NA\"]",
            ),
            (
                &["1", "2", "x"],
                "is a number in 2 rows, but not in 1; the first is line 4: `x`",
                "na: [\"x\"]",
            ),
            (
                &["x", "y", "1"],
                "is a text in 2 rows, but a number in 1; the first is line 4: `1`",
                "make it a `category`",
            ),
            (
                &["1", "NA", "NA", "NA"],
                "is a number in 1 row, but not in 3",
                "say so: `na: [\"NA\"]`",
            ),
            (
                &["$0.25", "$1.50"],
                "line 2, column `a`: `$0.25` is not a number",
                "write `0.25` in the file",
            ),
            (
                &["n. def.", "12,5", "13,5"],
                "line 3, column `a`: `12,5` is not a number",
                "write `12.5`",
            ),
            (
                &["NA", "7 %", "NA"],
                "line 3, column `a`: `7 %` is not a number",
                "make it a `category`",
            ),
            (
                &["1", "2", "3,5"],
                "is a number in 2 rows, but not in 1; the first is line 4: `3,5`",
                "write `3.5`",
            ),
            (&["1", "2", "1e39"], "the first is line 4: `1e39`", "larger unit"),
        ] {
            let (message, said) = told(cells).expect(wanted);
            assert!(message.contains(wanted) && said.contains(help), "{message}\n{said}");
        }
    }
}

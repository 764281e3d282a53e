//! Tables for a terminal: columns as wide as what is in them, numbers to the right.
//!
//! ```
//! # use nnc::base::table::{Table, TableColumn};
//! let mut table = Table::new([TableColumn::left("layer"), TableColumn::right("parameters")]);
//! table.row(["dense", "7 850"]);
//! assert_eq!(table.text(80), "layer  parameters\ndense       7 850\n");
//! ```
//!
//! A table that is wider than its reader's terminal goes on below with the columns that are left, the
//! first one again, as pandas prints it; a single column that does not fit is wrapped.

use super::fit::{cut, wrapped};
use console::measure_text_width as columns;

/// A column of a table.
#[derive(Clone, Debug)]
pub struct TableColumn {
    title: String,
    right: bool,
    least: usize,
    most: usize,
    gap: usize,
}

impl TableColumn {
    /// A column of texts.
    pub fn left(title: impl Into<String>) -> TableColumn {
        TableColumn { title: title.into(), right: false, least: 0, most: usize::MAX, gap: 2 }
    }

    /// A column of numbers, which end below one another.
    pub fn right(title: impl Into<String>) -> TableColumn {
        TableColumn { right: true, ..TableColumn::left(title) }
    }

    /// The same, never narrower, so that tables of alike contents look alike.
    pub fn at_least(self, least: usize) -> TableColumn {
        TableColumn { least, ..self }
    }

    /// The same; what is wider ends in `…`.
    pub fn at_most(self, most: usize) -> TableColumn {
        TableColumn { most, ..self }
    }

    /// The same with so many spaces before it instead of two.
    pub fn gap(self, gap: usize) -> TableColumn {
        TableColumn { gap, ..self }
    }
}

/// Rows of texts below the titles of their columns.
#[derive(Clone, Debug)]
pub struct Table {
    columns: Vec<TableColumn>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table without rows. Its titles are its first line.
    pub fn new(columns: impl IntoIterator<Item = TableColumn>) -> Table {
        let columns: Vec<TableColumn> = columns.into_iter().collect();
        let titles = columns.iter().map(|column| column.title.clone()).collect();
        Table { columns, rows: vec![titles] }
    }

    /// Adds a row; one that is short ends in empty cells.
    pub fn row<C: Into<String>>(&mut self, cells: impl IntoIterator<Item = C>) {
        let mut cells: Vec<String> = cells.into_iter().map(Into::into).collect();
        cells.resize(self.columns.len(), String::new());
        for (cell, column) in cells.iter_mut().zip(&self.columns) {
            if columns(cell) > column.most {
                *cell = cut(cell, 0, column.most);
            }
        }
        self.rows.push(cells);
    }

    /// The table as text of at most so many columns.
    pub fn text(&self, width: usize) -> String {
        let widths = self.widths(width);
        let mut blocks = Vec::new();
        let mut rest: Vec<usize> = (1..self.columns.len()).collect();
        loop {
            let mut total = widths[0];
            let fits = |&&column: &&usize| {
                total += self.columns[column].gap + widths[column];
                total <= width
            };
            // One at least, whose cells are wrapped into what the first leaves.
            let count = rest.iter().take_while(fits).count().max(1).min(rest.len());
            let next = rest.split_off(count);
            let block: Vec<usize> = std::iter::once(0).chain(rest).collect();
            blocks.push(self.block(&block, &widths));
            rest = next;
            if rest.is_empty() {
                return blocks.join("\n");
            }
        }
    }

    /// How wide each column is. Where one does not fit beside the first, both are narrowed.
    fn widths(&self, width: usize) -> Vec<usize> {
        let of = |index: usize| {
            let cells = self.rows.iter().map(|row| columns(&row[index])).max().unwrap_or(0);
            cells.max(self.columns[index].least)
        };
        let mut widths: Vec<usize> = (0..self.columns.len()).map(of).collect();
        let others = || self.columns.iter().zip(widths.iter()).skip(1);
        let widest = others().map(|(column, wide)| column.gap + wide).max().unwrap_or(0);
        if widths[0] + widest > width {
            let first = widths[0].min((width / 2).max(width.saturating_sub(widest)));
            for (column, wide) in self.columns.iter().zip(&mut widths).skip(1) {
                *wide = (*wide).min(width.saturating_sub(first + column.gap)).max(1);
            }
            widths[0] = first.max(1);
        }
        widths
    }

    /// Some columns of all rows.
    fn block(&self, block: &[usize], widths: &[usize]) -> String {
        let mut text = String::new();
        for row in &self.rows {
            let fit = |&column: &usize| match columns(&row[column]) > widths[column] {
                true => wrapped(&row[column], widths[column]),
                false => vec![row[column].clone()],
            };
            let cells: Vec<Vec<String>> = block.iter().map(fit).collect();
            for line in 0..cells.iter().map(Vec::len).max().unwrap_or(0) {
                let mut shown = String::new();
                for (place, &column) in block.iter().enumerate() {
                    let cell = cells[place].get(line).map_or("", String::as_str);
                    let pad = " ".repeat(widths[column].saturating_sub(columns(cell)));
                    let gap = if place == 0 { 0 } else { self.columns[column].gap };
                    let (before, after) =
                        if self.columns[column].right { (&pad[..], "") } else { ("", &pad[..]) };
                    shown.push_str(&format!("{:gap$}{before}{cell}{after}", ""));
                }
                text.push_str(shown.trim_end());
                text.push('\n');
            }
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        let columns =
            [TableColumn::left("run"), TableColumn::left("status"), TableColumn::right("loss")];
        let mut table = Table::new(columns.into_iter().chain([TableColumn::left("set")]));
        table.row(["runs/a", "finished", "0.25", "lr=1"]);
        table.row(["runs/much-longer", "failed", "12.5", ""]);
        table
    }

    #[test]
    fn columns_stand_below_their_titles() {
        let wanted = "\
run               status    loss  set
runs/a            finished  0.25  lr=1
runs/much-longer  failed    12.5
";
        assert_eq!(table().text(80), wanted);
    }

    #[test]
    fn what_does_not_fit_goes_on_below() {
        let wanted = "\
run               status
runs/a            finished
runs/much-longer  failed

run               loss  set
runs/a            0.25  lr=1
runs/much-longer  12.5
";
        assert_eq!(table().text(29), wanted);
        for width in 12..40 {
            let text = table().text(width);
            assert!(text.lines().all(|line| columns(line) <= width), "{width}:\n{text}");
            let signs = |text: &str| text.chars().filter(|c| !c.is_whitespace()).count();
            assert!(signs(&text) >= signs(&table().text(80)), "{width}:\n{text}");
        }
    }

    #[test]
    fn columns_have_bounds() {
        let columns =
            [TableColumn::left("a").at_most(4), TableColumn::right("b").at_least(3).gap(1)];
        let mut table = Table::new(columns);
        table.row(["abcdef", "1"]);
        assert_eq!(table.text(80), "a      b\nabc…   1\n");
    }
}

//! The columns of a source, four bytes a cell: in memory, or in a file of the cache where they are
//! large.
//!
//! ```text
//! memory   column 0, column 1, …, the rows' lines
//! file     rows 0..8192 of column 0, of column 1, …, rows 8192..16384 of column 0, …
//! ```
//!
//! Rows are appended in their order, and looked at in parts: some columns of some rows, in memory. Whoever
//! goes through rows in rising order reads each byte of a file once.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::{RawColumn, RawTable, RowFiles};
use crate::data::error::DataError;
use crate::data::origins::SampleOrigins;
use crate::data::positioned::read_at;
use crate::data::spill::Spill;

/// Rows of a column that lie one behind the other in the file.
const ROWS: usize = 8192;

/// Columns by name, and the place of each row as a user finds it: its line in a file.
#[derive(Debug)]
pub struct ColumnStore {
    columns: Vec<StoredColumn>,
    /// The place of each column by its name.
    places: FxHashMap<String, usize>,
    /// The cells of the rows that are in no file, column by column; behind the columns, the lines.
    cells: Vec<Vec<u32>>,
    rows: usize,
    /// The first rows, where they are too many for memory, and how many those are.
    file: Option<(File, usize)>,
    spill: Spill,
    files: RowFiles,
}

/// A column's name, and the different texts of one of texts.
#[derive(Debug)]
struct StoredColumn {
    name: String,
    texts: Option<Arc<Vec<String>>>,
}

impl ColumnStore {
    /// No rows of so many columns yet.
    pub fn new(columns: usize, spill: Spill) -> ColumnStore {
        let cells = vec![Vec::new(); columns + 1];
        let files = RowFiles::default();
        let (columns, places) = (Vec::new(), FxHashMap::default());
        ColumnStore { columns, places, cells, rows: 0, file: None, spill, files }
    }

    /// Says that the rows that come next are a file's.
    pub fn begin_file(&mut self, path: &Path) {
        self.files.begin(self.rows, path);
    }

    /// An error about a row, which names its file.
    pub fn error_of(&self, row: usize, message: impl Into<String>) -> DataError {
        self.files.error_of(row, message)
    }

    /// An error about a row, which names its file and line.
    pub fn error_at(&self, row: u32, reason: &str) -> DataError {
        match self.lines(&[row]) {
            Ok(lines) => self.error_of(row as usize, format!("line {}: {reason}", lines[0])),
            Err(error) => error,
        }
    }

    /// The places of rows as a user finds them: their lines in their files.
    pub fn lines(&self, rows: &[u32]) -> Result<Vec<u32>, DataError> {
        self.cells(self.cells.len() - 1, rows)
    }

    /// Where samples are from that begin with these rows, a row each, in order.
    pub fn origins(&self, rows: &[u32]) -> Result<SampleOrigins, DataError> {
        Ok(self.files.origins(rows, self.lines(rows)?))
    }

    /// Appends rows: for each column the bits of `f32` numbers or the places of texts, then the lines.
    pub fn append(&mut self, more: Vec<Vec<u32>>) -> Result<(), DataError> {
        self.rows += more.last().map_or(0, Vec::len);
        self.cells.iter_mut().zip(more).for_each(|(cells, more)| cells.extend(more));
        if self.file.is_none() && !self.spill.takes(4 * self.rows * self.cells.len()) {
            return Ok(());
        }
        self.write()
    }

    /// Moves whole runs of rows to the file.
    fn write(&mut self) -> Result<(), DataError> {
        let (file, written) = match &mut self.file {
            Some(file) => file,
            none => none.insert((self.spill.file()?, 0)),
        };
        let runs = self.cells[0].len() / ROWS;
        for run in 0..runs {
            let run = self.cells.iter().flat_map(|cells| &cells[run * ROWS..][..ROWS]);
            let bytes: Vec<u8> = run.flat_map(|cell| cell.to_le_bytes()).collect();
            file.write_all(&bytes).map_err(lost)?;
        }
        *written += runs * ROWS;
        for cells in &mut self.cells {
            cells.drain(..runs * ROWS);
            cells.shrink_to(2 * ROWS);
        }
        Ok(())
    }

    /// Names the columns, those of texts with their different texts.
    pub fn name(&mut self, columns: impl Iterator<Item = (String, Option<Vec<String>>)>) {
        let column = |(name, texts): (_, Option<Vec<String>>)| StoredColumn {
            name,
            texts: texts.map(Arc::new),
        };
        self.columns = columns.map(column).collect();
        let names = self.columns.iter().map(|column| column.name.clone());
        self.places = names.zip(0..).collect();
    }

    /// The number of rows.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Whether rows are in a file.
    pub fn is_stored(&self) -> bool {
        self.file.is_some()
    }

    /// The numbers of all rows.
    pub fn all(&self) -> Vec<u32> {
        (0..self.rows as u32).collect()
    }

    /// The names of all columns.
    pub fn names(&self) -> Vec<String> {
        self.columns.iter().map(|column| column.name.clone()).collect()
    }

    /// Some columns of some rows, in memory.
    pub fn part(&self, columns: &[String], rows: &[u32]) -> Result<RawTable, DataError> {
        let column = |name: &String| {
            let place = self.places.get(name).copied();
            let place = place.expect("columns are read that are asked for");
            let cells = self.cells(place, rows)?;
            let column = match &self.columns[place].texts {
                Some(texts) => RawColumn::Texts { ids: cells, names: texts.clone() },
                None => RawColumn::Numbers(cells.into_iter().map(f32::from_bits).collect()),
            };
            Ok((name.clone(), column))
        };
        let columns = columns.iter().map(column).collect::<Result<_, DataError>>()?;
        Ok(RawTable { columns, rows: rows.len() })
    }

    /// The cells of a column in some rows.
    fn cells(&self, column: usize, rows: &[u32]) -> Result<Vec<u32>, DataError> {
        let Some((file, written)) = &self.file else {
            return Ok(rows.iter().map(|&row| self.cells[column][row as usize]).collect());
        };
        let (mut run, mut bytes) = (usize::MAX, vec![0; 4 * ROWS]);
        let mut cells = Vec::with_capacity(rows.len());
        for row in rows.iter().map(|&row| row as usize) {
            if row >= *written {
                cells.push(self.cells[column][row - written]);
                continue;
            }
            if row / ROWS != run {
                run = row / ROWS;
                let place = (run * self.cells.len() + column) * bytes.len();
                read_at(file, &mut bytes, place as u64).map_err(lost)?;
            }
            let (words, _) = bytes.as_chunks::<4>();
            cells.push(u32::from_le_bytes(words[row % ROWS]));
        }
        Ok(cells)
    }
}

fn lost(error: std::io::Error) -> DataError {
    DataError::new(format!("the cache cannot keep the cells of a large table: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_in_a_file_are_those_in_memory() {
        let folder = tempfile::tempdir().unwrap();
        let filled = |spill: Spill| {
            let mut store = ColumnStore::new(2, spill);
            let mut row = 0u32;
            for count in [5000, 1, 9000, 20_000, 300] {
                let rows = row..row + count;
                row += count;
                let numbers = rows.clone().map(|row| (row as f32).to_bits()).collect();
                let ids = rows.clone().map(|row| row % 3).collect();
                store.append(vec![numbers, ids, rows.map(|row| row + 2).collect()]).unwrap();
            }
            let texts = ["x", "y", "z"].map(str::to_owned).to_vec();
            store.name([("n".to_owned(), None), ("t".to_owned(), Some(texts))].into_iter());
            store
        };
        let (memory, file) = (filled(Spill::never()), filled(Spill::above(100_000, folder.path())));
        assert!(file.is_stored() && !memory.is_stored());
        assert_eq!(file.file.as_ref().unwrap().1, 4 * ROWS, "whole runs");
        let names = memory.names();
        for rows in [memory.all(), vec![34_300, 0, 8191, 8192, 16_384, 3], Vec::new()] {
            assert_eq!(memory.part(&names, &rows).unwrap(), file.part(&names, &rows).unwrap());
            assert_eq!(memory.lines(&rows).unwrap(), file.lines(&rows).unwrap());
        }
    }
}

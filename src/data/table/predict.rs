//! Rows of tables as samples to predict, by the recipes of a run's fields.

use std::path::Path;

use rustc_hash::{FxHashMap, FxHashSet};

use super::cells::TableFormat;
use super::reader::{self, CellKind};
use crate::base::schema::{CellMeaning, Field};
use crate::data::error::DataError;
use crate::data::fields::{Cells, ColumnStore};
use crate::data::input::{
    GivenInput, InputContent, InputPlace, InputReader, InputRequest, InputSample,
};
use crate::data::request::Arguments;

/// Reads rows of tables.
pub struct RowInputs {
    columns: InputColumns,
    fields: Vec<Field>,
}

impl RowInputs {
    /// For a model that reads fields made of columns.
    pub fn new(asked: &InputRequest<'_>) -> Result<RowInputs, DataError> {
        let fields = asked.wanted.clone();
        Ok(RowInputs { columns: InputColumns::new(asked.args, &fields)?, fields })
    }
}

impl InputReader for RowInputs {
    fn fields(&self) -> &[Field] {
        &self.fields
    }

    fn place_name(&self) -> &'static str {
        "row"
    }

    fn samples(&self, given: &GivenInput) -> Vec<InputSample> {
        let read = given.with_file(|path| {
            let (store, wrong) = self.columns.read(path)?;
            let rows = store.all();
            Ok((store.part(&store.names(), &rows)?, store.lines(&rows)?, wrong))
        });
        let (table, lines, wrong) = match read {
            Ok(read) => read,
            Err(error) => return given.failed(error),
        };
        let cells: Vec<Cells<'_>> =
            self.fields.iter().map(|field| Cells::new(field, &table)).collect();
        let content = |row: usize| -> Result<Vec<Vec<u8>>, String> {
            match wrong.get(&row) {
                Some(reason) => Err(reason.clone()),
                None => cells.iter().map(|cells| bytes_of(cells, row)).collect(),
            }
        };
        let sample = |row: usize| InputSample {
            path: given.path().to_path_buf(),
            place: InputPlace::Line(lines[row]),
            content: content(row).map_or_else(InputContent::Unreadable, InputContent::Fields),
        };
        (0..table.rows).map(sample).collect()
    }
}

/// The bytes of a field in a row.
fn bytes_of(cells: &Cells<'_>, row: usize) -> Result<Vec<u8>, String> {
    let mut out = Vec::new();
    cells.write(row, &mut out).map(|()| out)
}

/// The columns that the fields of a run are made of, to be read of other tables.
pub struct InputColumns {
    format: TableFormat,
    wanted: Vec<(String, CellKind)>,
}

impl InputColumns {
    /// Of fields that are made of columns; the arguments name the format.
    pub fn new(args: &Arguments<'_>, fields: &[Field]) -> Result<InputColumns, DataError> {
        let mut wanted: Vec<(String, CellKind)> = Vec::new();
        let mut known = FxHashSet::default();
        for field in fields {
            let recipe = field.recipe.as_deref().ok_or_else(|| {
                DataError::new(format!("nothing says how `{}` is made of columns", field.name))
                    .help("train the model anew: an earlier version wrote this run")
            })?;
            let kind = match recipe.value {
                CellMeaning::Number => CellKind::Number,
                _ => CellKind::Text,
            };
            for column in &recipe.columns {
                if known.insert(column) {
                    wanted.push((column.clone(), kind));
                }
            }
        }
        Ok(InputColumns { format: super::format(args)?, wanted })
    }

    /// Reads a file: its columns, and the rows with a cell that is no value, each with the first reason.
    pub fn read(&self, path: &Path) -> Result<(ColumnStore, FxHashMap<usize, String>), DataError> {
        let mut wrong = Vec::new();
        let store = reader::read_leniently(path, &self.format, &self.wanted, &mut wrong)?;
        let mut reasons = FxHashMap::default();
        for (row, reason) in wrong {
            reasons.entry(row).or_insert(reason);
        }
        Ok((store, reasons))
    }
}

//! Rows of tables as samples to predict, by the recipes of a run's fields.

use std::path::Path;

use super::reader::{self, CellKind};
use crate::base::schema::{CellMeaning, Field};
use crate::data::error::DataError;
use crate::data::fields::Cells;
use crate::data::request::{Arguments, SourceRequest};
use crate::data::source::SampleSource;

/// A row: the bytes of each field, or why there are none.
pub type RowSample = Result<Vec<Vec<u8>>, String>;

/// The rows of a file, each with its line and its fields' bytes. A row with a cell that is no value has
/// the reason in their stead; the others are not worse for it.
pub fn rows(
    request: &SourceRequest,
    fields: &[Field],
    path: &Path,
) -> Result<Vec<(u32, RowSample)>, DataError> {
    let args = Arguments::new(request, super::Csv.arguments())?;
    let format = super::format(&args)?;
    let mut wanted: Vec<(String, CellKind)> = Vec::new();
    for recipe in fields.iter().filter_map(|field| field.recipe.as_deref()) {
        let kind = match recipe.value {
            CellMeaning::Number => CellKind::Number,
            _ => CellKind::Text,
        };
        for column in &recipe.columns {
            if !wanted.iter().any(|(name, _)| name == column) {
                wanted.push((column.clone(), kind));
            }
        }
    }
    let mut wrong = Vec::new();
    let table = reader::read_leniently(path, &format, &wanted, &mut wrong)?;
    let cells: Vec<Cells<'_>> = fields.iter().map(|field| Cells::new(field, &table)).collect();
    let sample = |row: usize| -> RowSample {
        if let Some((_, reason)) = wrong.iter().find(|(at, _)| *at == row) {
            return Err(reason.clone());
        }
        let bytes = |cells: &Cells<'_>| {
            let mut out = Vec::new();
            cells.write(row, &mut out).map(|()| out)
        };
        cells.iter().map(bytes).collect()
    };
    Ok((0..table.rows()).map(|row| (table.lines[row], sample(row))).collect())
}

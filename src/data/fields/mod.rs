//! Fields of samples from columns of values: what a program asks of each ([`plan`]), the numbers that
//! are fitted on the training rows ([`fit`]), and the bytes that samples are made of ([`build`]).
//!
//! ```text
//! price = number("Price") |> log1p |> standardize as target
//!
//! FieldPlan     column "Price", Number, refuse missing cells, [Log1p, Standardize]
//! FieldRecipe   the same with mean and deviation of the training rows        → the schema
//! bytes         an f32 a row                                                 → samples
//! ```
//!
//! Sources fill a [`ColumnStore`] and know nothing of fields; what is fitted and built looks at parts of
//! it, a column or some rows at a time, so that a table need not fit into memory. A recipe makes of
//! other rows what it made of those it was fitted on, to the bit.

mod build;
mod date;
mod fit;
mod lengths;
mod plan;
mod splits;
mod store;

pub use build::{BuiltField, Cells};
pub use lengths::sample_buckets;
pub use plan::{FieldPlan, MeaningPlan, MissingPlan, TRANSFORMS, TransformPlan, plans};
pub use splits::{RowSplits, SplitPlan};
pub use store::ColumnStore;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::error::DataError;
use super::origins::SampleOrigins;
use super::spill::Spill;
use crate::base::schema::Field;

/// The values of a column, row by row.
#[derive(Clone, Debug, PartialEq)]
pub enum RawColumn {
    /// Numbers; one that is not a number is missing.
    Numbers(Vec<f32>),
    /// Texts, by their places among `names`; [`MISSING_TEXT`] is missing.
    Texts {
        /// The place of each row's text.
        ids: Vec<u32>,
        /// The different texts, in the order in which they come up.
        names: Arc<Vec<String>>,
    },
}

/// A text that is not there.
pub const MISSING_TEXT: u32 = u32::MAX;

impl RawColumn {
    /// Whether a row has no value.
    pub fn is_missing(&self, row: usize) -> bool {
        match self {
            RawColumn::Numbers(values) => values[row].is_nan(),
            RawColumn::Texts { ids, .. } => ids[row] == MISSING_TEXT,
        }
    }
}

/// Columns of a source by name, of some of its rows.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RawTable {
    /// The columns that were asked for.
    pub columns: Vec<(String, RawColumn)>,
    /// The number of rows.
    pub rows: usize,
}

/// The files that rows are read from, each with the number of its first row, in order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RowFiles(Vec<(usize, PathBuf)>);

impl RowFiles {
    /// Says that a file's rows begin with this one.
    pub fn begin(&mut self, row: usize, path: &Path) {
        self.0.push((row, path.to_path_buf()));
    }

    /// An error about a row, which names its file.
    pub fn error_of(&self, row: usize, message: impl Into<String>) -> DataError {
        let behind = self.0.partition_point(|(first, _)| *first <= row);
        let error = DataError::new(message);
        match self.0[..behind].last() {
            Some((_, path)) => error.path(path),
            None => error,
        }
    }

    /// Where samples are from that begin with these rows, on these lines, a row each, in order.
    pub fn origins(&self, rows: &[u32], lines: Vec<u32>) -> SampleOrigins {
        let first = |first: usize| rows.partition_point(|&row| (row as usize) < first) as u32;
        let files = self.0.iter().map(|(row, file)| (file.clone(), first(*row)));
        SampleOrigins::Lines { files: files.collect(), lines }
    }
}

impl RawTable {
    /// A column, as it was asked for.
    pub fn column(&self, name: &str) -> &RawColumn {
        &self.columns[self.place(name, 0)].1
    }

    /// The place of a column, which is probably the guess.
    fn place(&self, name: &str, guess: usize) -> usize {
        let has_name = |(known, _): &(String, RawColumn)| known == name;
        if self.columns.get(guess).is_some_and(has_name) {
            return guess;
        }
        self.columns.iter().position(has_name).expect("columns are read that are asked for")
    }

    /// Several columns, which mostly follow one another.
    pub fn several(&self, names: &[String]) -> Vec<&RawColumn> {
        let mut next = 0;
        let mut column = |name: &String| {
            let place = self.place(name, next);
            next = place + 1;
            &self.columns[place].1
        };
        names.iter().map(&mut column).collect()
    }
}

/// The rows that samples are made of, and a line for each field that rows are left out for: those
/// without a target, and those that a field says are to be left out.
pub fn kept_rows(
    plans: &[FieldPlan],
    table: &ColumnStore,
) -> Result<(Vec<u32>, Vec<String>), DataError> {
    let mut kept = vec![true; table.rows()];
    let mut notes = Vec::new();
    for plan in plans.iter().filter(|plan| plan.is_target || plan.missing == MissingPlan::Drop) {
        let missing = missing_rows(plan, table)?;
        missing.iter().for_each(|&row| kept[row] = false);
        if !missing.is_empty() {
            let rows = if missing.len() == 1 { "row" } else { "rows" };
            let name = &plan.name;
            notes.push(format!("{} {rows} without `{name}` are left out", missing.len()));
        }
    }
    let rows = kept.iter().zip(0u32..).filter(|(kept, _)| **kept).map(|(_, row)| row);
    Ok((rows.collect(), notes))
}

/// The rows in which a column of a field has no value.
pub fn missing_rows(plan: &FieldPlan, table: &ColumnStore) -> Result<Vec<usize>, DataError> {
    let mut missing = Vec::new();
    for rows in table.all().chunks(PART) {
        let part = table.part(&plan.columns, rows)?;
        let is_missing = |&row: &usize| part.columns.iter().any(|(_, it)| it.is_missing(row));
        missing.extend((0..rows.len()).filter(is_missing).map(|row| rows[row] as usize));
    }
    Ok(missing)
}

/// Rows of a table that are in memory at once.
const PART: usize = 1 << 17;

/// Fields fitted on the rows to train on, or as an earlier run fitted them, and built for all rows
/// that are kept: inputs first, then targets.
pub fn built_fields(
    plans: &[FieldPlan],
    table: &ColumnStore,
    (kept, train): (&[u32], &[u32]),
    fitted: Option<&[Field]>,
    spill: &Spill,
    oddities: &mut Vec<String>,
) -> Result<Vec<BuiltField>, DataError> {
    let mut built = Vec::new();
    for plan in plans {
        let at_field = |error: DataError| error.maybe_field(plan.place);
        refuse_missing(plan, table, kept).map_err(at_field)?;
        let known = fitted.and_then(|fields| fields.iter().find(|field| field.name == plan.name));
        let field = match known.filter(|field| field.recipe.is_some()) {
            Some(field) => field.clone(),
            None => fit::fit(plan, table, train, oddities).map_err(at_field)?,
        };
        lengths::refuse_longer(&field, plan, table, kept).map_err(at_field)?;
        built.push(build::build(&field, table, kept, spill).map_err(at_field)?);
    }
    built.sort_by_key(|built| built.field.is_target);
    Ok(built)
}

/// Refuses cells without a value where nothing says what becomes of them.
fn refuse_missing(plan: &FieldPlan, table: &ColumnStore, kept: &[u32]) -> Result<(), DataError> {
    if plan.missing != MissingPlan::Refuse || plan.is_target {
        return Ok(());
    }
    let missing = missing_rows(plan, table)?;
    let mut missing = missing.into_iter().filter(|&row| kept.binary_search(&(row as u32)).is_ok());
    let Some(first) = missing.next() else { return Ok(()) };
    let (count, rows) = (1 + missing.count(), kept.len());
    let line = table.lines(&[first as u32])?[0];
    let name = &plan.name;
    let message =
        format!("`{name}` has no value in {count} of {rows} rows; the first is line {line}");
    let ways = match plan.meaning {
        MeaningPlan::Number => {
            "`missing: mean`, `median`, `mode`, a number, or `drop` for the rows"
        }
        MeaningPlan::Category { closed: false } => {
            "`missing: unknown`, `mode`, or `drop` for the rows"
        }
        MeaningPlan::Category { closed: true } => "`missing: mode`, or `drop` for the rows",
        MeaningPlan::Date(_) => "`missing: drop` for the rows",
        MeaningPlan::Text { .. } => "`missing: empty`, or `drop` for the rows",
    };
    let error = table.error_of(first, message);
    Err(error.help(format!("say what becomes of it: {ways}")))
}

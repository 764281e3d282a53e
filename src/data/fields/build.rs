//! The bytes of a field, row by row, by its recipe.
//!
//! ```text
//! recipe "price", Log1p, Standardize { 7.79, 1.01 }      row 326.0  →  f32 −1.98
//! ```
//!
//! Numbers go from one transform to the next in `f64` and are rounded once, so rows of a prediction
//! get the bits that rows of training got.

use super::date::Date;
use super::lengths::buckets_of;
use super::{ColumnStore, MISSING_TEXT, PART, RawColumn, RawTable};
use crate::base::schema::{
    CellMeaning, DatePart, Field, FieldRecipe, FieldTransform, LengthBuckets, MissingValue, PADDING,
};
use crate::base::shown::Show;
use crate::data::error::DataError;
use crate::data::samples::Column;
use crate::data::spill::{ColumnWriter, Spill};
use crate::data::text::Encoder;
use rayon::prelude::*;
use rustc_hash::FxHashMap;

/// A field with the bytes of all rows.
#[derive(Clone, Debug)]
pub struct BuiltField {
    /// The field.
    pub field: Field,
    /// Each row's bytes in turn, little-endian.
    pub column: Column,
    /// The bucket of each row, where there are some.
    pub buckets: Vec<u8>,
}

/// The bytes of a field for some rows, in order: in a file where the table is in one or the field is as
/// large, but for targets, whose classes are counted. An error names the row's file and line.
pub fn build(
    field: &Field,
    table: &ColumnStore,
    rows: &[u32],
    spill: &Spill,
) -> Result<BuiltField, DataError> {
    let recipe = field.recipe.as_deref().expect("the field is made of columns");
    let part = |rows: &[u32]| {
        let part = table.part(&recipe.columns, rows)?;
        let cells = Cells::new(field, &part);
        let mut bytes = Vec::with_capacity(rows.len() * field.bytes());
        for (place, &row) in rows.iter().enumerate() {
            cells.write(place, &mut bytes).map_err(|reason| table.error_at(row, &reason))?;
        }
        Ok(bytes)
    };
    let size = rows.len().saturating_mul(field.bytes());
    let mut writer = match (table.is_stored() || spill.takes(size)) && !field.is_target {
        true => ColumnWriter::File(spill.file()?, Box::default()),
        false => ColumnWriter::Memory(Vec::with_capacity(in_memory(size, field, rows)?)),
    };
    let mut buckets = Vec::new();
    let rows_at_once = (PART_BYTES / field.bytes().max(1)).clamp(1, PART);
    for rows in rows.chunks(rows_at_once) {
        let parts: Vec<Result<Vec<u8>, DataError>> =
            rows.par_chunks(rows_at_once.div_ceil(PIECES)).map(part).collect();
        // Of several errors that of the first row is told.
        for part in parts {
            let part = part?;
            buckets.extend(buckets_of(field, &part));
            writer.push(&part)?;
        }
    }
    Ok(BuiltField { field: field.clone(), column: writer.finish(field.bytes()), buckets })
}

/// Bytes of a field that are built at once, in pieces that threads take.
const PART_BYTES: usize = 64 << 20;
const PIECES: usize = 16;
/// Bytes that a field has at most in memory.
const MOST_BYTES: usize = 1 << 35;

/// The bytes of a field that is kept in memory, unless they are too many.
fn in_memory(size: usize, field: &Field, rows: &[u32]) -> Result<usize, DataError> {
    if size <= MOST_BYTES {
        return Ok(size);
    }
    let message = format!("{} rows of {} bytes are more than fit", rows.len(), field.bytes());
    Err(DataError::new(message).help("make the field's `length`, or its largest bucket, smaller"))
}

/// The cells that a field is made of.
pub struct Cells<'a> {
    recipe: &'a FieldRecipe,
    columns: Vec<&'a RawColumn>,
    /// The class of each text of the column, where the field is a category.
    classes: Vec<Option<usize>>,
    /// Cuts the texts of the column, where the field is one.
    encoder: Option<Encoder<'a>>,
    /// The buckets that they go into, where there are some.
    buckets: Option<&'a LengthBuckets>,
    /// Numbers of a row.
    width: usize,
    is_class: bool,
    /// Classes of the vector that each class becomes, where it becomes one.
    one_hot: Option<usize>,
}

impl<'a> Cells<'a> {
    /// Of a field that has a recipe.
    pub fn new(field: &'a Field, table: &'a RawTable) -> Cells<'a> {
        let recipe = field.recipe.as_deref().expect("the field is made of columns");
        let columns = table.several(&recipe.columns);
        let classes = match (&recipe.value, columns[0]) {
            (CellMeaning::Category { names, closed }, RawColumn::Texts { names: texts, .. }) => {
                let known: FxHashMap<&str, usize> =
                    names.iter().enumerate().map(|(class, name)| (name.as_str(), class)).collect();
                let first = usize::from(!closed);
                let unknown = if *closed { None } else { Some(0) };
                let class = |text: &String| {
                    known.get(text.as_str()).copied().filter(|&it| it >= first).or(unknown)
                };
                texts.iter().map(class).collect()
            }
            _ => Vec::new(),
        };
        let encoder = match &recipe.value {
            CellMeaning::Text { tokens, .. } => Some(Encoder::new(tokens)),
            _ => None,
        };
        let is_one_hot = recipe.transforms.last() == Some(&FieldTransform::OneHot);
        let one_hot = field.shape.last().copied().filter(|_| is_one_hot);
        let is_class = field.as_class().is_some();
        let (width, buckets) = (recipe.width(), field.buckets());
        Cells { recipe, columns, classes, encoder, buckets, width, is_class, one_hot }
    }

    /// Appends a row's bytes. An error is a reason in plain words.
    pub fn write(&self, row: usize, out: &mut Vec<u8>) -> Result<(), String> {
        if let Some(encoder) = &self.encoder {
            return self.write_text(encoder, row, out);
        }
        for index in 0..self.width {
            let number = self.number(row, index)?;
            if let Some(classes) = self.one_hot {
                for class in 0..classes {
                    out.extend(f32::from(u8::from(class as f64 == number)).to_le_bytes());
                }
            } else if self.is_class {
                out.extend((number as i32).to_le_bytes());
            } else {
                out.extend((number as f32).to_le_bytes());
            }
        }
        Ok(())
    }

    /// Appends the positions of a row's text.
    fn write_text(
        &self,
        encoder: &Encoder<'_>,
        row: usize,
        out: &mut Vec<u8>,
    ) -> Result<(), String> {
        let text = match self.columns[0] {
            RawColumn::Texts { ids, names } if ids[row] != MISSING_TEXT => {
                &names[ids[row] as usize]
            }
            _ if self.recipe.missing == MissingValue::Unknown => "",
            _ => return Err(self.is_missing(0)),
        };
        let tokens = encoder.encode(text);
        let cuts = self.buckets.is_none_or(|buckets| buckets.cut);
        if tokens.len() > self.width && !cuts {
            let (column, tokens) = (self.name(0).shown(), tokens.len());
            return Err(format!(
                "`{column}` has {tokens} tokens, which the largest bucket of {} does not hold",
                self.width
            ));
        }
        let tokens = tokens.into_iter().map(|token| token + 1);
        let positions = tokens.chain(std::iter::repeat(PADDING)).take(self.width);
        out.extend(positions.flat_map(i32::to_le_bytes));
        Ok(())
    }

    /// A number of a row behind all transforms.
    fn number(&self, row: usize, index: usize) -> Result<f64, String> {
        let cell = self.cell(row, index)?;
        let end = self.recipe.transforms.iter().fold(cell, |x, it| it.apply(index, x));
        if !(end as f32).is_finite() {
            let column = self.name(index).shown().to_string();
            return Err(format!("`{column}` is {cell}, of which the transforms make {end}"));
        }
        Ok(end)
    }

    /// A cell as a number before the transforms: a class, where the field is a category.
    pub fn cell(&self, row: usize, index: usize) -> Result<f64, String> {
        match (&self.recipe.value, self.columns[if self.columns.len() == 1 { 0 } else { index }]) {
            (CellMeaning::Number, RawColumn::Numbers(values)) => {
                let value = values[row];
                if value.is_nan() { self.filled(index) } else { Ok(f64::from(value)) }
            }
            (CellMeaning::Category { .. }, RawColumn::Texts { ids, names }) => match ids[row] {
                MISSING_TEXT => self.missing_class(),
                id => self.classes[id as usize].map(|class| class as f64).ok_or_else(|| {
                    let (text, column) = (names[id as usize].shown(), self.name(0).shown());
                    format!("`{text}` of `{column}` is in no row to train on")
                }),
            },
            (CellMeaning::Date(parts), RawColumn::Texts { ids, names }) => match ids[row] {
                MISSING_TEXT => Err(self.is_missing(0)),
                id => self.date(&names[id as usize], parts[index]),
            },
            _ => Err(format!("`{}` has values of another kind", self.name(index).shown())),
        }
    }

    fn date(&self, text: &str, part: DatePart) -> Result<f64, String> {
        Date::read(text).map(|date| f64::from(date.part(part))).ok_or_else(|| {
            let column = self.name(0).shown().to_string();
            format!(
                "`{}` of `{column}` is no date such as 2024-02-29 or 2024-02-29 13:45",
                text.shown()
            )
        })
    }

    fn name(&self, index: usize) -> &str {
        &self.recipe.columns[if self.recipe.columns.len() == 1 { 0 } else { index }]
    }

    fn filled(&self, index: usize) -> Result<f64, String> {
        match &self.recipe.missing {
            MissingValue::Fill(values) => Ok(f64::from(values[index])),
            _ => Err(self.is_missing(index)),
        }
    }

    fn missing_class(&self) -> Result<f64, String> {
        match &self.recipe.missing {
            MissingValue::Unknown => Ok(0.0),
            MissingValue::Category(class) => Ok(*class as f64),
            _ => Err(self.is_missing(0)),
        }
    }

    fn is_missing(&self, index: usize) -> String {
        format!("`{}` has no value", self.name(index).shown())
    }
}

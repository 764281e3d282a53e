//! Texts of differing lengths: the bucket of each row, and rows that no bucket holds.
//!
//! ```text
//! bucket([4, 8])   "to be" → 5 tokens → bucket 1, three positions of padding
//! ```

use super::plan::FieldPlan;
use super::{ColumnStore, MISSING_TEXT, PART, RawColumn};
use crate::base::schema::{CellMeaning, Field, PADDING};
use crate::data::error::DataError;
use crate::data::text::Encoder;
use rayon::prelude::*;

/// The bucket of each row whose positions these bytes are; none where the field has no buckets.
pub fn buckets_of(field: &Field, bytes: &[u8]) -> Vec<u8> {
    let Some(buckets) = field.buckets() else { return Vec::new() };
    let of_row = |row: &[u8]| {
        let (words, _) = row.as_chunks::<4>();
        let positions = words.iter().take_while(|word| i32::from_le_bytes(**word) != PADDING);
        u8::try_from(buckets.of(positions.count())).expect("a field has few buckets")
    };
    bytes.chunks_exact(field.bytes()).map(of_row).collect()
}

/// The bucket of each sample: the first that holds the texts of all fields. None where no field has
/// buckets.
pub fn sample_buckets<'a>(of_fields: impl Iterator<Item = &'a Vec<u8>>) -> Vec<u8> {
    let fields = of_fields.filter(|buckets| !buckets.is_empty());
    let both = |a: Vec<u8>, b: Vec<u8>| a.into_iter().zip(b).map(|(a, b)| a.max(b)).collect();
    fields.cloned().reduce(both).unwrap_or_default()
}

/// Refuses texts that are longer than the largest bucket, unless they are cut.
pub fn refuse_longer(
    field: &Field,
    plan: &FieldPlan,
    table: &ColumnStore,
    rows: &[u32],
) -> Result<(), DataError> {
    let recipe = field.recipe.as_deref().expect("the field is made of columns");
    let CellMeaning::Text { tokens, length, buckets: Some(buckets) } = &recipe.value else {
        return Ok(());
    };
    if buckets.cut {
        return Ok(());
    }
    let encoder = Encoder::new(tokens);
    let (mut longer, mut longest) = (0, (*length, 0));
    for rows in rows.chunks(PART) {
        let part = table.part(&recipe.columns, rows)?;
        let RawColumn::Texts { ids, names } = part.column(&recipe.columns[0]) else { continue };
        let sizes: Vec<usize> = names.par_iter().map(|text| encoder.encode(text).len()).collect();
        for (&row, &id) in rows.iter().zip(ids).filter(|(_, id)| **id != MISSING_TEXT) {
            let size = sizes[id as usize];
            longer += usize::from(size > *length);
            if size > longest.0 {
                longest = (size, row);
            }
        }
    }
    if longer == 0 {
        return Ok(());
    }
    let (size, row) = longest;
    let others = match longer {
        1 => String::new(),
        _ => format!("; so are {} more", longer - 1),
    };
    let name = &plan.name;
    let reason = format!(
        "`{name}` has {size} tokens, which the largest bucket of {length} does not hold{others}"
    );
    let mut lengths = buckets.lengths.clone();
    lengths.push(size.next_multiple_of(ROUND));
    let help = format!(
        "add a larger one, `bucket({lengths:?})`, or cut what is longer, `bucket({:?}, longer: cut)`",
        buckets.lengths
    );
    let error = table.error_at(row, &reason).argument("lengths").instead(format!("{lengths:?}"));
    let error = error.help(help);
    Err(match plan.bucket {
        Some(place) => error.transform(place),
        None => error,
    })
}

/// Lengths that are proposed are multiples of this.
const ROUND: usize = 16;

//! Small fields of samples in memory, laid side by side: a batch of shuffled samples then waits for
//! one line of the cache a sample, not for one a field.
//!
//! ```text
//! size  a₀ a₁ a₂ …                     a₀ p₀ a₁ p₁ a₂ p₂ …     size: 8 bytes from 0 on, each 12
//! price p₀ p₁ p₂ …            →                                price: 4 bytes from 8 on, each 12
//! ```

use std::sync::Arc;

use super::Column;
use crate::base::schema::Field;

/// The most bytes of a field that is laid beside others: those of a line of the cache.
const SMALL: usize = 64;

/// The columns of `count` samples, the small ones of them in rows where there are several.
pub fn side_by_side(fields: &[Field], columns: Vec<Column>, count: usize) -> Vec<Column> {
    let mut step = 0;
    let mut place = |(field, column): (&Field, &Column)| {
        let (size, first) = (field.bytes(), step);
        let is_small = matches!(column, Column::Memory(_)) && (1..=SMALL).contains(&size);
        step += if is_small { size } else { 0 };
        is_small.then_some(first)
    };
    let places: Vec<Option<usize>> = fields.iter().zip(&columns).map(&mut place).collect();
    if places.iter().flatten().count() < 2 {
        return columns;
    }
    let mut rows = vec![0; step * count];
    for ((field, column), place) in fields.iter().zip(&columns).zip(&places) {
        let (Column::Memory(bytes), &Some(first)) = (column, place) else { continue };
        let values = bytes.chunks_exact(field.bytes());
        for (row, value) in rows.chunks_exact_mut(step).zip(values) {
            row[first..][..value.len()].copy_from_slice(value);
        }
    }
    let rows = Arc::new(rows);
    let in_rows = |first| Column::Row { rows: rows.clone(), first, step };
    let columns = columns.into_iter().zip(places);
    columns.map(|(column, place)| place.map_or(column, in_rows)).collect()
}

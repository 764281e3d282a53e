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
    let small = |(field, column): (&Field, &Column)| {
        (matches!(column, Column::Memory(_)) && (1..=SMALL).contains(&field.bytes()))
            .then(|| field.bytes())
    };
    let sizes: Vec<Option<usize>> = fields.iter().zip(&columns).map(small).collect();
    if sizes.iter().flatten().count() < 2 {
        return columns;
    }
    let step = sizes.iter().flatten().sum();
    let (rows, mut first) = (rows(&columns, &sizes, step, count), 0);
    let columns = columns.into_iter().zip(sizes).map(|(column, size)| match size {
        None => column,
        Some(size) => {
            first += size;
            Column::Row { rows: rows.clone(), first: first - size, step }
        }
    });
    columns.collect()
}

/// The bytes of small fields, sample after sample; those in memory with `sizes` are such.
fn rows(columns: &[Column], sizes: &[Option<usize>], step: usize, count: usize) -> Arc<Vec<u8>> {
    let mut rows = vec![0; step * count];
    let mut first = 0;
    for (column, size) in columns.iter().zip(sizes) {
        let (Column::Memory(bytes), &Some(size)) = (column, size) else { continue };
        let values = bytes.chunks_exact(size);
        let rooms = rows.chunks_exact_mut(step);
        rooms.zip(values).for_each(|(row, value)| row[first..][..size].copy_from_slice(value));
        first += size;
    }
    Arc::new(rows)
}

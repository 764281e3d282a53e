//! Samples that are windows into a long row of things: rows of a series, tokens of a text.
//!
//! ```text
//! 0 1 2 3 4 5 | 6 7 8 9     parts of 6 and 4, windows of 3, a stride of 1
//! windows at 0 1 2 3 of the first part, at 6 7 of the second; 4 and 5 would reach over the end
//! ```

use std::sync::Arc;

use super::samples::Column;
use crate::base::schema::{CellMeaning, ClassField, Field, FieldKind, FieldRecipe, MissingValue};
use crate::base::tensor::DType;

/// A field that is a window of tokens, of which there are so many kinds.
pub fn token_field(name: &str, window: usize, value: CellMeaning, count: usize) -> Field {
    let recipe = FieldRecipe {
        columns: Vec::new(),
        value,
        missing: MissingValue::Refuse,
        transforms: Vec::new(),
    };
    Field {
        kind: FieldKind::Class(ClassField { count: Some(count), one_hot: false }),
        recipe: Some(Arc::new(recipe)),
        ..Field::number(name, DType::I32, &[window])
    }
}

/// The fields of samples that are windows of tokens, `stride` tokens apart: the window `field`, and as the
/// target `next`, the same moved by one.
pub fn with_next(
    field: Field,
    stride: usize,
    tokens: impl Iterator<Item = i32>,
) -> Vec<(Field, Column)> {
    let bytes: Arc<Vec<u8>> = Arc::new(tokens.flat_map(i32::to_le_bytes).collect());
    let size = DType::I32.size();
    let column = |first: usize| Column::Windows {
        bytes: bytes.clone(),
        first: first * size,
        step: stride * size,
    };
    let next = Field { name: "next".to_owned(), is_target: true, ..field.clone() };
    vec![(field, column(0)), (next, column(1))]
}

/// The starts of windows in each of three parts that follow one another, as numbers of samples: window
/// `i` begins at `i · stride`. A window reaches over no part's end.
pub fn windows(parts: [usize; 3], length: usize, stride: usize) -> [Vec<u32>; 3] {
    let mut begins = 0;
    parts.map(|part| {
        let (first, end) = (begins, begins + part);
        begins = end;
        let starts = first.div_ceil(stride)..;
        starts
            .take_while(|start| start * stride + length <= end)
            .map(|start| start as u32)
            .collect()
    })
}

/// The lengths of the parts to train, to validate and to test on, in the order of time.
pub fn parts(count: usize, [test, validation]: [f64; 2]) -> [usize; 3] {
    let of = |fraction: f64| (count as f64 * fraction).round() as usize;
    let (test, validation) = (of(test), of(validation));
    [count.saturating_sub(test + validation), validation, test]
}

/// A line for each split that was asked for and has no window: of fractions for testing and validating.
pub fn empty_splits([test, validation]: [f64; 2], chosen: &[Vec<u32>; 3]) -> Vec<String> {
    let asked = [("validation", validation, &chosen[1]), ("test", test, &chosen[2])];
    let is_empty = asked.into_iter().filter(|(_, part, windows)| *part > 0.0 && windows.is_empty());
    is_empty.map(|(name, part, _)| format!("`{name}: {part}` has not one window")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_window_reaches_over_the_end_of_its_part() {
        let [train, validation, test] = windows([6, 4, 2], 3, 1);
        assert_eq!((train, validation, test), (vec![0, 1, 2, 3], vec![6, 7], vec![]));
        let [train, validation, _] = windows([7, 8, 0], 3, 3);
        assert_eq!((train, validation), (vec![0, 1], vec![3, 4]));
        assert_eq!(parts(100, [0.1, 0.2]), [70, 20, 10]);
    }
}

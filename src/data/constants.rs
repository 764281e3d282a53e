//! Targets that are one and the same in all samples to train on: nothing can be learnt from them.
//!
//! ```text
//! rain,fog     labels = numbers(["rain", "fog"]) as target
//! 1,0          → `fog` of `labels` is 0
//! 0,0
//! ```
//!
//! Samples are looked at until all that was the same is not any more, so data that are right cost a few
//! samples.

use super::samples::Split;
use super::words;
use crate::base::schema::{ConstantTarget, Field};

/// The targets, and single columns of targets, that have one value in all samples of a split; none of
/// fewer than two samples.
pub fn constant_targets(train: &Split) -> Vec<ConstantTarget> {
    let fields = train.fields().iter().enumerate();
    let targets = fields.filter(|(_, field)| field.is_target && field.bytes() > 0);
    targets.flat_map(|(place, field)| of_field(train, place, field)).collect()
}

fn of_field(train: &Split, place: usize, field: &Field) -> Vec<ConstantTarget> {
    if train.count() < 2 {
        return Vec::new();
    }
    let names = words::own_columns(field);
    let width = field.bytes() / names.len().max(1);
    let read = |sample: u32| train.value(sample, place).ok();
    let Some(first) = read(0) else { return Vec::new() };
    let mut same: Vec<bool> = vec![true; first.len() / width];
    for sample in 1..train.count() as u32 {
        let Some(bytes) = read(sample) else { return Vec::new() };
        let parts = first.chunks_exact(width).zip(bytes.chunks_exact(width));
        same.iter_mut().zip(parts).for_each(|(same, (one, other))| *same &= one == other);
        if !same.contains(&true) {
            return Vec::new();
        }
    }
    let column = |(index, _): (usize, _)| ConstantTarget {
        field: field.name.clone(),
        column: names.get(index).cloned(),
        value: words::value_part(field, &first, index, width),
    };
    same.iter().enumerate().filter(|(_, same)| **same).map(column).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::schema::{CellMeaning, FieldRecipe, MissingValue};
    use crate::base::tensor::DType;
    use crate::data::samples::{Column, Samples};
    use std::sync::Arc;

    /// Three samples of two labels.
    fn found(numbers: [f32; 6]) -> Vec<(Option<String>, String)> {
        let recipe = FieldRecipe {
            columns: vec!["rain".into(), "fog".into()],
            value: CellMeaning::Number,
            missing: MissingValue::Refuse,
            transforms: Vec::new(),
        };
        let field = Field::number("labels", DType::F32, &[2]);
        let field = Field { is_target: true, recipe: Some(Arc::new(recipe)), ..field };
        let bytes = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
        let samples = Samples::new(3, vec![(field, Column::Memory(bytes))]);
        let found = constant_targets(&Split::all(Arc::new(samples)));
        found.into_iter().map(|it| (it.column, it.value)).collect()
    }

    #[test]
    fn columns_are_looked_at_one_by_one() {
        assert_eq!(found([1.0, 0.5, 0.0, 0.5, 1.0, 0.5]), [(Some("fog".into()), "0.5000".into())]);
        assert_eq!(found([1.0, 0.5, 0.0, 0.5, 1.0, 0.25]), []);
    }

    #[test]
    fn a_class_is_called_by_its_name_and_one_sample_says_nothing() {
        let field = Field::class("label", Some(3));
        let samples = |count: usize| {
            let bytes = [2i32; 3][..count].iter().flat_map(|it| it.to_le_bytes()).collect();
            Split::all(Arc::new(Samples::new(count, vec![(field.clone(), Column::Memory(bytes))])))
        };
        assert_eq!(constant_targets(&samples(1)), []);
        let found = constant_targets(&samples(3));
        assert_eq!((found[0].field.as_str(), found[0].value.as_str()), ("label", "2"));
    }
}

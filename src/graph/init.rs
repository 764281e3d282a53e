//! First values of parameters and states.
//!
//! `uniform(-0.08, 0.08)` of `f32[784, 128]` at `dense.weight` under seed 0 is always the same
//! tensor: the numbers come from (seed, hash of the path), so layers added elsewhere change
//! nothing. Fan-in and fan-out are not known here: elaboration has turned `glorot_uniform` into
//! bounds.

use crate::base::rng::{Sequence, hash_name};
use crate::base::tensor::{DType, Data, Tensor};
use crate::graph::data::{Graph, Init};
use crate::graph::types::Type;
use rayon::prelude::*;

/// The first value of a tensor whose shape is known. Elements are drawn in row-major order.
pub fn initial_value(init: &Init, ty: &Type, path: &str, seed: u64) -> Tensor {
    let extents = ty.shape.extents().expect("no parameter or state depends on the batch");
    let len = extents.iter().product();
    let mut sequence = Sequence::new(seed, hash_name(path));
    let mut draw = |next: &mut dyn FnMut(&mut Sequence) -> f64| -> Vec<f64> {
        (0..len).map(|_| next(&mut sequence)).collect()
    };
    let values = match *init {
        Init::Constant(value) => vec![value; len],
        Init::Normal { mean, std } => draw(&mut |sequence| mean + std * sequence.normal()),
        Init::TruncatedNormal { mean, std } => {
            draw(&mut |sequence| mean + std * truncated_normal(sequence))
        }
        Init::Uniform { low, high } => draw(&mut |sequence| low + (high - low) * sequence.unit()),
        Init::Orthogonal { gain } => {
            let columns = extents.last().copied().unwrap_or(1);
            let mut values = orthogonal(len / columns.max(1), columns, &mut sequence);
            values.iter_mut().for_each(|value| *value *= gain);
            values
        }
    };
    Tensor::new(extents, elements(&values, ty.dtype))
}

/// The first values of a graph's parameters and states with their paths, drawn on all cores.
pub fn initial_values(graph: &Graph, seed: u64) -> Vec<(String, Tensor)> {
    let variables: Vec<(&str, &Type, &Init)> = graph.variables().collect();
    let drawn = |&(path, ty, init): &(&str, &Type, &Init)| {
        (path.to_owned(), initial_value(init, ty, path, seed))
    };
    variables.par_iter().map(drawn).collect()
}

/// The values as elements of a type.
fn elements(values: &[f64], dtype: DType) -> Data {
    match dtype {
        DType::F32 => Data::F32(values.iter().map(|&value| value as f32).collect()),
        DType::F64 => Data::F64(values.to_vec()),
        DType::I32 => Data::I32(values.iter().map(|&value| value as i32).collect()),
        DType::U8 => Data::U8(values.iter().map(|&value| value as u8).collect()),
        DType::Bool => Data::Bool(values.iter().map(|&value| value != 0.0).collect()),
    }
}

/// A standard normal number within two standard deviations.
fn truncated_normal(sequence: &mut Sequence) -> f64 {
    loop {
        let value = sequence.normal();
        if value.abs() <= 2.0 {
            return value;
        }
    }
}

/// A `rows × columns` matrix whose rows or columns, whichever are fewer, are orthonormal: normal
/// vectors made so by Gram–Schmidt, twice over, which is as exact as a QR by reflections ("twice is
/// enough", Giraud et al. 2005). Row-major.
fn orthogonal(rows: usize, columns: usize, sequence: &mut Sequence) -> Vec<f64> {
    let (count, length) = (rows.min(columns), rows.max(columns));
    let mut vectors: Vec<Vec<f64>> = Vec::with_capacity(count);
    while vectors.len() < count {
        let mut vector: Vec<f64> = (0..length).map(|_| sequence.normal()).collect();
        for _ in 0..2 {
            for earlier in &vectors {
                let along = dot(&vector, earlier);
                vector.iter_mut().zip(earlier).for_each(|(x, unit)| *x -= along * unit);
            }
        }
        let norm = dot(&vector, &vector).sqrt();
        // A vector that the earlier ones nearly span is drawn again.
        if norm > 1e-6 {
            vector.iter_mut().for_each(|x| *x /= norm);
            vectors.push(vector);
        }
    }
    let element = |row: usize, column: usize| {
        if rows <= columns { vectors[row][column] } else { vectors[column][row] }
    };
    (0..rows * columns).map(|index| element(index / columns, index % columns)).collect()
}

/// The sum of products, in eight sums that do not wait for one another; the same on every processor.
fn dot(a: &[f64], b: &[f64]) -> f64 {
    let ((a, last_of_a), (b, last_of_b)) = (a.as_chunks::<8>(), b.as_chunks::<8>());
    let mut sums = [0.0; 8];
    for (a, b) in a.iter().zip(b) {
        (0..8).for_each(|lane| sums[lane] += a[lane] * b[lane]);
    }
    let rest = last_of_a.iter().zip(last_of_b).map(|(x, y)| x * y);
    sums.into_iter().chain(rest).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::types::Shape;

    fn values(init: &Init, extents: &[usize], path: &str, seed: u64) -> Vec<f64> {
        let ty = Type::new(DType::F32, Shape::known(extents));
        let tensor = initial_value(init, &ty, path, seed);
        assert_eq!(tensor.shape, extents);
        tensor.as_f32().iter().map(|&value| f64::from(value)).collect()
    }

    fn moments(values: &[f64]) -> (f64, f64) {
        let count = values.len() as f64;
        let mean = values.iter().sum::<f64>() / count;
        (mean, (values.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / count).sqrt())
    }

    #[test]
    fn seed_and_path_decide() {
        let init = Init::Normal { mean: 0.0, std: 1.0 };
        let weight = values(&init, &[3, 5], "dense.weight", 0);
        assert_eq!(weight, values(&init, &[3, 5], "dense.weight", 0));
        assert_ne!(weight, values(&init, &[3, 5], "dense.weight", 1));
        assert_ne!(weight, values(&init, &[3, 5], "dense_2.weight", 0));
    }

    #[test]
    fn distributions_have_their_moments() {
        let (mean, std) =
            moments(&values(&Init::Normal { mean: 1.0, std: 2.0 }, &[100, 100], "a", 0));
        assert!((mean - 1.0).abs() < 0.1 && (std - 2.0).abs() < 0.1, "{mean} {std}");
        let uniform = values(&Init::Uniform { low: -3.0, high: 1.0 }, &[10_000], "a", 0);
        let (mean, std) = moments(&uniform);
        assert!(
            (mean + 1.0).abs() < 0.1 && (std - 4.0 / 12f64.sqrt()).abs() < 0.05,
            "{mean} {std}"
        );
        assert!(uniform.iter().all(|x| (-3.0..=1.0).contains(x)));
    }

    #[test]
    fn truncation_is_at_two_deviations() {
        let init = Init::TruncatedNormal { mean: 1.0, std: 0.5 };
        let drawn = values(&init, &[10_000], "a", 0);
        assert!(drawn.iter().all(|x| (x - 1.0).abs() <= 1.0));
        // The deviation of a normal cut at two of its own is 0.8796 of it.
        let (mean, std) = moments(&drawn);
        assert!((mean - 1.0).abs() < 0.02 && (std - 0.4398).abs() < 0.02, "{mean} {std}");
    }

    #[test]
    fn orthogonal_rows_or_columns_have_the_gain_and_no_angle() {
        for (rows, columns) in [(3, 7), (7, 3), (5, 5), (1, 4)] {
            let matrix = values(&Init::Orthogonal { gain: 2.0 }, &[rows, columns], "a", 0);
            let vector = |i: usize| -> Vec<f64> {
                if rows <= columns {
                    matrix[i * columns..(i + 1) * columns].to_vec()
                } else {
                    (0..rows).map(|row| matrix[row * columns + i]).collect()
                }
            };
            for i in 0..rows.min(columns) {
                for j in 0..=i {
                    let wanted = if i == j { 4.0 } else { 0.0 };
                    let found = dot(&vector(i), &vector(j));
                    assert!((found - wanted).abs() < 1e-5, "{rows}×{columns}: {found}");
                }
            }
        }
    }
}

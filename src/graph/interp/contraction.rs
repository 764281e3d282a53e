//! Reductions and contractions, added in `f64` and rounded once, and operators indexed by data.
//!
//! `reduce(Sum)` of `[[1, 2], [3, 4]]` over axis 0 is `[4, 6]`.

use super::Array;
use crate::base::tensor::DType;
use crate::graph::element::round_to;
use crate::graph::op::{Binary, Reduce};
use ndarray::{Axis, Dimension};

pub(super) fn reduce(op: Reduce, dtype: DType, x: &Array, axes: &[usize]) -> Array {
    // The last first, so that the axes before keep their numbers.
    let reduced = axes.iter().rev().fold(x.clone(), |x, &axis| match op {
        Reduce::Sum => x.sum_axis(Axis(axis)),
        Reduce::Max => x.fold_axis(Axis(axis), f64::NEG_INFINITY, |&a, &b| Binary::Max.eval(a, b)),
        Reduce::Min => x.fold_axis(Axis(axis), f64::INFINITY, |&a, &b| Binary::Min.eval(a, b)),
    });
    match dtype {
        // Sums of integers wrap, as additions one after the other would.
        DType::I32 => reduced.mapv(|value| f64::from(value as i64 as i32)),
        _ => reduced.mapv(|value| round_to(value, dtype)),
    }
}

/// `mean((x − mean(x))²)`
pub(super) fn variance(x: &Array, axes: &[usize]) -> Array {
    let mean = |x: &Array| {
        let axes = axes.iter().rev();
        axes.fold(x.clone(), |x, &axis| x.mean_axis(Axis(axis)).expect("an axis of elements"))
    };
    let means = axes.iter().fold(mean(x), |means, &axis| means.insert_axis(Axis(axis)));
    let squares = (x - &means).mapv(|difference| difference * difference);
    mean(&squares)
}

/// The first element that none after it exceeds; a NaN exceeds nothing and nothing exceeds it.
pub(super) fn arg_max(x: &Array, axis: usize) -> Array {
    x.map_axis(Axis(axis), |lane| {
        (1..lane.len()).fold(0, |best, i| if lane[i] > lane[best] { i } else { best }) as f64
    })
}

pub(super) fn matmul(
    a: &Array,
    transpose_a: bool,
    b: &Array,
    transpose_b: bool,
    extents: Vec<usize>,
) -> Array {
    let (a, b) = (matrices(a, transpose_a), matrices(b, transpose_b));
    let products = a.iter().zip(&b).flat_map(|(a, b)| a.dot(b).into_iter());
    let values: Vec<f64> = products.collect();
    Array::from_shape_vec(extents, values).expect("the extents of a product")
}

/// The matrices of the last two axes, in order of the leading ones.
fn matrices(x: &Array, transposed: bool) -> Vec<ndarray::Array2<f64>> {
    let rank = x.ndim();
    let (rows, columns) = (x.shape()[rank - 2], x.shape()[rank - 1]);
    let x = x.as_standard_layout();
    let elements = x.as_slice().expect("a standard layout");
    let matrix = |elements: &[f64]| {
        let matrix = ndarray::Array2::from_shape_vec((rows, columns), elements.to_vec());
        let matrix = matrix.expect("rows times columns");
        if transposed { matrix.reversed_axes().as_standard_layout().into_owned() } else { matrix }
    };
    elements.chunks(rows * columns).map(matrix).collect()
}

/// An index from data that is not in its range.
pub(super) struct BadIndex {
    /// The index, its place and its range.
    pub message: String,
    /// Its place in the tensor of indices.
    pub place: Vec<usize>,
}

/// Tests an index from data.
fn tested(index: f64, extent: usize, place: &[usize]) -> Result<usize, BadIndex> {
    if (0.0..extent as f64).contains(&index) {
        return Ok(index as usize);
    }
    let message = format!("the index {index} at {place:?} is not in 0..{extent}");
    Err(BadIndex { message, place: place.to_vec() })
}

pub(super) fn pick(x: &Array, index: &Array) -> Result<Array, BadIndex> {
    let extent = x.shape()[x.ndim() - 1];
    let mut picked = Array::zeros(index.raw_dim());
    for (place, &which) in index.indexed_iter() {
        let place = place.slice().to_vec();
        let which = tested(which, extent, &place)?;
        picked[place.as_slice()] = x[[&place[..], &[which]].concat().as_slice()];
    }
    Ok(picked)
}

pub(super) fn gather(
    table: &Array,
    index: &Array,
    axis: usize,
    extents: Vec<usize>,
) -> Result<Array, BadIndex> {
    let mut gathered = Array::zeros(extents);
    for (place, value) in gathered.indexed_iter_mut() {
        let source = entry(place.slice().to_vec(), index, axis, table.shape())?;
        *value = table[source.as_slice()];
    }
    Ok(gathered)
}

pub(super) fn scatter_add(
    index: &Array,
    values: &Array,
    axis: usize,
    extents: Vec<usize>,
) -> Result<Array, BadIndex> {
    let mut sums = Array::zeros(extents.clone());
    for (place, &value) in values.indexed_iter() {
        let target = entry(place.slice().to_vec(), index, axis, &extents)?;
        sums[target.as_slice()] += value;
    }
    Ok(sums)
}

/// The place in the table of a place in a gather's result.
fn entry(
    place: Vec<usize>,
    index: &Array,
    axis: usize,
    table: &[usize],
) -> Result<Vec<usize>, BadIndex> {
    let (before, rest) = place.split_at(axis);
    let (indexed, after) = rest.split_at(index.ndim());
    let which = tested(index[indexed], table[axis], indexed)?;
    Ok([before, &[which], after].concat())
}

//! Elements moved: each result element names the argument element that it is.
//!
//! `slice` of `[0, 1, 2, 3]` from 3 by -2, two of them, is `[3, 1]`.

use super::Array;
use crate::graph::op::Range;
use ndarray::{Axis, Slice};

/// The same elements, in row-major order, in another shape.
pub(super) fn reshape(x: &Array, extents: Vec<usize>) -> Array {
    Array::from_shape_vec(extents, x.iter().copied().collect()).expect("as many elements as before")
}

pub(super) fn transpose(x: &Array, perm: &[usize]) -> Array {
    x.view().permuted_axes(perm.to_vec()).as_standard_layout().into_owned()
}

pub(super) fn slice(x: &Array, ranges: &[Range], extents: Vec<usize>) -> Array {
    Array::from_shape_fn(extents, |index| {
        let source: Vec<usize> = ranges
            .iter()
            .enumerate()
            .map(|(axis, range)| {
                (range.start as isize + index[axis] as isize * range.step) as usize
            })
            .collect();
        x[source.as_slice()]
    })
}

pub(super) fn concat(parts: &[&Array], axis: usize, extents: Vec<usize>) -> Array {
    let mut joined = Array::zeros(extents);
    let mut start = 0;
    for part in parts {
        let end = start + part.shape()[axis];
        joined.slice_axis_mut(Axis(axis), Slice::from(start..end)).assign(part);
        start = end;
    }
    joined
}

pub(super) fn pad(x: &Array, amounts: &[(usize, usize)], value: f64, extents: Vec<usize>) -> Array {
    let mut padded = Array::from_elem(extents, value);
    let mut inner = padded.view_mut();
    for (axis, &(before, _)) in amounts.iter().enumerate() {
        inner.slice_axis_inplace(Axis(axis), Slice::from(before..before + x.shape()[axis]));
    }
    inner.assign(x);
    padded
}

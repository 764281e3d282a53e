//! The values of a graph as they stand in an ONNX model: not always with the axes in the graph's order,
//! nor as large as the graph says.
//!
//! ```text
//! %7 = conv … : f32[N, 32, 32, 16]       axes [0, 3, 1, 2]: the model holds [N, 16, 32, 32]
//! %18 = broadcast %10 : f32[N, 32, 32, 16]   shape [16]: operators of ONNX broadcast by themselves
//! %40 = reshape %39 : f32[N, 4096]        image [8, 8, 64]: the features stand as [64, 8, 8]
//! ```
//!
//! So images are turned once, at the input, and weights when the file is written.

use crate::base::tensor::{Data, Tensor};
use crate::graph::{Dim, NodeId};

/// A value in an ONNX model.
#[derive(Clone, Debug)]
pub(super) struct LaidOut {
    /// Where it is.
    pub place: ValuePlace,
    /// Its shape in the graph's order of axes. It may have fewer axes than the graph's, or extents of 1
    /// in place of larger ones: by NumPy's rule it is the graph's.
    pub shape: Vec<Dim>,
    /// Axis `i` in the model is axis `axes[i]` of the graph.
    pub axes: Vec<usize>,
    /// Of features that were an image `[h, w, c]`: the last axis stands in the order `[c, h, w]`.
    pub image: Option<[usize; 3]>,
}

/// Where the elements of a value are.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum ValuePlace {
    /// In the model's value of this name.
    Named(String),
    /// In the file, where they stand as these changes leave them.
    Stored(KnownTensor, Vec<Change>),
}

/// A tensor that is known when the file is written.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum KnownTensor {
    /// A parameter or a state, by its path.
    Variable(String),
    /// A constant of the graph.
    Constant(NodeId),
}

/// A change of how a stored tensor's elements stand.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Change {
    /// The same elements in another shape.
    Reshape(Vec<usize>),
    /// Axis `i` of the result is axis `[i]` of what is there.
    Transpose(Vec<usize>),
}

impl LaidOut {
    /// A value whose axes stand as in the graph.
    pub fn plain(place: ValuePlace, shape: Vec<Dim>) -> LaidOut {
        let axes = (0..shape.len()).collect();
        LaidOut { place, shape, axes, image: None }
    }

    /// The shape that it has in the model.
    pub fn extents(&self) -> Vec<Dim> {
        self.axes.iter().map(|&axis| self.shape[axis]).collect()
    }

    /// Whether the axes stand as in the graph.
    pub fn is_plain(&self) -> bool {
        self.image.is_none() && self.axes.iter().enumerate().all(|(at, &axis)| at == axis)
    }

    /// Where the graph's axes stand in the model.
    pub fn places(&self) -> Vec<usize> {
        inverse(&self.axes)
    }

    /// Whether it has one element.
    pub fn is_single(&self) -> bool {
        self.shape.iter().all(|&dim| dim == Dim::Known(1))
    }
}

/// The order of axes that undoes this one.
pub(super) fn inverse(axes: &[usize]) -> Vec<usize> {
    let mut inverse = vec![0; axes.len()];
    axes.iter().enumerate().for_each(|(at, &axis)| inverse[axis] = at);
    inverse
}

/// The shape that shapes have together by NumPy's rule.
pub(super) fn broadcast(shapes: &[&[Dim]]) -> Vec<Dim> {
    let rank = shapes.iter().map(|shape| shape.len()).max().unwrap_or(0);
    let mut result = vec![Dim::Known(1); rank];
    for shape in shapes {
        for (at, &dim) in shape.iter().rev().enumerate() {
            if dim != Dim::Known(1) {
                result[rank - 1 - at] = dim;
            }
        }
    }
    result
}

/// A tensor after changes.
pub(super) fn changed(tensor: &Tensor, changes: &[Change]) -> Tensor {
    changed_owned(tensor.clone(), changes)
}

/// The same of a tensor that nobody else needs.
pub(super) fn changed_owned(mut tensor: Tensor, changes: &[Change]) -> Tensor {
    for change in changes {
        match change {
            Change::Reshape(shape) => tensor.shape.clone_from(shape),
            Change::Transpose(axes) => tensor = transposed(&tensor, axes),
        }
    }
    tensor
}

/// A tensor with its axes in another order.
pub(super) fn transposed(tensor: &Tensor, axes: &[usize]) -> Tensor {
    let shape: Vec<usize> = axes.iter().map(|&axis| tensor.shape[axis]).collect();
    let order = order(&tensor.shape, axes);
    let data = match &tensor.data {
        Data::F32(values) => Data::F32(order.map(|at| values[at]).collect()),
        Data::F64(values) => Data::F64(order.map(|at| values[at]).collect()),
        Data::I32(values) => Data::I32(order.map(|at| values[at]).collect()),
        Data::U8(values) => Data::U8(order.map(|at| values[at]).collect()),
        Data::Bool(values) => Data::Bool(order.map(|at| values[at]).collect()),
    };
    Tensor::new(shape, data)
}

/// The places of the elements of a transposed tensor, in order.
fn order(shape: &[usize], axes: &[usize]) -> impl Iterator<Item = usize> + use<> {
    let mut strides = vec![1; shape.len()];
    for axis in (0..shape.len().saturating_sub(1)).rev() {
        strides[axis] = strides[axis + 1] * shape[axis + 1];
    }
    let steps: Vec<(usize, usize)> =
        axes.iter().map(|&axis| (shape[axis], strides[axis])).collect();
    let count = shape.iter().product();
    let mut index = vec![0; steps.len()];
    let mut at = 0;
    (0..count).map(move |_| {
        let now = at;
        for (place, &(extent, stride)) in index.iter_mut().zip(&steps).rev() {
            *place += 1;
            at += stride;
            if *place < extent {
                break;
            }
            at -= stride * extent;
            *place = 0;
        }
        now
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stored_tensors_are_turned() {
        let tensor = Tensor::i32([2, 3], vec![1, 2, 3, 4, 5, 6]);
        let turned = changed(&tensor, &[Change::Transpose(vec![1, 0])]);
        assert_eq!(turned, Tensor::i32([3, 2], vec![1, 4, 2, 5, 3, 6]));
        let changes = [Change::Reshape(vec![1, 2, 3]), Change::Transpose(vec![2, 0, 1])];
        assert_eq!(changed(&tensor, &changes), Tensor::i32([3, 1, 2], vec![1, 4, 2, 5, 3, 6]));
    }
}

//! The axes in which PyTorch stores each parameter, by what reads it here.
//!
//! ```text
//! dense.weight f32[784, 10]          [out, in]           f32[10, 784]
//! conv.weight f32[3, 3, 1, 32]       [out, in, kh, kw]   f32[32, 1, 3, 3]
//! conv_transpose.weight              [in, out, kh, kw]
//! positions.weight f32[64, 192]      as here: no contraction reads it
//! ```
//!
//! The order of the elements along an axis is another matter: [`super::pytorch_orders`].

use super::axes::{axis_names, variable};
use super::tables;
use crate::base::tensor::{DType, Data, Tensor};
use crate::graph::{Graph, NodeId, Op};
use std::collections::{HashMap, HashSet};

/// The sequence of a tensor's axes in PyTorch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum TorchForm {
    /// As here.
    #[default]
    AsHere,
    /// `[out, in]` there, `[in, out]` here.
    Linear,
    /// `[out, in, …]` there, `[…, in, out]` here.
    Conv,
    /// `[in, out, …]` there, `[…, in, out]` here.
    ConvTranspose,
}

impl TorchForm {
    /// For each axis here, the one there.
    fn axes(self, rank: usize) -> Vec<usize> {
        match self {
            TorchForm::Linear | TorchForm::Conv if rank >= 2 => (2..rank).chain([1, 0]).collect(),
            TorchForm::ConvTranspose if rank >= 2 => (2..rank).chain([0, 1]).collect(),
            _ => (0..rank).collect(),
        }
    }

    /// The shape there of a tensor that has this shape here.
    pub fn shape(self, ours: &[usize]) -> Vec<usize> {
        let mut theirs = vec![0; ours.len()];
        for (extent, axis) in ours.iter().zip(self.axes(ours.len())) {
            theirs[axis] = *extent;
        }
        theirs
    }

    /// A tensor of PyTorch's with its axes as here.
    pub fn turned(self, tensor: Tensor) -> Tensor {
        let axes = self.axes(tensor.shape.len());
        match tensor.dtype() == DType::F32 && !axes.is_sorted() {
            true => permuted(&tensor, &axes),
            false => tensor,
        }
    }
}

/// The form of each parameter and state whose axes stand otherwise there, by path. The graph is a forward
/// one.
pub(crate) fn torch_forms(graph: &Graph) -> HashMap<&str, TorchForm> {
    let (names, tables, adjoint) = (axis_names(graph), tables(graph), upsampling(graph));
    let contracted = contracted(graph);
    let form = |path: &str, rank: usize| match names.get(path) {
        _ if tables.contains(path) => TorchForm::AsHere,
        Some(&"in, out") => TorchForm::Linear,
        Some(&("kh, kw, in, out" | "k, in, out")) if adjoint.contains(path) => {
            TorchForm::ConvTranspose
        }
        Some(&("kh, kw, in, out" | "k, in, out")) => TorchForm::Conv,
        Some(_) => TorchForm::AsHere,
        // Read in several ways: its name tells whether it is what PyTorch calls a weight.
        None if !is_weight(path) || !contracted.contains(path) => TorchForm::AsHere,
        None if adjoint.contains(path) => TorchForm::ConvTranspose,
        None if rank == 2 => TorchForm::Linear,
        None => TorchForm::Conv,
    };
    graph.variables().map(|(path, ty, _)| (path, form(path, ty.shape.rank()))).collect()
}

fn is_weight(path: &str) -> bool {
    path.rsplit('.').next().is_some_and(|name| name.contains("weight"))
}

/// The variables that convolutions and products of matrices read, seen through changes of shape.
fn contracted(graph: &Graph) -> HashSet<&str> {
    let is_contraction =
        |op: &Op| matches!(op, Op::MatMul { .. } | Op::Conv { .. } | Op::ConvInputGrad { .. });
    let contractions = graph.nodes.values().filter(|node| is_contraction(&node.op));
    contractions.flat_map(|node| &node.args).filter_map(|&arg| read_through(graph, arg)).collect()
}

/// The path of the variable that a value is a view of.
fn read_through(graph: &Graph, mut id: NodeId) -> Option<&str> {
    while let Op::Slice(_) | Op::Reshape(_) | Op::Transpose(_) = graph.nodes[id].op {
        if let Some((path, ..)) = variable(graph, id) {
            return Some(path);
        }
        id = graph.nodes[id].args[0];
    }
    variable(graph, id).map(|(path, ..)| path)
}

/// The weights of transposed convolutions.
fn upsampling(graph: &Graph) -> HashSet<&str> {
    let adjoint = graph.nodes.values().filter(|node| matches!(node.op, Op::ConvInputGrad { .. }));
    adjoint.filter_map(|node| read_through(graph, node.args[1])).collect()
}

/// A shape without its axes of one element, which hold no order.
pub(crate) fn squeezed(shape: &[usize]) -> Vec<usize> {
    shape.iter().copied().filter(|&extent| extent != 1).collect()
}

/// The axes in another order.
fn permuted(tensor: &Tensor, order: &[usize]) -> Tensor {
    let values: Vec<f32> = tensor.as_f32().to_vec();
    let array = ndarray::ArrayD::from_shape_vec(tensor.shape.clone(), values)
        .expect("a tensor has as many elements as its shape says");
    let turned = array.permuted_axes(order);
    let shape = turned.shape().to_vec();
    Tensor::new(shape, Data::F32(turned.iter().copied().collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pytorchs_axes_are_turned() {
        let dense = Tensor::f32([2, 3], vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
        let turned = TorchForm::Linear.turned(dense.clone());
        assert_eq!(turned, Tensor::f32([3, 2], vec![1.0, 4.0, 2.0, 5.0, 3.0, 6.0]));
        assert_eq!(TorchForm::AsHere.turned(dense.clone()), dense);
        let conv = Tensor::f32([2, 1, 1, 2], vec![1.0, 2.0, 3.0, 4.0]);
        let turned = TorchForm::Conv.turned(conv);
        assert_eq!(turned, Tensor::f32([1, 2, 1, 2], vec![1.0, 3.0, 2.0, 4.0]));
    }

    #[test]
    fn shapes_there_become_those_here() {
        let forms = [TorchForm::Linear, TorchForm::Conv, TorchForm::ConvTranspose];
        for (form, ours) in forms.into_iter().zip([&[5, 2][..], &[3, 4, 5, 2], &[4, 5, 2]]) {
            let theirs = form.shape(ours);
            let count = ours.iter().product();
            let turned = form.turned(Tensor::f32(&theirs[..], vec![0.0; count]));
            assert_eq!(turned.shape, ours, "{form:?}");
        }
        assert_eq!(TorchForm::ConvTranspose.shape(&[3, 4, 5, 2]), [5, 2, 3, 4]);
        assert_eq!(squeezed(&[1, 197, 768]), [197, 768]);
    }
}

//! Records the source of each dimension of a node: the same axis of an argument, or a formula.
//!
//! `reshape([N, 784])` of `%3: [N, 28, 28, 1]` records that axis 0 is axis 0 of `%3` and that
//! axis 1 is `28 · 28 · 1 = 784`. Recorded beside the graph for diagnostics; nothing is computed
//! from it. Dimensions of declared tensors are recorded by whoever declares them.

use super::Builder;
use crate::graph::data::DimOrigin;
use crate::graph::infer::product;
use crate::graph::op::{NodeId, Op};
use crate::graph::types::{Dim, Shape};
use crate::graph::window::Window;

impl Builder {
    /// Records the dimensions of a new node.
    pub(super) fn record_dims(&mut self, node: NodeId) {
        let Some(&first) = self.graph.nodes[node].args.first() else { return };
        let shape = self.graph.nodes[node].ty.shape.clone();
        let before = self.ty(first).shape.clone();
        match self.graph.nodes[node].op.clone() {
            Op::Broadcast(_) => self.carry_broadcast(node, first, &before, &shape),
            Op::Reshape(_) => self.carry_reshape(node, first, &before, &shape),
            Op::Transpose(perm) => {
                perm.iter()
                    .enumerate()
                    .for_each(|(axis, &from)| self.from(node, axis, first, from));
            }
            Op::Slice(_) | Op::Pad { .. } => {
                for axis in 0..shape.rank() {
                    let text = format!("{} of {}", shape[axis], before[axis]);
                    self.carry_or_explain(node, axis, (first, axis), text);
                }
            }
            Op::Concat(joined) => self.carry_concat(node, joined),
            Op::Reduce(_, axes) | Op::Variance(axes) => {
                self.carry_rest(node, first, before.rank(), &axes)
            }
            Op::ArgMax(axis) => self.carry_rest(node, first, before.rank(), &[axis]),
            Op::Conv { window, .. } => {
                let w = self.graph.nodes[node].args[1];
                self.carry_window(node, first, &window);
                self.from(node, 3, w, 3);
            }
            Op::MaxPool(window) | Op::MaxPoolIndex(window) | Op::SumPool(window) => {
                self.carry_window(node, first, &window);
                self.from(node, 3, first, 3);
            }
            Op::ConvInputGrad { .. } | Op::MaxPoolGrad { .. } | Op::SumPoolGrad { .. } => {
                self.from(node, 0, first, 0);
            }
            Op::MatMul { transpose_a, transpose_b } => {
                let rank = shape.rank();
                let second = self.graph.nodes[node].args[1];
                (0..rank - 2).for_each(|axis| self.from(node, axis, first, axis));
                self.from(node, rank - 2, first, rank - if transpose_a { 1 } else { 2 });
                self.from(node, rank - 1, second, rank - if transpose_b { 2 } else { 1 });
            }
            Op::Gather(indexed) => self.carry_gather(node, indexed),
            Op::ScanSlice(_) => {
                (0..shape.rank()).for_each(|axis| self.from(node, axis, first, axis + 1));
            }
            Op::ScanStack(_) => {
                (1..shape.rank()).for_each(|axis| self.from(node, axis, first, axis - 1));
            }
            Op::ConvWeightGrad { .. } | Op::ScatterAdd { .. } => {}
            // What others keep of their first argument is in its place.
            _ => self.carry_equal(node, first, &before, &shape),
        }
    }

    /// The first axes, as far as they are those of the argument.
    fn carry_equal(&mut self, node: NodeId, arg: NodeId, before: &Shape, after: &Shape) {
        let kept = before.iter().zip(after.iter()).take_while(|(old, new)| old == new).count();
        (0..kept).for_each(|axis| self.from(node, axis, arg, axis));
    }

    fn from(&mut self, node: NodeId, axis: usize, arg: NodeId, arg_axis: usize) {
        self.graph.dim_origins.insert((node, axis), DimOrigin::From(arg, arg_axis));
    }

    /// A dimension computed by the current origin's operator; unknown places explain nothing.
    fn explain(&mut self, node: NodeId, axis: usize, text: String) {
        if let Some(origin) = self.origin {
            self.graph.dim_origins.insert((node, axis), DimOrigin::Formula(origin, text));
        }
    }

    fn carry_or_explain(
        &mut self,
        node: NodeId,
        axis: usize,
        (arg, arg_axis): (NodeId, usize),
        text: String,
    ) {
        if self.ty(node).shape[axis] == self.ty(arg).shape[arg_axis] {
            self.from(node, axis, arg, arg_axis);
        } else {
            self.explain(node, axis, text);
        }
    }

    fn carry_broadcast(&mut self, node: NodeId, arg: NodeId, before: &Shape, after: &Shape) {
        let lead = after.rank() - before.rank();
        for axis in (0..before.rank()).filter(|&axis| before[axis] == after[lead + axis]) {
            self.from(node, lead + axis, arg, axis);
        }
    }

    /// Equal leading and trailing axes are carried through; what lies between is multiplied out.
    fn carry_reshape(&mut self, node: NodeId, arg: NodeId, before: &Shape, after: &Shape) {
        let equal = |pair: &(&Dim, &Dim)| pair.0 == pair.1;
        let head = before.iter().zip(after.iter()).take_while(equal).count();
        let (old, new) = (&before[head..], &after[head..]);
        let tail = old.iter().rev().zip(new.iter().rev()).take_while(equal).count();
        (0..head).for_each(|axis| self.from(node, axis, arg, axis));
        for back in 1..=tail {
            self.from(node, after.rank() - back, arg, before.rank() - back);
        }
        let middle = Shape::from(&old[..old.len() - tail]);
        let Some(elements) = middle.elements() else { return };
        for axis in head..after.rank() - tail {
            let text = if after[axis] == elements {
                product(&middle)
            } else {
                format!("{} of {middle}", after[axis])
            };
            self.explain(node, axis, text);
        }
    }

    fn carry_concat(&mut self, node: NodeId, joined: usize) {
        let args = self.graph.nodes[node].args.clone();
        let parts: Vec<String> =
            args.iter().map(|&arg| self.ty(arg).shape[joined].to_string()).collect();
        for axis in 0..self.ty(node).shape.rank() {
            if axis == joined {
                let sum = self.ty(node).shape[axis];
                self.explain(node, axis, format!("{} = {sum}", parts.join(" + ")));
            } else {
                self.from(node, axis, args[0], axis);
            }
        }
    }

    /// The axes that a reduction leaves.
    fn carry_rest(&mut self, node: NodeId, arg: NodeId, rank: usize, removed: &[usize]) {
        let rest = (0..rank).filter(|axis| !removed.contains(axis));
        rest.enumerate().for_each(|(axis, from)| self.from(node, axis, arg, from));
    }

    /// The images, and what a window leaves of their height and width.
    fn carry_window(&mut self, node: NodeId, arg: NodeId, window: &Window) {
        self.from(node, 0, arg, 0);
        for axis in 0..2 {
            let (before, after) = window.pad[axis];
            let extent = self.ty(arg).shape[axis + 1];
            let padded = match before + after {
                0 => extent.to_string(),
                padding => format!("{extent} + {padding}"),
            };
            let room = format!("{padded} - {}", window.span(axis));
            let text = match window.stride[axis] {
                1 => format!("{room} + 1 = {}", self.ty(node).shape[axis + 1]),
                stride => format!("({room}) / {stride} + 1 = {}", self.ty(node).shape[axis + 1]),
            };
            self.carry_or_explain(node, axis + 1, (arg, axis + 1), text);
        }
    }

    fn carry_gather(&mut self, node: NodeId, indexed: usize) {
        let [table, index] = self.graph.nodes[node].args[..] else { return };
        let width = self.ty(index).shape.rank();
        for axis in 0..self.ty(node).shape.rank() {
            if axis < indexed {
                self.from(node, axis, table, axis);
            } else if axis < indexed + width {
                self.from(node, axis, index, axis - indexed);
            } else {
                self.from(node, axis, table, axis + 1 - width);
            }
        }
    }
}

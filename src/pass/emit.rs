//! Building nodes where nothing can go wrong any more.
//!
//! The graph's builder answers a wrong node with a mismatch, for the front end to explain. A
//! pass works on a verified graph: its nodes fit by construction, and one that doesn't is a bug
//! of the rule that made it. [`Emit`] is the builder with that said once, and with the few
//! combinations that passes share.
//!
//! ```text
//! emit.spread(g, &[1], [N, 10])     %1 = reshape %g [N, 1]
//!                                   %2 = broadcast %1 [N, 10]
//! ```
//!
//! It never broadcasts by itself: element-wise operators here take equal shapes.

use crate::base::tensor::DType;
use crate::graph::builder::Builder;
use crate::graph::element::round_to;
use crate::graph::{Binary, Dim, Graph, Node, NodeId, Op, Range, Reduce, Shape, Type, Unary};

/// A graph under construction by a pass.
pub struct Emit {
    /// The builder, for what has no shorthand here: tables and origins.
    pub builder: Builder,
}

impl Emit {
    /// Goes on with a graph: nodes are added after its own.
    pub fn resume(graph: Graph) -> Self {
        Emit { builder: Builder::resume(graph) }
    }

    /// The graph.
    pub fn finish(self) -> Graph {
        self.builder.finish()
    }

    /// The graph so far.
    pub fn graph(&self) -> &Graph {
        &self.builder.graph
    }

    /// The type of a value.
    pub fn ty(&self, node: NodeId) -> &Type {
        self.graph().ty(node)
    }

    /// The shape of a value.
    pub fn shape(&self, node: NodeId) -> Shape {
        self.ty(node).shape.clone()
    }

    /// The one value of all elements, where it is known.
    pub fn constant(&self, node: NodeId) -> Option<f64> {
        let Node { op, args, .. } = &self.graph().nodes[node];
        match op {
            Op::Const(value, _) => Some(*value),
            Op::Cast(dtype) => self.constant(args[0]).map(|value| round_to(value, *dtype)),
            Op::Broadcast(_) | Op::Reshape(_) => self.constant(args[0]),
            // Not looked into: knowing less leaves a rule out, and no result is another.
            _ => None,
        }
    }

    /// A node of any operator.
    pub fn op(&mut self, op: Op, args: &[NodeId]) -> NodeId {
        let built = self.builder.op(op, args);
        built.unwrap_or_else(|mismatch| panic!("a pass built a wrong node: {mismatch}"))
    }

    /// `f(x)`.
    pub fn unary(&mut self, function: Unary, x: NodeId) -> NodeId {
        self.op(Op::Unary(function), &[x])
    }

    /// `f(a, b)` of equal shapes.
    pub fn binary(&mut self, function: Binary, a: NodeId, b: NodeId) -> NodeId {
        self.op(Op::Binary(function), &[a, b])
    }

    /// `a + b`.
    pub fn add(&mut self, a: NodeId, b: NodeId) -> NodeId {
        self.binary(Binary::Add, a, b)
    }

    /// `a − b`.
    pub fn sub(&mut self, a: NodeId, b: NodeId) -> NodeId {
        self.binary(Binary::Sub, a, b)
    }

    /// `a · b`.
    pub fn mul(&mut self, a: NodeId, b: NodeId) -> NodeId {
        self.binary(Binary::Mul, a, b)
    }

    /// `a / b`.
    pub fn div(&mut self, a: NodeId, b: NodeId) -> NodeId {
        self.binary(Binary::Div, a, b)
    }

    /// `−x`.
    pub fn neg(&mut self, x: NodeId) -> NodeId {
        self.unary(Unary::Neg, x)
    }

    /// `x + value`.
    pub fn plus(&mut self, x: NodeId, value: f64) -> NodeId {
        let value = self.like(x, value);
        self.add(x, value)
    }

    /// `x · value`.
    pub fn times(&mut self, x: NodeId, value: f64) -> NodeId {
        let value = self.like(x, value);
        self.mul(x, value)
    }

    /// `where(condition, a, b)`.
    pub fn select(&mut self, condition: NodeId, a: NodeId, b: NodeId) -> NodeId {
        self.op(Op::Where, &[condition, a, b])
    }

    /// A constant of the given type and shape, rounded to what the type holds.
    pub fn splat(&mut self, value: f64, ty: &Type) -> NodeId {
        let scalar = self.builder.constant(value, ty.dtype);
        self.broadcast(scalar, &ty.shape)
    }

    /// A constant of another value's type and shape.
    pub fn like(&mut self, node: NodeId, value: f64) -> NodeId {
        let ty = self.ty(node).clone();
        self.splat(value, &ty)
    }

    /// `x` repeated to `shape`; `x` itself where it has that shape.
    pub fn broadcast(&mut self, x: NodeId, shape: &Shape) -> NodeId {
        if self.ty(x).shape == *shape { x } else { self.op(Op::Broadcast(shape.clone()), &[x]) }
    }

    /// The elements of `x` as `shape`; `x` itself where it has that shape.
    pub fn reshape(&mut self, x: NodeId, shape: &Shape) -> NodeId {
        if self.ty(x).shape == *shape { x } else { self.op(Op::Reshape(shape.clone()), &[x]) }
    }

    /// Matrices below one another: `[t, m, n]` as `[t·m, n]`.
    pub fn rows(&mut self, x: NodeId) -> NodeId {
        let shape = self.shape(x);
        let rows: Dim = Shape::from(&shape[..2]).elements().expect("steps and samples");
        self.reshape(x, &vec![rows, shape[2]].into())
    }

    /// `x` with its axes permuted; `x` itself where they are not.
    pub fn transpose(&mut self, x: NodeId, perm: &[usize]) -> NodeId {
        if perm.is_sorted() { x } else { self.op(Op::Transpose(perm.to_vec()), &[x]) }
    }

    /// `x` in another element type.
    pub fn cast(&mut self, x: NodeId, dtype: DType) -> NodeId {
        if self.ty(x).dtype == dtype { x } else { self.op(Op::Cast(dtype), &[x]) }
    }

    /// The sum over `axes`; `x` itself where there are none.
    pub fn sum(&mut self, x: NodeId, axes: &[usize]) -> NodeId {
        if axes.is_empty() { x } else { self.op(Op::Reduce(Reduce::Sum, axes.to_vec()), &[x]) }
    }

    /// Part of one axis, all of the others.
    pub fn slice_axis(&mut self, x: NodeId, axis: usize, range: Range) -> NodeId {
        let mut ranges = vec![Range::ALL; self.ty(x).shape.rank()];
        ranges[axis] = range;
        self.op(Op::Slice(ranges), &[x])
    }

    /// Zeros around `x`; `x` itself where none are added.
    pub fn pad_zeros(&mut self, x: NodeId, amounts: &[(usize, usize)]) -> NodeId {
        if amounts.iter().all(|&amount| amount == (0, 0)) {
            return x;
        }
        self.op(Op::Pad { amounts: amounts.to_vec(), value: 0.0 }, &[x])
    }

    /// Undoes the removal of `axes` of `shape` by repeating: the shape of `x` is `shape` without
    /// them, the result's is `shape`.
    pub fn spread(&mut self, x: NodeId, axes: &[usize], shape: &Shape) -> NodeId {
        // Broadcasting aligns at the last axis, so leading axes need no place kept for them.
        let leading = axes.iter().enumerate().all(|(position, &axis)| position == axis);
        let x = if leading { x } else { self.reshape(x, &shape.kept(axes)) };
        self.broadcast(x, shape)
    }

    /// Where the index along `axis` of a value of `shape` is the one that `index` (of that shape
    /// without the axis) names.
    pub fn at_index(&mut self, index: NodeId, axis: usize, shape: &Shape) -> NodeId {
        let count = self.op(Op::Iota { shape: shape.clone(), axis }, &[]);
        let index = self.spread(index, &[axis], shape);
        self.binary(Binary::Eq, count, index)
    }
}

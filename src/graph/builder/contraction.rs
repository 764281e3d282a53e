//! Reductions, means, matrix products, and operators indexed by data.
//!
//! `matmul(x: f32[N, T, 64], w: f32[64, 10])` is `reshape([N·T, 64])`, one 2-D `matmul`, and a
//! reshape back: a dense layer stays one contraction whatever stands before its last axis.

use super::{Builder, Built};
use crate::base::tensor::DType;
use crate::graph::infer::Mismatch;
use crate::graph::op::{Binary, NodeId, Op, Reduce};
use crate::graph::types::{Dim, Shape};

impl Builder {
    /// A reduction over axes in any order; `keep` leaves them with extent 1.
    pub fn reduce(&mut self, op: Reduce, x: NodeId, axes: &[usize], keep: bool) -> Built {
        let mut axes = axes.to_vec();
        axes.sort_unstable();
        axes.dedup();
        if axes.is_empty() {
            return Ok(x);
        }
        let reduced = self.op(Op::Reduce(op, axes.clone()), &[x])?;
        if keep { self.keep_axes(x, reduced, &axes) } else { Ok(reduced) }
    }

    /// The mean over axes: the sum times the reciprocal of the number of elements, which is
    /// computed in `f64`.
    pub fn mean(&mut self, x: NodeId, axes: &[usize], keep: bool) -> Built {
        if !axes.is_empty() && self.ty(x).dtype != DType::F32 {
            let ty = self.ty(x);
            return Err(Mismatch::new(format!("`mean` takes f32, found {ty}"))
                .note("`cast(…, f32)` converts the elements"));
        }
        let sum = self.reduce(Reduce::Sum, x, axes, keep)?;
        if sum == x {
            return Ok(x);
        }
        let shape = self.ty(x).shape.clone();
        let mut axes = axes.to_vec();
        axes.sort_unstable();
        axes.dedup();
        let count = self.count(axes.into_iter().map(|axis| shape[axis]))?;
        self.binary(Binary::Div, sum, count)
    }

    /// The mean over axes of the elements where `mask`, which broadcasts to the shape of `x`, is true: the
    /// sum of those over their number. Where there are none it is 0, and so is its gradient.
    pub fn masked_mean(&mut self, x: NodeId, mask: NodeId, axes: &[usize], keep: bool) -> Built {
        let shape = self.ty(x).shape.clone();
        let mask = self.broadcast_to(mask, &shape)?;
        let zero = self.constant(0.0, DType::F32);
        let kept = self.select(mask, x, zero)?;
        let total = self.reduce(Reduce::Sum, kept, axes, keep)?;
        let each = self.cast(mask, DType::F32)?;
        let count = self.reduce(Reduce::Sum, each, axes, keep)?;
        let one = self.constant(1.0, DType::F32);
        let divisor = self.binary(Binary::Max, count, one)?;
        self.binary(Binary::Div, total, divisor)
    }

    /// The biased variance over axes in any order; `keep` leaves them with extent 1.
    pub fn variance(&mut self, x: NodeId, axes: &[usize], keep: bool) -> Built {
        let mut axes = axes.to_vec();
        axes.sort_unstable();
        axes.dedup();
        if axes.is_empty() {
            // Nothing differs from itself; infinities and NaN do.
            return self.binary(Binary::Sub, x, x);
        }
        let reduced = self.op(Op::Variance(axes.clone()), &[x])?;
        if keep { self.keep_axes(x, reduced, &axes) } else { Ok(reduced) }
    }

    /// The product of dimensions, an `f64` scalar.
    pub(crate) fn count(&mut self, dims: impl Iterator<Item = Dim>) -> Built {
        let mut known = 1.0;
        let mut batch = None;
        for dim in dims {
            match dim {
                Dim::Known(extent) => known *= extent as f64,
                Dim::Batch(factor) => {
                    known *= factor as f64;
                    let extent = self.extent(Dim::N);
                    batch = Some(match batch {
                        None => extent,
                        Some(product) => self.op(Op::Binary(Binary::Mul), &[product, extent])?,
                    });
                }
            }
        }
        let known_node = self.constant(known, DType::F64);
        match batch {
            None => Ok(known_node),
            Some(product) if known == 1.0 => Ok(product),
            Some(product) => self.op(Op::Binary(Binary::Mul), &[product, known_node]),
        }
    }

    /// The index of the first largest element along an axis.
    pub fn arg_max(&mut self, x: NodeId, axis: usize, keep: bool) -> Built {
        let found = self.op(Op::ArgMax(axis), &[x])?;
        if keep { self.keep_axes(x, found, &[axis]) } else { Ok(found) }
    }

    /// Gives removed axes of `x` back to `reduced`, with extent 1.
    fn keep_axes(&mut self, x: NodeId, reduced: NodeId, axes: &[usize]) -> Built {
        let kept = self.ty(x).shape.kept(axes);
        self.reshape(reduced, kept)
    }

    /// `a @ b` as NumPy means it: leading axes are a batch and broadcast; a vector is a row on
    /// the left and a column on the right.
    pub fn matmul(&mut self, a: NodeId, b: NodeId) -> Built {
        let (left, right) = (self.ty(a).shape.clone(), self.ty(b).shape.clone());
        if left.is_empty() || right.is_empty() {
            let (a, b) = (self.ty(a), self.ty(b));
            return Err(Mismatch::new(format!("{a} @ {b}: a scalar is no matrix"))
                .note("`*` multiplies by a scalar"));
        }
        self.contracted_dims_agree(a, b)?;
        let row = left.rank() == 1;
        let column = right.rank() == 1;
        let a =
            if row { self.reshape(a, [&[Dim::Known(1)], &left[..]].concat().into())? } else { a };
        let b = if column {
            self.reshape(b, [&right[..], &[Dim::Known(1)]].concat().into())?
        } else {
            b
        };
        let product = self.matmul_of_matrices(a, b)?;
        let mut dims = self.ty(product).shape.to_vec();
        if column {
            dims.pop();
        }
        if row {
            dims.remove(dims.len() - 1 - usize::from(!column));
        }
        self.reshape(product, dims.into())
    }

    /// Says that `k` disagrees before any reshape hides the shapes that the user wrote.
    fn contracted_dims_agree(&self, a: NodeId, b: NodeId) -> Result<(), Mismatch> {
        let (a, b) = (self.ty(a), self.ty(b));
        let (a_axis, b_axis) = (a.shape.rank() - 1, b.shape.rank().saturating_sub(2));
        let (left, right) = (a.shape[a_axis], b.shape[b_axis]);
        if left == right {
            return Ok(());
        }
        let place = if b.shape.rank() == 1 { "only" } else { "last but one" };
        Err(Mismatch::new(format!("{a} @ {b} do not fit"))
            .note(format!(
                "the last axis of the left is {left}, the {place} of the right is {right}"
            ))
            .axis(0, a_axis)
            .axis(1, b_axis))
    }

    fn matmul_of_matrices(&mut self, a: NodeId, b: NodeId) -> Built {
        let plain = Op::MatMul { transpose_a: false, transpose_b: false };
        let (left, right) = (self.ty(a).shape.clone(), self.ty(b).shape.clone());
        let (left_lead, left_matrix) = left.split_at(left.rank() - 2);
        let (right_lead, right_matrix) = right.split_at(right.rank() - 2);
        if left_lead == right_lead {
            return self.op(plain, &[a, b]);
        }
        let rows = Shape::from(&left[..left.rank() - 1]);
        // A number of rows that is quadratic in N has no `Dim`: those stay batched.
        if let (2, Some(m)) = (right.rank(), rows.elements()) {
            let flat = self.reshape(a, vec![m, left_matrix[1]].into())?;
            let product = self.op(plain, &[flat, b])?;
            return self.reshape(product, [&rows[..], &right_matrix[1..]].concat().into());
        }
        let lead = self.common_lead(a, b)?;
        let a_full = [&lead[..], left_matrix].concat();
        let b_full = [&lead[..], right_matrix].concat();
        let a = self.broadcast_to(a, &a_full.into())?;
        let b = self.broadcast_to(b, &b_full.into())?;
        self.op(plain, &[a, b])
    }

    /// The leading axes that those of both matrices broadcast to.
    fn common_lead(&self, a: NodeId, b: NodeId) -> Result<Vec<Dim>, Mismatch> {
        let (left, right) = (&self.ty(a).shape, &self.ty(b).shape);
        let rank = left.rank().max(right.rank());
        let aligned = |shape: &Shape, axis: usize| {
            (axis + shape.rank()).checked_sub(rank).map(|own| (own, shape[own]))
        };
        let lead = (0..rank - 2).map(|axis| match (aligned(left, axis), aligned(right, axis)) {
            (Some((_, dim)), Some((_, other))) if dim == other => Ok(dim),
            (Some((_, Dim::Known(1))), Some((_, dim)))
            | (Some((_, dim)), Some((_, Dim::Known(1)))) => Ok(dim),
            (Some((_, dim)), None) | (None, Some((_, dim))) => Ok(dim),
            (Some((a_axis, dim)), Some((b_axis, other))) => {
                Err(Mismatch::new(format!("{} @ {} do not fit", self.ty(a), self.ty(b)))
                    .note(format!("leading axes broadcast: {dim} against {other}, neither is 1"))
                    .axis(0, a_axis)
                    .axis(1, b_axis))
            }
            (None, None) => unreachable!("one of them has the larger rank"),
        });
        lead.collect()
    }

    /// The element of each row that its index names.
    pub fn pick(&mut self, x: NodeId, index: NodeId) -> Built {
        self.op(Op::Pick, &[x, index])
    }

    /// The table's entries along an axis.
    pub fn gather(&mut self, table: NodeId, index: NodeId, axis: usize) -> Built {
        self.op(Op::Gather(axis), &[table, index])
    }
}

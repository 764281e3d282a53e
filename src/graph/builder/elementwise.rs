//! Element-wise operators on arguments that need not agree yet: broadcasting by NumPy's rule,
//! and `f64` scalars brought to the element type of the tensors they meet.
//!
//! `binary(Sub, x: f32[N, 10], lr: f64)` is `sub(x, broadcast(cast(lr, f32)))`.

use super::{Builder, Built};
use crate::base::tensor::DType;
use crate::graph::data::DimOrigin;
use crate::graph::element;
use crate::graph::infer::{self, Mismatch};
use crate::graph::op::{Binary, NodeId, Op, Unary};
use crate::graph::types::{Dim, Shape, Type};

/// 2^126: the reciprocal of a larger number is denormal in `f32`.
const LARGEST_DIVISOR: f64 = (1u128 << 126) as f64;

impl Builder {
    /// A function of one argument.
    pub fn unary(&mut self, op: Unary, x: NodeId) -> Built {
        self.op(Op::Unary(op), &[x])
    }

    /// A function of two arguments. Two `f64` scalars stay `f64` (but are compared as `f32`); a
    /// tensor divided by one is multiplied by its reciprocal, computed in `f64`, where that is
    /// sure to be a normal `f32`.
    pub fn binary(&mut self, op: Binary, a: NodeId, b: NodeId) -> Built {
        let (a, b) = match (self.is_uniform(a), self.is_uniform(b)) {
            (true, true) if op.is_comparison() => {
                (self.cast(a, DType::F32)?, self.cast(b, DType::F32)?)
            }
            (true, true) => return self.op(Op::Binary(op), &[a, b]),
            (true, false) => (self.bring(a, self.ty(b).dtype)?, b),
            (false, true) if op == Binary::Div && self.ty(a).dtype == DType::F32 => {
                match self.reciprocal(b)? {
                    Some(reciprocal) => return self.binary(Binary::Mul, a, reciprocal),
                    None => (a, self.bring(b, DType::F32)?),
                }
            }
            (false, true) => (a, self.bring(b, self.ty(a).dtype)?),
            (false, false) => (a, b),
        };
        let shape = self.common_shape(&[a, b], |types| infer::applied(op, types[0], types[1]))?;
        let a_full = self.broadcast_like(a, &shape, &[b])?;
        let b_full = self.broadcast_like(b, &shape, &[a])?;
        self.op(Op::Binary(op), &[a_full, b_full])
    }

    /// `where(condition, a, b)`.
    pub fn select(&mut self, condition: NodeId, a: NodeId, b: NodeId) -> Built {
        let (a, b) = match (self.is_uniform(a), self.is_uniform(b)) {
            (true, true) => (self.cast(a, DType::F32)?, self.cast(b, DType::F32)?),
            (true, false) => (self.bring(a, self.ty(b).dtype)?, b),
            (false, true) => (a, self.bring(b, self.ty(a).dtype)?),
            (false, false) => (a, b),
        };
        let shape = self.common_shape(&[condition, a, b], |types| {
            format!("where({}, {}, {})", types[0], types[1], types[2])
        })?;
        let condition_full = self.broadcast_like(condition, &shape, &[a, b])?;
        let a_full = self.broadcast_like(a, &shape, &[b, condition])?;
        let b_full = self.broadcast_like(b, &shape, &[a, condition])?;
        self.op(Op::Where, &[condition_full, a_full, b_full])
    }

    /// The value in another element type; a constant becomes a constant. From `f64` the way is
    /// by `f32`, whatever the target.
    pub fn cast(&mut self, x: NodeId, dtype: DType) -> Built {
        if self.ty(x).dtype == dtype {
            return Ok(x);
        }
        match self.graph.nodes[x].op {
            Op::Const(value, from) if dtype != DType::F64 => {
                Ok(self.constant(element::cast(value, from, dtype), dtype))
            }
            _ if self.is_uniform(x) && dtype != DType::F32 => {
                let rounded = self.op(Op::Cast(DType::F32), &[x])?;
                self.op(Op::Cast(dtype), &[rounded])
            }
            _ => self.op(Op::Cast(dtype), &[x]),
        }
    }

    /// The argument; no gradient flows through. No gradient flows to an `f64` scalar anyway.
    pub fn stop_gradient(&mut self, x: NodeId) -> Built {
        if self.is_uniform(x) { Ok(x) } else { self.op(Op::StopGradient, &[x]) }
    }

    /// The argument repeated to a larger shape.
    pub fn broadcast_to(&mut self, x: NodeId, shape: &Shape) -> Built {
        let x = if self.is_uniform(x) { self.cast(x, DType::F32)? } else { x };
        self.broadcast_like(x, shape, &[])
    }

    /// Whether a value is an `f64` scalar: computed once a step.
    pub(super) fn is_uniform(&self, x: NodeId) -> bool {
        self.ty(x).dtype == DType::F64
    }

    /// An `f64` scalar as a scalar of `dtype`. A constant must be one of its values, up to a
    /// float's rounding.
    fn bring(&mut self, x: NodeId, dtype: DType) -> Built {
        if let Op::Const(value, _) = self.graph.nodes[x].op
            && dtype != DType::F32
            && element::round_to(value, dtype) != value
        {
            return Err(Mismatch::new(format!("{value} is not a value of {dtype}"))
                .note(format!("it meets a tensor of {dtype}; `cast` converts the tensor")));
        }
        self.cast(x, dtype)
    }

    /// `1/x` of an `f64` scalar, as an `f32` scalar; `None` where it might be denormal, and so
    /// count as 0, though `x` is a float. (It is infinite only where `x` as `f32` counts as 0.)
    fn reciprocal(&mut self, x: NodeId) -> Result<Option<NodeId>, Mismatch> {
        let range = self.range(x);
        if range.low < -LARGEST_DIVISOR || range.high > LARGEST_DIVISOR {
            return Ok(None);
        }
        if let Op::Const(value, _) = self.graph.nodes[x].op {
            return Ok(Some(self.constant(1.0 / value, DType::F32)));
        }
        let one = self.constant(1.0, DType::F64);
        let reciprocal = self.op(Op::Binary(Binary::Div), &[one, x])?;
        self.op(Op::Cast(DType::F32), &[reciprocal]).map(Some)
    }

    /// The shape that all arguments broadcast to; where there is none, the reason says how they
    /// were `applied`.
    fn common_shape(
        &self,
        args: &[NodeId],
        applied: impl Fn(&[&Type]) -> String,
    ) -> Result<Shape, Mismatch> {
        let types: Vec<&Type> = args.iter().map(|&arg| self.ty(arg)).collect();
        let rank = types.iter().map(|ty| ty.shape.rank()).max().unwrap_or(0);
        let mut dims = vec![Dim::Known(1); rank];
        // The argument and its axis that fixed each extent that is not 1.
        let mut fixed = vec![None; rank];
        for (position, ty) in types.iter().enumerate() {
            let lead = rank - ty.shape.rank();
            for (axis, &dim) in ty.shape.iter().enumerate() {
                let (known, fixed) = (&mut dims[lead + axis], &mut fixed[lead + axis]);
                if dim == Dim::Known(1) || *known == dim {
                    continue;
                }
                if let Some((other, other_axis)) = *fixed {
                    return Err(unbroadcastable(&applied(&types), rank - lead - axis, *known, dim)
                        .axis(other, other_axis)
                        .axis(position, axis));
                }
                *known = dim;
                *fixed = Some((position, axis));
            }
        }
        Ok(dims.into())
    }

    /// A broadcast whose new extents come from `others`, which decided `shape`.
    pub(super) fn broadcast_like(&mut self, x: NodeId, shape: &Shape, others: &[NodeId]) -> Built {
        if self.ty(x).shape == *shape {
            return Ok(x);
        }
        let node = self.op(Op::Broadcast(shape.clone()), &[x])?;
        for axis in 0..shape.rank() {
            let from = others.iter().find_map(|&other| {
                let dims = &self.ty(other).shape;
                let other_axis = (axis + dims.rank()).checked_sub(shape.rank())?;
                (dims[other_axis] == shape[axis]).then_some((other, other_axis))
            });
            if let Some((other, other_axis)) = from {
                let origin = DimOrigin::From(other, other_axis);
                self.graph.dim_origins.entry((node, axis)).or_insert(origin);
            }
        }
        Ok(node)
    }

    /// `f32[.., classes]`: 1 where the class is the index's, else 0.
    pub fn one_hot(&mut self, index: NodeId, classes: usize) -> Built {
        let mut column = self.ty(index).shape.to_vec();
        column.push(Dim::Known(1));
        let column = self.reshape(index, column.into())?;
        let counted = self.iota(Shape::known(&[classes]), 0)?;
        let equal = self.binary(Binary::Eq, column, counted)?;
        self.cast(equal, DType::F32)
    }
}

/// Two extents of an axis, counted from the last, of which neither is 1.
fn unbroadcastable(applied: &str, from_last: usize, a: Dim, b: Dim) -> Mismatch {
    let place = match from_last {
        1 => "the last axis".to_owned(),
        _ => format!("axis -{from_last}"),
    };
    Mismatch::new(format!("{applied}: the shapes do not broadcast"))
        .note(format!("aligned at the last axis, {place} is {a} against {b}, and neither is 1"))
}

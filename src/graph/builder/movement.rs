//! Operators that move elements. Each builds one node, or none where nothing would move.
//!
//! `transpose(x, [0, 1])` is `x`; `reshape` to `x`'s own shape is `x`.

use super::{Builder, Built};
use crate::graph::element::round_to;
use crate::graph::infer::Mismatch;
use crate::graph::op::{NodeId, Op, Range};
use crate::graph::types::Shape;

impl Builder {
    /// The same elements in another shape.
    pub fn reshape(&mut self, x: NodeId, shape: Shape) -> Built {
        if self.ty(x).shape == shape { Ok(x) } else { self.op(Op::Reshape(shape), &[x]) }
    }

    /// Axis `i` of the result is axis `perm[i]` of the argument.
    pub fn transpose(&mut self, x: NodeId, perm: &[usize]) -> Built {
        if perm.iter().copied().eq(0..self.ty(x).shape.rank()) {
            return Ok(x);
        }
        self.op(Op::Transpose(perm.to_vec()), &[x])
    }

    /// A part of each axis.
    pub fn slice(&mut self, x: NodeId, mut ranges: Vec<Range>) -> Built {
        // A range that spells out a whole axis is the whole axis: the same graph either way.
        for (range, dim) in ranges.iter_mut().zip(self.ty(x).shape.iter()) {
            if range.start == 0
                && range.step == 1
                && range.len.is_some_and(|len| dim.known() == Some(len))
            {
                *range = Range::ALL;
            }
        }
        let whole = ranges.len() == self.ty(x).shape.rank()
            && ranges.iter().all(|range| *range == Range::ALL);
        if whole { Ok(x) } else { self.op(Op::Slice(ranges), &[x]) }
    }

    /// The arguments joined along an axis.
    pub fn concat(&mut self, parts: &[NodeId], axis: usize) -> Built {
        match parts {
            [] => Err(Mismatch::new("`concat` of nothing")),
            [only] if axis < self.ty(*only).shape.rank() => Ok(*only),
            _ => self.op(Op::Concat(axis), parts),
        }
    }

    /// The argument between `value`s.
    pub fn pad(&mut self, x: NodeId, amounts: Vec<(usize, usize)>, value: f64) -> Built {
        let nothing = amounts.len() == self.ty(x).shape.rank()
            && amounts.iter().all(|&amount| amount == (0, 0));
        if nothing {
            return Ok(x);
        }
        let value = round_to(value, self.ty(x).dtype);
        self.op(Op::Pad { amounts, value }, &[x])
    }
}

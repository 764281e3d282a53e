//! Vector loops in wide registers: what goes in is a vector loop whose elements are computed one
//! like the other; what comes out is a function for AVX-512 or AVX2, which Cranelift, whose
//! vectors have 128 bits, cannot write.
//!
//! ```text
//! vector i1 in 0..7168 { … r22 = sqrt r21; r25 = div r12, r24; … }
//! →  448 rounds of { vmovups zmm0, [rsi+rax*4]; …; vsqrtps …; vdivps …; vmovups [rsi+rax*4], … }
//! ```
//!
//! [`record`] turns the loop into a straight list of lane-wise [`LaneOp`]s (functions such as `exp`
//! by the same generic code as everywhere), with the addresses and scalars that it needs from
//! outside; [`encode()`] writes it. Every op is rounded as IEEE 754 says, one like the other in any
//! width, so the results are those of Cranelift's code to the bit.
//!
//! Out of scope: reductions (their sixteen lanes are one chain in any width), bytes, random
//! numbers, indices from data and loops too short to pay for a call. Those stay with `clif`.

mod encode;
mod record;
mod registers;

pub use encode::encode;
pub(super) use record::{Operands, record, varying};

use crate::codegen::isa::LaneCompare;

/// A value of the list: the position of the op that computes it.
pub type ValueId = usize;

/// An operation on all lanes alike. Truth values are lanes of all ones or all zeros.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LaneOp {
    /// Neighbours in memory: elements from `offset` on, behind a pointer and the loop's counter.
    Load {
        /// Which pointer.
        pointer: usize,
        /// Elements from there.
        offset: i32,
    },
    /// Writes neighbours; computes nothing.
    Store {
        /// Which pointer.
        pointer: usize,
        /// Elements from there.
        offset: i32,
        /// The value to write.
        value: ValueId,
    },
    /// A scalar from outside in all lanes.
    Scalar(usize),
    /// The same 32 bits in all lanes.
    Const(u32),
    /// `a + b`
    Add(ValueId, ValueId),
    /// `a - b`
    Sub(ValueId, ValueId),
    /// `a · b`
    Mul(ValueId, ValueId),
    /// `a / b`
    Div(ValueId, ValueId),
    /// `a · b + c`, rounded once.
    Fma(ValueId, ValueId, ValueId),
    /// The square root.
    Sqrt(ValueId),
    /// The largest whole number that is not larger.
    Floor(ValueId),
    /// The number of a 32-bit integer.
    FromInt(ValueId),
    /// A comparison.
    Compare(LaneCompare, ValueId, ValueId),
    /// `if a { b } else { c }`, bit by bit.
    Select(ValueId, ValueId, ValueId),
    /// `a & b`
    And(ValueId, ValueId),
    /// `a | b`
    Or(ValueId, ValueId),
    /// `a ^ b`
    Xor(ValueId, ValueId),
    /// `a + b` of integers.
    IntAdd(ValueId, ValueId),
    /// `a - b` of integers.
    IntSub(ValueId, ValueId),
    /// Integers shifted left.
    ShiftLeft(ValueId, u32),
    /// Integers shifted right, the sign kept.
    ShiftRight(ValueId, u32),
}

/// A loop over lanes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct WideLoop {
    /// Elements.
    pub extent: usize,
    /// Operations on each vector, in order.
    pub ops: Vec<LaneOp>,
    /// How many pointers it is given.
    pub pointers: usize,
    /// How many scalars.
    pub scalars: usize,
}

impl LaneOp {
    /// The values that it reads.
    pub fn args(self) -> impl Iterator<Item = ValueId> {
        let args = match self {
            LaneOp::Load { .. } | LaneOp::Scalar(_) | LaneOp::Const(_) => [None; 3],
            LaneOp::Store { value, .. } => [Some(value), None, None],
            LaneOp::Sqrt(a) | LaneOp::Floor(a) | LaneOp::FromInt(a) => [Some(a), None, None],
            LaneOp::ShiftLeft(a, _) | LaneOp::ShiftRight(a, _) => [Some(a), None, None],
            LaneOp::Add(a, b) | LaneOp::Sub(a, b) | LaneOp::Mul(a, b) | LaneOp::Div(a, b) => {
                [Some(a), Some(b), None]
            }
            LaneOp::Compare(_, a, b) => [Some(a), Some(b), None],
            LaneOp::And(a, b) | LaneOp::Or(a, b) | LaneOp::Xor(a, b) => [Some(a), Some(b), None],
            LaneOp::IntAdd(a, b) | LaneOp::IntSub(a, b) => [Some(a), Some(b), None],
            LaneOp::Fma(a, b, c) | LaneOp::Select(a, b, c) => [Some(a), Some(b), Some(c)],
        };
        args.into_iter().flatten()
    }

    /// Whether it is the same for all elements.
    pub fn is_invariant(self) -> bool {
        matches!(self, LaneOp::Scalar(_) | LaneOp::Const(_))
    }

    /// Rounds of a processor that it takes, about.
    fn cost(self) -> usize {
        match self {
            LaneOp::Scalar(_) | LaneOp::Const(_) => 0,
            LaneOp::Div(..) | LaneOp::Sqrt(_) => 6,
            _ => 1,
        }
    }
}

impl WideLoop {
    /// The name of its function.
    pub fn name(&self) -> String {
        format!("wide.{}x{}", self.extent, self.ops.iter().filter(|op| !op.is_invariant()).count())
    }

    /// Whether it is long enough to pay for being called.
    fn is_worth_it(&self) -> bool {
        const WORK: usize = 1024;
        const ELEMENTS: usize = 64;
        let cost: usize = self.ops.iter().map(|op| op.cost()).sum();
        self.extent >= ELEMENTS && self.extent * cost >= WORK
    }
}

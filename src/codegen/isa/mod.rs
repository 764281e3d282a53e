//! Instruction sets with wide registers, as encoders: vector registers go in as numbers, operands
//! in memory as addresses, and each method appends the instructions of one operation.
//!
//! ```text
//! load(asm, 3, [rsi+40h], masked)   AVX-512:  vmovups zmm3{k1}{z}, [rsi+40h]
//!                                   AVX2:     vmaskmovps ymm3, ymm15, [rsi+40h]
//! ```
//!
//! An instruction set is one implementation of [`WideIsa`] in a file of its own and one row of
//! [`Target::ALL`](crate::codegen::Target::ALL). Which register holds what, and in which order
//! things happen, is up to `tile` and `wide`.

mod avx2;
mod avx512;

pub use avx2::Avx2;
pub use avx512::Avx512;

use std::fmt::Debug;

use iced_x86::IcedError;
use iced_x86::code_asm::{AsmMemoryOperand, CodeAssembler};

/// The number of a vector register, from 0.
pub type Vector = usize;

/// Fails only for an instruction without an encoding, which is a bug of ours.
pub type Encoded = Result<(), IcedError>;

/// The register blocks of contractions that fit an instruction set's registers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockLimits {
    /// Lanes of a register: columns in one.
    pub lanes: usize,
    /// The most rows of a block that is 1, 2, … registers wide.
    pub rows: &'static [usize],
}

/// An operation on each lane of one register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LaneUnary {
    /// The square root.
    Sqrt,
    /// The largest whole number that is not larger.
    Floor,
    /// The float of a 32-bit integer.
    FromInt,
}

/// An operation on the lanes of two registers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LaneBinary {
    /// `a + b`
    Add,
    /// `a - b`
    Sub,
    /// `a · b`
    Mul,
    /// `a / b`
    Div,
    /// `a > b ? a : b`: `b` where one is NaN or both are zeros.
    Max,
    /// `a & b`
    And,
    /// `a | b`
    Or,
    /// `a ^ b`
    Xor,
    /// `a + b` of integers.
    IntAdd,
    /// `a - b` of integers.
    IntSub,
}

/// A comparison of floats that is false for NaN, but for `Ne`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)] // Each is the comparison of its name.
pub enum LaneCompare {
    Eq,
    Ne,
    Lt,
    Le,
}

impl LaneCompare {
    /// The predicate of `vcmpps` that raises nothing for a quiet NaN where there is a choice.
    fn predicate(self) -> i32 {
        match self {
            LaneCompare::Eq => 0x00,
            LaneCompare::Ne => 0x04,
            LaneCompare::Lt => 0x11,
            LaneCompare::Le => 0x12,
        }
    }
}

/// A shift of the 32-bit integers of a register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LaneShift {
    /// Zeros come in at the right.
    Left,
    /// The sign is kept.
    Right,
}

/// An instruction set with wide registers and FMA, whose vectors are of `f32` and `i32`.
///
/// Truth values are lanes of all ones or all zeros. A result's register may be one that the same
/// operation reads, except in [`select`](WideIsa::select). Only vector and mask registers are
/// written, except by [`set_mask`](WideIsa::set_mask).
pub trait WideIsa: Debug + Sync {
    /// Whether the processor that runs the compiler has the instructions that its AVX2 and FMA do
    /// not imply.
    fn on_host(&self) -> bool {
        false
    }

    /// The blocks that fit its registers.
    fn limits(&self) -> BlockLimits;

    /// How many vector registers there are for values: without the one that a mask may take.
    fn registers(&self, masked: bool) -> usize;

    /// Makes masked loads and stores touch the first lanes only; `lanes` is at least 1 and not all.
    /// Writes `rax`.
    fn set_mask(&self, asm: &mut CodeAssembler, lanes: usize) -> Encoded;

    /// `to = 0`
    fn zero(&self, asm: &mut CodeAssembler, to: Vector) -> Encoded;

    /// `to = from`
    fn copy(&self, asm: &mut CodeAssembler, to: Vector, from: Vector) -> Encoded;

    /// `to = memory`, at any address; lanes beyond a mask become 0, and their memory is not read.
    fn load(
        &self,
        asm: &mut CodeAssembler,
        to: Vector,
        from: AsmMemoryOperand,
        masked: bool,
    ) -> Encoded;

    /// `memory = from`, at any address; memory beyond a mask is not touched.
    fn store(
        &self,
        asm: &mut CodeAssembler,
        to: AsmMemoryOperand,
        from: Vector,
        masked: bool,
    ) -> Encoded;

    /// Every lane of `to` = 32 bits in memory.
    fn broadcast(&self, asm: &mut CodeAssembler, to: Vector, from: AsmMemoryOperand) -> Encoded;

    /// `sum = a·b + sum`, rounded once.
    fn fma(&self, asm: &mut CodeAssembler, sum: Vector, a: Vector, b: Vector) -> Encoded;

    /// `sum = a·b + sum`, rounded once, where `b` is one number in memory; `None` where that takes
    /// a register for `b`.
    fn fma_broadcast(
        &self,
        _asm: &mut CodeAssembler,
        _sum: Vector,
        _a: Vector,
        _b: AsmMemoryOperand,
    ) -> Option<Encoded> {
        None
    }

    /// An operation on each lane of `a`.
    fn unary(&self, asm: &mut CodeAssembler, op: LaneUnary, to: Vector, a: Vector) -> Encoded;

    /// An operation on the lanes of `a` and `b`.
    fn binary(
        &self,
        asm: &mut CodeAssembler,
        op: LaneBinary,
        to: Vector,
        a: Vector,
        b: Vector,
    ) -> Encoded;

    /// Lanes of all ones where the comparison of `a` with `b` holds.
    fn compare(
        &self,
        asm: &mut CodeAssembler,
        op: LaneCompare,
        to: Vector,
        a: Vector,
        b: Vector,
    ) -> Encoded;

    /// `condition ? a : b`
    fn select(
        &self,
        asm: &mut CodeAssembler,
        to: Vector,
        condition: Vector,
        a: Vector,
        b: Vector,
    ) -> Encoded;

    /// Integers shifted by so many bits.
    fn shift(
        &self,
        asm: &mut CodeAssembler,
        op: LaneShift,
        to: Vector,
        a: Vector,
        bits: u32,
    ) -> Encoded;
}

//! Blocks of contractions in wide registers: what goes in is a [`MicroTile`], a block whose
//! extents and strides are all numbers; what comes out is machine code for one instruction set.
//!
//! A `loops::Tile` of any size is first [`cut`] into regions of equal blocks that fit the
//! registers; each region's block is one `MicroTile`, and code generation calls its code in a
//! loop over the region:
//!
//! ```text
//! tile 50×128, AVX-512  →  rows 2 blocks of 13, then 2 of 12; columns 4 blocks of 32
//! ```
//!
//! Whatever the cut, each element's products are added in order of (outer, k) with one FMA each,
//! so neither the instruction set nor the cut shows in the result.
//!
//! This module does not choose between instruction sets, does not make memory executable and
//! does not know how blocks are called: `jit` and `clif` do.

pub(in crate::codegen) mod clif;
mod cut;
#[cfg(all(test, target_arch = "x86_64"))]
mod tests;
mod vector;
mod x86;

pub use cut::{BlockLimits, Cut, Region, Run, cut, cut_within};
pub use x86::encode;

use crate::loops::Tile;

/// An instruction set with wide registers and FMA.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum WideIsa {
    /// AVX-512 F: 32 registers of 16 lanes, remainders of columns masked in the instruction.
    Avx512,
    /// AVX2 and FMA: 16 registers of 8 lanes, remainders of columns masked by `vmaskmovps`.
    Avx2,
}

impl WideIsa {
    /// Every wide instruction set.
    pub const ALL: [WideIsa; 2] = [WideIsa::Avx512, WideIsa::Avx2];

    /// The blocks that fit its registers.
    pub fn limits(self) -> BlockLimits {
        match self {
            WideIsa::Avx512 => BlockLimits { lanes: 16, rows: &[28, 14, 9, 6] },
            WideIsa::Avx2 => BlockLimits { lanes: 8, rows: &[12, 6] },
        }
    }
}

/// One register block for all of `outer` and `k`: exactly `m` rows and `n` columns, with every
/// extent and stride a number in the code. Strides count elements. The meaning is that of
/// `loops::Tile`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct MicroTile {
    /// Rows: at least 1, at most what [`BlockLimits`] say for its columns.
    pub m: usize,
    /// Columns, neighbours in memory: at least 1.
    pub n: usize,
    /// The inner extent of the sum; may be 0.
    pub k: usize,
    /// The outer extent of the sum; may be 0.
    pub outer: usize,
    /// From a row of the left operand to the next.
    pub a_row: i64,
    /// From a step of the inner sum to the next, in the left operand.
    pub a_inner: i64,
    /// From a step of the outer sum to the next, in the left operand.
    pub a_outer: i64,
    /// From a step of the inner sum to the next, in the right operand.
    pub b_inner: i64,
    /// From a step of the outer sum to the next, in the right operand.
    pub b_outer: i64,
    /// From a row of the result to the next.
    pub c_row: i64,
    /// Whether sums begin with what the result holds, not 0.
    pub accumulate: bool,
    /// Whether a vector of `n` is added to each row of the finished sum.
    pub bias: bool,
    /// Whether negative results (and NaN) become 0 at last.
    pub relu: bool,
}

impl MicroTile {
    /// The block of `m` rows and `n` columns of a tile.
    pub fn of(tile: &Tile, m: usize, n: usize) -> MicroTile {
        MicroTile {
            m,
            n,
            k: tile.k,
            outer: tile.outer,
            a_row: tile.a.row,
            a_inner: tile.a.inner,
            a_outer: tile.a.outer,
            b_inner: tile.b.inner,
            b_outer: tile.b.outer,
            c_row: tile.c_row,
            accumulate: tile.accumulate,
            bias: tile.bias.is_some(),
            relu: tile.relu,
        }
    }
}

//! Blocks of contractions in wide registers: what goes in is a [`MicroTile`], a block whose
//! extents and distances are all numbers; what comes out is machine code for one instruction set.
//!
//! A `loops::Tile` of any size is first [`cut`] into panels of columns and equal blocks of rows
//! that fit the registers; each kind of block is one `MicroTile`, and code generation calls its
//! code in loops over panels and blocks:
//!
//! ```text
//! tile 50×128, AVX-512  →  4 panels of 32 columns; in each 2 blocks of 13 rows, then 2 of 12
//! ```
//!
//! Whatever the cut, each element's products are added in the tile's order with one FMA each, so
//! neither the instruction set nor the cut shows in the result.
//!
//! This module does not choose between instruction sets, does not make memory executable and
//! does not know how blocks are called: `jit` and `clif` do.

pub(in crate::codegen) mod clif;
mod cut;
#[cfg(all(test, target_arch = "x86_64"))]
mod tests;
mod vector;
mod x86;

pub use cut::{Blocks, Cut, Panels, RowOffset, cut};
pub use x86::encode;

use crate::loops::{SumAxis, Tile};

/// One register block for the whole sum: exactly its rows and `n` columns, with every extent and
/// distance a number in the code. Distances count elements. The meaning is that of `loops::Tile`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct MicroTile {
    /// Rows, as distances from the place that the code is given: at least 1, at most what
    /// [`BlockLimits`](crate::codegen::isa::BlockLimits) say for its columns.
    pub rows: Vec<RowOffset>,
    /// Columns, neighbours in memory: at least 1.
    pub n: usize,
    /// The sum, outermost axis first.
    pub sum: Vec<SumAxis>,
    /// Whether sums begin with what the result holds, not 0.
    pub accumulate: bool,
    /// Whether a vector of `n` is added to each row of the finished sum.
    pub bias: bool,
    /// Whether negative results (and NaN) become 0 at last.
    pub relu: bool,
}

impl MicroTile {
    /// The block of some rows and `n` columns of a tile.
    pub fn of(tile: &Tile, rows: &[RowOffset], n: usize) -> MicroTile {
        MicroTile {
            rows: rows.to_vec(),
            n,
            sum: tile.sum.clone(),
            accumulate: tile.accumulate,
            bias: tile.bias.is_some(),
            relu: tile.relu,
        }
    }

    /// Whether there is nothing to add up.
    fn is_empty_sum(&self) -> bool {
        self.sum.iter().any(|axis| axis.extent == 0)
    }
}

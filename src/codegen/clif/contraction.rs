//! Tiles of a kernel: calls of register blocks, in loops over the regions of a cut.
//!
//! ```text
//! tile m 32 n 138 …   →   for each column of blocks, for each row: call tile.11x32.k784(a, b, c)
//! ```
//!
//! Addresses of a region's blocks are those of the tile's operands plus a fixed distance a block.

use cranelift_codegen::ir::{InstBuilder, Signature, Value};

use super::{Emitter, pointers};
use crate::codegen::target::Target;
use crate::codegen::tile::{self, MicroTile};
use crate::loops::{Stmt, Tile};

/// The signature of a register block.
pub(in crate::codegen) fn tile_signature(tile: &MicroTile) -> Signature {
    pointers(3 + usize::from(tile.bias))
}

impl Emitter<'_, '_> {
    /// Calls the functions of a tile's register blocks.
    pub(super) fn tile(&mut self, tile: &Tile) {
        const FLOAT: i64 = 4;
        let a = self.address(&tile.a.base);
        let b = self.address(&tile.b.base);
        let c = self.address(&tile.c);
        let bias = tile.bias.as_ref().map(|bias| self.address(bias));
        for region in cut(self.target, tile).regions {
            let (rows, columns) = (region.rows, region.columns);
            let block = MicroTile::of(tile, rows.size, columns.size);
            let at = |this: &mut Self, address: Value, index: Value, run: tile::Run, far: i64| {
                let start = this.builder.ins().iadd_imm_s(address, run.start as i64 * far * FLOAT);
                let step = this.builder.ins().imul_imm_s(index, run.size as i64 * far * FLOAT);
                this.builder.ins().iadd(start, step)
            };
            let call = |this: &mut Self, row: Value, column: Value| {
                let mut args =
                    vec![at(this, a, row, rows, tile.a.row), at(this, b, column, columns, 1)];
                let c = at(this, c, row, rows, tile.c_row);
                args.push(at(this, c, column, columns, 1));
                if let Some(bias) = bias {
                    args.push(at(this, bias, column, columns, 1));
                }
                this.call(this.callees.tiles[&block], tile_signature(&block), &args);
            };
            if region.columns_outermost {
                self.count(columns.count, 1, |this, column| {
                    this.count(rows.count, 1, |this, row| call(this, row, column));
                });
            } else {
                self.count(rows.count, 1, |this, row| {
                    this.count(columns.count, 1, |this, column| call(this, row, column));
                });
            }
        }
    }
}

/// How a tile is cut for a target.
pub(in crate::codegen) fn cut(target: &Target, tile: &Tile) -> tile::Cut {
    tile::cut_within(target.block_limits(), tile)
}

/// All tiles in some statements.
pub(in crate::codegen) fn tiles<'a>(body: &'a [Stmt], found: &mut Vec<&'a Tile>) {
    for stmt in body {
        match stmt {
            Stmt::Parts { body, .. } | Stmt::For { body, .. } | Stmt::Vector { body, .. } => {
                tiles(body, found);
            }
            Stmt::If { then, otherwise, .. } => {
                tiles(then, found);
                tiles(otherwise, found);
            }
            Stmt::Tile(tile) => found.push(tile),
            Stmt::Let { .. } | Stmt::Store { .. } | Stmt::AddAt { .. } => {}
        }
    }
}

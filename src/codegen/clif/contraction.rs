//! Tiles of a kernel: calls of register blocks, in loops over the panels and blocks of a cut.
//!
//! ```text
//! tile n 138 { row 32 … }   →   for each panel of columns, for each block of rows:
//!                                   call tile.11x32.k784(a, b, c)
//! ```
//!
//! Addresses of blocks are those of the tile's operands plus a fixed distance a step of each loop.

use cranelift_codegen::ir::{InstBuilder, Signature, Value};

use super::{KernelEmitter, pointers};
use crate::codegen::target::Target;
use crate::codegen::tile::{self, MicroTile, Panels, RowOffset};
use crate::loops::{RowAxis, Stmt, Tile};

const FLOAT: i64 = size_of::<f32>() as i64;

/// Addresses of a block's operands.
#[derive(Clone, Copy)]
struct At {
    a: Value,
    b: Value,
    c: Value,
    bias: Option<Value>,
}

/// The signature of a register block.
pub(in crate::codegen) fn tile_signature(tile: &MicroTile) -> Signature {
    pointers(3 + usize::from(tile.bias))
}

impl KernelEmitter<'_, '_> {
    /// Calls the functions of a tile's register blocks.
    pub(super) fn tile(&mut self, tile: &Tile) {
        let at = At {
            a: self.address(&tile.a),
            b: self.address(&tile.b),
            c: self.address(&tile.c),
            bias: tile.bias.as_ref().map(|bias| self.address(bias)),
        };
        let cut = cut(self.target, tile);
        for panels in &cut.panels {
            if cut.columns_outermost {
                self.panels(panels, at, |this, at| {
                    this.blocks(panels, at, |this, at, rows| {
                        this.call_block(tile, panels, at, rows)
                    });
                });
            } else {
                self.blocks(panels, at, |this, at, rows| {
                    this.panels(panels, at, |this, at| this.call_block(tile, panels, at, rows));
                });
            }
        }
    }

    /// For each panel of columns.
    fn panels(&mut self, panels: &Panels, at: At, body: impl FnOnce(&mut Self, At)) {
        self.count(panels.count, 1, |this, panel| {
            let moved = |this: &mut Self, address| {
                let start = this.moved(address, panels.start as i64);
                this.stepped(start, panel, panels.size as i64)
            };
            let (b, c) = (moved(this, at.b), moved(this, at.c));
            let bias = at.bias.map(|bias| moved(this, bias));
            body(this, At { b, c, bias, ..at });
        });
    }

    /// For each block of rows.
    fn blocks(
        &mut self,
        panels: &Panels,
        at: At,
        mut body: impl FnMut(&mut Self, At, &[RowOffset]),
    ) {
        self.around(&panels.outer, at, &mut |this: &mut Self, at: At| {
            for blocks in &panels.blocks {
                let (a, c) = (this.moved(at.a, blocks.first.a), this.moved(at.c, blocks.first.c));
                this.count(blocks.count, 1, |this, block| {
                    let a = this.stepped(a, block, blocks.step.a);
                    let c = this.stepped(c, block, blocks.step.c);
                    body(this, At { a, c, ..at }, &blocks.rows);
                });
            }
        });
    }

    /// For each row of the axes around all blocks.
    fn around(&mut self, axes: &[RowAxis], at: At, body: &mut dyn FnMut(&mut Self, At)) {
        let Some((axis, inside)) = axes.split_first() else { return body(self, at) };
        self.count(axis.extent, 1, |this, index| {
            let a = this.stepped(at.a, index, axis.a);
            let c = this.stepped(at.c, index, axis.c);
            this.around(inside, At { a, c, ..at }, body);
        });
    }

    /// Calls a block's code.
    fn call_block(&mut self, tile: &Tile, panels: &Panels, at: At, rows: &[RowOffset]) {
        let block = MicroTile::of(tile, rows, panels.size);
        let args: Vec<Value> = [at.a, at.b, at.c].into_iter().chain(at.bias).collect();
        self.call(self.callees.tiles[&block], tile_signature(&block), &args);
    }

    /// An address, some elements on.
    fn moved(&mut self, address: Value, elements: i64) -> Value {
        if elements == 0 {
            return address;
        }
        self.builder.ins().iadd_imm_s(address, elements * FLOAT)
    }

    /// An address, `index` times some elements on.
    fn stepped(&mut self, address: Value, index: Value, elements: i64) -> Value {
        if elements == 0 {
            return address;
        }
        let step = self.builder.ins().imul_imm_s(index, elements * FLOAT);
        self.builder.ins().iadd(address, step)
    }
}

/// How a tile is cut for a target.
pub(in crate::codegen) fn cut(target: &Target, tile: &Tile) -> tile::Cut {
    tile::cut(target.block_limits(), tile)
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
            Stmt::Let { .. } | Stmt::Store { .. } | Stmt::StoreAt { .. } => {}
        }
    }
}

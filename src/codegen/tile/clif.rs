//! A [`MicroTile`] as a Cranelift function on 128-bit vectors, for targets without wide registers.
//!
//! ```text
//! 6×8, k = 100:   12 sums of f32x4; 100 times: load two vectors of B, for each row spread a
//!                 number of A and `fma` it to both; store the sums
//! ```
//!
//! The meaning, the arguments and the bits of the result are those of the wide code in `x86`.

use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{BlockArg, InstBuilder, MemFlagsData, Value, types};
use cranelift_codegen::isa::TargetFrontendConfig;
use cranelift_frontend::FunctionBuilder;

use super::MicroTile;
use crate::base::math::Float32;
use crate::codegen::math::Values;
use crate::loops::SumAxis;

const MEMORY: MemFlagsData = MemFlagsData::new().with_notrap();
const FLOAT: i64 = size_of::<f32>() as i64;
const LANES: usize = 4;

/// Emits the body of a block's function, of which the signature is that of `x86`'s code.
pub fn emit(tile: &MicroTile, mut builder: FunctionBuilder<'_>, frontend: TargetFrontendConfig) {
    let entry = builder.create_block();
    builder.append_block_params_for_function_params(entry);
    builder.switch_to_block(entry);
    let params = builder.block_params(entry).to_vec();
    let mut block = ClifTile { tile, width: tile.n.div_ceil(LANES), builder };
    block.body(&params);
    block.builder.ins().return_(&[]);
    block.builder.seal_all_blocks();
    block.builder.finalize(frontend);
}

/// A block's function being written.
struct ClifTile<'a, 'f> {
    tile: &'a MicroTile,
    /// Vectors across.
    width: usize,
    builder: FunctionBuilder<'f>,
}

/// Where the next products are: addresses in A and B.
type ProductAddresses = (Value, Value);

impl<'f> ClifTile<'_, 'f> {
    fn body(&mut self, params: &[Value]) {
        let tile = self.tile;
        let (a, b, c) = (params[0], params[1], params[2]);
        let mut sums = Vec::with_capacity(tile.rows.len() * self.width);
        for row in &tile.rows {
            for column in 0..self.width {
                sums.push(if tile.accumulate {
                    self.load(c, row.c * FLOAT, column)
                } else {
                    self.floats().splat(0.0)
                });
            }
        }
        if !tile.is_empty_sum() {
            sums = self.sum(&tile.sum, (a, b), sums);
        }
        self.finish(c, params.get(3).copied(), sums);
    }

    fn floats(&mut self) -> Values<'_, 'f> {
        Values { builder: &mut self.builder, vector: true }
    }

    /// The products over some axes, in a loop for each.
    fn sum(&mut self, axes: &[SumAxis], at: ProductAddresses, sums: Vec<Value>) -> Vec<Value> {
        let Some((axis, inside)) = axes.split_first() else { return self.products(at, sums) };
        let sum = |this: &mut Self, at, sums| this.sum(inside, at, sums);
        self.repeat(axis.extent, (axis.a, axis.b), at, sums, sum)
    }

    /// Runs `body` `count` times, moving on by the strides each time.
    fn repeat(
        &mut self,
        count: usize,
        strides: (i64, i64),
        at: ProductAddresses,
        sums: Vec<Value>,
        body: impl FnOnce(&mut Self, ProductAddresses, Vec<Value>) -> Vec<Value>,
    ) -> Vec<Value> {
        if count == 1 {
            return body(self, at, sums);
        }
        let (inside, exit) = (self.builder.create_block(), self.builder.create_block());
        let begin = self.builder.ins().iconst(types::I64, count as i64);
        let first: Vec<BlockArg> =
            [begin, at.0, at.1].into_iter().chain(sums).map(Into::into).collect();
        self.builder.ins().jump(inside, &first);
        self.builder.switch_to_block(inside);
        for position in 0..first.len() {
            let ty = if position < 3 { types::I64 } else { types::F32X4 };
            self.builder.append_block_param(inside, ty);
        }
        let taken = self.builder.block_params(inside).to_vec();
        let given = body(self, (taken[1], taken[2]), taken[3..].to_vec());
        let left = self.builder.ins().iadd_imm_s(taken[0], -1);
        let a = self.builder.ins().iadd_imm_s(taken[1], strides.0 * FLOAT);
        let b = self.builder.ins().iadd_imm_s(taken[2], strides.1 * FLOAT);
        let more = self.builder.ins().icmp_imm_s(IntCC::NotEqual, left, 0);
        let again: Vec<BlockArg> =
            [left, a, b].into_iter().chain(given.iter().copied()).map(Into::into).collect();
        self.builder.ins().brif(more, inside, &again, exit, &[]);
        self.builder.switch_to_block(exit);
        given
    }

    /// One step of the sum: a column of A times a row of B.
    fn products(&mut self, (a, b): ProductAddresses, mut sums: Vec<Value>) -> Vec<Value> {
        let row_of_b: Vec<Value> = (0..self.width).map(|column| self.load(b, 0, column)).collect();
        for (row, sums) in self.tile.rows.iter().zip(sums.chunks_exact_mut(self.width)) {
            let (a, offset) = self.reach(a, row.a * FLOAT);
            let number = self.builder.ins().load(types::F32, MEMORY, a, offset);
            let spread = self.builder.ins().splat(types::F32X4, number);
            for (sum, &b) in sums.iter_mut().zip(&row_of_b) {
                *sum = self.builder.ins().fma(spread, b, *sum);
            }
        }
        sums
    }

    /// Bias, `relu`, and the stores.
    fn finish(&mut self, c: Value, bias: Option<Value>, mut sums: Vec<Value>) {
        if let (true, Some(bias)) = (self.tile.bias, bias) {
            for column in 0..self.width {
                let bias = self.load(bias, 0, column);
                for row in 0..self.tile.rows.len() {
                    let sum = &mut sums[row * self.width + column];
                    *sum = self.builder.ins().fadd(*sum, bias);
                }
            }
        }
        if self.tile.relu {
            for sum in &mut sums {
                // `x > 0 ? x : 0`, so NaN becomes 0.
                let mut floats = Values { builder: &mut self.builder, vector: true };
                let zero = floats.splat(0.0);
                let positive = floats.lt(zero, *sum);
                *sum = floats.select(positive, *sum, zero);
            }
        }
        for (row, sums) in self.tile.rows.iter().zip(sums.chunks_exact(self.width)) {
            let (c, offset) = self.reach(c, row.c * FLOAT);
            for (column, &sum) in sums.iter().enumerate() {
                self.store(c, offset + (column * LANES) as i32 * FLOAT as i32, sum, column);
            }
        }
    }

    /// An address and a constant, for a distance that may be too far for a constant.
    fn reach(&mut self, address: Value, distance: i64) -> (Value, i32) {
        match i32::try_from(distance) {
            Ok(offset) if offset.abs() < 1 << 30 => (address, offset),
            _ => (self.builder.ins().iadd_imm_s(address, distance), 0),
        }
    }

    /// How many lanes of a vector are columns of the block.
    fn valid(&self, column: usize) -> usize {
        (self.tile.n - column * LANES).min(LANES)
    }

    /// A vector of a row; lanes that are no columns are zero, and are not read.
    fn load(&mut self, row: Value, distance: i64, column: usize) -> Value {
        let (row, offset) = self.reach(row, distance);
        let offset = offset + (column * LANES) as i32 * FLOAT as i32;
        if self.valid(column) == LANES {
            return self.builder.ins().load(types::F32X4, MEMORY, row, offset);
        }
        let first = self.builder.ins().load(types::F32, MEMORY, row, offset);
        let mut vector = self.builder.ins().scalar_to_vector(types::F32X4, first);
        for lane in 1..self.valid(column) {
            let offset = offset + lane as i32 * FLOAT as i32;
            let number = self.builder.ins().load(types::F32, MEMORY, row, offset);
            vector = self.builder.ins().insertlane(vector, number, lane as u8);
        }
        vector
    }

    fn store(&mut self, row: Value, offset: i32, vector: Value, column: usize) {
        if self.valid(column) == LANES {
            self.builder.ins().store(MEMORY, vector, row, offset);
            return;
        }
        for lane in 0..self.valid(column) {
            let number = self.builder.ins().extractlane(vector, lane as u8);
            self.builder.ins().store(MEMORY, number, row, offset + lane as i32 * FLOAT as i32);
        }
    }
}

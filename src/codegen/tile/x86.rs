//! A [`MicroTile`] as x86-64 code: all sums stay in registers from the first product to the
//! store.
//!
//! The code is a function by the System V convention: `rdi` the left operand, `rsi` the right
//! one, `rdx` the result, `rcx` the bias. It needs no relocation, writes only registers that
//! belong to the callee (and the stack, where a sum has more than four axes), and ends with
//! `vzeroupper; ret`.
//!
//! ```text
//! 2×32, k = 100:   zero zmm0–3
//!                  25 times: 4 steps of { load zmm4, zmm5 ← b; for each row
//!                                         { zmm6 ← a; zmm0 += zmm4·zmm6; zmm1 += zmm5·zmm6 } }
//!                  store zmm0–3
//! ```
//!
//! It does not check its operands' memory: the loops verifier has.

use iced_x86::IcedError;
use iced_x86::code_asm::{
    AsmRegister64, qword_ptr, r8, r9, r10, r11, rax, rcx, rdi, rdx, rsi, rsp,
};

use super::MicroTile;
use super::vector::{MemOperand, VectorEmitter};
use crate::codegen::isa::{Encoded, Vector, WideIsa};
use crate::loops::SumAxis;

const A: AsmRegister64 = rdi;
const B: AsmRegister64 = rsi;
const C: AsmRegister64 = rdx;
const BIAS: AsmRegister64 = rcx;
/// Count the loops around the inner sum, from the inside out; those beyond lie on the stack.
const COUNTERS: [AsmRegister64; 3] = [r8, r9, r10];
const FLOAT: i64 = size_of::<f32>() as i64;

/// FMAs that a loop's body should have: enough to hide its counter, few enough for the cache of
/// decoded instructions.
const BODY: usize = 96;

/// FMAs of a whole inner sum that is written out without a loop.
const STRAIGHT: usize = 256;

/// The code of a block. A block that does not fit the registers is a bug of the caller's.
pub fn encode(isa: &dyn WideIsa, tile: &MicroTile) -> Vec<u8> {
    let limits = isa.limits();
    let width = tile.n.div_ceil(limits.lanes);
    assert!(
        (1..=limits.rows.len()).contains(&width)
            && (1..=limits.rows[width - 1]).contains(&tile.rows.len()),
        "a {}×{} block does not fit the registers of {isa:?}",
        tile.rows.len(),
        tile.n
    );
    X86Tile::new(isa, tile, width)
        .and_then(|mut block| block.code())
        .expect("every instruction of a block has an encoding")
}

/// A block being written. Registers in order: sums row by row, the row of B, then what broadcasts
/// numbers of A.
struct X86Tile<'a> {
    tile: &'a MicroTile,
    /// Registers across.
    width: usize,
    /// Columns in a register.
    lanes: usize,
    /// Columns in the last register, where it is not full.
    rest: usize,
    emit: VectorEmitter<'a>,
}

impl<'a> X86Tile<'a> {
    fn new(isa: &'a dyn WideIsa, tile: &'a MicroTile, width: usize) -> Result<Self, IcedError> {
        let lanes = isa.limits().lanes;
        Ok(X86Tile { tile, width, lanes, rest: tile.n % lanes, emit: VectorEmitter::new(isa)? })
    }

    fn code(&mut self) -> Result<Vec<u8>, IcedError> {
        if self.rest > 0 {
            self.emit.set_mask(self.rest)?;
        }
        self.begin()?;
        self.sum()?;
        self.finish()?;
        self.emit.asm.vzeroupper()?;
        self.emit.asm.ret()?;
        self.emit.asm.assemble(0)
    }

    /// Sums begin with 0 or with what the result holds.
    fn begin(&mut self) -> Encoded {
        for (row, column) in self.sums() {
            let sum = self.sum_of(row, column);
            if self.tile.accumulate {
                self.emit.load(sum, self.result(row, column), self.masked(column))?;
            } else {
                self.emit.zero(sum)?;
            }
        }
        Ok(())
    }

    /// All products, in order.
    fn sum(&mut self) -> Encoded {
        let tile = self.tile;
        match tile.sum.split_last() {
            _ if tile.is_empty_sum() => Ok(()),
            None => self.steps(1, &SumAxis { extent: 1, a: 0, b: 0 }),
            Some((inner, outer)) => self.loops(outer, inner).map(|_| ()),
        }
    }

    /// The loops over some outer axes around the inner one; gives how far the pointers of A and B
    /// were moved.
    fn loops(&mut self, outer: &[SumAxis], inner: &SumAxis) -> Result<(i64, i64), IcedError> {
        let Some((axis, inside)) = outer.split_first() else { return self.inner_sum(inner) };
        if axis.extent == 1 {
            return self.loops(inside, inner);
        }
        let mut next = self.emit.asm.create_label();
        let counter = COUNTERS.get(inside.len()).copied();
        match counter {
            Some(counter) => self.emit.asm.mov(counter, axis.extent as u64)?,
            None => {
                self.emit.asm.mov(r11, axis.extent as u64)?;
                self.emit.asm.push(r11)?;
            }
        }
        self.emit.asm.set_label(&mut next)?;
        let (a, b) = self.loops(inside, inner)?;
        self.emit.advance(A, FLOAT * (axis.a - a))?;
        self.emit.advance(B, FLOAT * (axis.b - b))?;
        match counter {
            Some(counter) => self.emit.asm.dec(counter)?,
            None => self.emit.asm.dec(qword_ptr(rsp))?,
        }
        self.emit.asm.jne(next)?;
        if counter.is_none() {
            self.emit.asm.pop(r11)?;
        }
        let count = axis.extent as i64;
        Ok((count * axis.a, count * axis.b))
    }

    /// The inner sum; gives how far the pointers of A and B were moved.
    fn inner_sum(&mut self, axis: &SumAxis) -> Result<(i64, i64), IcedError> {
        let step = self.tile.rows.len() * self.width;
        let unroll = (BODY / step).clamp(2, 8);
        let (trips, rest) = match axis.extent / unroll {
            _ if axis.extent * step <= STRAIGHT => (0, axis.extent),
            0 | 1 => (0, axis.extent),
            trips => (trips, axis.extent % unroll),
        };
        if trips > 0 {
            let mut next = self.emit.asm.create_label();
            self.emit.asm.mov(rax, trips as u64)?;
            self.emit.asm.set_label(&mut next)?;
            self.steps(unroll, axis)?;
            self.emit.advance(A, FLOAT * unroll as i64 * axis.a)?;
            self.emit.advance(B, FLOAT * unroll as i64 * axis.b)?;
            self.emit.asm.dec(rax)?;
            self.emit.asm.jne(next)?;
        }
        self.steps(rest, axis)?;
        let moved = (trips * unroll) as i64;
        Ok((moved * axis.a, moved * axis.b))
    }

    /// `count` steps of the inner sum from where the pointers are.
    fn steps(&mut self, count: usize, axis: &SumAxis) -> Encoded {
        let tile = self.tile;
        for step in 0..count as i64 {
            let first_b = self.sum_of(tile.rows.len(), 0);
            for column in 0..self.width {
                let bytes = FLOAT * (step * axis.b + (column * self.lanes) as i64);
                let from = MemOperand { base: B, bytes };
                self.emit.load(first_b + column, from, self.masked(column))?;
            }
            for (row, offset) in tile.rows.iter().enumerate() {
                self.row(row, MemOperand { base: A, bytes: FLOAT * (step * axis.a + offset.a) })?;
            }
        }
        Ok(())
    }

    /// One row's products of one step. Rows take turns with the registers that broadcast.
    fn row(&mut self, row: usize, a: MemOperand) -> Encoded {
        let first_b = self.sum_of(self.tile.rows.len(), 0);
        let first = first_b + self.width;
        let spare = self.emit.registers(self.rest > 0) - first;
        let first_sum = self.sum_of(row, 0);
        let sums = (0..self.width).map(|column| (first_sum + column, first_b + column));
        self.emit.multiply_row(sums, a, first + row % spare)
    }

    /// Bias, relu, stores. The registers of B are free by now.
    fn finish(&mut self) -> Encoded {
        let free = self.sum_of(self.tile.rows.len(), 0);
        if self.tile.bias {
            for column in 0..self.width {
                let from = MemOperand { base: BIAS, bytes: FLOAT * (column * self.lanes) as i64 };
                self.emit.load(free, from, self.masked(column))?;
                for row in 0..self.tile.rows.len() {
                    self.emit.add(self.sum_of(row, column), free)?;
                }
            }
        }
        if self.tile.relu {
            self.emit.zero(free)?;
            for (row, column) in self.sums() {
                self.emit.relu(self.sum_of(row, column), free)?;
            }
        }
        for (row, column) in self.sums() {
            let to = self.result(row, column);
            self.emit.store(to, self.sum_of(row, column), self.masked(column))?;
        }
        Ok(())
    }

    /// Every register of sums: its row and its place across.
    fn sums(&self) -> impl Iterator<Item = (usize, usize)> + use<> {
        let width = self.width;
        (0..self.tile.rows.len()).flat_map(move |row| (0..width).map(move |column| (row, column)))
    }

    fn sum_of(&self, row: usize, column: usize) -> Vector {
        row * self.width + column
    }

    fn result(&self, row: usize, column: usize) -> MemOperand {
        let elements = self.tile.rows[row].c + (column * self.lanes) as i64;
        MemOperand { base: C, bytes: FLOAT * elements }
    }

    fn masked(&self, column: usize) -> bool {
        self.rest > 0 && column + 1 == self.width
    }
}

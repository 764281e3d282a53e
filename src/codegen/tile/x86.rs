//! A [`MicroTile`] as x86-64 code: all sums stay in registers from the first product to the
//! store.
//!
//! The code is a function by the System V convention: `rdi` the left operand, `rsi` the right
//! one, `rdx` the result, `rcx` the bias. It needs no relocation and no stack, writes only
//! registers that belong to the callee, and ends with `vzeroupper; ret`.
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
use iced_x86::code_asm::{AsmRegister64, r8, rax, rcx, rdi, rdx, rsi};

use super::vector::{Emitter, Place, Vector};
use super::{MicroTile, WideIsa};

const A: AsmRegister64 = rdi;
const B: AsmRegister64 = rsi;
const C: AsmRegister64 = rdx;
const BIAS: AsmRegister64 = rcx;
const FLOAT: i64 = size_of::<f32>() as i64;

/// FMAs that a loop's body should have: enough to hide its counter, few enough for the cache of
/// decoded instructions.
const BODY: usize = 96;

/// The code of a block. A block that does not fit the registers is a bug of the caller's.
pub fn encode(isa: WideIsa, tile: &MicroTile) -> Vec<u8> {
    let limits = isa.limits();
    let width = tile.n.div_ceil(limits.lanes);
    assert!(
        (1..=limits.rows.len()).contains(&width) && (1..=limits.rows[width - 1]).contains(&tile.m),
        "a {}×{} block does not fit the registers of {isa:?}",
        tile.m,
        tile.n
    );
    Block::new(isa, tile, width)
        .and_then(|mut block| block.code())
        .expect("every instruction of a block has an encoding")
}

/// A block being written. Registers in order: sums row by row, the row of B, then what broadcasts
/// numbers of A.
struct Block<'a> {
    tile: &'a MicroTile,
    /// Registers across.
    width: usize,
    /// Columns in a register.
    lanes: usize,
    /// Columns in the last register, where it is not full.
    rest: usize,
    emit: Emitter,
}

impl<'a> Block<'a> {
    fn new(isa: WideIsa, tile: &'a MicroTile, width: usize) -> Result<Self, IcedError> {
        let lanes = isa.limits().lanes;
        Ok(Block { tile, width, lanes, rest: tile.n % lanes, emit: Emitter::new(isa)? })
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
    fn begin(&mut self) -> Result<(), IcedError> {
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

    /// The outer loop around the sum.
    fn sum(&mut self) -> Result<(), IcedError> {
        let tile = self.tile;
        if tile.k == 0 || tile.outer == 0 {
            return Ok(());
        }
        if tile.outer == 1 {
            self.inner_sum()?;
            return Ok(());
        }
        let mut next = self.emit.asm.create_label();
        self.emit.asm.mov(r8, tile.outer as u64)?;
        self.emit.asm.set_label(&mut next)?;
        let steps = self.inner_sum()?;
        self.emit.advance(A, FLOAT * (tile.a_outer - steps * tile.a_inner))?;
        self.emit.advance(B, FLOAT * (tile.b_outer - steps * tile.b_inner))?;
        self.emit.asm.dec(r8)?;
        self.emit.asm.jne(next)
    }

    /// The inner sum; returns how many steps the pointers of A and B were moved.
    fn inner_sum(&mut self) -> Result<i64, IcedError> {
        let tile = self.tile;
        let unroll = (BODY / (tile.m * self.width)).clamp(2, 8);
        let (trips, rest) = match tile.k / unroll {
            0 | 1 => (0, tile.k),
            trips => (trips, tile.k % unroll),
        };
        if trips > 0 {
            let mut next = self.emit.asm.create_label();
            self.emit.asm.mov(rax, trips as u64)?;
            self.emit.asm.set_label(&mut next)?;
            self.steps(unroll)?;
            self.emit.advance(A, FLOAT * unroll as i64 * tile.a_inner)?;
            self.emit.advance(B, FLOAT * unroll as i64 * tile.b_inner)?;
            self.emit.asm.dec(rax)?;
            self.emit.asm.jne(next)?;
        }
        self.steps(rest)?;
        Ok((trips * unroll) as i64)
    }

    /// `count` steps of the inner sum from where the pointers are.
    fn steps(&mut self, count: usize) -> Result<(), IcedError> {
        for step in 0..count as i64 {
            let first_b = self.sum_of(self.tile.m, 0);
            for column in 0..self.width {
                let bytes = FLOAT * (step * self.tile.b_inner + (column * self.lanes) as i64);
                let from = Place { base: B, bytes };
                self.emit.load(first_b + column, from, self.masked(column))?;
            }
            for row in 0..self.tile.m {
                let bytes = FLOAT * (step * self.tile.a_inner + row as i64 * self.tile.a_row);
                self.row(row, Place { base: A, bytes })?;
            }
        }
        Ok(())
    }

    /// One row's products of one step.
    fn row(&mut self, row: usize, a: Place) -> Result<(), IcedError> {
        let first_b = self.sum_of(self.tile.m, 0);
        if self.width == 1 && self.emit.fma_broadcasts() {
            return self.emit.fma_broadcast(self.sum_of(row, 0), first_b, a);
        }
        let first = first_b + self.width;
        let spare = self.emit.registers(self.rest > 0) - first;
        let number = first + row % spare;
        self.emit.broadcast(number, a)?;
        for column in 0..self.width {
            self.emit.fma(self.sum_of(row, column), first_b + column, number)?;
        }
        Ok(())
    }

    /// Bias, relu, stores. The registers of B are free by now.
    fn finish(&mut self) -> Result<(), IcedError> {
        let free = self.sum_of(self.tile.m, 0);
        if self.tile.bias {
            for column in 0..self.width {
                let from = Place { base: BIAS, bytes: FLOAT * (column * self.lanes) as i64 };
                self.emit.load(free, from, self.masked(column))?;
                for row in 0..self.tile.m {
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
        (0..self.tile.m).flat_map(move |row| (0..width).map(move |column| (row, column)))
    }

    fn sum_of(&self, row: usize, column: usize) -> Vector {
        row * self.width + column
    }

    fn result(&self, row: usize, column: usize) -> Place {
        let elements = row as i64 * self.tile.c_row + (column * self.lanes) as i64;
        Place { base: C, bytes: FLOAT * elements }
    }

    fn masked(&self, column: usize) -> bool {
        self.rest > 0 && column + 1 == self.width
    }
}

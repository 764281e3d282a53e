//! Vector operations whose operands in memory are a base and a distance in bytes, whatever the
//! instruction set.
//!
//! ```text
//! load(3, [rsi + 64], masked)   →   vmovups zmm3{k1}{z}, [rsi+40h]
//! load(3, [rsi + 2³³], masked)  →   mov r11, 200000000h; vmovups zmm3{k1}{z}, [rsi+r11]
//! ```
//!
//! Which register holds what, and in which order things happen, is up to `x86`. `r11` is written
//! here, and `rax` by [`VectorEmitter::set_mask`]; no other integer register is.

use iced_x86::IcedError;
use iced_x86::code_asm::{AsmMemoryOperand, AsmRegister64, CodeAssembler, r11};

use crate::codegen::isa::{Encoded, LaneBinary, Vector, WideIsa};

/// A place in memory.
#[derive(Clone, Copy)]
pub struct MemOperand {
    /// A register with an address.
    pub base: AsmRegister64,
    /// Bytes from there.
    pub bytes: i64,
}

/// Writes instructions for one instruction set.
pub struct VectorEmitter<'a> {
    /// The assembler, for what is not a vector.
    pub asm: CodeAssembler,
    isa: &'a dyn WideIsa,
}

impl<'a> VectorEmitter<'a> {
    /// An emitter without code.
    pub fn new(isa: &'a dyn WideIsa) -> Result<Self, IcedError> {
        Ok(VectorEmitter { asm: CodeAssembler::new(64)?, isa })
    }

    /// How many vector registers there are for values: without the one that a mask may take.
    pub fn registers(&self, masked: bool) -> usize {
        self.isa.registers(masked)
    }

    /// Makes masked instructions touch the first `columns` lanes only.
    pub fn set_mask(&mut self, columns: usize) -> Encoded {
        self.isa.set_mask(&mut self.asm, columns)
    }

    /// `to = 0`
    pub fn zero(&mut self, to: Vector) -> Encoded {
        self.isa.zero(&mut self.asm, to)
    }

    /// `to = memory`; lanes beyond a mask become 0, and their memory is not touched.
    pub fn load(&mut self, to: Vector, from: MemOperand, masked: bool) -> Encoded {
        let from = self.operand(from)?;
        self.isa.load(&mut self.asm, to, from, masked)
    }

    /// `memory = from`; memory beyond a mask is not touched.
    pub fn store(&mut self, to: MemOperand, from: Vector, masked: bool) -> Encoded {
        let to = self.operand(to)?;
        self.isa.store(&mut self.asm, to, from, masked)
    }

    /// `sums[i] = b[i]·a + sums[i]`, rounded once each, where `a` is one number in memory. `spare` is
    /// written where the instruction set needs a register for it.
    pub fn multiply_row(
        &mut self,
        sums: impl ExactSizeIterator<Item = (Vector, Vector)>,
        a: MemOperand,
        spare: Vector,
    ) -> Encoded {
        let a = self.operand(a)?;
        let mut sums = sums.peekable();
        if let (1, Some(&(sum, b))) = (sums.len(), sums.peek())
            && let Some(done) = self.isa.fma_broadcast(&mut self.asm, sum, b, a)
        {
            return done;
        }
        self.isa.broadcast(&mut self.asm, spare, a)?;
        sums.try_for_each(|(sum, b)| self.isa.fma(&mut self.asm, sum, b, spare))
    }

    /// `to = to + other`
    pub fn add(&mut self, to: Vector, other: Vector) -> Encoded {
        self.isa.binary(&mut self.asm, LaneBinary::Add, to, to, other)
    }

    /// `to = to > zero ? to : zero`, so that NaN becomes 0.
    pub fn relu(&mut self, to: Vector, zero: Vector) -> Encoded {
        self.isa.binary(&mut self.asm, LaneBinary::Max, to, to, zero)
    }

    /// Moves a pointer.
    pub fn advance(&mut self, pointer: AsmRegister64, bytes: i64) -> Encoded {
        match i32::try_from(bytes) {
            Ok(0) => Ok(()),
            Ok(bytes) => self.asm.add(pointer, bytes),
            Err(_) => {
                self.asm.mov(r11, bytes)?;
                self.asm.add(pointer, r11)
            }
        }
    }

    /// A place as an operand; one too far for a displacement goes through `r11`.
    fn operand(&mut self, place: MemOperand) -> Result<AsmMemoryOperand, IcedError> {
        match i32::try_from(place.bytes) {
            Ok(bytes) => Ok(place.base + bytes),
            Err(_) => {
                self.asm.mov(r11, place.bytes)?;
                Ok(place.base + r11)
            }
        }
    }
}

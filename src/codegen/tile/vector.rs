//! The few vector instructions that a block needs, the same for both instruction sets: registers
//! go in as numbers, addresses as a base and a distance in bytes, and one instruction comes out.
//!
//! ```text
//! load(3, [rsi + 64], masked)   →   vmovups zmm3{k1}{z}, [rsi+40h]
//!                               →   vmaskmovps ymm3, ymm15, [rsi+40h]
//! ```
//!
//! Which register holds what, and in which order things happen, is `x86`'s business. `r11` and
//! `eax` are written here; no other integer register is.

use iced_x86::code_asm::{
    AsmMemoryOperand, AsmRegister64, AsmRegisterYmm, AsmRegisterZmm, CodeAssembler, dword_bcst,
    dword_ptr, eax, get_xmm, get_ymm, get_zmm, k1, ptr, r11, rax,
};
use iced_x86::{IcedError, Register};

use super::WideIsa;

/// A vector register's number.
pub type Vector = usize;

/// AVX2's register for the mask of the last columns, where there is one.
const MASK: Vector = 15;

/// A place in memory.
#[derive(Clone, Copy)]
pub struct MemOperand {
    /// A register with an address.
    pub base: AsmRegister64,
    /// Bytes from there.
    pub bytes: i64,
}

/// Writes instructions for one instruction set.
pub struct VectorEmitter {
    /// The assembler, for what is not a vector.
    pub asm: CodeAssembler,
    isa: WideIsa,
}

impl VectorEmitter {
    /// An emitter without code.
    pub fn new(isa: WideIsa) -> Result<Self, IcedError> {
        Ok(VectorEmitter { asm: CodeAssembler::new(64)?, isa })
    }

    /// How many vector registers there are for values: without the one that a mask takes.
    pub fn registers(&self, masked: bool) -> usize {
        match self.isa {
            WideIsa::Avx512 => 32,
            WideIsa::Avx2 => 16 - usize::from(masked),
        }
    }

    /// Whether an FMA can broadcast its own operand from memory.
    pub fn fma_broadcasts(&self) -> bool {
        self.isa == WideIsa::Avx512
    }

    /// Makes masked instructions touch the first `columns` lanes only.
    pub fn set_mask(&mut self, columns: usize) -> Result<(), IcedError> {
        match self.isa {
            WideIsa::Avx512 => {
                self.asm.mov(eax, (1i32 << columns) - 1)?;
                self.asm.kmovw(k1, eax)
            }
            WideIsa::Avx2 => {
                // A byte 0xff for each column, spread to lanes of all ones.
                self.asm.mov(rax, (1i64 << (8 * columns)) - 1)?;
                let low = get_xmm(Register::XMM0 + MASK as u32).expect("a number below 16");
                self.asm.vmovq(low, rax)?;
                self.asm.vpmovsxbd(ymm(MASK), low)
            }
        }
    }

    /// `to = 0`.
    pub fn zero(&mut self, to: Vector) -> Result<(), IcedError> {
        match self.isa {
            WideIsa::Avx512 => self.asm.vpxord(zmm(to), zmm(to), zmm(to)),
            WideIsa::Avx2 => self.asm.vxorps(ymm(to), ymm(to), ymm(to)),
        }
    }

    /// `to = memory`; lanes beyond a mask become 0, and their memory is not touched.
    pub fn load(&mut self, to: Vector, from: MemOperand, masked: bool) -> Result<(), IcedError> {
        let from = self.operand(from)?;
        match (self.isa, masked) {
            (WideIsa::Avx512, false) => self.asm.vmovups(zmm(to), ptr(from)),
            (WideIsa::Avx512, true) => self.asm.vmovups(zmm(to).k1().z(), ptr(from)),
            (WideIsa::Avx2, false) => self.asm.vmovups(ymm(to), ptr(from)),
            (WideIsa::Avx2, true) => self.asm.vmaskmovps(ymm(to), ymm(MASK), ptr(from)),
        }
    }

    /// `memory = from`; memory beyond a mask is not touched.
    pub fn store(&mut self, to: MemOperand, from: Vector, masked: bool) -> Result<(), IcedError> {
        let to = self.operand(to)?;
        match (self.isa, masked) {
            (WideIsa::Avx512, false) => self.asm.vmovups(ptr(to), zmm(from)),
            (WideIsa::Avx512, true) => self.asm.vmovups(ptr(to).k1(), zmm(from)),
            (WideIsa::Avx2, false) => self.asm.vmovups(ptr(to), ymm(from)),
            (WideIsa::Avx2, true) => self.asm.vmaskmovps(ptr(to), ymm(MASK), ymm(from)),
        }
    }

    /// Every lane of `to` = one number in memory.
    pub fn broadcast(&mut self, to: Vector, from: MemOperand) -> Result<(), IcedError> {
        let from = dword_ptr(self.operand(from)?);
        match self.isa {
            WideIsa::Avx512 => self.asm.vbroadcastss(zmm(to), from),
            WideIsa::Avx2 => self.asm.vbroadcastss(ymm(to), from),
        }
    }

    /// `sum = b·a + sum`, rounded once.
    pub fn fma(&mut self, sum: Vector, b: Vector, a: Vector) -> Result<(), IcedError> {
        match self.isa {
            WideIsa::Avx512 => self.asm.vfmadd231ps(zmm(sum), zmm(b), zmm(a)),
            WideIsa::Avx2 => self.asm.vfmadd231ps(ymm(sum), ymm(b), ymm(a)),
        }
    }

    /// `sum = b·a + sum`, where `a` is one number in memory. Only where [`Self::fma_broadcasts`].
    pub fn fma_broadcast(
        &mut self,
        sum: Vector,
        b: Vector,
        a: MemOperand,
    ) -> Result<(), IcedError> {
        let a = dword_bcst(self.operand(a)?);
        self.asm.vfmadd231ps(zmm(sum), zmm(b), a)
    }

    /// `to = to + other`.
    pub fn add(&mut self, to: Vector, other: Vector) -> Result<(), IcedError> {
        match self.isa {
            WideIsa::Avx512 => self.asm.vaddps(zmm(to), zmm(to), zmm(other)),
            WideIsa::Avx2 => self.asm.vaddps(ymm(to), ymm(to), ymm(other)),
        }
    }

    /// `to = to > zero ? to : zero`: the instruction gives its second operand where one is NaN or
    /// both are zeros.
    pub fn relu(&mut self, to: Vector, zero: Vector) -> Result<(), IcedError> {
        match self.isa {
            WideIsa::Avx512 => self.asm.vmaxps(zmm(to), zmm(to), zmm(zero)),
            WideIsa::Avx2 => self.asm.vmaxps(ymm(to), ymm(to), ymm(zero)),
        }
    }

    /// Moves a pointer.
    pub fn advance(&mut self, pointer: AsmRegister64, bytes: i64) -> Result<(), IcedError> {
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

fn zmm(number: Vector) -> AsmRegisterZmm {
    get_zmm(Register::ZMM0 + number as u32).expect("a number below 32")
}

fn ymm(number: Vector) -> AsmRegisterYmm {
    assert!(number < 16, "VEX has 16 registers");
    get_ymm(Register::YMM0 + number as u32).expect("a number below 16")
}

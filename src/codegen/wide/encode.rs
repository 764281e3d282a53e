//! A [`WideLoop`] as x86-64 code.
//!
//! A function by the System V convention: `rdi` points at a block with the pointers, eight bytes
//! each, and behind them the scalars, four bytes each. It writes only registers that belong to the
//! callee, has its constants behind its last instruction, and ends with `vzeroupper; ret`.
//!
//! ```text
//! mov rsi, [rdi]; vbroadcastss zmm9, [rdi+8]; xor eax, eax
//! next: vmovups zmm0, [rsi+rax*4]; vmulps zmm1, zmm0, zmm9; vmovups [rsi+rax*4], zmm1
//! add rax, 16; cmp rax, 7168; jb next; vzeroupper; ret
//! ```
//!
//! Elements that fill no register are computed once more under a mask: their neighbours are
//! neither read nor written.

use iced_x86::code_asm::{
    AsmMemoryOperand, AsmRegister64, AsmRegisterYmm, AsmRegisterZmm, CodeAssembler, CodeLabel,
    dword_ptr, eax, get_xmm, get_ymm, get_zmm, k1, k2, ptr, qword_ptr, r8, r9, r10, r11, rax, rcx,
    rdi, rdx, rsi,
};
use iced_x86::{IcedError, Register};

use super::registers::{Registers, SCRATCH, assign};
use super::{Compare, LaneOp, ValueId, WideLoop};
use crate::codegen::tile::WideIsa;

/// Hold the pointers.
const POINTERS: [AsmRegister64; 7] = [rsi, rdx, rcx, r8, r9, r10, r11];
/// Counts elements.
const COUNTER: AsmRegister64 = rax;
/// AVX2's register for the mask of the last elements.
const MASK: usize = 15;
const FLOAT: i32 = size_of::<f32>() as i32;
const POINTER: usize = size_of::<usize>();

/// The code of a loop that fits the registers; another one is a bug of the caller's.
pub fn encode(isa: WideIsa, wide: &WideLoop) -> Vec<u8> {
    let registers = assign(isa, wide).expect("a wide loop fits the registers");
    let constants = wide.ops.iter().filter(|op| matches!(op, LaneOp::Const(_))).count();
    CodeAssembler::new(64)
        .and_then(|asm| {
            let labels = vec![None; constants.max(wide.ops.len())];
            Body { isa, wide, registers, asm, labels }.code()
        })
        .expect("every instruction of a wide loop has an encoding")
}

/// A three-operand instruction in both widths.
macro_rules! three {
    ($body:ident, $to:expr, $a:expr, $b:expr, $wide:ident, $narrow:ident) => {
        match $body.isa {
            WideIsa::Avx512 => $body.asm.$wide(zmm($to), zmm($a), zmm($b)),
            WideIsa::Avx2 => $body.asm.$narrow(ymm($to), ymm($a), ymm($b)),
        }
    };
}

/// A two-operand instruction in both widths.
macro_rules! two {
    ($body:ident, $to:expr, $a:expr, $name:ident) => {
        match $body.isa {
            WideIsa::Avx512 => $body.asm.$name(zmm($to), zmm($a)),
            WideIsa::Avx2 => $body.asm.$name(ymm($to), ymm($a)),
        }
    };
}

/// A loop being written.
struct Body<'a> {
    isa: WideIsa,
    wide: &'a WideLoop,
    registers: Registers,
    asm: CodeAssembler,
    /// Where the constant of an op is.
    labels: Vec<Option<CodeLabel>>,
}

impl Body<'_> {
    fn code(&mut self) -> Result<Vec<u8>, IcedError> {
        let lanes = self.isa.limits().lanes;
        let (full, rest) = (self.wide.extent / lanes * lanes, self.wide.extent % lanes);
        for (at, op) in self.wide.ops.iter().enumerate() {
            if matches!(op, LaneOp::Const(_)) {
                self.labels[at] = Some(self.asm.create_label());
            }
        }
        for (index, &pointer) in POINTERS.iter().enumerate().take(self.wide.pointers) {
            self.asm.mov(pointer, qword_ptr(rdi + (POINTER * index) as i32))?;
        }
        for at in 0..self.wide.ops.len() {
            if let (true, Some(to)) = (self.wide.ops[at].is_invariant(), self.registers.of[at]) {
                self.broadcast(to, at)?;
            }
        }
        if full > 0 {
            self.asm.xor(eax, eax)?;
            let mut next = self.asm.create_label();
            self.asm.set_label(&mut next)?;
            self.round(false)?;
            self.asm.add(COUNTER, lanes as i32)?;
            self.asm.cmp(COUNTER, full as i32)?;
            self.asm.jb(next)?;
        }
        if rest > 0 {
            self.set_mask(rest)?;
            self.asm.mov(COUNTER, full as u64)?;
            self.round(true)?;
        }
        self.asm.vzeroupper()?;
        self.asm.ret()?;
        for (at, op) in self.wide.ops.iter().enumerate() {
            if let (LaneOp::Const(bits), Some(mut label)) = (op, self.labels[at]) {
                self.asm.set_label(&mut label)?;
                self.asm.dd(&[*bits])?;
            }
        }
        self.asm.assemble(0)
    }

    /// Makes masked instructions touch the first lanes only.
    fn set_mask(&mut self, lanes: usize) -> Result<(), IcedError> {
        match self.isa {
            WideIsa::Avx512 => {
                self.asm.mov(eax, (1i32 << lanes) - 1)?;
                self.asm.kmovw(k1, eax)
            }
            WideIsa::Avx2 => {
                // A byte 0xff for each lane, spread to lanes of all ones.
                self.asm.mov(rax, (1i64 << (8 * lanes)) - 1)?;
                let low = get_xmm(Register::XMM0 + MASK as u32).expect("a number below 16");
                self.asm.vmovq(low, rax)?;
                self.asm.vpmovsxbd(ymm(MASK), low)
            }
        }
    }

    /// All ops once, for a register of elements from the counter on.
    fn round(&mut self, masked: bool) -> Result<(), IcedError> {
        for at in 0..self.wide.ops.len() {
            let op = self.wide.ops[at];
            if op.is_invariant() {
                continue;
            }
            let mut read = [0; SCRATCH];
            for (slot, arg) in op.args().enumerate() {
                read[slot] = self.operand(arg, self.registers.scratch[slot])?;
            }
            match (op, self.registers.of[at]) {
                (LaneOp::Store { pointer, offset, .. }, _) => {
                    self.store(place(pointer, offset), read[0], masked)?;
                }
                (_, Some(to)) => self.op(op, to, read, masked)?,
                (_, None) => unreachable!("every value has a register"),
            }
        }
        Ok(())
    }

    /// The register of a value, which is brought there if it has none of its own.
    fn operand(&mut self, value: ValueId, scratch: usize) -> Result<usize, IcedError> {
        match self.registers.of[value] {
            Some(register) => Ok(register),
            None => self.broadcast(scratch, value).map(|()| scratch),
        }
    }

    /// Every lane of `to` = what is the same for all elements.
    fn broadcast(&mut self, to: usize, value: ValueId) -> Result<(), IcedError> {
        let from: AsmMemoryOperand = match (self.wide.ops[value], self.labels[value]) {
            (LaneOp::Scalar(index), _) => {
                let at = POINTER * self.wide.pointers + FLOAT as usize * index;
                dword_ptr(rdi + at as i32)
            }
            (_, Some(label)) => dword_ptr(label),
            (op, None) => unreachable!("{op:?} is not the same for all elements"),
        };
        match self.isa {
            WideIsa::Avx512 => self.asm.vbroadcastss(zmm(to), from),
            WideIsa::Avx2 => self.asm.vbroadcastss(ymm(to), from),
        }
    }

    fn load(&mut self, to: usize, from: AsmMemoryOperand, masked: bool) -> Result<(), IcedError> {
        match (self.isa, masked) {
            (WideIsa::Avx512, false) => self.asm.vmovups(zmm(to), from),
            (WideIsa::Avx512, true) => self.asm.vmovups(zmm(to).k1().z(), from),
            (WideIsa::Avx2, false) => self.asm.vmovups(ymm(to), from),
            (WideIsa::Avx2, true) => self.asm.vmaskmovps(ymm(to), ymm(MASK), from),
        }
    }

    fn store(&mut self, to: AsmMemoryOperand, from: usize, masked: bool) -> Result<(), IcedError> {
        match (self.isa, masked) {
            (WideIsa::Avx512, false) => self.asm.vmovups(to, zmm(from)),
            (WideIsa::Avx512, true) => self.asm.vmovups(to.k1(), zmm(from)),
            (WideIsa::Avx2, false) => self.asm.vmovups(to, ymm(from)),
            (WideIsa::Avx2, true) => self.asm.vmaskmovps(to, ymm(MASK), ymm(from)),
        }
    }

    fn copy(&mut self, to: usize, from: usize) -> Result<(), IcedError> {
        two!(self, to, from, vmovaps)
    }

    /// One op on registers; `to` is none of those that are read.
    fn op(
        &mut self,
        op: LaneOp,
        to: usize,
        [a, b, c]: [usize; SCRATCH],
        masked: bool,
    ) -> Result<(), IcedError> {
        match op {
            LaneOp::Load { pointer, offset } => self.load(to, place(pointer, offset), masked),
            LaneOp::Add(..) => three!(self, to, a, b, vaddps, vaddps),
            LaneOp::Sub(..) => three!(self, to, a, b, vsubps, vsubps),
            LaneOp::Mul(..) => three!(self, to, a, b, vmulps, vmulps),
            LaneOp::Div(..) => three!(self, to, a, b, vdivps, vdivps),
            LaneOp::Fma(..) => {
                self.copy(to, c)?;
                three!(self, to, a, b, vfmadd231ps, vfmadd231ps)
            }
            LaneOp::Sqrt(_) => two!(self, to, a, vsqrtps),
            LaneOp::Floor(_) => match self.isa {
                WideIsa::Avx512 => self.asm.vrndscaleps(zmm(to), zmm(a), 1),
                WideIsa::Avx2 => self.asm.vroundps(ymm(to), ymm(a), 1),
            },
            LaneOp::FromInt(_) => two!(self, to, a, vcvtdq2ps),
            LaneOp::Compare(compare, ..) => self.compare(compare, to, a, b),
            LaneOp::Select(..) => match self.isa {
                WideIsa::Avx512 => {
                    // Bit by bit: where the first is 1 the second, else the third.
                    self.copy(to, a)?;
                    self.asm.vpternlogd(zmm(to), zmm(b), zmm(c), 0xca)
                }
                WideIsa::Avx2 => self.asm.vblendvps(ymm(to), ymm(c), ymm(b), ymm(a)),
            },
            LaneOp::And(..) => three!(self, to, a, b, vpandd, vpand),
            LaneOp::Or(..) => three!(self, to, a, b, vpord, vpor),
            LaneOp::Xor(..) => three!(self, to, a, b, vpxord, vpxor),
            LaneOp::IntAdd(..) => three!(self, to, a, b, vpaddd, vpaddd),
            LaneOp::IntSub(..) => three!(self, to, a, b, vpsubd, vpsubd),
            LaneOp::ShiftLeft(_, bits) => match self.isa {
                WideIsa::Avx512 => self.asm.vpslld(zmm(to), zmm(a), bits as i32),
                WideIsa::Avx2 => self.asm.vpslld(ymm(to), ymm(a), bits as i32),
            },
            LaneOp::ShiftRight(_, bits) => match self.isa {
                WideIsa::Avx512 => self.asm.vpsrad(zmm(to), zmm(a), bits as i32),
                WideIsa::Avx2 => self.asm.vpsrad(ymm(to), ymm(a), bits as i32),
            },
            LaneOp::Store { .. } | LaneOp::Scalar(_) | LaneOp::Const(_) => {
                unreachable!("{op:?} computes nothing here")
            }
        }
    }

    /// Lanes of all ones where the comparison holds.
    fn compare(
        &mut self,
        compare: Compare,
        to: usize,
        a: usize,
        b: usize,
    ) -> Result<(), IcedError> {
        // The predicates of the instruction that raise nothing for NaN.
        let predicate = match compare {
            Compare::Eq => 0x00,
            Compare::Ne => 0x04,
            Compare::Lt => 0x11,
            Compare::Le => 0x12,
        };
        match self.isa {
            WideIsa::Avx512 => {
                self.asm.vcmpps(k2, zmm(a), zmm(b), predicate)?;
                self.asm.vpternlogd(zmm(to).k2().z(), zmm(to), zmm(to), 0xff)
            }
            WideIsa::Avx2 => self.asm.vcmpps(ymm(to), ymm(a), ymm(b), predicate),
        }
    }
}

/// Elements from the counter on, behind a pointer.
fn place(pointer: usize, offset: i32) -> AsmMemoryOperand {
    ptr(POINTERS[pointer] + COUNTER * FLOAT + offset * FLOAT)
}

fn zmm(number: usize) -> AsmRegisterZmm {
    get_zmm(Register::ZMM0 + number as u32).expect("a number below 32")
}

fn ymm(number: usize) -> AsmRegisterYmm {
    assert!(number < 16, "VEX has 16 registers");
    get_ymm(Register::YMM0 + number as u32).expect("a number below 16")
}

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

use iced_x86::IcedError;
use iced_x86::code_asm::{
    AsmMemoryOperand, AsmRegister64, CodeAssembler, CodeLabel, dword_ptr, eax, ptr, qword_ptr, r8,
    r9, r10, r11, rax, rcx, rdi, rdx, rsi,
};

use super::registers::{Registers, SCRATCH, assign};
use super::{LaneOp, ValueId, WideLoop};
use crate::codegen::isa::{Encoded, LaneBinary, LaneShift, LaneUnary, Vector, WideIsa};

/// Hold the pointers; where there are more, the last one is loaded with each of the rest as it is used.
const POINTERS: [AsmRegister64; 7] = [rsi, rdx, rcx, r8, r9, r10, r11];
/// Counts elements.
const COUNTER: AsmRegister64 = rax;
const FLOAT: i32 = size_of::<f32>() as i32;
const POINTER: usize = size_of::<usize>();

/// The code of a loop that fits the registers; another one is a bug of the caller's.
pub fn encode(isa: &dyn WideIsa, wide: &WideLoop) -> Vec<u8> {
    let registers = assign(isa, wide).expect("a wide loop fits the registers");
    let constants = wide.ops.iter().filter(|op| matches!(op, LaneOp::Const(_))).count();
    CodeAssembler::new(64)
        .and_then(|asm| {
            let labels = vec![None; constants.max(wide.ops.len())];
            Body { isa, wide, registers, asm, labels }.code()
        })
        .expect("every instruction of a wide loop has an encoding")
}

/// A loop being written.
struct Body<'a> {
    isa: &'a dyn WideIsa,
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
        for (index, &register) in POINTERS.iter().enumerate().take(self.held()) {
            self.asm.mov(register, pointer(index))?;
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
            self.isa.set_mask(&mut self.asm, rest)?;
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

    /// How many pointers stay in registers.
    fn held(&self) -> usize {
        match self.wide.pointers {
            pointers if pointers <= POINTERS.len() => pointers,
            _ => POINTERS.len() - 1,
        }
    }

    /// Elements from the counter on, behind a pointer.
    fn place(&mut self, index: usize, offset: i32) -> Result<AsmMemoryOperand, IcedError> {
        let register = match index < self.held() {
            true => POINTERS[index],
            false => {
                let last = POINTERS[POINTERS.len() - 1];
                self.asm.mov(last, pointer(index))?;
                last
            }
        };
        Ok(ptr(register + COUNTER * FLOAT + offset * FLOAT))
    }

    /// All ops once, for a register of elements from the counter on.
    fn round(&mut self, masked: bool) -> Encoded {
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
                    let to = self.place(pointer, offset)?;
                    self.isa.store(&mut self.asm, to, read[0], masked)?;
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
    fn broadcast(&mut self, to: usize, value: ValueId) -> Encoded {
        let from: AsmMemoryOperand = match (self.wide.ops[value], self.labels[value]) {
            (LaneOp::Scalar(index), _) => {
                let at = POINTER * self.wide.pointers + FLOAT as usize * index;
                dword_ptr(rdi + at as i32)
            }
            (_, Some(label)) => dword_ptr(label),
            (op, None) => unreachable!("{op:?} is not the same for all elements"),
        };
        self.isa.broadcast(&mut self.asm, to, from)
    }

    /// One op on registers; `to` is none of those that are read.
    fn op(
        &mut self,
        op: LaneOp,
        to: Vector,
        [a, b, c]: [Vector; SCRATCH],
        masked: bool,
    ) -> Encoded {
        if let LaneOp::Load { pointer, offset } = op {
            let from = self.place(pointer, offset)?;
            return self.isa.load(&mut self.asm, to, from, masked);
        }
        let (isa, asm) = (self.isa, &mut self.asm);
        match op {
            LaneOp::Add(..) => isa.binary(asm, LaneBinary::Add, to, a, b),
            LaneOp::Sub(..) => isa.binary(asm, LaneBinary::Sub, to, a, b),
            LaneOp::Mul(..) => isa.binary(asm, LaneBinary::Mul, to, a, b),
            LaneOp::Div(..) => isa.binary(asm, LaneBinary::Div, to, a, b),
            LaneOp::Fma(..) => {
                isa.copy(asm, to, c)?;
                isa.fma(asm, to, a, b)
            }
            LaneOp::Sqrt(_) => isa.unary(asm, LaneUnary::Sqrt, to, a),
            LaneOp::Floor(_) => isa.unary(asm, LaneUnary::Floor, to, a),
            LaneOp::FromInt(_) => isa.unary(asm, LaneUnary::FromInt, to, a),
            LaneOp::Compare(compare, ..) => isa.compare(asm, compare, to, a, b),
            LaneOp::Select(..) => isa.select(asm, to, a, b, c),
            LaneOp::And(..) => isa.binary(asm, LaneBinary::And, to, a, b),
            LaneOp::Or(..) => isa.binary(asm, LaneBinary::Or, to, a, b),
            LaneOp::Xor(..) => isa.binary(asm, LaneBinary::Xor, to, a, b),
            LaneOp::IntAdd(..) => isa.binary(asm, LaneBinary::IntAdd, to, a, b),
            LaneOp::IntSub(..) => isa.binary(asm, LaneBinary::IntSub, to, a, b),
            LaneOp::ShiftLeft(_, bits) => isa.shift(asm, LaneShift::Left, to, a, bits),
            LaneOp::ShiftRight(_, bits) => isa.shift(asm, LaneShift::Right, to, a, bits),
            LaneOp::Load { .. } | LaneOp::Store { .. } | LaneOp::Scalar(_) | LaneOp::Const(_) => {
                unreachable!("{op:?} computes nothing here")
            }
        }
    }
}

/// Where a pointer is given.
fn pointer(index: usize) -> AsmMemoryOperand {
    qword_ptr(rdi + (POINTER * index) as i32)
}

//! A vector loop of the loops as a list of lane-wise ops.
//!
//! ```text
//! r1 = load s1[7168·i0 + i1]; r2 = mul r1, r0      (r0 from outside)
//! →  [Load { pointer: 0, offset: 0 }, Scalar(0), Mul(0, 1)], pointers [s1[7168·i0]], scalars [r0]
//! ```
//!
//! Functions are recorded by the generic code of `base::math`: [`LaneRecorder`] is one more of its
//! engines. A loop with anything that has no op is given up.

use super::{LaneOp, ValueId, WideLoop, registers};
use crate::base::entity::Entity;
use crate::base::math::Float32;
use crate::base::scalar::{Binary, Unary};
use crate::base::tensor::DType;
use crate::codegen::isa::{LaneCompare, WideIsa};
use crate::loops::{Access, Affine, Inst, Kernel, RegId, SlotId, Stmt, VarId};
use std::collections::HashMap;

/// Most pointers: those without a register of their own are loaded where they are used.
const POINTERS: usize = 16;

/// Operands of a wide loop.
pub struct Operands {
    /// Where element 0 of each pointer is.
    pub pointers: Vec<Access>,
    /// The scalars, in order.
    pub scalars: Vec<RegId>,
}

/// Whether each scalar of a vector loop's body depends on the element, by its number.
pub fn varying(kernel: &Kernel, var: VarId, body: &[Stmt]) -> Vec<bool> {
    let stored: Vec<SlotId> = body
        .iter()
        .filter_map(|stmt| match stmt {
            Stmt::Store { access, .. } => Some(access.slot),
            _ => None,
        })
        .collect();
    let mut varying = vec![false; kernel.regs.len()];
    for stmt in body {
        let Stmt::Let { reg, inst } = stmt else { continue };
        varying[reg.index()] = match inst {
            Inst::F32(_) | Inst::I32(_) | Inst::Bool(_) => false,
            Inst::Index(affine) => affine.factor(var) != 0,
            Inst::Load(access) => access.index.factor(var) != 0 || stored.contains(&access.slot),
            Inst::LoadAt { base, index, .. } => {
                base.index.factor(var) != 0 || stored.contains(&base.slot) || varying[index.index()]
            }
            // Its fault names an element; its order among others is kept.
            Inst::Checked { .. } | Inst::Uniform { .. } => true,
            Inst::Unary(_, x) | Inst::Cast(_, x) => varying[x.index()],
            Inst::Binary(_, a, b) => varying[a.index()] || varying[b.index()],
            Inst::Select(a, b, c) | Inst::Fma(a, b, c) => {
                [a, b, c].into_iter().any(|reg| varying[reg.index()])
            }
        };
    }
    varying
}

/// The loop for an instruction set, and what it is given; `None` where it has to stay as it is.
pub fn record(
    isa: &dyn WideIsa,
    kernel: &Kernel,
    var: VarId,
    body: &[Stmt],
) -> Option<(WideLoop, Operands)> {
    let varying = varying(kernel, var, body);
    let mut recorder = LaneRecorder {
        kernel,
        var,
        ops: Vec::new(),
        values: vec![None; kernel.regs.len()],
        known: HashMap::new(),
        operands: Operands { pointers: Vec::new(), scalars: Vec::new() },
    };
    for stmt in body {
        match stmt {
            Stmt::Let { reg, inst } if varying[reg.index()] => {
                let value = recorder.inst(inst)?;
                recorder.values[reg.index()] = Some(value);
            }
            Stmt::Let { .. } => {}
            Stmt::Store { access, value } => recorder.store(access, *value)?,
            _ => return None,
        }
    }
    let operands = recorder.operands;
    let wide = WideLoop {
        extent: kernel.vars[var],
        ops: recorder.ops,
        pointers: operands.pointers.len(),
        scalars: operands.scalars.len(),
    };
    let fits = wide.is_worth_it() && wide.pointers <= POINTERS && registers::fit(isa, &wide);
    fits.then_some((wide, operands))
}

/// An engine of `base::math` that writes ops down.
struct LaneRecorder<'a> {
    kernel: &'a Kernel,
    var: VarId,
    ops: Vec<LaneOp>,
    /// The value of each scalar that has one.
    values: Vec<Option<ValueId>>,
    /// Ops that need no second time.
    known: HashMap<LaneOp, ValueId>,
    operands: Operands,
}

impl LaneRecorder<'_> {
    fn op(&mut self, op: LaneOp) -> ValueId {
        self.ops.push(op);
        self.ops.len() - 1
    }

    /// An op that is the same wherever it stands.
    fn once(&mut self, op: LaneOp) -> ValueId {
        if let Some(&known) = self.known.get(&op) {
            return known;
        }
        let value = self.op(op);
        self.known.insert(op, value);
        value
    }

    fn dtype(&self, reg: RegId) -> DType {
        self.kernel.regs[reg]
    }

    /// The value of a scalar: an element's, or one from outside.
    fn value(&mut self, reg: RegId) -> ValueId {
        if let Some(value) = self.values[reg.index()] {
            return value;
        }
        let scalars = &mut self.operands.scalars;
        let index = scalars.iter().position(|&known| known == reg).unwrap_or_else(|| {
            scalars.push(reg);
            scalars.len() - 1
        });
        self.once(LaneOp::Scalar(index))
    }

    /// The pointer and distance of an access to neighbours of four bytes.
    fn place(&mut self, access: &Access) -> Option<(usize, i32)> {
        let dtype = self.kernel.slots[access.slot].dtype;
        if access.index.factor(self.var) != 1 || !matches!(dtype, DType::F32 | DType::I32) {
            return None;
        }
        let offset =
            i32::try_from(access.index.offset).ok().filter(|offset| offset.abs() < 1 << 28)?;
        let terms = access.index.terms.iter().filter(|&&(var, _)| var != self.var).copied();
        let index = Affine { offset: 0, terms: terms.collect() };
        let start = Access { slot: access.slot, index };
        let pointers = &mut self.operands.pointers;
        let pointer = pointers.iter().position(|known| *known == start).unwrap_or_else(|| {
            pointers.push(start);
            pointers.len() - 1
        });
        Some((pointer, offset))
    }

    fn store(&mut self, access: &Access, value: RegId) -> Option<()> {
        if self.dtype(value) == DType::Bool {
            return None;
        }
        let (pointer, offset) = self.place(access)?;
        let value = self.value(value);
        self.op(LaneOp::Store { pointer, offset, value });
        Some(())
    }

    fn inst(&mut self, inst: &Inst) -> Option<ValueId> {
        Some(match inst {
            Inst::Load(access) => {
                let (pointer, offset) = self.place(access)?;
                self.op(LaneOp::Load { pointer, offset })
            }
            Inst::Unary(op, x) => {
                let dtype = self.dtype(*x);
                let x = self.value(*x);
                self.unary(*op, dtype, x)?
            }
            Inst::Binary(op, a, b) => {
                let dtype = self.dtype(*a);
                let (a, b) = (self.value(*a), self.value(*b));
                self.binary(*op, dtype, a, b)?
            }
            Inst::Select(condition, a, b) => {
                let condition = self.value(*condition);
                let (a, b) = (self.value(*a), self.value(*b));
                self.op(LaneOp::Select(condition, a, b))
            }
            Inst::Fma(a, b, c) => {
                let (a, b, c) = (self.value(*a), self.value(*b), self.value(*c));
                self.op(LaneOp::Fma(a, b, c))
            }
            Inst::Cast(to, x) => {
                let from = self.dtype(*x);
                let x = self.value(*x);
                self.cast(from, *to, x)?
            }
            // What is the same for all elements is computed outside.
            Inst::F32(_) | Inst::I32(_) | Inst::Bool(_) => return None,
            Inst::Index(_) | Inst::LoadAt { .. } | Inst::Checked { .. } | Inst::Uniform { .. } => {
                return None;
            }
        })
    }

    fn unary(&mut self, op: Unary, dtype: DType, x: ValueId) -> Option<ValueId> {
        match (dtype, op) {
            (DType::F32, _) => Some(op.of_f32(self, x)),
            (DType::Bool, Unary::Not) => {
                let ones = self.isplat(-1);
                Some(self.op(LaneOp::Xor(x, ones)))
            }
            _ => None,
        }
    }

    fn binary(&mut self, op: Binary, dtype: DType, a: ValueId, b: ValueId) -> Option<ValueId> {
        match (dtype, op) {
            (DType::F32, _) if op.is_comparison() => Some(op.compare_f32(self, a, b)),
            (DType::F32, _) => Some(op.of_f32(self, a, b)),
            (DType::Bool, Binary::And) => Some(self.op(LaneOp::And(a, b))),
            (DType::Bool, Binary::Or) => Some(self.op(LaneOp::Or(a, b))),
            (DType::I32, Binary::Add) => Some(self.op(LaneOp::IntAdd(a, b))),
            (DType::I32, Binary::Sub) => Some(self.op(LaneOp::IntSub(a, b))),
            _ => None,
        }
    }

    fn cast(&mut self, from: DType, to: DType, x: ValueId) -> Option<ValueId> {
        match (from, to) {
            (DType::I32, DType::F32) => Some(self.op(LaneOp::FromInt(x))),
            (DType::Bool, DType::F32) => {
                // A mask is -1 or 0.
                let zero = self.isplat(0);
                let number = self.op(LaneOp::IntSub(zero, x));
                Some(self.op(LaneOp::FromInt(number)))
            }
            _ => None,
        }
    }
}

impl Float32 for LaneRecorder<'_> {
    type V = ValueId;
    type I = ValueId;
    type B = ValueId;

    fn splat(&mut self, value: f32) -> ValueId {
        self.once(LaneOp::Const(value.to_bits()))
    }

    fn add(&mut self, a: ValueId, b: ValueId) -> ValueId {
        self.op(LaneOp::Add(a, b))
    }

    fn sub(&mut self, a: ValueId, b: ValueId) -> ValueId {
        self.op(LaneOp::Sub(a, b))
    }

    fn mul(&mut self, a: ValueId, b: ValueId) -> ValueId {
        self.op(LaneOp::Mul(a, b))
    }

    fn div(&mut self, a: ValueId, b: ValueId) -> ValueId {
        self.op(LaneOp::Div(a, b))
    }

    fn fma(&mut self, a: ValueId, b: ValueId, c: ValueId) -> ValueId {
        self.op(LaneOp::Fma(a, b, c))
    }

    fn sqrt(&mut self, a: ValueId) -> ValueId {
        self.op(LaneOp::Sqrt(a))
    }

    fn floor(&mut self, a: ValueId) -> ValueId {
        self.op(LaneOp::Floor(a))
    }

    fn neg(&mut self, a: ValueId) -> ValueId {
        let sign = self.once(LaneOp::Const(1 << 31));
        self.op(LaneOp::Xor(a, sign))
    }

    fn abs(&mut self, a: ValueId) -> ValueId {
        let rest = self.once(LaneOp::Const(!(1 << 31)));
        self.op(LaneOp::And(a, rest))
    }

    fn eq(&mut self, a: ValueId, b: ValueId) -> ValueId {
        self.op(LaneOp::Compare(LaneCompare::Eq, a, b))
    }

    fn ne(&mut self, a: ValueId, b: ValueId) -> ValueId {
        self.op(LaneOp::Compare(LaneCompare::Ne, a, b))
    }

    fn lt(&mut self, a: ValueId, b: ValueId) -> ValueId {
        self.op(LaneOp::Compare(LaneCompare::Lt, a, b))
    }

    fn le(&mut self, a: ValueId, b: ValueId) -> ValueId {
        self.op(LaneOp::Compare(LaneCompare::Le, a, b))
    }

    fn and(&mut self, a: ValueId, b: ValueId) -> ValueId {
        self.op(LaneOp::And(a, b))
    }

    fn select(&mut self, condition: ValueId, a: ValueId, b: ValueId) -> ValueId {
        self.op(LaneOp::Select(condition, a, b))
    }

    fn to_bits(&mut self, a: ValueId) -> ValueId {
        a
    }

    fn from_bits(&mut self, a: ValueId) -> ValueId {
        a
    }

    fn from_int(&mut self, a: ValueId) -> ValueId {
        self.op(LaneOp::FromInt(a))
    }

    fn isplat(&mut self, value: i32) -> ValueId {
        self.once(LaneOp::Const(value as u32))
    }

    fn iadd(&mut self, a: ValueId, b: ValueId) -> ValueId {
        self.op(LaneOp::IntAdd(a, b))
    }

    fn isub(&mut self, a: ValueId, b: ValueId) -> ValueId {
        self.op(LaneOp::IntSub(a, b))
    }

    fn iand(&mut self, a: ValueId, b: ValueId) -> ValueId {
        self.op(LaneOp::And(a, b))
    }

    fn ior(&mut self, a: ValueId, b: ValueId) -> ValueId {
        self.op(LaneOp::Or(a, b))
    }

    fn ixor(&mut self, a: ValueId, b: ValueId) -> ValueId {
        self.op(LaneOp::Xor(a, b))
    }

    fn ishl(&mut self, a: ValueId, bits: u32) -> ValueId {
        self.op(LaneOp::ShiftLeft(a, bits))
    }

    fn isar(&mut self, a: ValueId, bits: u32) -> ValueId {
        self.op(LaneOp::ShiftRight(a, bits))
    }
}

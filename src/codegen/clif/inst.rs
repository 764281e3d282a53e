//! Instructions of a kernel, for one value or for four lanes.
//!
//! ```text
//! r4 = mul r2, r3              in a vector loop:  v9 = fmul.f32x4 v7, v8
//!                              elsewhere:         v9 = fmul.f32 v7, v8
//! r5 = checked r1 < 10         compare; a cold block notes the first bad lane's element
//! ```
//!
//! In a vector loop a scalar from outside is spread over the lanes where it meets one. Lanes that
//! are not elements of the loop (its last three, at most) compute with zeros; only memory,
//! faults and reductions look at which lanes are valid. Loads and stores are in `access`.

use cranelift_codegen::ir::condcodes::{FloatCC, IntCC};
use cranelift_codegen::ir::{InstBuilder, Value, types};

use super::{KernelEmitter, MEMORY, Reg, dtype_of, value_type};
use crate::base::entity::Entity;
use crate::base::scalar::{Binary, Unary};
use crate::base::tensor::DType;
use crate::codegen::abi::Context;
use crate::codegen::math::Values;
use crate::loops::{Affine, Inst, RegId};

impl<'a, 'f> KernelEmitter<'a, 'f> {
    /// Operations on floats at this place.
    pub(super) fn floats(&mut self, vector: bool) -> Values<'_, 'f> {
        Values { builder: &mut self.builder, vector }
    }

    /// The value of an instruction: one a lane inside a vector loop, else one.
    pub(super) fn inst(&mut self, inst: &'a Inst) -> Reg {
        let vector = self.lanes.is_some();
        let value = match inst {
            Inst::F32(value) => {
                let scalar = self.builder.ins().f32const(*value);
                return Reg { value: scalar, vector: false };
            }
            Inst::I32(value) => {
                let scalar = self.builder.ins().iconst(types::I32, i64::from(*value as u32));
                return Reg { value: scalar, vector: false };
            }
            Inst::Bool(value) => {
                let scalar = self.builder.ins().iconst(types::I8, i64::from(*value));
                return Reg { value: scalar, vector: false };
            }
            Inst::Index(affine) => self.index(affine),
            Inst::Load(access) => self.load(access),
            Inst::LoadAt { base, index, stride } => self.load_at(base, *index, *stride),
            Inst::Checked { index, bound, site, element } => {
                self.checked(*index, *bound, *site, element)
            }
            Inst::Unary(op, x) => {
                let dtype = dtype_of(&self.kernel.regs, *x);
                let x = self.operand(*x);
                self.unary(*op, dtype, x, vector)
            }
            Inst::Binary(op, a, b) => {
                let dtype = dtype_of(&self.kernel.regs, *a);
                let (a, b) = (self.operand(*a), self.operand(*b));
                self.binary(*op, dtype, a, b, vector)
            }
            Inst::Select(condition, a, b) => {
                let dtype = dtype_of(&self.kernel.regs, *a);
                let condition = self.operand(*condition);
                let (a, b) = (self.operand(*a), self.operand(*b));
                self.select(dtype, condition, a, b, vector)
            }
            Inst::Fma(a, b, c) => {
                let (a, b, c) = (self.operand(*a), self.operand(*b), self.operand(*c));
                self.builder.ins().fma(a, b, c)
            }
            Inst::Cast(to, x) => {
                let from = dtype_of(&self.kernel.regs, *x);
                let x = self.operand(*x);
                self.cast(from, *to, x, vector)
            }
            Inst::Uniform { stream, element } => self.uniform(*stream, element),
        };
        Reg { value, vector }
    }

    /// A scalar as the instructions at this place need it: spread over the lanes in a vector
    /// loop.
    pub(super) fn operand(&mut self, reg: RegId) -> Value {
        let Reg { value, vector } =
            self.regs[reg.index()].expect("a scalar is assigned before it is used");
        if vector || self.lanes.is_none() {
            return value;
        }
        self.spread(dtype_of(&self.kernel.regs, reg), value)
    }

    /// One value in four lanes.
    pub(super) fn spread(&mut self, dtype: DType, value: Value) -> Value {
        let scalar = match dtype {
            DType::Bool => {
                let wide = self.builder.ins().uextend(types::I32, value);
                self.builder.ins().ineg(wide)
            }
            _ => value,
        };
        self.builder.ins().splat(value_type(dtype, true), scalar)
    }

    /// A vector of these lanes; missing ones are zero.
    pub(super) fn gather(&mut self, dtype: DType, lanes: &[Value]) -> Value {
        let ty = value_type(dtype, true);
        let mut vector = self.builder.ins().scalar_to_vector(ty, lanes[0]);
        for (lane, &value) in lanes.iter().enumerate().skip(1) {
            vector = self.builder.ins().insertlane(vector, value, lane as u8);
        }
        vector
    }

    /// An affine expression as `i32`.
    fn index(&mut self, affine: &Affine) -> Value {
        let first = self.affine(affine);
        let first = self.builder.ins().ireduce(types::I32, first);
        let Some(lanes) = self.lanes else { return first };
        let all = self.spread(DType::I32, first);
        let factor = affine.factor(lanes.var) as i32;
        if factor == 0 {
            return all;
        }
        let distances: Vec<u8> =
            (0..4).flat_map(|lane: i32| lane.wrapping_mul(factor).to_le_bytes()).collect();
        let distances = self.builder.func.dfg.constants.insert(distances.into());
        let distances = self.builder.ins().vconst(types::I32X4, distances);
        self.builder.ins().iadd(all, distances)
    }

    /// Tests an index, lane by lane where one is bad.
    fn checked(&mut self, index: RegId, bound: usize, site: u32, element: &Affine) -> Value {
        let vector = self.lanes.is_some();
        let (var, valid) = match self.lanes {
            Some(lanes) => (Some(lanes.var), lanes.valid),
            None => (None, 1),
        };
        let index = self.operand(index);
        // No `i32` reaches a larger bound.
        let bound = bound.min(i32::MAX as usize + 1) as i64;
        let limit = self.builder.ins().iconst(types::I32, bound);
        let limit = if vector { self.spread(DType::I32, limit) } else { limit };
        let bad = self.builder.ins().icmp(IntCC::UnsignedGreaterThanOrEqual, index, limit);
        let any = if vector { self.builder.ins().vany_true(bad) } else { bad };

        let (note, after) = (self.builder.create_block(), self.builder.create_block());
        self.builder.set_cold_block(note);
        self.builder.ins().brif(any, note, &[], after, &[]);
        self.builder.switch_to_block(note);
        let first = self.affine(element);
        let factor = var.map_or(0, |var| element.factor(var));
        for lane in 0..valid {
            let lane_bad = if vector { self.builder.ins().extractlane(bad, lane) } else { bad };
            let element = self.builder.ins().iadd_imm_s(first, factor * i64::from(lane));
            self.note_fault(lane_bad, site, element);
        }
        self.builder.ins().jump(after, &[]);
        self.builder.switch_to_block(after);
        if vector {
            return self.builder.ins().band_not(index, bad);
        }
        let zero = self.builder.ins().iconst(types::I32, 0);
        self.builder.ins().select(bad, zero, index)
    }

    /// Sets this thread's fault word if `bad` and if it was not set before.
    fn note_fault(&mut self, bad: Value, site: u32, element: Value) {
        let site_at = std::mem::offset_of!(Context, fault_site) as i32;
        let element_at = std::mem::offset_of!(Context, fault_element) as i32;
        let old_site = self.builder.ins().load(types::I64, MEMORY, self.context, site_at);
        let old_element = self.builder.ins().load(types::I64, MEMORY, self.context, element_at);
        let unset = self.builder.ins().icmp_imm_s(IntCC::Equal, old_site, 0);
        let bad = self.builder.ins().icmp_imm_s(IntCC::NotEqual, bad, 0);
        let set = self.builder.ins().band(unset, bad);
        let new_site = self.int(i64::from(site) + 1);
        let new_site = self.builder.ins().select(set, new_site, old_site);
        let new_element = self.builder.ins().select(set, element, old_element);
        self.builder.ins().store(MEMORY, new_site, self.context, site_at);
        self.builder.ins().store(MEMORY, new_element, self.context, element_at);
    }

    pub(super) fn unary(&mut self, op: Unary, dtype: DType, x: Value, vector: bool) -> Value {
        match (dtype, op) {
            (DType::F32, _) => op.of_f32(&mut self.floats(vector), x),
            (DType::Bool, Unary::Not) if vector => self.builder.ins().bnot(x),
            (DType::Bool, Unary::Not) => self.builder.ins().bxor_imm_u(x, 1),
            (_, Unary::Neg) => self.builder.ins().ineg(x),
            (_, Unary::Abs) => self.builder.ins().iabs(x),
            (_, Unary::Sign) => {
                let one = self.constant(1, vector);
                let minus_one = self.constant(-1, vector);
                let low = self.builder.ins().smin(x, one);
                self.builder.ins().smax(low, minus_one)
            }
            _ => unreachable!("`{}` of {dtype}: the verifier lets none through", op.name()),
        }
    }

    /// An `i32` constant.
    fn constant(&mut self, value: i32, vector: bool) -> Value {
        let scalar = self.builder.ins().iconst(types::I32, i64::from(value as u32));
        if vector { self.spread(DType::I32, scalar) } else { scalar }
    }

    pub(super) fn binary(
        &mut self,
        op: Binary,
        dtype: DType,
        a: Value,
        b: Value,
        vector: bool,
    ) -> Value {
        match dtype {
            DType::F32 if op.is_comparison() => op.compare_f32(&mut self.floats(vector), a, b),
            DType::F32 => op.of_f32(&mut self.floats(vector), a, b),
            DType::Bool => self.binary_of_bools(op, a, b, vector),
            _ => self.binary_of_ints(op, a, b, vector),
        }
    }

    fn binary_of_bools(&mut self, op: Binary, a: Value, b: Value, vector: bool) -> Value {
        let ins = self.builder.ins();
        // True is 1 as a scalar, and -1 in a mask: the order turns round.
        let (low, high) = if vector { (b, a) } else { (a, b) };
        match op {
            Binary::And => ins.band(a, b),
            Binary::Or => ins.bor(a, b),
            Binary::Eq => ins.icmp(IntCC::Equal, a, b),
            Binary::Ne => ins.icmp(IntCC::NotEqual, a, b),
            Binary::Lt => ins.icmp(IntCC::SignedLessThan, low, high),
            Binary::Le => ins.icmp(IntCC::SignedLessThanOrEqual, low, high),
            Binary::Gt => ins.icmp(IntCC::SignedLessThan, high, low),
            Binary::Ge => ins.icmp(IntCC::SignedLessThanOrEqual, high, low),
            Binary::Add | Binary::Sub | Binary::Mul | Binary::Div | Binary::Pow => {
                unreachable!("arithmetic of bools: the verifier lets none through")
            }
            Binary::Max => ins.bor(a, b),
            Binary::Min => ins.band(a, b),
        }
    }

    fn binary_of_ints(&mut self, op: Binary, a: Value, b: Value, vector: bool) -> Value {
        let ins = self.builder.ins();
        match op {
            Binary::Add => ins.iadd(a, b),
            Binary::Sub => ins.isub(a, b),
            Binary::Mul => ins.imul(a, b),
            Binary::Min => ins.smin(a, b),
            Binary::Max => ins.smax(a, b),
            Binary::Eq => ins.icmp(IntCC::Equal, a, b),
            Binary::Ne => ins.icmp(IntCC::NotEqual, a, b),
            Binary::Lt => ins.icmp(IntCC::SignedLessThan, a, b),
            Binary::Le => ins.icmp(IntCC::SignedLessThanOrEqual, a, b),
            Binary::Gt => ins.icmp(IntCC::SignedGreaterThan, a, b),
            Binary::Ge => ins.icmp(IntCC::SignedGreaterThanOrEqual, a, b),
            Binary::Div if vector => {
                let quotients: Vec<Value> = (0..4)
                    .map(|lane: u8| {
                        let a = self.builder.ins().extractlane(a, lane);
                        let b = self.builder.ins().extractlane(b, lane);
                        self.divide(a, b)
                    })
                    .collect();
                self.gather(DType::I32, &quotients)
            }
            Binary::Div => self.divide(a, b),
            Binary::Pow | Binary::And | Binary::Or => {
                unreachable!("`{}` of i32: the verifier lets none through", op.name())
            }
        }
    }

    /// `a / b` toward zero; 0 where `b` is 0, and wrapping at the smallest number by -1.
    fn divide(&mut self, a: Value, b: Value) -> Value {
        // In 64 bits nothing overflows.
        let wide_a = self.builder.ins().sextend(types::I64, a);
        let wide_b = self.builder.ins().sextend(types::I64, b);
        let by_zero = self.builder.ins().icmp_imm_s(IntCC::Equal, wide_b, 0);
        let one = self.int(1);
        let divisor = self.builder.ins().select(by_zero, one, wide_b);
        let quotient = self.builder.ins().sdiv(wide_a, divisor);
        let quotient = self.builder.ins().ireduce(types::I32, quotient);
        let zero = self.builder.ins().iconst(types::I32, 0);
        self.builder.ins().select(by_zero, zero, quotient)
    }

    pub(super) fn select(
        &mut self,
        dtype: DType,
        condition: Value,
        a: Value,
        b: Value,
        vector: bool,
    ) -> Value {
        use crate::base::math::Float32;
        if !vector {
            return self.builder.ins().select(condition, a, b);
        }
        if dtype == DType::F32 {
            return self.floats(true).select(condition, a, b);
        }
        self.builder.ins().bitselect(condition, a, b)
    }

    fn cast(&mut self, from: DType, to: DType, x: Value, vector: bool) -> Value {
        match (from, to) {
            (DType::F32, DType::F32) | (DType::I32, DType::I32) | (DType::Bool, DType::Bool) => x,
            (DType::I32, DType::F32) => {
                let ty = value_type(DType::F32, vector);
                self.builder.ins().fcvt_from_sint(ty, x)
            }
            (DType::Bool, DType::F32) => {
                let number = self.cast(DType::Bool, DType::I32, x, vector);
                self.cast(DType::I32, DType::F32, number, vector)
            }
            (DType::Bool, DType::I32 | DType::U8) if vector => self.builder.ins().ineg(x),
            (DType::Bool, DType::I32 | DType::U8) => self.builder.ins().uextend(types::I32, x),
            (DType::F32, DType::I32) => {
                let ty = value_type(DType::I32, vector);
                self.builder.ins().fcvt_to_sint_sat(ty, x)
            }
            // A byte is held as an `i32`; Rust's `as` saturates floats and wraps integers.
            (DType::F32, DType::U8) => {
                let number = self.cast(DType::F32, DType::I32, x, vector);
                let (low, high) = (self.constant(0, vector), self.constant(255, vector));
                let number = self.builder.ins().smax(number, low);
                self.builder.ins().smin(number, high)
            }
            (DType::I32, DType::U8) => {
                let mask = self.constant(255, vector);
                self.builder.ins().band(x, mask)
            }
            (DType::F32, DType::Bool) => {
                let zero = crate::base::math::Float32::splat(&mut self.floats(vector), 0.0);
                self.builder.ins().fcmp(FloatCC::NotEqual, x, zero)
            }
            (DType::I32, DType::Bool) => {
                let zero = self.constant(0, vector);
                self.builder.ins().icmp(IntCC::NotEqual, x, zero)
            }
            (DType::U8 | DType::F64, _) | (_, DType::F64) => {
                unreachable!("a cast from {from} to {to} of scalars")
            }
        }
    }
}

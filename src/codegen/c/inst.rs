//! Scalars of a kernel as C expressions.
//!
//! ```text
//! r4 = mul r2, r3          →  nnc_mul(r2, r3)
//! r5 = load s0[2·i0 + 3]   →  s0[2 * i0 + 3]
//! r6 = checked r1 < 10     →  nnc_checked(context, r1, 10, 0, i0)
//! ```
//!
//! A bool is an `int32_t` of 0 or 1, a byte an `int32_t` of its value.

use super::Shared;
use super::access::{affine, element, element_at};
use super::number;
use crate::base::scalar::{Binary, Unary};
use crate::base::tensor::DType;
use crate::loops::{Inst, Kernel, RegId};

impl Shared {
    /// The expression of an instruction.
    pub(super) fn inst(&mut self, kernel: &Kernel, inst: &Inst) -> String {
        let dtype = |reg: RegId| kernel.regs[reg];
        match inst {
            Inst::F32(value) => number::float(*value),
            Inst::I32(value) => number::int(*value),
            Inst::Bool(value) => i32::from(*value).to_string(),
            Inst::Index(index) => format!("(int32_t)({})", affine(index)),
            Inst::Load(access) => element(access),
            Inst::LoadAt { base, index, stride } => element_at(base, *index, *stride),
            Inst::Checked { index, bound, site, element } => {
                self.uses_context = true;
                format!("nnc_checked(context, {index}, {bound}, {site}, {})", affine(element))
            }
            Inst::Unary(op, x) => self.unary(*op, dtype(*x), *x),
            Inst::Binary(op, a, b) => self.binary(*op, dtype(*a), *a, *b),
            Inst::Select(condition, a, b) => format!("{condition} ? {a} : {b}"),
            Inst::Fma(a, b, c) => format!("nnc_fma({a}, {b}, {c})"),
            Inst::Cast(to, x) => cast(dtype(*x), *to, *x),
            Inst::Uniform { stream, element } => {
                self.uses_context = true;
                self.uses_random = true;
                format!("nnc_uniform(context, {stream}, {})", affine(element))
            }
        }
    }

    fn unary(&mut self, op: Unary, dtype: DType, x: RegId) -> String {
        match (dtype, op) {
            (DType::F32, _) => format!("{}({x})", self.functions.unary(op)),
            (DType::Bool, Unary::Not) => format!("{x} ^ 1"),
            (_, Unary::Neg) => format!("nnc_isub(0, {x})"),
            (_, Unary::Abs) => format!("{x} < 0 ? nnc_isub(0, {x}) : {x}"),
            (_, Unary::Sign) => format!("({x} > 0) - ({x} < 0)"),
            _ => unreachable!("`{}` of {dtype}: the verifier lets none through", op.name()),
        }
    }

    fn binary(&mut self, op: Binary, dtype: DType, a: RegId, b: RegId) -> String {
        match (dtype, op) {
            (DType::F32, Binary::Eq) => format!("nnc_eq({a}, {b})"),
            (DType::F32, Binary::Ne) => format!("nnc_ne({a}, {b})"),
            (DType::F32, Binary::Lt) => format!("nnc_lt({a}, {b})"),
            (DType::F32, Binary::Le) => format!("nnc_le({a}, {b})"),
            (DType::F32, Binary::Gt) => format!("nnc_lt({b}, {a})"),
            (DType::F32, Binary::Ge) => format!("nnc_le({b}, {a})"),
            (DType::F32, _) => format!("{}({a}, {b})", self.functions.binary(op)),
            _ => of_integers(op, &a.to_string(), &b.to_string()),
        }
    }
}

/// A function of two integers or bools.
pub(super) fn of_integers(op: Binary, a: &str, b: &str) -> String {
    match op {
        Binary::Add => format!("nnc_iadd({a}, {b})"),
        Binary::Sub => format!("nnc_isub({a}, {b})"),
        Binary::Mul => format!("nnc_imul({a}, {b})"),
        Binary::Div => format!("nnc_idiv({a}, {b})"),
        Binary::Min => format!("nnc_imin({a}, {b})"),
        Binary::Max => format!("nnc_imax({a}, {b})"),
        Binary::Eq => format!("{a} == {b}"),
        Binary::Ne => format!("{a} != {b}"),
        Binary::Lt => format!("{a} < {b}"),
        Binary::Le => format!("{a} <= {b}"),
        Binary::Gt => format!("{a} > {b}"),
        Binary::Ge => format!("{a} >= {b}"),
        Binary::And => format!("{a} & {b}"),
        Binary::Or => format!("{a} | {b}"),
        Binary::Pow => unreachable!("`pow` of integers: the verifier lets none through"),
    }
}

/// A scalar as another type, as `graph::Op::Cast` says.
fn cast(from: DType, to: DType, x: RegId) -> String {
    match (from, to) {
        (DType::I32 | DType::Bool, DType::F32) => format!("(float){x}"),
        (DType::F32, DType::I32) => format!("nnc_to_int({x})"),
        (DType::F32, DType::U8) => format!("nnc_imin(nnc_imax(nnc_to_int({x}), 0), 255)"),
        (DType::I32, DType::U8) => format!("{x} & 255"),
        (DType::F32, DType::Bool) => format!("nnc_ne({x}, 0.0f)"),
        (DType::I32, DType::Bool) => format!("{x} != 0"),
        _ => x.to_string(),
    }
}

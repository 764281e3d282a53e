//! Instructions on 32-bit words: the bits of an `f32` or `i32`, 0 or 1 of a bool.
//!
//! Floats go through `base::math` on the scalar engine; integers wrap.

use crate::base::math::{Float32, Scalar};
use crate::base::scalar::{Binary, Reduce, Unary};
use crate::base::tensor::DType;

/// A scalar's bits; its type is known from where it is used.
pub(super) type Word = u32;

fn float(word: Word) -> f32 {
    f32::from_bits(word)
}

fn int(word: Word) -> i32 {
    word as i32
}

/// A function of one argument.
pub(super) fn unary(op: Unary, dtype: DType, a: Word) -> Word {
    match (op, dtype) {
        (Unary::Not, _) => a ^ 1,
        (op, DType::F32) => op.of_f32(&mut Scalar, float(a)).to_bits(),
        (Unary::Neg, _) => int(a).wrapping_neg() as Word,
        (Unary::Abs, _) => int(a).wrapping_abs() as Word,
        (Unary::Sign, _) => int(a).signum() as Word,
        (op, dtype) => unreachable!("`{}` of {dtype}: the verifier lets none through", op.name()),
    }
}

/// A function of two arguments of one type.
pub(super) fn binary(op: Binary, dtype: DType, a: Word, b: Word) -> Word {
    match dtype {
        DType::F32 if op.is_comparison() => {
            Word::from(op.compare_f32(&mut Scalar, float(a), float(b)))
        }
        DType::F32 => op.of_f32(&mut Scalar, float(a), float(b)).to_bits(),
        DType::I32 | DType::Bool | DType::U8 | DType::F64 => integer(op, int(a), int(b)) as Word,
    }
}

fn integer(op: Binary, a: i32, b: i32) -> i32 {
    match op {
        Binary::Add => a.wrapping_add(b),
        Binary::Sub => a.wrapping_sub(b),
        Binary::Mul => a.wrapping_mul(b),
        Binary::Div if b == 0 => 0,
        Binary::Div => a.wrapping_div(b),
        Binary::Min => a.min(b),
        Binary::Max => a.max(b),
        Binary::Eq => i32::from(a == b),
        Binary::Ne => i32::from(a != b),
        Binary::Lt => i32::from(a < b),
        Binary::Le => i32::from(a <= b),
        Binary::Gt => i32::from(a > b),
        Binary::Ge => i32::from(a >= b),
        Binary::And => a & b,
        Binary::Or => a | b,
        Binary::Pow => unreachable!("`pow` of i32: the verifier lets none through"),
    }
}

/// A scalar as another type.
pub(super) fn cast(from: DType, to: DType, a: Word) -> Word {
    match (from, to) {
        (DType::F32, DType::I32) => float(a) as i32 as Word,
        (DType::F32, DType::Bool) => Word::from(Scalar.ne(float(a), 0.0)),
        (DType::I32 | DType::Bool, DType::F32) => (int(a) as f32).to_bits(),
        (DType::I32, DType::Bool) => Word::from(a != 0),
        _ => a,
    }
}

/// The neutral element that each lane of a reduction starts from.
pub(super) fn neutral(op: Reduce, dtype: DType) -> Word {
    match (op, dtype) {
        (Reduce::Sum, _) => 0, // Also the bits of 0.0.
        (Reduce::Max, DType::F32) => f32::NEG_INFINITY.to_bits(),
        (Reduce::Min, DType::F32) => f32::INFINITY.to_bits(),
        (Reduce::Max, _) => i32::MIN as Word,
        (Reduce::Min, _) => i32::MAX as Word,
    }
}

/// One step of a reduction.
pub(super) fn combine(op: Reduce, dtype: DType, a: Word, b: Word) -> Word {
    let op = match op {
        Reduce::Sum => Binary::Add,
        Reduce::Max => Binary::Max,
        Reduce::Min => Binary::Min,
    };
    binary(op, dtype, a, b)
}

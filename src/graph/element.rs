//! Single elements and scalar operators on them: the arithmetic of the interpreter, of constants
//! and of constant folding.
//!
//! An element of any type is held as the `f64` of its value (every `f32`, `i32`, `u8` and bool is
//! one exactly): `binary(Add, F32, 0.1f32, 0.2f32)` adds in `f64` and rounds once to `f32`. Add,
//! subtract, multiply, divide and square root so rounded are what IEEE 754 asks of `f32`.

use crate::base::tensor::DType;
use crate::graph::op::{Binary, Unary};

/// The value as an element of `dtype` holds it: floats are rounded, integers truncate toward zero
/// and saturate (NaN is 0), a bool is `value != 0`.
pub fn round_to(value: f64, dtype: DType) -> f64 {
    match dtype {
        DType::F32 => f64::from(value as f32),
        DType::F64 => value,
        DType::I32 => f64::from(value as i32),
        DType::U8 => f64::from(value as u8),
        DType::Bool => f64::from(u8::from(value != 0.0)),
    }
}

/// An element of one type in another, as Rust's `as` does: `i32` to `u8` keeps the low bits.
pub fn cast(value: f64, from: DType, to: DType) -> f64 {
    match (from, to) {
        (DType::I32, DType::U8) => f64::from(value as i32 as u8),
        _ => round_to(value, to),
    }
}

/// A function of one element of `dtype`. Integers wrap.
pub fn unary(op: Unary, dtype: DType, x: f64) -> f64 {
    match (dtype, op) {
        (DType::I32, Unary::Neg) => f64::from((x as i32).wrapping_neg()),
        (DType::I32, Unary::Abs) => f64::from((x as i32).wrapping_abs()),
        _ => round_to(op.eval(x), dtype),
    }
}

/// A function of two elements of `dtype`; comparisons give 0 or 1. Integers wrap, and divide
/// toward zero (by zero: 0).
pub fn binary(op: Binary, dtype: DType, a: f64, b: f64) -> f64 {
    if op.is_comparison() {
        return op.eval(a, b);
    }
    if dtype != DType::I32 {
        return round_to(op.eval(a, b), dtype);
    }
    let (left, right) = (a as i32, b as i32);
    match op {
        Binary::Add => f64::from(left.wrapping_add(right)),
        Binary::Sub => f64::from(left.wrapping_sub(right)),
        Binary::Mul => f64::from(left.wrapping_mul(right)),
        Binary::Div if right == 0 => 0.0,
        Binary::Div => f64::from(left.wrapping_div(right)),
        Binary::Min
        | Binary::Max
        | Binary::Pow
        | Binary::Eq
        | Binary::Ne
        | Binary::Lt
        | Binary::Le
        | Binary::Gt
        | Binary::Ge
        | Binary::And
        | Binary::Or => round_to(op.eval(a, b), dtype),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn f32_is_rounded_once() {
        let (a, b) = (0.1f32, 0.2f32);
        let sum = binary(Binary::Add, DType::F32, f64::from(a), f64::from(b));
        assert_eq!(sum, f64::from(a + b));
        assert_eq!(unary(Unary::Sqrt, DType::F32, 2.0), f64::from(2f32.sqrt()));
    }

    #[test]
    fn integers_wrap_and_divide_toward_zero() {
        let max = f64::from(i32::MAX);
        assert_eq!(binary(Binary::Add, DType::I32, max, 1.0), f64::from(i32::MIN));
        assert_eq!(binary(Binary::Mul, DType::I32, max, max), 1.0);
        assert_eq!(binary(Binary::Div, DType::I32, -7.0, 2.0), -3.0);
        assert_eq!(binary(Binary::Div, DType::I32, -7.0, 0.0), 0.0);
        assert_eq!(unary(Unary::Neg, DType::I32, f64::from(i32::MIN)), f64::from(i32::MIN));
    }

    #[test]
    fn casts_are_rusts() {
        assert_eq!(cast(-1.5, DType::F32, DType::I32), -1.0);
        assert_eq!(cast(f64::NAN, DType::F32, DType::I32), 0.0);
        assert_eq!(cast(300.0, DType::F32, DType::U8), 255.0);
        assert_eq!(cast(300.0, DType::I32, DType::U8), 44.0);
        assert_eq!(cast(16_777_217.0, DType::I32, DType::F32), 16_777_216.0);
        assert_eq!(cast(f64::NAN, DType::F32, DType::Bool), 1.0);
    }
}

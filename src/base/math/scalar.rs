//! The engine of single numbers, which behaves as a thread with FTZ and DAZ set does.
//!
//! `Scalar.mul(1e-30, 1e-30)` is 0, not a denormal. Interpreters use it; it is not fast.

use crate::base::math::Float32;

/// Computes with `f32` numbers.
#[derive(Clone, Copy, Debug, Default)]
pub struct Scalar;

/// The number, but zero of its sign where it is denormal.
#[inline]
pub fn flush(x: f32) -> f32 {
    if x.is_subnormal() { 0.0f32.copysign(x) } else { x }
}

/// A rounded result, flushed as x86 does: what is below the smallest normal number after
/// rounding to 24 bits is zero. `exact` is the same result with more bits; it is needed only
/// where rounding among denormals gave the smallest normal number.
#[inline]
fn flush_result(rounded: f32, exact: impl FnOnce() -> f64) -> f32 {
    if rounded.abs() > f32::MIN_POSITIVE || rounded.is_nan() {
        return rounded;
    }
    let limit = f64::from(f32::MIN_POSITIVE) * (1.0 - 0.5f64.powi(25));
    if rounded.abs() == f32::MIN_POSITIVE && exact().abs() >= limit {
        return rounded;
    }
    0.0f32.copysign(rounded)
}

impl Float32 for Scalar {
    type V = f32;
    type I = i32;
    type B = bool;

    fn splat(&mut self, value: f32) -> f32 {
        value
    }

    fn add(&mut self, a: f32, b: f32) -> f32 {
        // A sum of normal numbers that is denormal is exact.
        flush(flush(a) + flush(b))
    }

    fn sub(&mut self, a: f32, b: f32) -> f32 {
        flush(flush(a) - flush(b))
    }

    fn mul(&mut self, a: f32, b: f32) -> f32 {
        let (a, b) = (flush(a), flush(b));
        flush_result(a * b, || f64::from(a) * f64::from(b))
    }

    fn div(&mut self, a: f32, b: f32) -> f32 {
        let (a, b) = (flush(a), flush(b));
        flush_result(a / b, || f64::from(a) / f64::from(b))
    }

    fn fma(&mut self, a: f32, b: f32, c: f32) -> f32 {
        let (a, b, c) = (flush(a), flush(b), flush(c));
        flush_result(a.mul_add(b, c), || f64::from(a).mul_add(f64::from(b), f64::from(c)))
    }

    fn sqrt(&mut self, a: f32) -> f32 {
        flush(a).sqrt()
    }

    fn floor(&mut self, a: f32) -> f32 {
        flush(a).floor()
    }

    fn neg(&mut self, a: f32) -> f32 {
        -a
    }

    fn abs(&mut self, a: f32) -> f32 {
        a.abs()
    }

    fn eq(&mut self, a: f32, b: f32) -> bool {
        flush(a) == flush(b)
    }

    fn ne(&mut self, a: f32, b: f32) -> bool {
        flush(a) != flush(b)
    }

    fn lt(&mut self, a: f32, b: f32) -> bool {
        flush(a) < flush(b)
    }

    fn le(&mut self, a: f32, b: f32) -> bool {
        flush(a) <= flush(b)
    }

    fn and(&mut self, a: bool, b: bool) -> bool {
        a && b
    }

    fn select(&mut self, condition: bool, a: f32, b: f32) -> f32 {
        if condition { a } else { b }
    }

    fn to_bits(&mut self, a: f32) -> i32 {
        a.to_bits() as i32
    }

    fn from_bits(&mut self, a: i32) -> f32 {
        f32::from_bits(a as u32)
    }

    fn from_int(&mut self, a: i32) -> f32 {
        a as f32
    }

    fn isplat(&mut self, value: i32) -> i32 {
        value
    }

    fn iadd(&mut self, a: i32, b: i32) -> i32 {
        a.wrapping_add(b)
    }

    fn isub(&mut self, a: i32, b: i32) -> i32 {
        a.wrapping_sub(b)
    }

    fn iand(&mut self, a: i32, b: i32) -> i32 {
        a & b
    }

    fn ior(&mut self, a: i32, b: i32) -> i32 {
        a | b
    }

    fn ixor(&mut self, a: i32, b: i32) -> i32 {
        a ^ b
    }

    fn ishl(&mut self, a: i32, bits: u32) -> i32 {
        a << bits
    }

    fn isar(&mut self, a: i32, bits: u32) -> i32 {
        a >> bits
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn denormals_are_zero_on_the_way_in_and_out() {
        let tiny = f32::from_bits(1);
        assert_eq!(Scalar.mul(1e-30, -1e-30).to_bits(), (-0.0f32).to_bits());
        assert_eq!(Scalar.mul(tiny, 1e30), 0.0);
        assert!(Scalar.eq(tiny, 0.0));
        assert_eq!(Scalar.neg(tiny), -tiny);
        assert_eq!(Scalar.mul(f32::MIN_POSITIVE, 1.0), f32::MIN_POSITIVE);
    }

    #[test]
    fn tininess_is_judged_after_rounding_to_full_precision() {
        // (1 + 2^-12)(1 - 2^-12) = 1 - 2^-24, below the smallest normal number at 24 bits, but
        // rounded up to it among denormals.
        let a = 1.0 + 0.5f32.powi(12);
        let b = (1.0 - 0.5f32.powi(12)) * f32::MIN_POSITIVE.sqrt() * f32::MIN_POSITIVE.sqrt();
        assert_eq!(a * (1.0 - 0.5f32.powi(12)), 1.0 - 0.5f32.powi(24));
        let below = 1.0 - 0.5f32.powi(24);
        let half = f32::MIN_POSITIVE * 2.0;
        assert_eq!(below * 0.5 * half, f32::MIN_POSITIVE, "IEEE rounds up");
        assert_eq!(Scalar.mul(below * 0.5, half), 0.0, "FTZ does not");
        assert!(b < f32::MIN_POSITIVE);
    }
}

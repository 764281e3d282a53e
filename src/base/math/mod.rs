//! The elementary functions of `f32`, each written once for every engine.
//!
//! Every function takes a [`Float32`]: something that can add, multiply, compare and move bits of
//! `f32` values. [`Scalar`] does it with numbers; code generation does it by emitting
//! instructions on vectors. As every operation of the trait gives the same bits everywhere, so
//! does every function here:
//!
//! ```
//! use nnc::base::math::{Scalar, exp};
//! assert_eq!(exp(&mut Scalar, 0.0), 1.0);
//! ```
//!
//! The error of each function of one number, in units of the last place, stands in its
//! [row](crate::base::scalar::unary::UnaryRow::ulp), and is measured against `f64` by the tests of
//! [`base::scalar`](crate::base::scalar), where the exact result is a normal number. [`pow`] is
//! within 6.
//!
//! Denormal numbers count as zero, in arguments and results, as threads run with FTZ and DAZ
//! set. NaN gives NaN (but `pow(x, 0)` and `pow(1, y)` are 1); which of the many NaNs is not
//! defined. There is no table and no branch: lanes never part ways.

// Coefficients are written as published; the compiler rounds them.
#![allow(clippy::excessive_precision)]

mod erf;
mod exp;
mod log;
mod pow;
mod scalar;
mod trig;

pub use crate::base::math::erf::*;
pub use crate::base::math::exp::*;
pub use crate::base::math::log::*;
pub use crate::base::math::pow::*;
pub use crate::base::math::scalar::{Scalar, flush};
pub use crate::base::math::trig::*;

/// The sign bit.
const SIGN: i32 = i32::MIN;

/// An engine that computes with `f32`: numbers, vectors, or instructions that will.
///
/// Each method is one operation a lane, exact or rounded once to nearest even, with denormal
/// arguments and results of arithmetic taken as zero of their sign. `neg`, `abs`, `select` and
/// the bit operations move bits as they are. Comparisons with NaN are false, except `ne`.
#[allow(clippy::wrong_self_convention)] // An engine makes values; it is not made from them.
pub trait Float32 {
    /// An `f32`, or one a lane.
    type V: Copy;
    /// An `i32`, or one a lane; arithmetic wraps.
    type I: Copy;
    /// The result of a comparison, one a lane.
    type B: Copy;

    /// A constant.
    fn splat(&mut self, value: f32) -> Self::V;
    /// `a + b`.
    fn add(&mut self, a: Self::V, b: Self::V) -> Self::V;
    /// `a - b`.
    fn sub(&mut self, a: Self::V, b: Self::V) -> Self::V;
    /// `a · b`.
    fn mul(&mut self, a: Self::V, b: Self::V) -> Self::V;
    /// `a / b`.
    fn div(&mut self, a: Self::V, b: Self::V) -> Self::V;
    /// `a · b + c`, rounded once.
    fn fma(&mut self, a: Self::V, b: Self::V, c: Self::V) -> Self::V;
    /// The square root.
    fn sqrt(&mut self, a: Self::V) -> Self::V;
    /// The largest whole number not above `a`.
    fn floor(&mut self, a: Self::V) -> Self::V;
    /// `a` with its sign bit flipped.
    fn neg(&mut self, a: Self::V) -> Self::V;
    /// `a` with its sign bit cleared.
    fn abs(&mut self, a: Self::V) -> Self::V;

    /// `a == b`.
    fn eq(&mut self, a: Self::V, b: Self::V) -> Self::B;
    /// `a != b`: true when either is NaN.
    fn ne(&mut self, a: Self::V, b: Self::V) -> Self::B;
    /// `a < b`.
    fn lt(&mut self, a: Self::V, b: Self::V) -> Self::B;
    /// `a <= b`.
    fn le(&mut self, a: Self::V, b: Self::V) -> Self::B;
    /// Both.
    fn and(&mut self, a: Self::B, b: Self::B) -> Self::B;
    /// `if condition { a } else { b }`; both are computed.
    fn select(&mut self, condition: Self::B, a: Self::V, b: Self::V) -> Self::V;

    /// The bits of a float.
    fn to_bits(&mut self, a: Self::V) -> Self::I;
    /// The float of these bits.
    fn from_bits(&mut self, a: Self::I) -> Self::V;
    /// The float nearest to an integer.
    fn from_int(&mut self, a: Self::I) -> Self::V;
    /// An integer constant.
    fn isplat(&mut self, value: i32) -> Self::I;
    /// `a + b`, wrapping.
    fn iadd(&mut self, a: Self::I, b: Self::I) -> Self::I;
    /// `a - b`, wrapping.
    fn isub(&mut self, a: Self::I, b: Self::I) -> Self::I;
    /// The bits in both.
    fn iand(&mut self, a: Self::I, b: Self::I) -> Self::I;
    /// The bits in either.
    fn ior(&mut self, a: Self::I, b: Self::I) -> Self::I;
    /// The bits in one only.
    fn ixor(&mut self, a: Self::I, b: Self::I) -> Self::I;
    /// `a << bits`.
    fn ishl(&mut self, a: Self::I, bits: u32) -> Self::I;
    /// `a >> bits`, keeping the sign.
    fn isar(&mut self, a: Self::I, bits: u32) -> Self::I;
}

/// The smaller; NaN when either is; of two zeros, `b`.
pub fn min<E: Float32>(e: &mut E, a: E::V, b: E::V) -> E::V {
    let less = e.lt(a, b);
    let smaller = e.select(less, a, b);
    or_nan_of(e, a, smaller)
}

/// The larger; NaN when either is; of two zeros, `b`.
pub fn max<E: Float32>(e: &mut E, a: E::V, b: E::V) -> E::V {
    let greater = e.lt(b, a);
    let larger = e.select(greater, a, b);
    or_nan_of(e, a, larger)
}

/// `y`, but `x` where that is NaN.
fn or_nan_of<E: Float32>(e: &mut E, x: E::V, y: E::V) -> E::V {
    let nan = e.ne(x, x);
    e.select(nan, x, y)
}

/// -1, 1, or the argument itself where it is zero or NaN.
pub fn sign<E: Float32>(e: &mut E, x: E::V) -> E::V {
    let zero = e.splat(0.0);
    let one = e.splat(1.0);
    let magnitude = e.abs(x);
    let signed = copy_sign(e, one, x);
    let nonzero = e.lt(zero, magnitude);
    e.select(nonzero, signed, x)
}

/// `1 / sqrt(x)`.
pub fn rsqrt<E: Float32>(e: &mut E, x: E::V) -> E::V {
    let one = e.splat(1.0);
    let root = e.sqrt(x);
    e.div(one, root)
}

/// A number that is not negative, with the sign of another.
fn copy_sign<E: Float32>(e: &mut E, magnitude: E::V, sign: E::V) -> E::V {
    let mask = e.isplat(SIGN);
    let sign = e.to_bits(sign);
    let sign = e.iand(sign, mask);
    let bits = e.to_bits(magnitude);
    let bits = e.ior(bits, sign);
    e.from_bits(bits)
}

/// A number, but no more than `limit`; NaN stays.
fn at_most<E: Float32>(e: &mut E, x: E::V, limit: f32) -> E::V {
    let limit = e.splat(limit);
    let above = e.lt(limit, x);
    e.select(above, limit, x)
}

/// A number, but no less than `limit`; NaN stays.
fn at_least<E: Float32>(e: &mut E, x: E::V, limit: f32) -> E::V {
    let limit = e.splat(limit);
    let below = e.lt(x, limit);
    e.select(below, limit, x)
}

/// A polynomial, its highest coefficient first, by Horner's rule.
fn polynomial<E: Float32>(e: &mut E, x: E::V, coefficients: &[f32]) -> E::V {
    let mut sum = e.splat(coefficients[0]);
    for &coefficient in &coefficients[1..] {
        let coefficient = e.splat(coefficient);
        sum = e.fma(sum, x, coefficient);
    }
    sum
}

/// The nearest whole number to `x · factor`, where its magnitude is below 2^22: as a float, and
/// in the low bits of an integer whose high bits mean nothing.
fn round_product<E: Float32>(e: &mut E, x: E::V, factor: f32) -> (E::V, E::I) {
    // Added to 1.5·2^23, a number loses its fraction to rounding, and stands in the low bits.
    let shift = e.splat(12_582_912.0);
    let factor = e.splat(factor);
    let shifted = e.fma(x, factor, shift);
    (e.sub(shifted, shift), e.to_bits(shifted))
}

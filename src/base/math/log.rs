//! `log` and `log1p`.
//!
//! `log(2^n · m) = n·ln 2 + log(m)` with `m` from √½ to √2; `log(1 + f)` is `f - f²/2` and a
//! polynomial (Cephes, `logf.c`).

use crate::base::math::Float32;
use crate::base::math::exp::{LN2_HIGH, LN2_LOW, power_of_two};
use crate::base::math::polynomial;

/// The bits of √½.
const ROOT_HALF: i32 = 0x3f35_04f3;
/// The bits of a fraction.
const FRACTION: i32 = 0x007f_ffff;

/// `(log(1 + f) - f + f²/2) / f³` for `1 + f` from √½ to √2.
const TAIL: [f32; 9] = [
    7.037_683_6e-2,
    -1.151_461e-1,
    1.167_699_9e-1,
    -1.242_014_1e-1,
    1.424_932_3e-1,
    -1.666_805_8e-1,
    2.000_071_5e-1,
    -2.499_999_4e-1,
    3.333_333_1e-1,
];

/// The natural logarithm; -∞ for ±0, NaN below. 27 operations.
pub fn log<E: Float32>(e: &mut E, x: E::V) -> E::V {
    let (n, m) = split(e, x);
    let n = e.from_int(n);
    let one = e.splat(1.0);
    let f = e.sub(m, one);
    let value = log_of_parts(e, n, f);
    outside_of_domain(e, x, value)
}

/// `log(1 + x)`, exact to the last places near 0 too. 40 operations.
pub fn log1p<E: Float32>(e: &mut E, x: E::V) -> E::V {
    let one = e.splat(1.0);
    let sum = e.add(one, x);
    // What rounding took from the sum; exact (for sums up to 2^24, beyond which it is nothing).
    let back = e.sub(sum, one);
    let lost = e.sub(x, back);
    let (n, m) = split(e, sum);
    let f = e.sub(m, one);
    let zero = e.isplat(0);
    let minus_n = e.isub(zero, n);
    // 2^(1-n), as 2^-n may be too small (n is at most 128).
    let scale = power_of_two(e, minus_n, 128);
    let half = e.splat(0.5);
    let lost = e.mul(lost, half);
    let f = e.fma(lost, scale, f);
    let n = e.from_int(n);
    let value = log_of_parts(e, n, f);
    let value = outside_of_domain(e, sum, value);
    // A tiny argument is its own result, its sign included.
    let size = e.abs(x);
    let tiny = e.splat(2.0f32.powi(-25));
    let is_tiny = e.lt(size, tiny);
    e.select(is_tiny, x, value)
}

/// `n` and `m` with `x = 2^n · m` and `m` from √½ to √2, for positive normal `x`.
pub(super) fn split<E: Float32>(e: &mut E, x: E::V) -> (E::I, E::V) {
    let root_half = e.isplat(ROOT_HALF);
    let fraction = e.isplat(FRACTION);
    let bits = e.to_bits(x);
    let from_root = e.isub(bits, root_half);
    let n = e.isar(from_root, 23);
    let rest = e.iand(from_root, fraction);
    let bits = e.iadd(rest, root_half);
    (n, e.from_bits(bits))
}

/// `n·ln 2 + log(1 + f)`.
fn log_of_parts<E: Float32>(e: &mut E, n: E::V, f: E::V) -> E::V {
    let square = e.mul(f, f);
    let cube = e.mul(square, f);
    let tail = polynomial(e, f, &TAIL);
    let low_part = e.splat(LN2_LOW);
    let high_part = e.splat(LN2_HIGH);
    let minus_half = e.splat(-0.5);
    let low = e.mul(n, low_part);
    let low = e.fma(tail, cube, low);
    let low = e.fma(square, minus_half, low);
    let sum = e.add(f, low);
    e.fma(n, high_part, sum)
}

/// The logarithm of a positive normal number, or what it is for other `x`.
fn outside_of_domain<E: Float32>(e: &mut E, x: E::V, value: E::V) -> E::V {
    let infinity = e.splat(f32::INFINITY);
    let minus_infinity = e.splat(f32::NEG_INFINITY);
    let nan = e.splat(f32::NAN);
    let zero = e.splat(0.0);
    let finite = e.lt(x, infinity);
    let value = e.select(finite, value, x); // Infinity and NaN.
    let negative = e.lt(x, zero);
    let value = e.select(negative, nan, value);
    let nothing = e.eq(x, zero);
    e.select(nothing, minus_infinity, value)
}

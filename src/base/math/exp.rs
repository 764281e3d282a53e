//! `exp` and what is made of it: `expm1`, `tanh`, `sigmoid`.
//!
//! `exp(x) = 2^n · exp(r)` with `n` the whole number nearest to `x / ln 2` and `|r| ≤ ln 2 / 2`;
//! `exp(r) - 1` is a polynomial (Cephes, `expf.c`).

use crate::base::math::{Float32, at_least, at_most, copy_sign, polynomial, round_product};

/// ln 2 in two parts; a product of the first with a whole number below 2^9 is exact.
pub(super) const LN2_HIGH: f32 = 0.693_359_4;
pub(super) const LN2_LOW: f32 = -2.121_944_4e-4;

/// The largest argument whose result is finite.
const LARGEST: f32 = 88.722_83;
/// The smallest argument whose result is a normal number.
const SMALLEST: f32 = -87.336_54;

/// `(exp(r) - 1 - r) / r²` for `|r| ≤ ln 2 / 2`.
const TAIL: [f32; 6] =
    [1.987_569_1e-4, 1.398_199_9e-3, 8.333_452e-3, 4.166_579_6e-2, 1.666_666_5e-1, 5.000_000_1e-1];

/// `e^x`. Infinite above 88.72283, zero below -87.33654. 18 operations.
pub fn exp<E: Float32>(e: &mut E, x: E::V) -> E::V {
    let zero = e.splat(0.0);
    exp_of_sum(e, x, zero)
}

/// `e^(x + low)`, where `low` is some units in the last place of `x`.
pub(super) fn exp_of_sum<E: Float32>(e: &mut E, x: E::V, low: E::V) -> E::V {
    let (tail, n) = reduced(e, x, low);
    let one = e.splat(1.0);
    let power = e.add(tail, one);
    // 2^n itself may be too large for a float: n is added to the exponent instead.
    let exponent = e.ishl(n, 23);
    let bits = e.to_bits(power);
    let bits = e.iadd(bits, exponent);
    let value = e.from_bits(bits);

    let infinity = e.splat(f32::INFINITY);
    let zero = e.splat(0.0);
    let largest = e.splat(LARGEST);
    let smallest = e.splat(SMALLEST);
    let finite = e.le(x, largest);
    let beyond = e.add(x, infinity); // Infinity, or NaN for NaN.
    let value = e.select(finite, value, beyond);
    let tiny = e.lt(x, smallest);
    e.select(tiny, zero, value)
}

/// `e^x` for `x` from -87 to 88; NaN for NaN, any bits for others.
pub(super) fn exp_in_range<E: Float32>(e: &mut E, x: E::V) -> E::V {
    let zero = e.splat(0.0);
    let (tail, n) = reduced(e, x, zero);
    let power = power_of_two(e, n, 127);
    e.fma(tail, power, power)
}

/// `exp(r) - 1`, and `n` in the low bits, for `x + low = n·ln 2 + r`.
fn reduced<E: Float32>(e: &mut E, x: E::V, low: E::V) -> (E::V, E::I) {
    let (n, bits) = round_product(e, x, std::f32::consts::LOG2_E);
    let high_part = e.splat(-LN2_HIGH);
    let low_part = e.splat(-LN2_LOW);
    let r = e.fma(n, high_part, x);
    let r = e.fma(n, low_part, r);
    let r = e.add(r, low);
    let square = e.mul(r, r);
    let tail = polynomial(e, r, &TAIL);
    (e.fma(tail, square, r), bits)
}

/// `e^x - 1`, exact to the last places near 0 too. 24 operations.
pub fn expm1<E: Float32>(e: &mut E, x: E::V) -> E::V {
    // Beyond these the result is infinite, or -1 to the last bit.
    let clamped = at_most(e, x, 89.0);
    let clamped = at_least(e, clamped, -18.0);
    let zero = e.splat(0.0);
    let (tail, n) = reduced(e, clamped, zero);
    // 2·(2^(n-1)·tail + 2^(n-1) - 1/2), as 2^n may be too large.
    let power = power_of_two(e, n, 126);
    let half = e.splat(0.5);
    let rest = e.sub(power, half);
    let value = e.fma(tail, power, rest);
    let value = e.add(value, value);
    // A tiny argument is its own result, its sign included.
    let size = e.abs(x);
    let tiny = e.splat(2.0f32.powi(-25));
    let is_tiny = e.lt(size, tiny);
    e.select(is_tiny, x, value)
}

/// `2^(n + bias - 127)`, for `n` in the low bits.
pub(super) fn power_of_two<E: Float32>(e: &mut E, n: E::I, bias: i32) -> E::V {
    let bias = e.isplat(bias);
    let biased = e.iadd(n, bias);
    let bits = e.ishl(biased, 23);
    e.from_bits(bits)
}

/// The hyperbolic tangent: `t / (t + 2)` with `t = e^(2|x|) - 1`, and the sign of `x`. 25
/// operations, one of them a division.
pub fn tanh<E: Float32>(e: &mut E, x: E::V) -> E::V {
    let size = e.abs(x);
    let size = at_most(e, size, 10.0); // The result is 1 from 9.02 on.
    let doubled = e.add(size, size);
    let zero = e.splat(0.0);
    let (tail, n) = reduced(e, doubled, zero);
    let power = power_of_two(e, n, 127);
    let one = e.splat(1.0);
    let two = e.splat(2.0);
    let rest = e.sub(power, one);
    let t = e.fma(tail, power, rest);
    let below = e.add(t, two);
    let value = e.div(t, below);
    copy_sign(e, value, x)
}

/// The logistic function `1 / (1 + e^-x)`. 19 operations, one of them a division.
pub fn sigmoid<E: Float32>(e: &mut E, x: E::V) -> E::V {
    let x = e.neg(x);
    // Beyond these the result is 0, as denormal, or 1.
    let x = at_most(e, x, 88.0);
    let x = at_least(e, x, -87.0);
    let power = exp_in_range(e, x);
    let one = e.splat(1.0);
    let below = e.add(one, power);
    e.div(one, below)
}

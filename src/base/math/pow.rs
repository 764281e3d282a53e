//! `pow(x, y) = exp(y · log|x|)`, with the logarithm in two floats of together about 32 good
//! bits: a result near the largest number multiplies the logarithm's relative error by 88.

use crate::base::math::exp::{LN2_HIGH, LN2_LOW, exp_of_sum};
use crate::base::math::log::split;
use crate::base::math::{Float32, SIGN, polynomial};

/// `(2·atanh(q) - 2q) / q³` in powers of `q²`.
const TAIL: [f32; 5] = [2.0 / 11.0, 2.0 / 9.0, 2.0 / 7.0, 2.0 / 5.0, 2.0 / 3.0];

/// `x^y`, with the special values of IEEE 754: `pow(x, 0) = pow(1, y) = 1` even for NaN, a
/// negative `x` needs a whole `y` and gives its sign for odd ones. About 85 operations, one of
/// them a division.
pub fn pow<E: Float32>(e: &mut E, x: E::V, y: E::V) -> E::V {
    let size = e.abs(x);
    let (high, low) = log_in_two(e, size);

    // y·(high + low) in two floats; without the low one where the high one is not finite.
    let product = e.mul(y, high);
    let minus = e.neg(product);
    let error = e.fma(y, high, minus);
    let error = e.fma(y, low, error);
    let limit = e.splat(200.0);
    let product_size = e.abs(product);
    let moderate = e.lt(product_size, limit);
    let zero = e.splat(0.0);
    let error = e.select(moderate, error, zero);
    let sum = e.add(product, error);
    let rest = e.sub(product, sum);
    let rest = e.add(rest, error);
    let rest = e.select(moderate, rest, zero);
    let value = exp_of_sum(e, sum, rest);

    let one = e.splat(1.0);
    let is_one = e.eq(size, one);
    let value = e.select(is_one, one, value);
    let value = of_negative(e, x, y, value);
    let no_power = e.eq(y, zero);
    let value = e.select(no_power, one, value);
    let base_is_one = e.eq(x, one);
    e.select(base_is_one, one, value)
}

/// `|x|^y` with the sign that it has for this `x`, or NaN.
fn of_negative<E: Float32>(e: &mut E, x: E::V, y: E::V, value: E::V) -> E::V {
    let zero = e.splat(0.0);
    let half = e.splat(0.5);
    let nan = e.splat(f32::NAN);
    let minus_infinity = e.splat(f32::NEG_INFINITY);

    let below = e.floor(y);
    let halved = e.mul(y, half);
    let half_below = e.floor(halved);
    let whole = e.eq(below, y);
    let not_even = e.ne(half_below, halved);
    let odd = e.and(whole, not_even);
    // The sign bit of x, where y is odd: also of -0 and -∞.
    let mask = e.isplat(SIGN);
    let bits = e.to_bits(value);
    let sign = e.to_bits(x);
    let sign = e.iand(sign, mask);
    let flipped = e.ixor(bits, sign);
    let flipped = e.from_bits(flipped);
    let signed = e.select(odd, flipped, value);

    let negative = e.lt(x, zero);
    let finite = e.lt(minus_infinity, x);
    let negative = e.and(negative, finite);
    let broken = e.ne(below, y);
    let undefined = e.and(negative, broken);
    e.select(undefined, nan, signed)
}

/// `log(x)` as a sum of two floats, for `x` not negative: -∞ for 0; ∞ and NaN for themselves.
fn log_in_two<E: Float32>(e: &mut E, x: E::V) -> (E::V, E::V) {
    let (n, m) = split(e, x);
    let n = e.from_int(n);
    let one = e.splat(1.0);
    let two = e.splat(2.0);

    // q = (m - 1) / (m + 1) in two floats.
    let above = e.sub(m, one);
    let below = e.add(m, one);
    let back = e.sub(below, one);
    let below_lost = e.sub(m, back);
    let inverse = e.div(one, below);
    let q = e.mul(above, inverse);
    let minus_q = e.neg(q);
    let remainder = e.fma(minus_q, below, above);
    let remainder = e.fma(minus_q, below_lost, remainder);
    let q_low = e.mul(remainder, inverse);

    // log(m) = 2·atanh(q) = 2q + q³·tail.
    let square = e.mul(q, q);
    let cube = e.mul(square, q);
    let tail = polynomial(e, square, &TAIL);
    let low_part = e.splat(LN2_LOW);
    let low = e.mul(n, low_part);
    let low = e.fma(q_low, two, low);
    let low = e.fma(tail, cube, low);

    // n·ln 2 + 2q, and what rounding takes from it; the product is exact.
    let high_part = e.splat(LN2_HIGH);
    let whole = e.mul(n, high_part);
    let doubled = e.add(q, q);
    let high = e.add(whole, doubled);
    let lost = e.sub(whole, high);
    let lost = e.add(lost, doubled);
    let low = e.add(low, lost);

    let infinity = e.splat(f32::INFINITY);
    let minus_infinity = e.splat(f32::NEG_INFINITY);
    let zero = e.splat(0.0);
    let finite = e.lt(x, infinity);
    let high = e.select(finite, high, x);
    let nothing = e.eq(x, zero);
    (e.select(nothing, minus_infinity, high), low)
}

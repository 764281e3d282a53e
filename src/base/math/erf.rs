//! The error function and its complement.
//!
//! `erf` is two polynomials by N. Juffa: odd around 0, and the exponent of its distance to 1
//! beyond. `erfc` is one polynomial for `(1 + 2a)·exp(a²)·erfc(a)`, which hardly varies (Shepherd
//! and Laframboise 1981, in N. Juffa's form): so it keeps its digits where `1 - erf(x)` has none.

use crate::base::math::exp::{exp, exp_in_range};
use crate::base::math::{Float32, at_most, copy_sign, polynomial};

/// `erf(x) / x - 1` in powers of `x²`, for `|x|` below [`BORDER`].
const INNER: [f32; 6] = [
    -5.967_617e-4,
    4.991_194_2e-3,
    -2.676_813_5e-2,
    1.128_199_2e-1,
    -3.761_253_4e-1,
    1.283_791_7e-1,
];

/// `log(1 - erf(t)) / t + 1` in powers of `t`, from [`BORDER`] on.
const OUTER: [f32; 7] = [
    -1.728_534_7e-5,
    3.831_971_3e-4,
    -3.883_964_4e-3,
    2.425_462_2e-2,
    -1.067_778_8e-1,
    -6.348_466_9e-1,
    -1.287_175_1e-1,
];

/// Where the two polynomials meet.
const BORDER: f32 = 0.927_734_4;

/// The error function `2/√π · ∫₀ˣ exp(-t²) dt`. 33 operations.
pub fn erf<E: Float32>(e: &mut E, x: E::V) -> E::V {
    let square = e.mul(x, x);
    let inner = polynomial(e, square, &INNER);
    let inner = e.fma(inner, x, x);

    let size = e.abs(x);
    let clamped = at_most(e, size, 4.0); // The result is 1 from 3.92 on.
    let exponent = polynomial(e, clamped, &OUTER);
    let minus = e.neg(clamped);
    let exponent = e.fma(exponent, clamped, minus);
    let distance = exp_in_range(e, exponent);
    let one = e.splat(1.0);
    let outer = e.sub(one, distance);
    let outer = copy_sign(e, outer, x);

    // NaN is not beyond the border, and the inner polynomial keeps it.
    let border = e.splat(BORDER);
    let is_outer = e.lt(border, size);
    e.select(is_outer, outer, inner)
}

/// `(1 + 2a)·exp(a²)·erfc(a) - 1` in powers of `(a - 2) / (a + 2)`, for `a` from 0 to 10.05.
const COMPLEMENT: [f32; 10] = [
    -4.011_392_6e-4,
    -1.230_752_1e-3,
    1.313_553_4e-3,
    8.632_274e-3,
    -8.059_92e-3,
    -5.420_466e-2,
    1.640_553_9e-1,
    -1.660_313_6e-1,
    -9.276_396e-2,
    2.769_784e-1,
];

/// The complement `1 - erf(x)`, with all its digits down to the smallest normal number, at 9.2.
/// About 60 operations, two of them divisions.
pub fn erfc<E: Float32>(e: &mut E, x: E::V) -> E::V {
    let (one, two, half) = (e.splat(1.0), e.splat(2.0), e.splat(0.5));
    let size = e.abs(x);
    let a = at_most(e, size, 10.0); // The result is 0 or 2 from there on.
    let minus_a = e.neg(a);

    // q = (a - 2) / (a + 2), corrected by its remainder.
    let above = e.sub(a, two);
    let below = e.add(a, two);
    let inverse = e.div(one, below);
    let q = e.mul(above, inverse);
    let shifted = e.add(q, one);
    let minus_two = e.splat(-2.0);
    let rest = e.fma(shifted, minus_two, a);
    let rest = e.fma(q, minus_a, rest);
    let q = e.fma(inverse, rest, q);
    let p = polynomial(e, q, &COMPLEMENT);

    // (1 + p) / (1 + 2a), corrected likewise.
    let below = e.fma(a, two, one);
    let inverse = e.div(one, below);
    let quotient = e.fma(p, inverse, inverse);
    let less = e.fma(quotient, minus_a, half);
    let difference = e.sub(p, quotient);
    let rest = e.fma(less, two, difference);
    let quotient = e.fma(rest, inverse, quotient);

    // Times exp(-a²), with what rounding took from the square.
    let square = e.mul(a, a);
    let lost = e.fma(minus_a, a, square);
    let minus_square = e.neg(square);
    let bell = exp(e, minus_square);
    let value = e.mul(quotient, bell);
    let value = e.fma(value, lost, value);

    let zero = e.splat(0.0);
    let negative = e.lt(x, zero);
    let mirrored = e.sub(two, value);
    e.select(negative, mirrored, value)
}

//! The error function, in two polynomials by N. Juffa: odd around 0, and the exponent of its
//! distance to 1 beyond.

use crate::base::math::exp::exp_in_range;
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

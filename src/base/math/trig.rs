//! `sin` and `cos`: reduction by π/2 in three parts (Cody and Waite, with FMA), then one of two
//! polynomials (Cephes, `sinf.c`), chosen by the quadrant.
//!
//! The reduction is exact enough for `|x| ≤ 100 000`. Beyond, results stay within [-1, 1] and
//! their error grows with `x` (no Payne-Hanek reduction: no network needs it).

use crate::base::math::{Float32, SIGN, at_least, at_most, polynomial, round_product};

/// -π/2 in three parts, highest first.
const QUARTER: [f32; 3] = [-1.570_796_4, 4.371_139e-8, 1.715_129_4e-15];

/// `(sin(r) - r) / r³` in powers of `r²`, for `|r| ≤ π/4`.
const SINE: [f32; 3] = [-1.951_529_6e-4, 8.332_161e-3, -1.666_665_5e-1];
/// `(cos(r) - 1 + r²/2) / r⁴` in powers of `r²`, for `|r| ≤ π/4`.
const COSINE: [f32; 3] = [2.443_315_7e-5, -1.388_731_6e-3, 4.166_664_6e-2];

/// The sine. 33 operations.
pub fn sin<E: Float32>(e: &mut E, x: E::V) -> E::V {
    let (r, quadrant) = reduced(e, x);
    let value = in_quadrant(e, r, quadrant);
    // A tiny argument is its own result, its sign included.
    let size = e.abs(x);
    let tiny = e.splat(2.0f32.powi(-13));
    let is_tiny = e.lt(size, tiny);
    e.select(is_tiny, x, value)
}

/// The cosine: the sine, one quadrant on. 31 operations.
pub fn cos<E: Float32>(e: &mut E, x: E::V) -> E::V {
    let (r, quadrant) = reduced(e, x);
    let one = e.isplat(1);
    let quadrant = e.iadd(quadrant, one);
    in_quadrant(e, r, quadrant)
}

/// `r` and the quadrant (in the low bits), with `x = quadrant·π/2 + r`.
fn reduced<E: Float32>(e: &mut E, x: E::V) -> (E::V, E::I) {
    let (n, quadrant) = round_product(e, x, std::f32::consts::FRAC_2_PI);
    let mut r = x;
    for part in QUARTER {
        let part = e.splat(part);
        r = e.fma(n, part, r);
    }
    // A no-op where the reduction holds; where it does not, this keeps the result within bounds.
    let r = at_most(e, r, 0.8);
    (at_least(e, r, -0.8), quadrant)
}

/// The sine of `quadrant·π/2 + r`.
fn in_quadrant<E: Float32>(e: &mut E, r: E::V, quadrant: E::I) -> E::V {
    let square = e.mul(r, r);
    let one = e.splat(1.0);
    let minus_half = e.splat(-0.5);

    let cube = e.mul(square, r);
    let sine = polynomial(e, square, &SINE);
    let sine = e.fma(sine, cube, r);

    let fourth = e.mul(square, square);
    let cosine = polynomial(e, square, &COSINE);
    let parabola = e.fma(square, minus_half, one);
    let cosine = e.fma(cosine, fourth, parabola);

    // Odd quadrants are cosines; the second and third are negative. As masks of bits, so that
    // no comparison of integers is needed: bit 0 to all bits, bit 1 to the sign.
    let odd = e.ishl(quadrant, 31);
    let odd = e.isar(odd, 31);
    let (sine, cosine) = (e.to_bits(sine), e.to_bits(cosine));
    let difference = e.ixor(sine, cosine);
    let chosen = e.iand(difference, odd);
    let chosen = e.ixor(chosen, sine);
    let sign_mask = e.isplat(SIGN);
    let sign = e.ishl(quadrant, 30);
    let sign = e.iand(sign, sign_mask);
    let bits = e.ixor(chosen, sign);
    e.from_bits(bits)
}

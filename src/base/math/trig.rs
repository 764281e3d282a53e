//! `sin` and `cos`: reduction by π/2, then one of two polynomials (Cephes, `sinf.c`), chosen by the
//! quadrant.
//!
//! Up to [`NEAR`] the reduction subtracts a multiple of π/2 in three parts (Cody and Waite, with
//! FMA). Beyond, it multiplies by 2/π instead (Payne and Hanek 1983): with `x = 2^(24i)·s`, only
//! the digits of `2^(24i)·2/π` below 2⁹ matter, because `s` is a multiple of 2⁻⁷ and whole turns
//! drop out. There are five windows of digits, chosen by comparisons; products with a digit are
//! exact as two floats. So the reduction holds for every finite float.

use crate::base::math::{Float32, SIGN, polynomial, round_product};

/// -π/2 in three parts, highest first.
const QUARTER: [f32; 3] = [-1.570_796_4, 4.371_139e-8, 1.715_129_4e-15];

/// The largest argument that is reduced in three parts.
const NEAR: f32 = 100_000.0;

/// The digits of 2/π to the base 2²⁴, from 2⁹ down: window `i` begins at digit `i`. The first one
/// has nine bits before the point, the next fifteen behind it.
const DIGITS: [u32; 8] =
    [0x517c, 0xc1b727, 0x220a94, 0xfe13ab, 0xe8fa9a, 0x6ee06d, 0xb14acc, 0x9e21c8];
/// The exponent of the first digit of a window, and of those behind it.
const EXPONENTS: [i32; 4] = [-15, -39, -63, -87];
/// Where windows 1 to 4 begin: window `i` is for sizes from `2^(16 + 24i)` on.
const BORDERS: [i32; 4] = [40, 64, 88, 112];

/// `(sin(r) - r) / r³` in powers of `r²`, for `|r| ≤ π/4`.
const SINE: [f32; 3] = [-1.951_529_6e-4, 8.332_161e-3, -1.666_665_5e-1];
/// `(cos(r) - 1 + r²/2) / r⁴` in powers of `r²`, for `|r| ≤ π/4`.
const COSINE: [f32; 3] = [2.443_315_7e-5, -1.388_731_6e-3, 4.166_664_6e-2];

/// The sine. About 160 operations.
pub fn sin<E: Float32>(e: &mut E, x: E::V) -> E::V {
    let (r, quadrant) = reduced(e, x);
    let value = in_quadrant(e, r, quadrant);
    // A tiny argument is its own result, its sign included.
    let size = e.abs(x);
    let tiny = e.splat(2.0f32.powi(-13));
    let is_tiny = e.lt(size, tiny);
    e.select(is_tiny, x, value)
}

/// The cosine: the sine, one quadrant on. About 160 operations.
pub fn cos<E: Float32>(e: &mut E, x: E::V) -> E::V {
    let (r, quadrant) = reduced(e, x);
    let one = e.isplat(1);
    let quadrant = e.iadd(quadrant, one);
    in_quadrant(e, r, quadrant)
}

/// `r` and the quadrant (in the low bits), with `x = quadrant·π/2 + r`.
fn reduced<E: Float32>(e: &mut E, x: E::V) -> (E::V, E::I) {
    let (far, far_quadrant) = reduced_far(e, x);
    let (n, near_quadrant) = round_product(e, x, std::f32::consts::FRAC_2_PI);
    let mut near = x;
    for part in QUARTER {
        let part = e.splat(part);
        near = e.fma(n, part, near);
    }
    let size = e.abs(x);
    let limit = e.splat(NEAR);
    let is_near = e.le(size, limit);
    let r = e.select(is_near, near, far);
    let (near_quadrant, far_quadrant) = (e.from_bits(near_quadrant), e.from_bits(far_quadrant));
    let quadrant = e.select(is_near, near_quadrant, far_quadrant);
    (r, e.to_bits(quadrant))
}

/// The value of the window that a size is in. The comparisons are made anew for each choice: four
/// more values that live through the whole reduction would not fit the registers of AVX2.
fn choose<E: Float32>(e: &mut E, size: E::V, values: impl Fn(usize) -> f32) -> E::V {
    let mut chosen = e.splat(values(0));
    for (window, exponent) in BORDERS.into_iter().enumerate() {
        let border = e.splat(2.0f32.powi(exponent));
        let beyond = e.le(border, size);
        let value = e.splat(values(window + 1));
        chosen = e.select(beyond, value, chosen);
    }
    chosen
}

/// The same for sizes from 2^16 on; NaN for infinities.
fn reduced_far<E: Float32>(e: &mut E, x: E::V) -> (E::V, E::I) {
    let size = e.abs(x);
    let digit = |e: &mut E, digit: usize| {
        let power = 2.0f32.powi(EXPONENTS[digit]);
        choose(e, size, |window| DIGITS[window + digit] as f32 * power)
    };
    let scale = choose(e, size, |window| 2.0f32.powi(-24 * window as i32));
    let s = e.mul(x, scale);

    // x·2/π without whole turns, as a sum of two floats.
    let first = digit(e, 0);
    let (a, b) = product(e, s, first);
    let (a, b) = (within_turn(e, a), within_turn(e, b));
    let (mut high, mut low) = two_sum(e, a, b);
    let second = digit(e, 1);
    let (a, b) = product(e, s, second);
    let a = within_turn(e, a);
    for term in [a, b] {
        let (sum, lost) = two_sum(e, high, term);
        high = sum;
        low = e.add(low, lost);
    }
    let third = digit(e, 2);
    let (a, b) = product(e, s, third);
    let (sum, lost) = two_sum(e, high, a);
    let high = sum;
    let low = e.add(low, lost);
    let low = e.add(low, b);
    let last = digit(e, 3);
    let low = e.fma(s, last, low);

    let (n, quadrant) = round_product(e, high, 1.0);
    let high = e.sub(high, n);
    let (high, low) = two_sum(e, high, low);

    // Times π/2, its first two parts.
    let [first, second, _] = QUARTER.map(|part| e.splat(-part));
    let (angle, lost) = product(e, high, first);
    let lost = e.fma(low, first, lost);
    let lost = e.fma(high, second, lost);
    (e.add(angle, lost), quadrant)
}

/// `a · b` as a sum of two floats, exactly.
fn product<E: Float32>(e: &mut E, a: E::V, b: E::V) -> (E::V, E::V) {
    let high = e.mul(a, b);
    let minus = e.neg(high);
    (high, e.fma(a, b, minus))
}

/// `a + b` as a sum of two floats, exactly (Knuth).
fn two_sum<E: Float32>(e: &mut E, a: E::V, b: E::V) -> (E::V, E::V) {
    let high = e.add(a, b);
    let of_b = e.sub(high, a);
    let of_a = e.sub(high, of_b);
    let lost_b = e.sub(b, of_b);
    let lost_a = e.sub(a, of_a);
    (high, e.add(lost_a, lost_b))
}

/// `a` less a multiple of 4, exactly: in [-2, 4], and as it is where it is small.
fn within_turn<E: Float32>(e: &mut E, a: E::V) -> E::V {
    let (quarter, half) = (e.splat(0.25), e.splat(0.5));
    let minus_turn = e.splat(-4.0);
    let turns = e.fma(a, quarter, half);
    let turns = e.floor(turns);
    e.fma(turns, minus_turn, a)
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

//! The error of each function against `f64`, over all bit patterns in steps, and at its edges.

use super::Unary;
use super::unary::{Curve, Takes};
use crate::base::math::{Scalar, flush, max, min, pow, sign};

/// Every how many bit patterns one is tried.
const STRIDE: usize = 997;

/// Patterns spread over all floats, and the edges of what functions treat apart.
fn samples() -> impl Iterator<Item = f32> {
    let edges = [
        0.0,
        f32::MIN_POSITIVE,
        f32::EPSILON,
        0.5,
        0.927_734_4,
        1.0,
        2.0,
        4.0,
        10.0,
        18.0,
        87.0,
        87.336_54,
        88.5,
        88.722_83,
        88.722_84,
        100.0,
        f32::MAX,
        f32::INFINITY,
    ];
    let around = edges.into_iter().flat_map(|x: f32| {
        let neighbours = (-40i64..=40).map(move |step| (i64::from(x.to_bits()) + step) as u32);
        neighbours.flat_map(|bits| [f32::from_bits(bits), -f32::from_bits(bits)])
    });
    (0..=u32::MAX).step_by(STRIDE).map(f32::from_bits).chain(around)
}

/// The distance in units of the last place of the exact result, at least those of 2^-126.
fn ulps(found: f32, exact: f64) -> f64 {
    let exponent = (exact.abs().log2().floor() as i32).max(-126);
    (f64::from(found) - exact).abs() / 2.0f64.powi(exponent - 23)
}

/// The largest error of `function`, and where it is. Results that are not numbers, infinite or
/// denormal must be so (or, at the border of the finite ones, within the error).
fn worst(
    samples: impl Iterator<Item = f32>,
    function: impl Fn(f32) -> f32,
    exact: impl Fn(f64) -> f64,
) -> (f64, f32) {
    let mut worst = (0.0, 0.0);
    for x in samples {
        let x = flush(x);
        let (found, exact) = (function(x), exact(f64::from(x)));
        if exact.is_nan() || exact.abs() > f64::from(f32::MAX) * (1.0 + 1e-7) {
            let same = found.is_nan() == exact.is_nan()
                && (exact.is_nan() || found as f64 == exact.signum() * f64::INFINITY);
            assert!(same, "at {x:e}: {found:e} for {exact:e}");
        } else if exact == 0.0 {
            assert_eq!(found, 0.0, "at {x:e}");
            assert!(
                x != 0.0 || found.is_sign_negative() == exact.is_sign_negative(),
                "sign of zero at {x:e}"
            );
        } else if exact.abs() < f64::from(f32::MIN_POSITIVE) * (1.0 + 1e-6) {
            assert!(found.abs() <= f32::MIN_POSITIVE * 1.000_002, "at {x:e}: {found:e}");
            assert!(!found.is_subnormal(), "at {x:e}: {found:e}");
        } else {
            let error = ulps(found, exact);
            if error.is_nan() || error > worst.0 {
                worst = (error, x);
            }
        }
    }
    worst
}

/// A sine or cosine; but what is right by the looser bound of large arguments counts as exact.
fn wave(function: Unary, x: f32) -> f32 {
    let (found, wanted) = (function.of_f32(&mut Scalar, x), function.eval(f64::from(x)));
    assert!(found.is_nan() || found.abs() <= 1.0, "{}({x:e}) = {found}", function.name());
    let tiny = x.abs() > 1e5 && wanted.abs() < 2f64.powi(-20);
    let near = (f64::from(found) - wanted).abs() <= 2f64.powi(-42);
    if tiny && near { wanted as f32 } else { found }
}

#[test]
fn every_function_is_within_the_bound_of_its_row() {
    // The float nearest to a multiple of π/2, relative to its size.
    let hard = [16_367_173.0 * 2.0f32.powi(72), -16_367_173.0 * 2.0f32.powi(72)];
    for &function in Unary::ALL {
        let row = function.row();
        if row.takes == Takes::Bools {
            continue;
        }
        let of_f32 = |x: f32| match row.shape {
            Curve::Waves => wave(function, x),
            _ => function.of_f32(&mut Scalar, x),
        };
        let (error, at) = worst(samples().chain(hard), of_f32, row.value);
        // The exact value is itself rounded to `f64`.
        let bound = row.ulp + 1e-8;
        assert!(error <= bound, "{}: {error} ulp at {at:e}", function.name());
    }
}

#[test]
fn pow_is_within_its_bound() {
    let mut sequence = crate::base::rng::Sequence::new(1, 2);
    let mut largest = (0.0, 0.0, 0.0);
    for _ in 0..1_000_000 {
        let x = f32::from_bits(sequence.word());
        // Exponents for which the result is mostly finite.
        let y = flush(
            ((sequence.unit() * 2.0 - 1.0) * 90.0 / libm::log(f64::from(x.abs())).abs()) as f32,
        );
        let y = if sequence.word().is_multiple_of(4) { y.round() } else { y };
        let x = if y == y.floor() { x } else { x.abs() };
        let exact = libm::pow(f64::from(flush(x)), f64::from(y));
        let (error, at) = worst([x].into_iter(), |x| pow(&mut Scalar, x, y), |_| exact);
        if error > largest.0 {
            largest = (error, at, y);
        }
    }
    assert!(largest.0 <= 6.0, "{largest:?}");
}

#[test]
fn pow_has_the_special_values_of_the_standard() {
    let values =
        [0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 1e30, 16_777_216.0, 3e38, f32::INFINITY, f32::NAN, 1e-30];
    let signed = || values.into_iter().flat_map(|x: f32| [x, -x]);
    for x in signed() {
        for y in signed() {
            let found = pow(&mut Scalar, x, y);
            let exact = libm::pow(f64::from(x), f64::from(y)) as f32;
            let near = (found - flush(exact)).abs() <= 1e-6 * exact.abs();
            let same = found.to_bits() == flush(exact).to_bits();
            assert!(
                same || near || found.is_nan() && exact.is_nan(),
                "pow({x}, {y}) = {found}, not {exact}"
            );
            assert!(
                found != 0.0 || found.is_sign_negative() == exact.is_sign_negative(),
                "pow({x}, {y})"
            );
        }
    }
}

#[test]
fn min_and_max_keep_nan_and_sign_keeps_zeros() {
    let (nan, one) = (f32::NAN, 1.0);
    for op in [min::<Scalar>, max::<Scalar>] {
        assert!(op(&mut Scalar, nan, one).is_nan());
        assert!(op(&mut Scalar, one, nan).is_nan());
    }
    assert_eq!(min(&mut Scalar, 1.0, 2.0), 1.0);
    assert_eq!(max(&mut Scalar, f32::NEG_INFINITY, 2.0), 2.0);
    assert_eq!(sign(&mut Scalar, -3.0), -1.0);
    assert_eq!(sign(&mut Scalar, -0.0).to_bits(), (-0.0f32).to_bits());
    assert!(sign(&mut Scalar, nan).is_nan());
}

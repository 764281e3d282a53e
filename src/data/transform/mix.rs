//! `mixup(alpha = 1)` and `cutmix(alpha = 1)`: a sample to train on is mixed with another one, and
//! so are their losses.
//!
//! ```text
//! mixup:   image = λ·a + (1 − λ)·b                                    (Zhang et al., 2017)
//! cutmix:  image = a, but b in a rectangle of (1 − λ) of its pixels   (Yun et al., 2019)
//! both:    loss  = λ·loss(output, label of a) + (1 − λ)·loss(output, label of b)
//! ```
//!
//! λ is drawn from Beta(alpha, alpha) for each sample (timm's `mode='elem'` and Keras's `MixUp`;
//! torchvision's `MixUp` and `CutMix` draw one for a batch), and the partner from all samples to
//! train on, so that a sample does not depend on its batch. The partner has gone through the same
//! transforms, with its own random numbers. Where both stand, each sample takes one or the other
//! by the toss of a coin, as timm and torchvision's reference training do. The rectangle is
//! torchvision's: its middle anywhere, cut off at the border, λ made right again afterwards.

use super::super::error::DataError;
use super::super::request::Arguments;
use super::frame::Size;
use crate::base::rng::Sequence;

/// Names of the arguments of both.
pub const ARGUMENTS: [&str; 1] = ["alpha"];

/// Arguments of `mixup(…)` or `cutmix(…)`, read.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Mix {
    /// Whether a rectangle is exchanged.
    pub cut: bool,
    alpha: f64,
}

impl Mix {
    /// The arguments.
    pub fn of(args: &Arguments<'_>, cut: bool) -> Result<Mix, DataError> {
        Ok(Mix { cut, alpha: args.number("alpha", 1.0, 0.01..=100.0)? })
    }

    /// Mixes `other` into an image; returns the part that is still its own.
    pub fn apply(&self, size: Size, image: &mut [u8], other: &[u8], rng: &mut Sequence) -> f32 {
        let part = beta(self.alpha, rng);
        match self.cut {
            true => cut(size, image, other, part, rng),
            false => mix(image, other, part),
        }
    }
}

/// `part·image + (1 − part)·other`, with the part in units of 1/256.
fn mix(image: &mut [u8], other: &[u8], part: f64) -> f32 {
    let own = (part * 256.0).round() as u16;
    for (byte, &other) in image.iter_mut().zip(other) {
        // At most 256·255 + 128, which fits.
        *byte = ((u16::from(*byte) * own + u16::from(other) * (256 - own) + 128) >> 8) as u8;
    }
    f32::from(own) / 256.0
}

/// A rectangle of `other` in the image.
fn cut(size: Size, image: &mut [u8], other: &[u8], part: f64, rng: &mut Sequence) -> f32 {
    let half = 0.5 * (1.0 - part).sqrt();
    let mut range = |len: usize| {
        let (middle, half) = (rng.below(len as u32) as usize, (half * len as f64) as usize);
        middle.saturating_sub(half)..(middle + half).min(len)
    };
    let (columns, rows) = (range(size.width), range(size.height));
    let run = columns.start * size.channels..columns.end * size.channels;
    for row in rows.clone() {
        let run = row * size.row() + run.start..row * size.row() + run.end;
        image[run.clone()].copy_from_slice(&other[run]);
    }
    let exchanged = columns.len() * rows.len();
    (1.0 - exchanged as f64 / (size.width * size.height) as f64) as f32
}

/// A number from Beta(alpha, alpha).
fn beta(alpha: f64, rng: &mut Sequence) -> f64 {
    let (a, b) = (gamma(alpha, rng), gamma(alpha, rng));
    // Both are 0 where alpha is tiny and they are smaller than any number.
    if a + b == 0.0 { f64::from(rng.word() & 1) } else { a / (a + b) }
}

/// A number from Gamma(alpha, 1) (Marsaglia and Tsang, "A simple method for generating gamma
/// variables", 2000).
fn gamma(alpha: f64, rng: &mut Sequence) -> f64 {
    if alpha < 1.0 {
        let power = libm::pow(1.0 - rng.unit(), 1.0 / alpha);
        return gamma(alpha + 1.0, rng) * power;
    }
    let d = alpha - 1.0 / 3.0;
    let c = 1.0 / (9.0 * d).sqrt();
    loop {
        let x = rng.normal();
        let v = (1.0 + c * x) * (1.0 + c * x) * (1.0 + c * x);
        if v > 0.0 {
            let log = libm::log(1.0 - rng.unit());
            if log < 0.5 * x * x + d * (1.0 - v + libm::log(v)) {
                return d * v;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_mixed_by_the_part_that_is_returned() {
        let mut image = [0, 100, 255, 255];
        assert_eq!(mix(&mut image, &[255, 50, 255, 0], 0.25), 0.25);
        assert_eq!(image, [191, 63, 255, 64]);
        let mut same = [7, 8];
        assert_eq!(mix(&mut same, &[255, 0], 1.0), 1.0);
        assert_eq!(same, [7, 8]);
        assert_eq!(mix(&mut same, &[255, 0], 0.001), 0.0);
        assert_eq!(same, [255, 0]);
    }

    #[test]
    fn a_rectangle_is_exchanged_and_counted() {
        let size = Size { height: 8, width: 6, channels: 3 };
        for sample in 0..100 {
            let (mut image, other) = (vec![0; size.bytes()], vec![1; size.bytes()]);
            let mut rng = Sequence::new(4, sample);
            let part = cut(size, &mut image, &other, rng.unit(), &mut rng);
            let pixels = image.as_chunks::<3>().0;
            assert!(pixels.iter().all(|pixel| *pixel == [0; 3] || *pixel == [1; 3]));
            let exchanged = pixels.iter().filter(|pixel| pixel[0] == 1).count();
            assert_eq!(part, (1.0 - exchanged as f64 / 48.0) as f32);
        }
    }

    #[test]
    fn parts_have_the_mean_and_variance_of_their_distribution() {
        for alpha in [0.2, 1.0, 4.0] {
            let mut rng = Sequence::new(1, 2);
            let parts: Vec<f64> = (0..20_000).map(|_| beta(alpha, &mut rng)).collect();
            assert!(parts.iter().all(|part| (0.0..=1.0).contains(part)));
            let mean = parts.iter().sum::<f64>() / 20_000.0;
            let variance = parts.iter().map(|part| (part - mean).powi(2)).sum::<f64>() / 20_000.0;
            assert!((mean - 0.5).abs() < 0.01, "{mean}");
            let expected = 1.0 / (4.0 * (2.0 * alpha + 1.0));
            assert!((variance / expected - 1.0).abs() < 0.05, "{variance}, not {expected}");
        }
    }
}

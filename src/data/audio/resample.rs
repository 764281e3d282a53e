//! Changes the rate of samples.
//!
//! ```text
//! 44,100 samples at 44.1 kHz   →   16,000 at 16 kHz, without the tones above 7.9 kHz
//! ```
//!
//! Each new sample is a weighted sum of the old ones around its time: a sinc, which lets all
//! frequencies below 99 % of the lower of both limits pass, under a Hann window of six zero
//! crossings on either side. This is `torchaudio.functional.resample` with its defaults, after J.
//! O. Smith, Digital Audio Resampling (<https://ccrma.stanford.edu/~jos/resample/>); in `f64`, in a
//! fixed order.

use std::f64::consts::PI;

use super::error::AudioError;

/// Zero crossings of the sinc on either side.
const ZEROS: f64 = 6.0;

/// The part of the frequencies that passes.
const ROLLOFF: f64 = 0.99;

/// The larger rate is at most so many times the smaller one.
const MOST_RATIO: u32 = 1000;

/// Samples at rate `to` of samples at rate `from`, as many as cover the same time, rounded up.
/// Before the first sample and behind the last one there is silence. Equal rates copy the samples.
///
/// # Errors
///
/// A rate of 0, or rates of which one is more than 1,000 times the other.
pub fn resample(samples: &[f32], from: u32, to: u32) -> Result<Vec<f32>, AudioError> {
    if from.min(to) == 0 || from.max(to).div_ceil(from.min(to)) > MOST_RATIO {
        let message = format!("samples at {from} a second cannot become {to} a second");
        return Err(AudioError::new(message)
            .help(format!("take a rate that is at most {MOST_RATIO} times as high or low")));
    }
    if from == to {
        return Ok(samples.to_vec());
    }
    let divisor = greatest_common_divisor(from, to);
    let (old, new) = (from as usize / divisor, to as usize / divisor);
    let count = (samples.len() as u128 * new as u128).div_ceil(old as u128) as usize;
    let base = old.min(new) as f64 * ROLLOFF;
    let width = libm::ceil(ZEROS * old as f64 / base) as usize;
    let mut out = vec![0.0; count];
    let mut taps = vec![0.0; 2 * width + 2];
    // All new samples of a phase lie equally between their old neighbours.
    for phase in 0..new.min(count) {
        let centre = phase * old / new;
        for (index, tap) in taps.iter_mut().enumerate() {
            // Its time from the new sample, in old samples · new: a whole number.
            let distance = (centre + index) as i64 - width as i64;
            let distance = distance * new as i64 - (phase * old) as i64;
            *tap = weight(distance as f64 / (old as f64 * new as f64) * base) * (base / old as f64);
        }
        for (step, place) in (phase..count).step_by(new).enumerate() {
            out[place] = weighted_sum(samples, step * old + centre, width, &taps);
        }
    }
    Ok(out)
}

/// The sum of samples from `at − width` on, each times its weight.
fn weighted_sum(samples: &[f32], at: usize, width: usize, taps: &[f64]) -> f32 {
    let (first, skipped) = (at.saturating_sub(width), width.saturating_sub(at));
    let samples = samples.get(first..).unwrap_or_default();
    let pairs = samples.iter().zip(&taps[skipped.min(taps.len())..]);
    pairs.fold(0.0, |all, (&sample, &tap)| all + f64::from(sample) * tap) as f32
}

/// The sinc under its window, `time` in zero crossings.
fn weight(time: f64) -> f64 {
    if time.abs() >= ZEROS {
        return 0.0;
    }
    let window = libm::cos(PI * time / (2.0 * ZEROS));
    let sinc = if time == 0.0 { 1.0 } else { libm::sin(PI * time) / (PI * time) };
    sinc * window * window
}

fn greatest_common_divisor(a: u32, b: u32) -> usize {
    let (mut a, mut b) = (a, b);
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a as usize
}

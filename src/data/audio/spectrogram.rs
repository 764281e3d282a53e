//! Spectrograms: how strong each frequency is, frame by frame.
//!
//! ```text
//! samples [16000], size 512, hop 160   →   [97, 257]: frame f is samples 160 f to 160 f + 511
//! ```
//!
//! `torchaudio.transforms.Spectrogram(n_fft=size, win_length=window, hop_length=hop,
//! center=False)`: a periodic Hann window, zeros on both sides of it if it is shorter than the
//! transform, nothing normalized. Samples behind the last whole frame are not used.

use std::f64::consts::PI;

use super::error::AudioError;
use super::fft::RealFft;

/// Logarithms are of values not below this: `ln(max(x, 1e-6))`.
pub(super) const LEAST_POWER: f64 = 1e-6;

/// The values of a spectrogram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SpectrumScale {
    /// `|X|`.
    Magnitude,
    /// `|X|²`.
    Power,
    /// `ln(max(|X|², 1e-6))`.
    LogPower,
}

impl SpectrumScale {
    fn value(self, bin: [f64; 2]) -> f64 {
        let power = bin[0] * bin[0] + bin[1] * bin[1];
        match self {
            SpectrumScale::Magnitude => libm::sqrt(power),
            SpectrumScale::Power => power,
            SpectrumScale::LogPower => libm::log(power.max(LEAST_POWER)),
        }
    }
}

/// Spectra of samples, frame by frame.
#[derive(Clone, Debug, PartialEq)]
pub struct Spectrogram {
    fft: RealFft,
    /// The window's weights, with zeros around them as long as the transform.
    window: Vec<f64>,
    hop: usize,
    scale: SpectrumScale,
}

impl Spectrogram {
    /// Of frames of `size` samples, each `hop` samples after the one before, under a Hann window of
    /// `window` samples in their middle.
    ///
    /// # Errors
    ///
    /// A `size` that is odd, 0 or above 2²⁰, a `window` of 0 or above `size`, a `hop` of 0.
    pub fn new(
        window: usize,
        size: usize,
        hop: usize,
        scale: SpectrumScale,
    ) -> Result<Spectrogram, AudioError> {
        let fft = RealFft::new(size)?;
        if window == 0 || window > size {
            let message =
                format!("a window of {window} samples does not fit a transform of {size}");
            return Err(AudioError::new(message));
        }
        if hop == 0 {
            return Err(AudioError::new("a hop of 0 samples never comes to the next frame"));
        }
        let start = (size - window) / 2;
        let mut weights = vec![0.0; size];
        for (index, weight) in weights[start..start + window].iter_mut().enumerate() {
            *weight = 0.5 - 0.5 * libm::cos(2.0 * PI * index as f64 / window as f64);
        }
        Ok(Spectrogram { fft, window: weights, hop, scale })
    }

    /// The number of whole frames in so many samples.
    pub fn frames(&self, samples_len: usize) -> usize {
        match samples_len.checked_sub(self.window.len()) {
            None => 0,
            Some(rest) => 1 + rest / self.hop,
        }
    }

    /// The values of a frame: `size / 2 + 1` frequencies, from 0 to half the rate.
    pub fn bins(&self) -> usize {
        self.fft.bins()
    }

    /// The values of a spectrum.
    pub fn scale(&self) -> SpectrumScale {
        self.scale
    }

    /// Writes the spectra of all whole frames, [frames, bins].
    ///
    /// # Errors
    ///
    /// An `out` that is not that long.
    pub fn apply(&self, samples: &[f32], out: &mut [f32]) -> Result<(), AudioError> {
        check_out(self.frames(samples.len()), self.bins(), out)?;
        let mut rows = out.chunks_exact_mut(self.bins());
        self.each_frame(samples, |spectrum| {
            let row = rows.next().unwrap_or_default();
            row.iter_mut().zip(spectrum).for_each(|(out, &value)| *out = value as f32);
        });
        Ok(())
    }

    /// Calls `take` with the spectrum of each frame, in their order.
    pub(super) fn each_frame(&self, samples: &[f32], mut take: impl FnMut(&[f64])) {
        let mut frame = vec![0.0; self.window.len()];
        let mut bins = Vec::with_capacity(self.bins());
        let mut spectrum = vec![0.0; self.bins()];
        for samples in samples.windows(self.window.len()).step_by(self.hop) {
            for ((frame, &sample), &weight) in frame.iter_mut().zip(samples).zip(&self.window) {
                *frame = f64::from(sample) * weight;
            }
            self.fft.apply(&frame, &mut bins);
            for (value, &bin) in spectrum.iter_mut().zip(&bins) {
                *value = self.scale.value(bin);
            }
            take(&spectrum);
        }
    }
}

/// Checks the length of an output of [frames, values].
pub(super) fn check_out(frames: usize, values: usize, out: &[f32]) -> Result<(), AudioError> {
    match frames.checked_mul(values) {
        Some(length) if length == out.len() => Ok(()),
        _ => {
            let there = out.len();
            let message = format!("{frames} frames of {values} values do not fit {there} numbers");
            Err(AudioError::new(message))
        }
    }
}

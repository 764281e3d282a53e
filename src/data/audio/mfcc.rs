//! Mel-frequency cepstral coefficients: the shape of a log-mel spectrum in few numbers.
//!
//! ```text
//! log-mel [97, 40]   13 coefficients   →   [97, 13]
//! ```
//!
//! The DCT-II of the bands' logarithms, orthonormal (`norm="ortho"` in torchaudio and SciPy), of
//! which the first coefficients are kept: `cₖ = sₖ Σ xⱼ cos(π (j + ½) k / n)`, `s₀ = √(1/n)`, else
//! `√(2/n)`. torchaudio's `MFCC(log_mels=True)`, but for the least logarithm, which is `ln(1e-6)`
//! here.

use std::f64::consts::PI;

use super::error::AudioError;
use super::mel::MelSpectrogram;
use super::spectrogram::check_out;

/// Cepstral coefficients of samples, frame by frame.
#[derive(Clone, Debug, PartialEq)]
pub struct Mfcc {
    mel: MelSpectrogram,
    /// [coefficients, bands].
    cosines: Vec<Vec<f64>>,
}

impl Mfcc {
    /// The first `coefficients` of the logarithms of `mel`, whether or not it takes them itself.
    ///
    /// # Errors
    ///
    /// No coefficients, or more than bands.
    pub fn new(mel: MelSpectrogram, coefficients: usize) -> Result<Mfcc, AudioError> {
        let bands = mel.bands();
        if coefficients == 0 || coefficients > bands {
            let message = format!("{coefficients} coefficients of {bands} bands");
            return Err(AudioError::new(message).help(format!("take 1 to {bands}")));
        }
        let row = |order: usize| {
            let scale = libm::sqrt(if order == 0 { 1.0 } else { 2.0 } / bands as f64);
            let angle = |band: usize| PI * (band as f64 + 0.5) * order as f64 / bands as f64;
            (0..bands).map(|band| scale * libm::cos(angle(band))).collect()
        };
        Ok(Mfcc { cosines: (0..coefficients).map(row).collect(), mel })
    }

    /// The number of whole frames in so many samples.
    pub fn frames(&self, samples_len: usize) -> usize {
        self.mel.frames(samples_len)
    }

    /// The values of a frame.
    pub fn coefficients(&self) -> usize {
        self.cosines.len()
    }

    /// Writes the coefficients of all whole frames, [frames, coefficients].
    ///
    /// # Errors
    ///
    /// An `out` that is not that long.
    pub fn apply(&self, samples: &[f32], out: &mut [f32]) -> Result<(), AudioError> {
        check_out(self.frames(samples.len()), self.coefficients(), out)?;
        let mut rows = out.chunks_exact_mut(self.coefficients());
        self.mel.each_frame(samples, true, |bands| {
            let row = rows.next().unwrap_or_default();
            for (out, cosines) in row.iter_mut().zip(&self.cosines) {
                let pairs = bands.iter().zip(cosines);
                *out = pairs.fold(0.0, |all, (&band, &cosine)| all + band * cosine) as f32;
            }
        });
        Ok(())
    }
}

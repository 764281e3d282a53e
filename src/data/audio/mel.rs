//! Mel spectrograms: spectra summed up in bands that the ear tells apart.
//!
//! ```text
//! power [97, 257]   40 bands, 0 to 8000 Hz   →   [97, 40], or their logarithms
//! ```
//!
//! `torchaudio.transforms.MelSpectrogram(norm=None, mel_scale="htk", center=False)`: triangles
//! whose corners are equally far apart on the scale `mel = 2595 log₁₀(1 + f / 700)` of the HTK Book
//! (Young et al., 2006, 5.4), each of height 1.

use super::error::AudioError;
use super::spectrogram::{LEAST_POWER, Spectrogram, SpectrumScale, check_out};

/// Bands at most.
const MOST_BANDS: usize = 4096;

/// The weights of one band: of the bins from `first` on.
#[derive(Clone, Debug, PartialEq)]
struct MelBand {
    first: usize,
    weights: Vec<f64>,
}

/// Mel spectra of samples, frame by frame.
#[derive(Clone, Debug, PartialEq)]
pub struct MelSpectrogram {
    spectrogram: Spectrogram,
    bands: Vec<MelBand>,
    is_log: bool,
}

fn mel(frequency: f64) -> f64 {
    2595.0 * libm::log10(1.0 + frequency / 700.0)
}

fn frequency(mel: f64) -> f64 {
    700.0 * (libm::pow(10.0, mel / 2595.0) - 1.0)
}

impl MelSpectrogram {
    /// Sums up spectra of samples at `rate` a second in `bands` between the frequencies `low` and
    /// `high`, in Hz; `is_log` takes `ln(max(x, 1e-6))` of the sums.
    ///
    /// # Errors
    ///
    /// A spectrogram of logarithms, no bands or more than 4,096, a rate of 0, and frequencies that
    /// are not in order from 0 to half the rate.
    pub fn new(
        spectrogram: Spectrogram,
        rate: u32,
        bands: usize,
        low: f64,
        high: f64,
        is_log: bool,
    ) -> Result<MelSpectrogram, AudioError> {
        if spectrogram.scale() == SpectrumScale::LogPower {
            let message = "bands are sums of powers or magnitudes, not of logarithms";
            return Err(AudioError::new(message).help("take the logarithm of the bands"));
        }
        if bands == 0 || bands > MOST_BANDS {
            let message = format!("{bands} bands; 1 to {MOST_BANDS} can be made");
            return Err(AudioError::new(message));
        }
        // As torchaudio has it, the last bin of an odd rate is half a Hertz too low.
        let top = f64::from(rate / 2);
        if !(0.0 <= low && low < high && high <= f64::from(rate) / 2.0) {
            let message = format!("bands from {low} to {high} Hz of samples at {rate} a second");
            let help = format!("frequencies go from 0 to {top} Hz");
            return Err(AudioError::new(message).help(help));
        }
        let last = spectrogram.bins() - 1;
        let bins: Vec<f64> = (0..=last).map(|bin| top * bin as f64 / last as f64).collect();
        let (low, high) = (mel(low), mel(high));
        let step = (high - low) / (bands + 1) as f64;
        let corners: Vec<f64> =
            (0..bands + 2).map(|corner| frequency(low + step * corner as f64)).collect();
        let bands = corners.windows(3).map(|corners| triangle(corners, &bins)).collect();
        Ok(MelSpectrogram { spectrogram, bands, is_log })
    }

    /// The number of whole frames in so many samples.
    pub fn frames(&self, samples_len: usize) -> usize {
        self.spectrogram.frames(samples_len)
    }

    /// The values of a frame.
    pub fn bands(&self) -> usize {
        self.bands.len()
    }

    /// The bands, counted from 0, that lie between two bins and so are always silent: then there
    /// are too many bands for the size of the transform.
    pub fn silent_bands(&self) -> Vec<usize> {
        let bands = self.bands.iter().enumerate();
        bands.filter(|(_, band)| band.weights.is_empty()).map(|(index, _)| index).collect()
    }

    /// Writes the bands of all whole frames, [frames, bands].
    ///
    /// # Errors
    ///
    /// An `out` that is not that long.
    pub fn apply(&self, samples: &[f32], out: &mut [f32]) -> Result<(), AudioError> {
        check_out(self.frames(samples.len()), self.bands(), out)?;
        let mut rows = out.chunks_exact_mut(self.bands());
        self.each_frame(samples, self.is_log, |bands| {
            let row = rows.next().unwrap_or_default();
            row.iter_mut().zip(bands).for_each(|(out, &value)| *out = value as f32);
        });
        Ok(())
    }

    /// Calls `take` with the bands of each frame, in their order.
    pub(super) fn each_frame(&self, samples: &[f32], is_log: bool, mut take: impl FnMut(&[f64])) {
        let mut values = vec![0.0; self.bands()];
        self.spectrogram.each_frame(samples, |spectrum| {
            for (value, band) in values.iter_mut().zip(&self.bands) {
                let bins = &spectrum[band.first..];
                let pairs = bins.iter().zip(&band.weights);
                let sum = pairs.fold(0.0, |all, (&power, &weight)| all + power * weight);
                *value = if is_log { libm::log(sum.max(LEAST_POWER)) } else { sum };
            }
            take(&values);
        });
    }
}

/// A triangle that rises from the first corner to the second and falls to the third, at the bins'
/// frequencies.
fn triangle(corners: &[f64], bins: &[f64]) -> MelBand {
    let weight = |bin: f64| {
        let rise = (bin - corners[0]) / (corners[1] - corners[0]);
        let fall = (corners[2] - bin) / (corners[2] - corners[1]);
        rise.min(fall)
    };
    let first = bins.iter().position(|&bin| weight(bin) > 0.0).unwrap_or(0);
    let weights = bins[first..].iter().map(|&bin| weight(bin));
    MelBand { first, weights: weights.take_while(|&weight| weight > 0.0).collect() }
}

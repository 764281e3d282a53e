//! Recordings: files of sound as samples, and the features that networks learn from.
//!
//! ```text
//! dog.wav, 44.1 kHz stereo, 16 bit   →  read      Waveform { rate: 44100, samples: [0.01, −0.02, …] }
//!                                    →  resample  the same at 16 kHz
//!                                    →  fit_length        16,000 samples
//!                                    →  MelSpectrogram    [frames, bands]
//! ```
//!
//! WAV is read, and FLAC where the feature `flac` is on. Channels are averaged. All arithmetic is `f64`
//! in a fixed order, with `libm` for sines and logarithms: the same file gives the same bits on
//! every processor. [`Spectrogram`], [`MelSpectrogram`] and [`Mfcc`] mean what torchaudio's
//! transforms of these names mean with `center=False`.

mod clip;
mod error;
mod fft;
#[cfg(feature = "flac")]
mod flac;
mod levels;
mod mel;
mod mfcc;
mod resample;
mod source;
mod spectrogram;
mod splits;
#[cfg(test)]
mod tests;
mod wav;
mod waves;

pub use clip::clip;
pub use error::AudioError;
#[cfg(test)]
use fft::RealFft;
pub use mel::MelSpectrogram;
pub use mfcc::Mfcc;
pub use resample::resample;
pub use source::Recordings;
pub use spectrogram::{Spectrogram, SpectrumScale};
pub use waves::{WaveWindows, levels_of, recording_of, silence};

/// Samples a second at most.
const MOST_RATE: u32 = 10_000_000;

/// Samples of floating point reach at most so far. Full scale is 1; more is headroom or a mistake.
const MOST_SAMPLE: f32 = 8.0;

/// A recording of one channel.
#[derive(Clone, Debug, PartialEq)]
pub struct Waveform {
    /// Samples a second, 1 to 10,000,000.
    pub rate: u32,
    /// The samples, −1 to 1. Files of floating point may go past that, up to 8 (18 dB); they are
    /// not clipped.
    pub samples: Vec<f32>,
}

/// Reads a recording; several channels are averaged. `limit` bounds the number of its samples.
///
/// # Errors
///
/// A format that is not read, a damaged or cut file, samples that are no numbers or far past full
/// scale, more than `limit` samples.
pub fn read(bytes: &[u8], limit: usize) -> Result<Waveform, AudioError> {
    let convert = "convert it: ffmpeg -i FILE out.wav";
    let refused = |what: &str| {
        Err(AudioError::new(format!("byte 0: this is {what}, which is not read")).help(convert))
    };
    match bytes {
        [b'R', b'I', b'F', b'F', ..] => wav::read(bytes, limit),
        #[cfg(feature = "flac")]
        [b'f', b'L', b'a', b'C', ..] => flac::read(bytes, limit),
        #[cfg(not(feature = "flac"))]
        [b'f', b'L', b'a', b'C', ..] => refused("a FLAC file"),
        [] => Err(AudioError::new("the file is empty")),
        [b'R', b'I', b'F', b'X', ..] => refused("a WAV file of big-endian numbers (RIFX)"),
        [b'R', b'F', b'6', b'4', ..] => refused("a WAV file of 64-bit sizes (RF64)"),
        [b'I', b'D', b'3', ..] | [0xff, 0xf2..=0xf3 | 0xfa..=0xfb, ..] => refused("an MP3 file"),
        [b'O', b'g', b'g', b'S', ..] => refused("an Ogg file"),
        [b'F', b'O', b'R', b'M', ..] => refused("an AIFF file"),
        [_, _, _, _, b'f', b't', b'y', b'p', ..] => refused("an MP4 file"),
        _ => Err(AudioError::new(
            "byte 0: this is no WAV or FLAC file, which begins with RIFF or fLaC",
        )
        .help(convert)),
    }
}

/// Samples cut behind `count`, or lengthened to `count` by zeros at the end.
pub fn fit_length(mut samples: Vec<f32>, count: usize) -> Vec<f32> {
    samples.resize(count, 0.0);
    samples
}

/// Checks a rate that a file claims.
fn check_rate(rate: u32, at: usize) -> Result<(), AudioError> {
    match rate {
        1..=MOST_RATE => Ok(()),
        _ => {
            let message = format!("byte {at}: {rate} samples a second; 1 to {MOST_RATE} are read");
            Err(AudioError::new(message))
        }
    }
}

/// Checks the number of samples against the caller's limit.
fn check_count(count: u64, limit: usize) -> Result<(), AudioError> {
    match count <= limit as u64 {
        true => Ok(()),
        false => {
            let message =
                format!("the recording has {count} samples, more than the limit of {limit}");
            Err(AudioError::new(message).help("cut it into shorter ones"))
        }
    }
}

/// Checks that samples are numbers near full scale.
fn check_samples(samples: &[f32]) -> Result<(), AudioError> {
    match samples.iter().position(|sample| sample.is_nan() || sample.abs() > MOST_SAMPLE) {
        None => Ok(()),
        Some(index) => {
            let message =
                format!("sample {index} is {}, but full scale is −1 to 1", samples[index]);
            Err(AudioError::new(message).help("scale the samples before saving them"))
        }
    }
}

//! The beginning of a recording as a small WAV file, for people to hear it.
//!
//! ```text
//! 44 100 Hz, stereo, 24 bits, 9 s   →   16 000 Hz, one channel, 16 bits, 3 s: 96 kB
//! ```

use std::path::Path;

use super::source::{MOST_BYTES, MOST_SAMPLES};
use super::{read, resample};
use crate::files;

/// Samples a second at most.
const MOST_RATE: u32 = 16_000;
/// Seconds at most.
const MOST_SECONDS: u32 = 3;

/// The beginning of the recording in a file; `None` where it cannot be read any more.
pub fn clip(file: &Path) -> Option<Vec<u8>> {
    let bytes = files::read::bytes(file, MOST_BYTES).ok()?;
    let wave = read(&bytes, MOST_SAMPLES).ok()?;
    let mut samples = wave.samples;
    samples.truncate(MOST_SECONDS as usize * wave.rate as usize);
    let rate = wave.rate.min(MOST_RATE);
    Some(wav(&resample(&samples, wave.rate, rate).ok()?, rate))
}

/// Samples from −1 to 1 as a WAV file: PCM of 16 bits, one channel.
pub(super) fn wav(samples: &[f32], rate: u32) -> Vec<u8> {
    let size = 2 * samples.len() as u32;
    let mut file = Vec::with_capacity(44 + size as usize);
    file.extend(b"RIFF");
    file.extend((36 + size).to_le_bytes());
    file.extend(b"WAVEfmt ");
    file.extend(16u32.to_le_bytes());
    // PCM, one channel; samples and bytes a second; bytes of a sample, bits of it.
    [1u16, 1].iter().for_each(|number| file.extend(number.to_le_bytes()));
    [rate, 2 * rate].iter().for_each(|number| file.extend(number.to_le_bytes()));
    [2u16, 16].iter().for_each(|number| file.extend(number.to_le_bytes()));
    file.extend(b"data");
    file.extend(size.to_le_bytes());
    let byte_pair = |&sample: &f32| ((sample.clamp(-1.0, 1.0) * 32_767.0) as i16).to_le_bytes();
    file.extend(samples.iter().flat_map(byte_pair));
    file
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clip_is_a_recording_that_is_read_again_and_no_longer_than_its_bound() {
        let samples: Vec<f32> = (0..200_000).map(|at| (at as f32 * 0.01).sin() * 0.5).collect();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.wav");
        std::fs::write(&path, wav(&samples, 32_000)).unwrap();
        let clip = clip(&path).expect("a recording");
        let read = read(&clip, MOST_SAMPLES).unwrap();
        assert_eq!((read.rate, read.samples.len()), (16_000, 48_000));
        assert!(read.samples.iter().any(|sample| *sample > 0.4));
        assert_eq!(super::clip(&folder.path().join("b.wav")), None);
    }
}

//! FLAC files (RFC 9639), decoded by `claxon`.
//!
//! ```text
//! fLaC  STREAMINFO 2 channels, 8000 Hz, 16 bit, 300 samples   frames …
//!     →   Waveform { rate: 8000, samples: [the averages of the channels] }
//! ```
//!
//! Comments and pictures are not read. Each frame's checksum is checked, and that there are as many
//! samples as the header says. A decoder that fails is a reason like any other.

use std::io::Cursor;

use claxon::{Block, Error, FlacReader, FlacReaderOptions};

use super::error::AudioError;
use super::{Waveform, check_count, check_rate};
use crate::base::caught::caught;

/// Samples that a byte of a file stands for at most. Silence takes about eleven bytes a block, whose
/// usual length is 4096.
const MOST_A_BYTE: usize = 1024;

/// Reads a file that begins with `fLaC`.
pub(super) fn read(bytes: &[u8], limit: usize) -> Result<Waveform, AudioError> {
    let decoded = caught(|| decode(bytes, limit));
    decoded.unwrap_or_else(|panic| Err(AudioError::new(format!("its decoder failed: {panic}"))))
}

fn decode(bytes: &[u8], limit: usize) -> Result<Waveform, AudioError> {
    let options = FlacReaderOptions { metadata_only: false, read_vorbis_comment: false };
    let reader = FlacReader::new_ext(Cursor::new(bytes), options);
    let mut reader = reader.map_err(|error| refused(&error, "the header"))?;
    let header = reader.streaminfo();
    // The rate stands behind the marker, the block's header and the sizes of blocks and frames.
    check_rate(header.sample_rate, 18)?;
    if !(4..=32).contains(&header.bits_per_sample) {
        let message = format!("byte 20: samples of {} bits are not read", header.bits_per_sample);
        return Err(AudioError::new(message));
    }
    check_count(header.samples.unwrap_or(0), limit)?;
    let scale = 1.0 / (1u64 << (header.bits_per_sample - 1)) as f64;
    let mut samples = Vec::new();
    let (mut blocks, mut room) = (reader.blocks(), Vec::new());
    loop {
        let place = format!("sample {}", samples.len());
        let block = blocks.read_next_or_eof(room).map_err(|error| refused(&error, &place))?;
        let Some(block) = block else { break };
        let count = samples.len() + block.duration() as usize;
        check_count(count as u64, limit)?;
        if count > bytes.len().saturating_mul(MOST_A_BYTE) {
            let message = format!("{place}: more samples than {} bytes can hold", bytes.len());
            return Err(AudioError::new(message).help("save it as WAV"));
        }
        average(&block, scale, &mut samples);
        room = block.into_buffer();
    }
    // A frame whose numbers have more bits than the header says.
    if let Some(index) = samples.iter().position(|sample| sample.abs() > 1.0) {
        let message = format!("sample {index} has more than {} bits", header.bits_per_sample);
        return Err(AudioError::new(message).help("the file is damaged: copy it again"));
    }
    match header.samples {
        Some(wanted) if wanted != samples.len() as u64 => {
            let found = samples.len();
            let message = format!("the header says {wanted} samples, but the file has {found}");
            Err(AudioError::new(message).help("the file is cut: copy it again"))
        }
        _ => Ok(Waveform { rate: header.sample_rate, samples }),
    }
}

/// Appends the averages of the channels of a block.
fn average(block: &Block, scale: f64, samples: &mut Vec<f32>) {
    let channels = block.channels();
    for index in 0..block.duration() {
        let sum = (0..channels)
            .fold(0.0, |sum, channel| sum + f64::from(block.sample(channel, index)) * scale);
        samples.push((sum / f64::from(channels)) as f32);
    }
}

fn refused(error: &Error, place: &str) -> AudioError {
    match error {
        Error::IoError(_) => AudioError::new(format!("{place}: the file ends early"))
            .help("the file is cut: copy it again"),
        Error::FormatError(reason) => {
            AudioError::new(format!("{place}: {reason}")).help("the file is damaged: copy it again")
        }
        Error::Unsupported(what) => AudioError::new(format!("{place}: {what} is not read"))
            .help("convert it: ffmpeg -i FILE out.wav"),
    }
}

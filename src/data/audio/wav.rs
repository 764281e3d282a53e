//! WAV files: chunks, of which `fmt ` and `data` are read.
//!
//! ```text
//! RIFF … WAVE   fmt  1, 2 channels, 8000 Hz, 16 bit   LIST …   data [100, 300], [−5, −7], …
//!     →   Waveform { rate: 8000, samples: [200 / 32768, −6 / 32768, …] }
//! ```
//!
//! After Microsoft's Multiple Channel Audio Data and WAVE Files (2007) and IBM and Microsoft's
//! Multimedia Programming Interface (1991). Whole numbers of 1 to 32 bits (up to 8 bits unsigned)
//! and floating point of 32 and 64 bits are read; A-law, µ-law and ADPCM are not. Chunks behind the
//! first `data` are ignored.

use super::error::AudioError;
use super::{Waveform, check_count, check_rate, check_samples};

/// How a sample is stored, little-endian.
#[derive(Clone, Copy)]
enum WavEncoding {
    /// Unsigned, 128 is zero.
    Byte,
    /// Signed, of 2, 3 or 4 bytes.
    Whole16,
    Whole24,
    Whole32,
    Float32,
    Float64,
}

/// The `fmt ` chunk.
struct WavFormat {
    encoding: WavEncoding,
    rate: u32,
    channels: usize,
    /// Bytes of a sample of all channels.
    frame: usize,
}

fn short(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..)?.first_chunk().map(|it| u16::from_le_bytes(*it))
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().map(|it| u32::from_le_bytes(*it))
}

/// Reads a file that begins with `RIFF`.
pub(super) fn read(bytes: &[u8], limit: usize) -> Result<Waveform, AudioError> {
    if bytes.get(8..12) != Some(b"WAVE") {
        return Err(AudioError::new("byte 8: a RIFF file without `WAVE` is no recording"));
    }
    let mut format = None;
    let mut at = 12;
    loop {
        let Some((id, size)) = bytes.get(at..at + 4).zip(word(bytes, at + 4)) else {
            let missing = if format.is_some() { "data" } else { "fmt" };
            let message = format!("byte {at}: the file ends before its {missing} chunk");
            return Err(AudioError::new(message).help("the file is cut: copy it again"));
        };
        let body = &bytes[at + 8..];
        match (id, &format) {
            (b"data", None) => {
                let message = format!("byte {at}: the data chunk comes before a fmt chunk");
                return Err(AudioError::new(message));
            }
            (b"data", Some(format)) => {
                let data = data(bytes, at, size, format)?;
                check_count((data.len() / format.frame) as u64, limit)?;
                let samples = samples(data, format);
                check_samples(&samples)?;
                return Ok(Waveform { rate: format.rate, samples });
            }
            (b"fmt ", Some(_)) => {
                return Err(AudioError::new(format!("byte {at}: there is a second fmt chunk")));
            }
            (b"fmt ", None) => {
                let chunk = body.get(..size as usize).ok_or_else(|| cut(at, "fmt", size, body))?;
                format = Some(wav_format(chunk, at + 8)?);
            }
            _ => {}
        }
        // Chunks begin at even places.
        let length = size as usize + (size as usize & 1);
        if length > body.len() {
            let name = String::from_utf8_lossy(id).trim().escape_debug().to_string();
            return Err(cut(at, &name, size, body));
        }
        at += 8 + length;
    }
}

fn cut(at: usize, name: &str, size: u32, body: &[u8]) -> AudioError {
    let there = body.len();
    let message = format!("byte {at}: the {name} chunk claims {size} bytes, but {there} follow");
    AudioError::new(message).help("the file is cut: copy it again")
}

/// The bytes of the data chunk at a place. A size of 0 or 2³² − 1 stands for the rest of the file
/// where the file was written to a pipe, which the size of the whole file shows.
fn data<'a>(
    bytes: &'a [u8],
    at: usize,
    size: u32,
    format: &WavFormat,
) -> Result<&'a [u8], AudioError> {
    let body = &bytes[at + 8..];
    let whole = word(bytes, 4).map_or(0, |size| u64::from(size) + 8);
    // A last byte of padding may be missing.
    let is_finished = whole.abs_diff(bytes.len() as u64) <= 1;
    if size == u32::MAX || size == 0 && !is_finished {
        return Ok(&body[..body.len() - body.len() % format.frame]);
    }
    let data = body.get(..size as usize).ok_or_else(|| cut(at, "data", size, body))?;
    match data.len() % format.frame {
        0 => Ok(data),
        _ => {
            let frame = format.frame;
            let message =
                format!("byte {at}: the data chunk has {size} bytes, no multiple of {frame}");
            Err(AudioError::new(message).help("the file is damaged: copy it again"))
        }
    }
}

/// Reads the fmt chunk, which begins at byte `at`.
fn wav_format(chunk: &[u8], at: usize) -> Result<WavFormat, AudioError> {
    let wrong = |message: String| AudioError::new(format!("byte {at}: {message}"));
    let fields =
        (short(chunk, 0), short(chunk, 2), word(chunk, 4), short(chunk, 12), short(chunk, 14));
    let (Some(mut tag), Some(channels), Some(rate), Some(frame), Some(bits)) = fields else {
        return Err(wrong(format!(
            "the fmt chunk has {} bytes, but at least 16 are due",
            chunk.len()
        )));
    };
    if tag == 0xfffe {
        /// The rest of the identifiers of all formats that have a number.
        const NUMBERED: &[u8] = b"\x00\x00\x00\x00\x10\x00\x80\x00\x00\xaa\x00\x38\x9b\x71";
        let sub = short(chunk, 24).filter(|_| chunk.get(26..40) == Some(NUMBERED));
        tag = sub.ok_or_else(|| wrong("the extended format has no known identifier".into()))?;
    }
    let encoding = match (tag, bits) {
        (1, 1..=8) => WavEncoding::Byte,
        (1, 9..=16) => WavEncoding::Whole16,
        (1, 17..=24) => WavEncoding::Whole24,
        (1, 25..=32) => WavEncoding::Whole32,
        (3, 32) => WavEncoding::Float32,
        (3, 64) => WavEncoding::Float64,
        _ => {
            let name = match tag {
                1 => "whole numbers",
                3 => "floating point",
                2 | 0x11 => "ADPCM",
                6 => "A-law",
                7 => "µ-law",
                0x55 => "MP3",
                _ => "an unknown encoding",
            };
            let message = format!("samples of {bits} bits in format {tag} ({name}) are not read");
            return Err(wrong(message).help("save the file as 16-bit PCM"));
        }
    };
    check_rate(rate, at + 4)?;
    let (size, channels) = (usize::from(bits.div_ceil(8)), usize::from(channels));
    let frame = usize::from(frame);
    if channels == 0 {
        return Err(wrong("the recording has no channels".into()));
    }
    if frame != size * channels {
        let message = format!("{channels} channels of {bits} bits do not make {frame} bytes");
        return Err(wrong(message));
    }
    Ok(WavFormat { encoding, rate, channels, frame })
}

/// The averages of the channels.
fn samples(data: &[u8], format: &WavFormat) -> Vec<f32> {
    let channels = format.channels;
    match format.encoding {
        WavEncoding::Byte => mono(data, channels, |[byte]| (f64::from(byte) - 128.0) / 128.0),
        WavEncoding::Whole16 => {
            mono(data, channels, |bytes| f64::from(i16::from_le_bytes(bytes)) / 32768.0)
        }
        WavEncoding::Whole24 => mono(data, channels, |[a, b, c]| {
            f64::from(i32::from_le_bytes([0, a, b, c]) >> 8) / 8_388_608.0
        }),
        WavEncoding::Whole32 => {
            mono(data, channels, |bytes| f64::from(i32::from_le_bytes(bytes)) / 2_147_483_648.0)
        }
        WavEncoding::Float32 => mono(data, channels, |bytes| f64::from(f32::from_le_bytes(bytes))),
        WavEncoding::Float64 => mono(data, channels, f64::from_le_bytes),
    }
}

fn mono<const SIZE: usize>(
    data: &[u8],
    channels: usize,
    value: impl Fn([u8; SIZE]) -> f64,
) -> Vec<f32> {
    let frames = data.as_chunks().0.chunks_exact(channels);
    let sum = |frame: &[[u8; SIZE]]| frame.iter().fold(0.0, |all, &bytes| all + value(bytes));
    frames.map(|frame| (sum(frame) / channels as f64) as f32).collect()
}

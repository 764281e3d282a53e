//! Files of each encoding, and every refusal with its sentence.

mod features;
mod hostile;
mod rates;

use super::*;

/// A WAV file with these chunks. The whole size is right.
fn riff(chunks: &[(&[u8; 4], Vec<u8>)]) -> Vec<u8> {
    let mut body = b"WAVE".to_vec();
    for (id, bytes) in chunks {
        body.extend_from_slice(*id);
        body.extend((bytes.len() as u32).to_le_bytes());
        body.extend(bytes);
        body.resize(body.len().next_multiple_of(2), 0);
    }
    [b"RIFF", &(body.len() as u32).to_le_bytes()[..], &body].concat()
}

/// A `fmt ` chunk of 16 bytes.
fn format(tag: u16, channels: u16, rate: u32, bits: u16) -> (&'static [u8; 4], Vec<u8>) {
    let frame = channels.wrapping_mul(bits.div_ceil(8));
    let mut chunk = [tag, channels].map(u16::to_le_bytes).concat();
    chunk.extend([rate, rate.wrapping_mul(u32::from(frame))].map(u32::to_le_bytes).concat());
    chunk.extend([frame, bits].map(u16::to_le_bytes).concat());
    (b"fmt ", chunk)
}

/// `WAVE_FORMAT_EXTENSIBLE` of a format.
fn extended(tag: u16, channels: u16, rate: u32, bits: u16) -> (&'static [u8; 4], Vec<u8>) {
    let (id, mut chunk) = format(0xfffe, channels, rate, bits);
    chunk.extend([22, 0, bits as u8, 0, 3, 0, 0, 0]);
    chunk.extend(tag.to_le_bytes());
    chunk.extend(b"\x00\x00\x00\x00\x10\x00\x80\x00\x00\xaa\x00\x38\x9b\x71");
    (id, chunk)
}

fn wav(format: (&'static [u8; 4], Vec<u8>), data: &[u8]) -> Vec<u8> {
    riff(&[format, (b"data", data.to_vec())])
}

fn samples(bytes: &[u8]) -> Vec<f32> {
    read(bytes, 1000).unwrap().samples
}

fn refusal(bytes: &[u8]) -> String {
    read(bytes, 1000).unwrap_err().to_string()
}

#[test]
fn every_encoding_is_read_to_full_scale() {
    let mono = |bits| format(1, 1, 8000, bits);
    assert_eq!(samples(&wav(mono(8), &[0, 64, 128, 255])), [-1.0, -0.5, 0.0, 127.0 / 128.0]);
    let data = [0x00, 0x80, 0xff, 0x7f, 0x00, 0xc0, 0x01, 0x00];
    let right = [-1.0, 32767.0 / 32768.0, -0.5, 1.0 / 32768.0];
    assert_eq!(samples(&wav(mono(16), &data)), right);
    assert_eq!(samples(&wav(mono(12), &data)), right, "12 bits stand in the upper ones");
    let data = [0x00, 0x00, 0x80, 0xff, 0xff, 0x7f, 0x01, 0x00, 0x00];
    assert_eq!(samples(&wav(mono(24), &data)), [-1.0, 8388607.0 / 8388608.0, 1.0 / 8388608.0]);
    let data = [i32::MIN, i32::MAX, 1 << 30].map(i32::to_le_bytes).concat();
    assert_eq!(samples(&wav(mono(32), &data)), [-1.0, 1.0, 0.5]);
    let data = [0.25f32, -1.5].map(f32::to_le_bytes).concat();
    assert_eq!(samples(&wav(format(3, 1, 8000, 32), &data)), [0.25, -1.5]);
    let data = [0.1f64, -1.0].map(f64::to_le_bytes).concat();
    assert_eq!(samples(&wav(format(3, 1, 8000, 64), &data)), [0.1, -1.0]);
    assert_eq!(samples(&wav(extended(3, 1, 8000, 64), &data)), [0.1, -1.0]);
    assert_eq!(samples(&wav(extended(1, 1, 8000, 8), &[192])), [0.5]);
}

#[test]
fn channels_are_averaged() {
    let data = [100i16, 300, -5, -7].map(i16::to_le_bytes).concat();
    let stereo = read(&wav(format(1, 2, 44100, 16), &data), 2).unwrap();
    assert_eq!(stereo, Waveform { rate: 44100, samples: vec![200.0 / 32768.0, -6.0 / 32768.0] });
    let data: Vec<u8> = (0..3000).map(|index| (index % 251) as u8).collect();
    assert_eq!(samples(&wav(format(1, 1000, 8000, 8), &data)).len(), 3);
}

#[test]
fn other_chunks_are_skipped_with_their_padding() {
    let data = (b"data", vec![192, 64, 0]);
    let chunks = [
        (b"LIST", b"INFOISFT".to_vec()),
        (b"odd ", vec![1, 2, 3]),
        format(1, 1, 8000, 8),
        (b"fact", vec![3, 0, 0, 0]),
        data,
        (b"LIST", vec![255; 7]),
    ];
    let file = riff(&chunks);
    assert_eq!(samples(&file), [0.5, -0.5, -1.0]);
    let last_padding = wav(format(1, 1, 8000, 8), &[0, 0, 0]);
    assert_eq!(samples(&last_padding[..last_padding.len() - 1]).len(), 3);
}

#[test]
fn sizes_of_streams_mean_the_rest_of_the_file() {
    let mut file = wav(format(1, 1, 8000, 16), &[0, 64, 0, 32, 7]);
    file.pop();
    let size_at = 12 + 24 + 4;
    for size in [0, u32::MAX] {
        for whole in [0, u32::MAX] {
            file[4..8].copy_from_slice(&u32::to_le_bytes(whole));
            file[size_at..size_at + 4].copy_from_slice(&u32::to_le_bytes(size));
            assert_eq!(samples(&file), [0.5, 0.25], "half a sample at the end is left out");
        }
    }
    // A finished file without samples is just that, whatever follows.
    let empty = riff(&[format(1, 1, 8000, 16), (b"data", vec![]), (b"LIST", vec![1; 8])]);
    assert!(samples(&empty).is_empty());
    assert!(samples(&wav(format(1, 1, 8000, 16), &[])).is_empty());
}

#[test]
fn cut_files_say_where_they_end() {
    let good = wav(format(1, 1, 8000, 16), &[0; 40]);
    assert_eq!(
        refusal(&good[..75]),
        "byte 36: the data chunk claims 40 bytes, but 31 follow; the file is cut: copy it again"
    );
    for end in 0..good.len() {
        assert!(read(&good[..end], 1000).is_err(), "{end} bytes");
    }
    assert!(
        refusal(&good[..30]).starts_with("byte 12: the fmt chunk claims 16 bytes, but 10 follow")
    );
    assert!(refusal(&good[..36]).starts_with("byte 36: the file ends before its data chunk"));
    let short = riff(&[(b"fmt ", vec![1, 0, 1, 0])]);
    assert_eq!(refusal(&short), "byte 20: the fmt chunk has 4 bytes, but at least 16 are due");
    let odd = wav(format(1, 2, 8000, 16), &[0; 6]);
    assert!(refusal(&odd).starts_with("byte 36: the data chunk has 6 bytes, no multiple of 4"));
}

#[test]
fn formats_that_are_not_read_are_named() {
    let of = |format| refusal(&wav(format, &[0; 8]));
    assert_eq!(
        of(format(7, 1, 8000, 8)),
        "byte 20: samples of 8 bits in format 7 (µ-law) are not read; save the file as 16-bit PCM"
    );
    assert!(of(format(1, 1, 8000, 64)).contains("64 bits in format 1 (whole numbers)"));
    assert!(of(format(3, 1, 8000, 16)).contains("16 bits in format 3 (floating point)"));
    assert_eq!(of(format(1, 0, 8000, 16)), "byte 20: the recording has no channels");
    let message = "byte 24: 0 samples a second; 1 to 10000000 are read";
    assert_eq!(of(format(1, 1, 0, 16)), message);
    assert!(of(format(1, 1, u32::MAX, 16)).contains("4294967295 samples a second"));
    let mut wrong = format(1, 2, 8000, 16);
    wrong.1[12] = 3;
    assert_eq!(of(wrong), "byte 20: 2 channels of 16 bits do not make 3 bytes");
    let mut wrong = extended(1, 1, 8000, 16);
    wrong.1[30] = 9;
    assert_eq!(of(wrong), "byte 20: the extended format has no known identifier");
    let mut pair = vec![format(1, 1, 8000, 8), format(1, 1, 8000, 8)];
    assert_eq!(refusal(&riff(&pair)), "byte 36: there is a second fmt chunk");
    pair = vec![(b"data", vec![0; 4])];
    assert_eq!(refusal(&riff(&pair)), "byte 12: the data chunk comes before a fmt chunk");
    assert!(refusal(b"RIFF\0\0\0\0AVI ").contains("no recording"));
    assert!(refusal(b"ID3\x03").contains("an MP3 file, which is not read; convert it: ffmpeg"));
    assert!(refusal(b"hello").contains("no WAV or FLAC file"));
    assert_eq!(refusal(b""), "the file is empty");
}

#[test]
fn samples_that_cannot_be_meant_are_refused() {
    let of = |values: [f32; 3]| {
        refusal(&wav(format(3, 1, 8000, 32), &values.map(f32::to_le_bytes).concat()))
    };
    assert_eq!(
        of([0.0, f32::NAN, 0.0]).split(';').next(),
        Some("sample 1 is NaN, but full scale is −1 to 1")
    );
    assert!(of([0.0, 0.0, f32::NEG_INFINITY]).starts_with("sample 2 is -inf"));
    assert!(of([32767.0, 0.0, 0.0]).ends_with("scale the samples before saving them"));
    let long = wav(format(1, 1, 8000, 8), &[0; 1001]);
    assert!(
        refusal(&long).starts_with("the recording has 1001 samples, more than the limit of 1000")
    );
}

#[test]
fn lengths_are_cut_or_filled_with_silence_at_the_end() {
    assert_eq!(fit_length(vec![0.5, 0.25], 4), [0.5, 0.25, 0.0, 0.0]);
    assert_eq!(fit_length(vec![0.5, 0.25], 1), [0.5]);
    assert!(fit_length(vec![], 0).is_empty());
}

#[test]
#[cfg(not(feature = "flac"))]
fn flac_files_are_refused() {
    assert!(refusal(b"fLaC\0").starts_with("byte 0: this is a FLAC file, which is not read"));
}

/// The files were written by libsndfile 1.2 (libFLAC) of the numbers here.
#[cfg(feature = "flac")]
#[test]
fn flac_files_hold_the_same_samples() {
    let stereo = read(include_bytes!("tests/stereo16.flac"), 1000).unwrap();
    let left = |i: i64| i * 37 % 2001 - 1000;
    let right = |i: i64| i * i % 3001 - 1500;
    let mean = |i: i64| ((left(i) + right(i)) as f64 / 2.0 / 32768.0) as f32;
    assert_eq!((stereo.rate, stereo.samples), (8000, (0..300).map(mean).collect()));
    let mono = read(include_bytes!("tests/mono24.flac"), 1000).unwrap();
    let of = |i: i64| ((i * i * 97 % 12_000_001 - 6_000_000) as f64 / 8_388_608.0) as f32;
    assert_eq!((mono.rate, mono.samples), (44_100, (0..300).map(of).collect()));
}

#[cfg(feature = "flac")]
#[test]
fn flac_files_that_are_cut_damaged_or_too_long_are_refused() {
    let whole = include_bytes!("tests/stereo16.flac");
    let cut = refusal(&whole[..whole.len() - 20]);
    assert!(cut.contains("sample ") && cut.contains("copy it again"), "{cut}");
    let head = refusal(&whole[..12]);
    assert!(head.starts_with("the header: the file ends early"), "{head}");
    let mut damaged = whole.to_vec();
    let last = damaged.len() - 9;
    damaged[last] ^= 0x10;
    let said = refusal(&damaged);
    assert!(said.contains("damaged") || said.contains("cut"), "{said}");
    let long = read(whole, 100).unwrap_err().to_string();
    assert!(long.contains("300 samples, more than the limit of 100"), "{long}");
}

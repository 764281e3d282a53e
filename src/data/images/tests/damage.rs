//! Damaged and hostile images: whatever a file holds, there is an image or a reason, soon.

use std::time::{Duration, Instant};

use image::ImageFormat;
use rayon::prelude::*;

use super::support::{decoded, encoded, photos, quarters};
use crate::base::rng::{Sequence, hash_name};

/// Small images of every format, real photos among them where there are some.
fn originals() -> Vec<Vec<u8>> {
    let small = quarters(40, 30);
    let formats = [
        ImageFormat::Jpeg,
        ImageFormat::Png,
        ImageFormat::Bmp,
        ImageFormat::WebP,
        ImageFormat::Gif,
    ];
    let mut files: Vec<Vec<u8>> =
        formats.map(|format| encoded(small.clone(), format)).into_iter().collect();
    files.extend([
        include_bytes!("files/cmyk.jpg").to_vec(),
        include_bytes!("files/progressive.jpg").to_vec(),
        include_bytes!("files/lossy.webp").to_vec(),
        include_bytes!("files/palette.png").to_vec(),
        include_bytes!("files/animated.webp").to_vec(),
        include_bytes!("files/animated.gif").to_vec(),
    ]);
    let mut real: Vec<Vec<u8>> = photos().into_iter().flatten().map(|(_, file)| file).collect();
    real.sort_by_key(Vec::len);
    files.extend(real.into_iter().take(40));
    files
}

/// A file cut short, with some of its bytes changed, or both.
fn damaged(file: &[u8], rng: &mut Sequence) -> Vec<u8> {
    let mut file = file.to_vec();
    let kind = rng.below(3);
    if kind != 0 {
        for _ in 0..1 + rng.below(8) {
            // Half of the flips are where headers are.
            let within = if rng.below(2) == 0 { file.len() } else { file.len().min(256) };
            let at = rng.below(within as u32) as usize;
            file[at] = match rng.below(3) {
                0 => 0xff,
                1 => rng.word() as u8,
                _ => file[at] ^ 1 << rng.below(8),
            };
        }
    }
    if kind != 1 {
        file.truncate(rng.below(file.len() as u32) as usize);
    }
    file
}

#[test]
fn damaged_images_never_panic_or_hang() {
    let count = std::env::var("NNC_FUZZ_COUNT").ok().and_then(|text| text.parse().ok());
    let count: u64 = count.unwrap_or(10_000);
    let files = originals();
    let (good, slowest) = (0..count)
        .into_par_iter()
        .map(|number| {
            let mut rng = Sequence::new(0, hash_name("damage").wrapping_add(number));
            let file = damaged(&files[rng.below(files.len() as u32) as usize], &mut rng);
            let start = Instant::now();
            let result = decoded(&file, (16, 16), 3);
            (usize::from(result.is_ok()), start.elapsed())
        })
        .reduce(|| (0, Duration::ZERO), |a, b| (a.0 + b.0, a.1.max(b.1)));
    // Some flips change only colours; most damage is noticed.
    assert!(good > 0 && good < count as usize / 2, "{good} of {count} were taken for images");
    // Nothing takes long, even on a machine that is busy with other things.
    assert!(slowest < Duration::from_secs(20), "{slowest:?}");
}

#[test]
fn a_photo_that_is_cut_short_is_not_an_image() {
    for format in [ImageFormat::Jpeg, ImageFormat::Png, ImageFormat::WebP, ImageFormat::Gif] {
        let file = encoded(quarters(40, 30), format);
        let last = if format == ImageFormat::Gif { file.len() - 60 } else { file.len() - 14 };
        for length in [file.len() / 4, file.len() / 2, last] {
            let result = decoded(&file[..length], (8, 8), 3);
            assert!(result.is_err(), "{format:?} of {length} of {} bytes", file.len());
        }
    }
    for (name, file) in photos().into_iter().flatten().take(50) {
        assert!(decoded(&file, (8, 8), 3).is_ok(), "{name}");
        for part in [10, 50, 90] {
            let reason = decoded(&file[..file.len() * part / 100], (8, 8), 3).unwrap_err();
            assert!(reason.contains("ends early"), "{name}, {part} %: {reason}");
        }
    }
}

/// A PNG header that promises more than anybody has.
fn huge_png(width: u32, height: u32) -> Vec<u8> {
    let mut file = encoded(quarters(2, 2), ImageFormat::Png);
    file[16..20].copy_from_slice(&width.to_be_bytes());
    file[20..24].copy_from_slice(&height.to_be_bytes());
    let mut crc = flate2::Crc::new();
    crc.update(&file[12..29]);
    file[29..33].copy_from_slice(&crc.sum().to_be_bytes());
    file
}

#[test]
fn absurd_sizes_are_refused_before_anything_is_allocated() {
    let start = Instant::now();
    for (width, height) in [(60_000, 60_000), (8001, 8000), (0x7fff_ffff, 0x7fff_ffff)] {
        let reason = decoded(&huge_png(width, height), (4, 4), 3).unwrap_err();
        let expected = format!("{width} × {height} pixels; more than 64 million are not read");
        assert!(reason == expected || reason.contains("memory"), "{reason}");
    }
    // The same in the other formats' own fields.
    let mut gif = encoded(quarters(2, 2), ImageFormat::Gif);
    gif[6..10].fill(0xff);
    let mut bmp = encoded(quarters(2, 2), ImageFormat::Bmp);
    bmp[18..26].copy_from_slice(&[0xff, 0xff, 0, 0, 0xff, 0xff, 0, 0]);
    let mut jpeg = encoded(quarters(2, 2), ImageFormat::Jpeg);
    let frame = jpeg.windows(2).position(|pair| pair == [0xff, 0xc0]).expect("a frame");
    jpeg[frame + 5..frame + 9].fill(0xff);
    for file in [gif, bmp, jpeg] {
        let reason = decoded(&file, (4, 4), 3).unwrap_err();
        assert!(reason.contains("more than 64 million"), "{reason}");
    }
    assert!(start.elapsed() < Duration::from_secs(10));
}

/// A header within bounds over data that do not fill it.
#[test]
fn a_large_image_of_nothing_is_an_error() {
    assert!(decoded(&huge_png(8000, 8000), (4, 4), 3).is_err());
}

//! The bytes of an image file to pixels: rows of grey or red, green and blue bytes.
//!
//! ```text
//! decode(&file, 3) → Pixels { width: 500, height: 374, channels: 3, … }, turned as EXIF says
//! ```
//!
//! The first bytes of a file tell its format, not its name: JPEG (CMYK too), PNG, BMP, WebP or GIF,
//! of which the first frame is taken. Sixteen bits become eight, palettes their colours; an alpha
//! channel is dropped, as PyTorch's and Keras's loaders do. Grey stays one channel here. Grey of
//! colours is `0.299 R + 0.587 G + 0.114 B`. Colour profiles are not applied.
//!
//! Files are not trusted. An image of more than 64 million pixels is refused before anything is
//! allocated for it, decoders work under a limit of memory, and the caller catches their panics.

use std::borrow::Cow;
use std::io::{BufReader, Cursor};
use std::path::Path;

use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageError, ImageFormat, ImageReader, Limits};

use super::jpeg;
use crate::files::read;

/// More pixels than this are refused.
const MOST_PIXELS: u64 = 64_000_000;
/// Bytes that a decoder may allocate for each pixel: four channels of 16 bits.
pub const PIXEL_MEMORY: u64 = 8;
/// Bytes that it may allocate beside the pixels, before it is known how many there are: tables, and
/// metadata, which a few packed bytes can blow up.
const OTHER_MEMORY: u64 = 16 << 20;
/// A file of more bytes is refused: the largest image, not compressed, with four channels.
pub const MOST_FILE_BYTES: u64 = MOST_PIXELS * 4 + (1 << 20);

/// A decoded image.
#[derive(Clone, Debug, PartialEq)]
pub struct Pixels {
    /// Pixels in a row.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// 1 or 3 bytes a pixel.
    pub channels: usize,
    /// Row after row.
    pub bytes: Vec<u8>,
    /// How it must be turned to stand upright.
    pub orientation: Orientation,
}

/// How many pixels a file says it has; for whoever must not decode two large ones at once.
pub struct Header<'a> {
    decoder: Box<dyn ImageDecoder + 'a>,
    /// Pixels, in millions.
    pub megapixels: u64,
}

/// The pixels that an image file says it has, if that can be read and is not too much.
pub fn pixels(path: &Path) -> Option<u64> {
    let file = BufReader::new(read::open(path).ok()?);
    let (width, height) =
        ImageReader::new(file).with_guessed_format().ok()?.into_dimensions().ok()?;
    Some(u64::from(width) * u64::from(height)).filter(|&pixels| pixels <= MOST_PIXELS)
}

impl<'a> Header<'a> {
    /// Reads what stands before the pixels. An error is a reason in plain words.
    pub fn read(file: &'a [u8]) -> Result<Self, String> {
        let format = format(file)?;
        if format == ImageFormat::Jpeg && !jpeg::is_complete(file) {
            return Err("a JPEG image that ends early".to_string());
        }
        let mut limits = Limits::default();
        limits.max_alloc = Some(OTHER_MEMORY);
        let file = match format {
            ImageFormat::Jpeg => jpeg::plain(file),
            _ => Cow::Borrowed(file),
        };
        let mut reader = ImageReader::with_format(Cursor::new(file), format);
        reader.limits(limits);
        let mut decoder = reader.into_decoder().map_err(reason)?;
        let (width, height) = decoder.dimensions();
        let pixels = u64::from(width) * u64::from(height);
        match pixels {
            0 => Err("an image without pixels".to_string()),
            1..=MOST_PIXELS => {
                let mut limits = Limits::default();
                limits.max_alloc = Some(pixels * PIXEL_MEMORY + OTHER_MEMORY);
                decoder.set_limits(limits).map_err(reason)?;
                Ok(Header { decoder: Box::new(decoder), megapixels: pixels.div_ceil(1_000_000) })
            }
            _ => Err(format!("{width} × {height} pixels; more than 64 million are not read")),
        }
    }

    /// Rows and columns.
    pub fn sides(&self) -> (u32, u32) {
        let (width, height) = self.decoder.dimensions();
        (height, width)
    }

    /// Whether the image has no colours.
    pub fn is_grey(&self) -> bool {
        !self.decoder.color_type().has_color()
    }

    /// Decodes the pixels; colours become grey where one channel is wanted.
    pub fn decode(mut self, channels: usize) -> Result<Pixels, String> {
        // Damaged metadata are no reason to do without the image.
        let orientation = self.decoder.orientation().unwrap_or(Orientation::NoTransforms);
        let image = DynamicImage::from_decoder(self.decoder).map_err(reason)?;
        let (width, height) = (image.width(), image.height());
        let (found, mut bytes) = eight_bits(image);
        if found == 3 && channels == 1 {
            bytes = grey(&bytes);
        }
        Ok(Pixels { width, height, channels: found.min(channels), bytes, orientation })
    }
}

/// The format of a file, by its first bytes.
fn format(file: &[u8]) -> Result<ImageFormat, String> {
    const READ: &str = "JPEG, PNG, BMP, WebP and GIF are read";
    if file.is_empty() {
        return Err("an empty file".to_string());
    }
    match image::guess_format(file) {
        Ok(format) if format.reading_enabled() => Ok(format),
        Ok(format) => Err(format!("{format:?} images are not read; {READ}")),
        Err(_) => Err(format!("not an image; {READ}")),
    }
}

/// An error of a decoder, in a line.
fn reason(error: ImageError) -> String {
    let text = match error {
        ImageError::Decoding(error) => error.to_string(),
        ImageError::Limits(_) => "decoding it would take too much memory".to_string(),
        other => other.to_string(),
    };
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// An image's bytes with one channel or three.
fn eight_bits(image: DynamicImage) -> (usize, Vec<u8>) {
    use DynamicImage::*;
    match image {
        ImageLuma8(image) => (1, image.into_raw()),
        ImageLumaA8(image) => (1, first(&image.into_raw(), 2, 1)),
        ImageRgb8(image) => (3, image.into_raw()),
        ImageRgba8(image) => (3, first(&image.into_raw(), 4, 3)),
        ImageLuma16(image) => (1, narrow(image.as_raw())),
        ImageLumaA16(image) => (1, first(&narrow(image.as_raw()), 2, 1)),
        ImageRgb16(image) => (3, narrow(image.as_raw())),
        ImageRgba16(image) => (3, first(&narrow(image.as_raw()), 4, 3)),
        // Floating point; none of the formats has it.
        other => (3, other.into_rgb8().into_raw()),
    }
}

/// The first channels of each pixel.
fn first(bytes: &[u8], channels: usize, wanted: usize) -> Vec<u8> {
    let mut kept = vec![0; bytes.len() / channels * wanted];
    for (kept, pixel) in kept.chunks_exact_mut(wanted).zip(bytes.chunks_exact(channels)) {
        kept.copy_from_slice(&pixel[..wanted]);
    }
    kept
}

/// Sixteen bits to the nearest eight: 65535 becomes 255.
fn narrow(samples: &[u16]) -> Vec<u8> {
    samples.iter().map(|&sample| ((u32::from(sample) + 128) / 257) as u8).collect()
}

/// Grey by the weights of ITU-R 601 in 16 bits, as Pillow and libjpeg compute it.
fn grey(colours: &[u8]) -> Vec<u8> {
    let weigh = |pixel: &[u8]| {
        let [red, green, blue] = [pixel[0], pixel[1], pixel[2]].map(u32::from);
        ((19_595 * red + 38_470 * green + 7_471 * blue + 0x8000) >> 16) as u8
    };
    colours.chunks_exact(3).map(weigh).collect()
}

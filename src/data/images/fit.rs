//! Pixels of any size to the size that a model takes.
//!
//! ```text
//! 500×374 to 150×150   stretch: all of it, out of proportion
//!                      crop:    its middle 374×374
//!                      pad:     150×112 in the middle, black above and below
//! ```
//!
//! Values are not made linear before they are scaled. An image that must be turned is turned after it
//! has been resized, when it is small.

use fast_image_resize::Resizer;
use image::metadata::Orientation;
use image::{DynamicImage, GrayImage, RgbImage};

use super::super::scale::scale;
use super::decode::Pixels;
use crate::data::source::FitMode;

/// Size and number of channels that images are made into.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FitTarget {
    /// Rows.
    pub height: usize,
    /// Pixels in a row.
    pub width: usize,
    /// 1 for grey, 3 for colours.
    pub channels: usize,
    /// How proportions are changed.
    pub resize: FitMode,
}

impl FitTarget {
    /// Bytes of an image.
    pub fn bytes(&self) -> usize {
        self.height * self.width * self.channels
    }
}

/// Resizes, turns and places an image; `out` is of the shape.
pub fn fit(image: &Pixels, shape: &FitTarget, resizer: &mut Resizer, out: &mut [u8]) {
    use Orientation::*;
    let lying = matches!(image.orientation, Rotate90 | Rotate270 | Rotate90FlipH | Rotate270FlipH);
    let (width, height) = match lying {
        true => (image.height, image.width),
        false => (image.width, image.height),
    };
    let (wide, high) = content(width as usize, height as usize, shape);
    let (before_wide, before_high) = if lying { (high, wide) } else { (wide, high) };
    let small = resized(image, before_wide, before_high, shape.resize, resizer);
    let upright = turned(small, before_wide, before_high, image);
    place(&upright, (wide, high), image.channels, shape, out);
}

/// The size that an upright image gets, width first.
fn content(width: usize, height: usize, shape: &FitTarget) -> (usize, usize) {
    if shape.resize != FitMode::Pad {
        return (shape.width, shape.height);
    }
    // Rounded, and not to nothing.
    let scaled = |side: usize, to: usize, of: usize| (side * to + of / 2) / of;
    match width * shape.height >= height * shape.width {
        true => (shape.width, scaled(height, shape.width, width).clamp(1, shape.height)),
        false => (scaled(width, shape.height, height).clamp(1, shape.width), shape.height),
    }
}

/// The image, or its middle, at another size.
fn resized(
    image: &Pixels,
    width: usize,
    height: usize,
    resize: FitMode,
    resizer: &mut Resizer,
) -> Vec<u8> {
    let from = [image.height as usize, image.width as usize];
    let mut to = vec![0; width * height * image.channels];
    let crop = resize == FitMode::Crop;
    scale(resizer, (&image.bytes, from), (&mut to, [height, width]), image.channels, crop);
    to
}

/// The image upright.
fn turned(bytes: Vec<u8>, width: usize, height: usize, image: &Pixels) -> Vec<u8> {
    if image.orientation == Orientation::NoTransforms {
        return bytes;
    }
    let (width, height) = (width as u32, height as u32);
    let mut turned = match image.channels {
        1 => GrayImage::from_raw(width, height, bytes).map(DynamicImage::ImageLuma8),
        _ => RgbImage::from_raw(width, height, bytes).map(DynamicImage::ImageRgb8),
    }
    .expect("as many bytes as pixels");
    turned.apply_orientation(image.orientation);
    turned.into_bytes()
}

/// Puts an image into the middle, on black. Grey becomes colours where those are wanted.
fn place(
    image: &[u8],
    (width, height): (usize, usize),
    channels: usize,
    shape: &FitTarget,
    out: &mut [u8],
) {
    out.fill(0);
    let (left, top) = ((shape.width - width) / 2, (shape.height - height) / 2);
    let rows = out.chunks_exact_mut(shape.width * shape.channels).skip(top);
    for (row, from) in rows.zip(image.chunks_exact(width * channels)) {
        let row = &mut row[left * shape.channels..][..width * shape.channels];
        if channels == shape.channels {
            row.copy_from_slice(from);
        } else {
            let pixels = row.chunks_exact_mut(shape.channels);
            pixels.zip(from).for_each(|(pixel, &grey)| pixel.fill(grey));
        }
    }
}

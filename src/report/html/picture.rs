//! An image as an element of the page, its PNG inside.

use image::codecs::png::PngEncoder;
use image::{ExtendedColorType, ImageEncoder};

use super::Text;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use maud::{Markup, html};

/// An image as a model sees it: bytes of pixels, row by row.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Picture {
    /// Rows.
    pub height: usize,
    /// Pixels of a row.
    pub width: usize,
    /// Bytes of a pixel: 1 grey, 2 grey and opacity, 3 colour, 4 colour and opacity.
    pub channels: usize,
    /// `height · width · channels` bytes.
    pub bytes: Vec<u8>,
}

impl Picture {
    /// The picture as a PNG file; none where the bytes are no image.
    pub fn png(&self) -> Option<Vec<u8>> {
        png(self)
    }

    /// The same, shrunk by a whole factor until no side is longer than `most`: each pixel is the mean
    /// of those it stands for.
    pub fn within(self, most: usize) -> Picture {
        let Picture { height, width, channels, bytes } = &self;
        let factor = (*height).max(*width).div_ceil(most.max(1));
        if factor <= 1 || bytes.len() != height * width * channels {
            return self;
        }
        let (rows, columns) = (height.div_ceil(factor), width.div_ceil(factor));
        let mut small = Vec::with_capacity(rows * columns * channels);
        for (row, column) in (0..rows).flat_map(|row| (0..columns).map(move |it| (row, it))) {
            for channel in 0..*channels {
                let (mut sum, mut count) = (0usize, 0usize);
                for y in row * factor..((row + 1) * factor).min(*height) {
                    for x in column * factor..((column + 1) * factor).min(*width) {
                        sum += usize::from(bytes[(y * width + x) * channels + channel]);
                        count += 1;
                    }
                }
                small.push((sum / count.max(1)) as u8);
            }
        }
        Picture { height: rows, width: columns, channels: *channels, bytes: small }
    }
}

/// Images no larger than this are enlarged with their pixels seen as squares.
const SMALL: usize = 96;

/// The element; a box that says so where the bytes are no image.
pub fn markup(picture: &Picture, name: &str) -> Markup {
    let Picture { height, width, .. } = *picture;
    let small = (height.max(width) <= SMALL).then_some("small");
    html! {
        @if let Some(png) = png(picture) {
            img class=[small] alt=(Text(name)) width=(width) height=(height)
                src={ "data:image/png;base64," (STANDARD.encode(png)) };
        } @else {
            (missing())
        }
    }
}

/// The box of a sample without an image.
pub fn missing() -> Markup {
    html! { div class="missing" { "no image" } }
}

/// The image as PNG, if it is one.
fn png(picture: &Picture) -> Option<Vec<u8>> {
    let colour = match picture.channels {
        1 => ExtendedColorType::L8,
        2 => ExtendedColorType::La8,
        3 => ExtendedColorType::Rgb8,
        4 => ExtendedColorType::Rgba8,
        _ => return None,
    };
    let size = picture.height.checked_mul(picture.width)?.checked_mul(picture.channels)?;
    if size == 0 || size != picture.bytes.len() {
        return None;
    }
    let (width, height) = (picture.width.try_into().ok()?, picture.height.try_into().ok()?);
    let mut png = Vec::new();
    PngEncoder::new(&mut png).write_image(&picture.bytes, width, height, colour).ok()?;
    Some(png)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picture(height: usize, width: usize, channels: usize) -> Picture {
        let bytes = (0..height * width * channels).map(|index| (index * 37 % 256) as u8).collect();
        Picture { height, width, channels, bytes }
    }

    #[test]
    fn pixels_come_back() {
        for channels in 1..=4 {
            let picture = picture(5, 7, channels);
            let png = png(&picture).expect("an image");
            let read = image::load_from_memory(&png).expect("a PNG");
            assert_eq!((read.height(), read.width()), (5, 7));
            assert_eq!(read.into_bytes(), picture.bytes, "{channels} channels");
        }
    }

    #[test]
    fn large_pictures_are_shrunk_to_means() {
        let bytes = vec![0, 10, 20, 30, 40, 50, 60, 70, 80, 90];
        let small = Picture { height: 2, width: 5, channels: 1, bytes }.within(3);
        assert_eq!((small.height, small.width), (1, 3));
        assert_eq!(small.bytes, [30, 50, 65]);
        assert_eq!(picture(5, 7, 3).within(7), picture(5, 7, 3));
    }

    #[test]
    fn what_is_no_image_is_told() {
        let mut short = picture(5, 7, 3);
        short.bytes.pop();
        let huge = Picture { height: usize::MAX, width: 2, channels: 1, bytes: Vec::new() };
        for wrong in [short, picture(2, 2, 5), picture(0, 3, 1), huge, Picture::default()] {
            assert_eq!(markup(&wrong, "a").0, "<div class=\"missing\">no image</div>");
        }
    }

    #[test]
    fn small_images_are_shown_in_squares() {
        assert!(markup(&picture(28, 28, 1), "a").0.starts_with("<img class=\"small\" alt=\"a\""));
        assert!(
            markup(&picture(28, 200, 1), "\"").0.starts_with("<img alt=\"&quot;\" width=\"200\"")
        );
    }
}

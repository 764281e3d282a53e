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

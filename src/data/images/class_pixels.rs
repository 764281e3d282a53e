//! The file of a mask to the classes of its pixels, as they were stored.
//!
//! ```text
//! grey of 8 bits 0 1 1 2   a palette's places 0 1 1 2   bits 0 1 1 0      →   0 1 1 2 and 0 1 1 0
//! colours, an alpha channel, grey of 16 bits above 255                    →   refused
//! ```
//!
//! Decoders of pictures make colours of palettes (the masks of PASCAL VOC are such) and spread one bit
//! over 0 to 255: either would invent classes. Turning and scaling is [`masks`](super::masks)'s.

use std::io::Cursor;

use image::ImageFormat;
use png::{BitDepth, ColorType, Decoder, Limits, OutputInfo, Transformations};

use super::decode::{Header, PIXEL_MEMORY};

const HELP: &str = "the bytes of a grey image, or the places in a palette, are the classes";

/// The classes of a mask's pixels, row after row. An error is a reason in plain words.
pub fn class_pixels(file: &[u8], header: Header<'_>) -> Result<Vec<u8>, String> {
    if image::guess_format(file).ok() == Some(ImageFormat::Png) {
        return of_png(file, header.megapixels);
    }
    let pixels = header.decode(3)?;
    if pixels.channels == 1 {
        return Ok(pixels.bytes);
    }
    // Some formats have no grey of their own.
    let (all, _) = pixels.bytes.as_chunks::<3>();
    if all.iter().any(|[red, green, blue]| red != green || green != blue) {
        return Err(format!("a mask in colours; {HELP} (PNG has both)"));
    }
    Ok(all.iter().map(|pixel| pixel[0]).collect())
}

/// The stored values of a PNG.
fn of_png(file: &[u8], megapixels: u64) -> Result<Vec<u8>, String> {
    let bytes = usize::try_from((megapixels + 16) * 1_000_000 * PIXEL_MEMORY).unwrap_or(usize::MAX);
    let mut decoder = Decoder::new_with_limits(Cursor::new(file), Limits { bytes });
    decoder.set_transformations(Transformations::IDENTITY);
    let mut reader = decoder.read_info().map_err(|error| error.to_string())?;
    let size = reader.output_buffer_size().ok_or("decoding it would take too much memory")?;
    let mut packed = vec![0; size];
    let info = reader.next_frame(&mut packed).map_err(|error| error.to_string())?;
    packed.truncate(info.buffer_size());
    match (info.color_type, info.bit_depth) {
        (ColorType::Grayscale, BitDepth::Sixteen) => {
            let (values, _) = packed.as_chunks::<2>();
            match values.iter().find(|value| value[0] != 0) {
                Some(&value) => Err(format!(
                    "a mask with the class {}; they end at 255",
                    u16::from_be_bytes(value)
                )),
                None => Ok(values.iter().map(|value| value[1]).collect()),
            }
        }
        (ColorType::Grayscale | ColorType::Indexed, _) => Ok(unpacked(&packed, &info)),
        (ColorType::GrayscaleAlpha, _) => Err(format!("a mask with an alpha channel; {HELP}")),
        (ColorType::Rgb | ColorType::Rgba, _) => Err(format!("a mask in colours; {HELP}")),
    }
}

/// A value a byte, of rows whose values have eight bits or fewer; a row begins with a byte.
fn unpacked(packed: &[u8], info: &OutputInfo) -> Vec<u8> {
    let bits = info.bit_depth as usize;
    let width = info.width as usize;
    let row = |row: &[u8]| {
        let value = |at: usize| row[at * bits / 8] >> (8 - bits - at * bits % 8);
        (0..width).map(value).map(|value| value & (0xff >> (8 - bits))).collect::<Vec<u8>>()
    };
    packed.chunks_exact(info.line_size).flat_map(row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn classes(file: &[u8]) -> Result<Vec<u8>, String> {
        class_pixels(file, Header::read(file)?)
    }

    fn png(color: ColorType, depth: BitDepth, size: (u32, u32), bytes: &[u8]) -> Vec<u8> {
        let mut file = Vec::new();
        let mut encoder = png::Encoder::new(&mut file, size.0, size.1);
        encoder.set_color(color);
        encoder.set_depth(depth);
        if color == ColorType::Indexed {
            encoder.set_palette(vec![0, 0, 0, 128, 0, 0, 0, 128, 0, 7, 7, 7]);
        }
        encoder.write_header().unwrap().write_image_data(bytes).unwrap();
        file
    }

    #[test]
    fn stored_values_are_the_classes() {
        use BitDepth::{Eight, Four, One, Two};
        let read = |color, depth, bytes: &[u8]| classes(&png(color, depth, (3, 2), bytes));
        let eight = [0, 1, 2, 3, 1, 0];
        for color in [ColorType::Grayscale, ColorType::Indexed] {
            assert_eq!(read(color, Eight, &eight).unwrap(), eight);
            assert_eq!(read(color, Four, &[0x01, 0x20, 0x31, 0x00]).unwrap(), eight);
            assert_eq!(read(color, Two, &[0b0001_1000, 0b1101_0000]).unwrap(), eight);
            assert_eq!(read(color, One, &[0b0100_0000, 0b1010_0000]).unwrap(), [0, 1, 0, 1, 0, 1]);
        }
        let wide = [0, 0, 0, 1, 0, 2, 0, 3, 0, 1, 0, 0];
        assert_eq!(read(ColorType::Grayscale, BitDepth::Sixteen, &wide).unwrap(), eight);
    }

    #[test]
    fn what_has_no_classes_is_refused() {
        let refused = |color, depth, bytes: &[u8]| {
            classes(&png(color, depth, (1, 1), bytes)).expect_err("no classes")
        };
        let eight = BitDepth::Eight;
        assert!(refused(ColorType::Rgb, eight, &[1, 1, 1]).contains("in colours"));
        assert!(refused(ColorType::Rgba, eight, &[1, 1, 1, 255]).contains("in colours"));
        assert!(refused(ColorType::GrayscaleAlpha, eight, &[1, 255]).contains("alpha"));
        let wide = refused(ColorType::Grayscale, BitDepth::Sixteen, &[1, 2]);
        assert_eq!(wide, "a mask with the class 258; they end at 255");
    }

    #[test]
    fn of_other_formats_grey_is_taken() {
        let coded = |image: image::DynamicImage| {
            let mut file = Cursor::new(Vec::new());
            image.write_to(&mut file, ImageFormat::Bmp).unwrap();
            classes(&file.into_inner())
        };
        let grey = image::RgbImage::from_raw(2, 1, vec![1, 1, 1, 0, 0, 0]).unwrap();
        assert_eq!(coded(grey.into()).unwrap(), [1, 0]);
        let colours = image::RgbImage::from_raw(1, 1, vec![1, 0, 0]).unwrap();
        assert!(coded(colours.into()).expect_err("colours").contains("PNG has both"));
    }
}

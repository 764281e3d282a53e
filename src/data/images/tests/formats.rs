//! Every kind of image file becomes the pixels that it shows.

use image::{DynamicImage, ExtendedColorType, ImageEncoder, ImageFormat};

use super::support::{QUARTERS, decoded, encoded, quarters};

/// Asserts that an image of 16×16 shows the four quarters, about.
fn shows_quarters(name: &str, file: &[u8], tolerance: u8) {
    let pixels = decoded(file, (16, 16), 3).unwrap_or_else(|reason| panic!("{name}: {reason}"));
    let places = [(3, 3), (12, 3), (3, 12), (12, 12)];
    for ((x, y), expected) in places.into_iter().zip(QUARTERS) {
        let found: [u8; 3] = pixels[(y * 16 + x) * 3..][..3].try_into().unwrap();
        let close = found.iter().zip(expected).all(|(&a, b)| a.abs_diff(b) <= tolerance);
        assert!(close, "{name} at {x}, {y}: {found:?}, not {expected:?}");
    }
}

#[test]
fn formats_are_known_by_their_contents() {
    let image = quarters(16, 16);
    for format in [ImageFormat::Png, ImageFormat::Bmp, ImageFormat::WebP, ImageFormat::Gif] {
        shows_quarters(&format!("{format:?}"), &encoded(image.clone(), format), 0);
    }
    shows_quarters("JPEG", &encoded(image, ImageFormat::Jpeg), 12);
}

/// Written by Pillow.
#[test]
fn files_of_another_program_are_read() {
    let files: [(&str, &[u8], u8); 6] = [
        ("CMYK JPEG", include_bytes!("files/cmyk.jpg"), 4),
        ("progressive JPEG", include_bytes!("files/progressive.jpg"), 2),
        ("lossy WebP", include_bytes!("files/lossy.webp"), 4),
        ("a palette with a transparent colour", include_bytes!("files/palette.png"), 0),
        ("the first frame of a WebP", include_bytes!("files/animated.webp"), 0),
        ("the first frame of a GIF", include_bytes!("files/animated.gif"), 0),
    ];
    for (name, file, tolerance) in files {
        shows_quarters(name, file, tolerance);
    }
}

#[test]
fn alpha_is_dropped_and_sixteen_bits_become_eight() {
    let image = DynamicImage::from(quarters(16, 16));
    let mut clear = image.to_rgba8();
    clear.pixels_mut().for_each(|pixel| pixel[3] = 7);
    for format in [ImageFormat::Png, ImageFormat::Bmp, ImageFormat::WebP] {
        shows_quarters(&format!("{format:?} with alpha"), &encoded(clear.clone(), format), 0);
    }
    shows_quarters("16 bits", &encoded(image.to_rgb16(), ImageFormat::Png), 0);
    shows_quarters("16 bits with alpha", &encoded(image.to_rgba16(), ImageFormat::Png), 0);
}

#[test]
fn grey_and_colours_become_one_another() {
    let grey = image::GrayImage::from_fn(2, 1, |x, _| image::Luma([100 + x as u8]));
    let image = DynamicImage::from(grey);
    let kinds = [
        image.clone(),
        image.to_luma_alpha8().into(),
        image.to_luma16().into(),
        image.to_luma_alpha16().into(),
    ];
    for kind in kinds {
        let file = encoded(kind, ImageFormat::Png);
        assert_eq!(decoded(&file, (2, 1), 3).unwrap(), [100, 100, 100, 101, 101, 101]);
        assert_eq!(decoded(&file, (2, 1), 1).unwrap(), [100, 101]);
    }
    // As Pillow's `convert("L")` says.
    let file = encoded(quarters(2, 2), ImageFormat::Png);
    assert_eq!(decoded(&file, (2, 2), 1).unwrap(), [87, 124, 68, 128]);
}

/// An EXIF chunk that says nothing but how the image lies.
fn exif(orientation: u8) -> Vec<u8> {
    let mut chunk = b"MM\0\x2a\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0".to_vec();
    chunk.extend([orientation, 0, 0, 0, 0, 0, 0]);
    chunk
}

#[test]
fn images_are_turned_as_exif_says() {
    // The quarters, clockwise from the upper left, of the image that lies in the file.
    let lying = [0, 1, 3, 2];
    // Where they come to stand: the rows and columns that the standard gives for 1 to 8.
    let upright: [[usize; 4]; 8] = [
        [0, 1, 3, 2],
        [1, 0, 2, 3],
        [3, 2, 0, 1],
        [2, 3, 1, 0],
        [0, 2, 3, 1],
        [2, 0, 1, 3],
        [3, 1, 0, 2],
        [1, 3, 2, 0],
    ];
    assert_eq!(upright[0], lying);
    let image = quarters(24, 16);
    for (number, expected) in (1..).zip(upright) {
        let mut file = Vec::new();
        let mut encoder = image::codecs::png::PngEncoder::new(&mut file);
        encoder.set_exif_metadata(exif(number)).expect("PNG has EXIF");
        encoder.write_image(&image, 24, 16, ExtendedColorType::Rgb8).expect("an image");
        // Portrait or landscape, the middle of each quarter is where it should be.
        let (width, height) = if number < 5 { (24, 16) } else { (16, 24) };
        let pixels = decoded(&file, (width, height), 3).unwrap();
        let places = [(1, 1), (width - 2, 1), (width - 2, height - 2), (1, height - 2)];
        for ((x, y), quarter) in places.into_iter().zip(expected) {
            let found = &pixels[(y * width + x) * 3..][..3];
            assert_eq!(found, QUARTERS[quarter], "orientation {number} at {x}, {y}");
        }
    }
}

#[test]
fn a_jpeg_is_turned_as_well() {
    let mut file = encoded(quarters(32, 16), ImageFormat::Jpeg);
    let chunk = [b"Exif\0\0".as_slice(), &exif(6)].concat();
    let segment = [&[0xff, 0xe1], &(chunk.len() as u16 + 2).to_be_bytes()[..], &chunk].concat();
    file.splice(2..2, segment);
    let pixels = decoded(&file, (16, 32), 3).unwrap();
    // Turned by a quarter clockwise, what was lower left comes to stand upper left.
    assert!(pixels[..3].iter().zip(QUARTERS[2]).all(|(&a, b)| a.abs_diff(b) < 12));
}

#[test]
fn what_is_no_image_has_a_reason() {
    let cases: [(&[u8], &str); 5] = [
        (b"", "an empty file"),
        (b"only a text", "not an image; JPEG, PNG, BMP, WebP and GIF are read"),
        (b"II*\0 a TIFF", "Tiff images are not read"),
        (b"\x89PNG\r\n\x1a\n", "end of file"),
        (b"\xff\xd8\xff\xd9 no image", ""),
    ];
    for (file, expected) in cases {
        let reason = decoded(file, (4, 4), 3).unwrap_err();
        assert!(reason.contains(expected), "{reason}");
        assert!(!reason.contains('\n'), "{reason}");
    }
}

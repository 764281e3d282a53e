//! Images at another size: known values, proportions, borders.

use fast_image_resize::Resizer;
use image::metadata::Orientation;

use crate::data::images::decode::Pixels;
use crate::data::images::fit::{FitTarget, fit};
use crate::data::source::FitMode;

/// A pattern without symmetry.
fn pattern(width: u32, height: u32, channels: usize) -> Pixels {
    let value = |index: u32| {
        let (x, y, channel) = (
            index / channels as u32 % width,
            index / channels as u32 / width,
            index % channels as u32,
        );
        (x * 37 + y * 91 + channel * 53 + x * y * 7) as u8
    };
    let bytes = (0..width * height * channels as u32).map(value).collect();
    Pixels { width, height, channels, bytes, orientation: Orientation::NoTransforms }
}

fn fitted(
    image: &Pixels,
    width: usize,
    height: usize,
    channels: usize,
    resize: FitMode,
) -> Vec<u8> {
    let shape = FitTarget { height, width, channels, resize };
    let mut out = vec![1; shape.bytes()];
    fit(image, &shape, &mut Resizer::new(), &mut out);
    out
}

/// Pillow's `resize(size, BILINEAR)` of the same patterns.
#[test]
fn resizing_is_pillows() {
    let cases: [(Pixels, (usize, usize), &[u8]); 3] = [
        (
            pattern(13, 9, 1),
            (5, 4),
            &[
                106, 120, 126, 115, 119, 123, 140, 141, 127, 135, 115, 128, 144, 124, 138, 131,
                132, 122, 128, 129,
            ],
        ),
        (
            pattern(4, 3, 1),
            (7, 6),
            &[
                0, 13, 34, 56, 77, 98, 111, 23, 37, 59, 81, 103, 125, 139, 68, 84, 108, 132, 156,
                180, 195, 114, 130, 156, 151, 145, 171, 187, 159, 177, 205, 138, 70, 98, 115, 182,
                200, 229, 131, 32, 61, 79,
            ],
        ),
        (
            pattern(9, 7, 3),
            (3, 2),
            &[
                118, 132, 137, 130, 135, 139, 121, 129, 130, 116, 146, 122, 141, 132, 122, 131,
                139, 117,
            ],
        ),
    ];
    for (image, (width, height), expected) in cases {
        let found = fitted(&image, width, height, image.channels, FitMode::Stretch);
        let close = found.iter().zip(expected).all(|(&a, &b)| a.abs_diff(b) <= 1);
        assert!(close && found.len() == expected.len(), "{found:?}, not {expected:?}");
    }
}

#[test]
fn an_image_of_the_right_size_is_not_changed() {
    let image = pattern(5, 3, 3);
    for resize in [FitMode::Stretch, FitMode::Crop, FitMode::Pad] {
        assert_eq!(fitted(&image, 5, 3, 3, resize), image.bytes);
    }
}

#[test]
fn a_crop_is_the_middle() {
    // Four equal columns: the middle two are left.
    let columns =
        Pixels { width: 4, height: 2, bytes: [10, 20, 30, 40].repeat(2), ..pattern(4, 2, 1) };
    assert_eq!(fitted(&columns, 2, 2, 1, FitMode::Crop), [20, 30, 20, 30]);
    // Smaller than what is wanted, it is enlarged.
    assert_eq!(fitted(&columns, 8, 8, 1, FitMode::Crop).len(), 64);
    let rows = Pixels { orientation: Orientation::Rotate90, ..columns };
    assert_eq!(fitted(&rows, 2, 2, 1, FitMode::Crop), [20, 20, 30, 30]);
}

#[test]
fn a_pad_is_all_of_it_on_black() {
    let white = Pixels { width: 4, height: 2, bytes: vec![255; 8], ..pattern(4, 2, 1) };
    let padded = fitted(&white, 4, 4, 1, FitMode::Pad);
    assert_eq!(padded, [[0; 4], [255; 4], [255; 4], [0; 4]].concat());
    let upright = Pixels { orientation: Orientation::Rotate270, ..white.clone() };
    assert_eq!(fitted(&upright, 4, 4, 1, FitMode::Pad), [0, 255, 255, 0].repeat(4));
    // Grey on colours.
    let coloured = fitted(&white, 4, 4, 3, FitMode::Pad);
    assert_eq!(coloured.iter().filter(|&&byte| byte == 255).count(), 24);
}

#[test]
fn extreme_proportions_keep_a_pixel() {
    for (width, height) in [(1, 1), (5000, 1), (1, 5000), (3, 2)] {
        let image = pattern(width, height, 1);
        for resize in [FitMode::Stretch, FitMode::Crop, FitMode::Pad] {
            assert_eq!(fitted(&image, 7, 9, 3, resize).len(), 189);
        }
    }
    let line = Pixels { bytes: vec![255; 5000], ..pattern(5000, 1, 1) };
    let found = fitted(&line, 5, 5, 1, FitMode::Pad);
    assert_eq!(found.iter().filter(|&&byte| byte == 255).count(), 5);
}

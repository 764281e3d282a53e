//! Colour spaces of JPEG files: libjpeg's rules, with the values that Pillow 12 gives.

use super::support::decoded;

/// A segment with its length.
fn segment(marker: u8, contents: &[u8]) -> Vec<u8> {
    let length = (contents.len() as u16 + 2).to_be_bytes();
    [&[0xff, marker], &length[..], contents].concat()
}

fn jfif() -> Vec<u8> {
    segment(0xe0, b"JFIF\0\x01\x01\0\0\x01\0\x01\0\0")
}

fn adobe(transform: u8) -> Vec<u8> {
    segment(0xee, &[b"Adobe\0\x64\0\0\0\0", &[transform][..]].concat())
}

/// An image of 8×8 pixels of one colour: components with these ids and values, markers before or
/// behind the frame. All quantisation is by 1; a code of a DC coefficient is its size in four bits,
/// that of the end of a block a 0.
fn jpeg(markers: &[u8], ids: &[u8], values: &[i32], late: bool) -> Vec<u8> {
    let count = ids.len() as u8;
    let (early, behind) = if late { (&[][..], markers) } else { (markers, &[][..]) };
    let components: Vec<u8> = ids.iter().flat_map(|&id| [id, 0x11, 0]).collect();
    let selectors: Vec<u8> = ids.iter().flat_map(|&id| [id, 0]).collect();
    let sizes: Vec<u8> = (0..12).collect();
    let mut bits: Vec<bool> = Vec::new();
    for value in values {
        let difference = (value - 128) * 8;
        let size = 32 - difference.abs().leading_zeros();
        let coded = if difference < 0 { difference + (1 << size) - 1 } else { difference };
        bits.extend((0..4).rev().map(|bit| size >> bit & 1 == 1));
        bits.extend((0..size).rev().map(|bit| coded >> bit & 1 == 1));
        bits.push(false);
    }
    let mut data = Vec::new();
    for byte in bits.chunks(8) {
        let ones = byte.iter().chain(std::iter::repeat(&true)).take(8);
        data.push(ones.fold(0, |byte, &bit| byte << 1 | u8::from(bit)));
        if data.last() == Some(&0xff) {
            data.push(0);
        }
    }
    [
        &[0xff, 0xd8],
        early,
        &segment(0xdb, &[&[0][..], &[1; 64]].concat()),
        &segment(0xc0, &[&[8, 0, 8, 0, 8, count][..], &components].concat()),
        behind,
        &segment(0xc4, &[&[0, 0, 0, 0, 12][..], &[0; 12], &sizes].concat()),
        &segment(0xc4, &[&[0x10, 1][..], &[0; 15], &[0]].concat()),
        &segment(0xda, &[&[count][..], &selectors, &[0, 63, 0]].concat()),
        &data,
        &[0xff, 0xd9],
    ]
    .concat()
}

const YCBCR: [u8; 3] = [255, 142, 113];
const RGB: [u8; 3] = [180, 90, 200];
const CMYK: [u8; 3] = [155, 78, 173];
const YCCK: [u8; 3] = [0, 97, 123];

/// The colours that Pillow gives to three components with plain ids, to three that are called R, G
/// and B, and to four.
type Expected = [[u8; 3]; 3];

/// Markers and what they make of an image.
fn cases() -> Vec<(&'static str, Vec<u8>, Expected)> {
    let short_jfif = segment(0xe0, b"JFIF\0\x01\x01");
    let short_adobe = segment(0xee, b"Adobe\0\x64\0\0");
    vec![
        ("nothing", Vec::new(), [YCBCR, RGB, CMYK]),
        ("JFIF", jfif(), [YCBCR, YCBCR, CMYK]),
        ("a short JFIF", short_jfif, [YCBCR, RGB, CMYK]),
        ("transform 0", adobe(0), [RGB, RGB, CMYK]),
        ("transform 1", adobe(1), [YCBCR, YCBCR, YCCK]),
        ("transform 2", adobe(2), [YCBCR, YCBCR, YCCK]),
        ("transform 7", adobe(7), [YCBCR, YCBCR, YCCK]),
        ("JFIF, transform 0", [jfif(), adobe(0)].concat(), [YCBCR, YCBCR, CMYK]),
        ("JFIF, transform 1", [jfif(), adobe(1)].concat(), [YCBCR, YCBCR, YCCK]),
        ("transform 0, JFIF", [adobe(0), jfif()].concat(), [YCBCR, YCBCR, CMYK]),
        ("a short Adobe", short_adobe.clone(), [YCBCR, RGB, CMYK]),
        ("transforms 0 and 1", [adobe(0), adobe(1)].concat(), [YCBCR, YCBCR, YCCK]),
        ("transform 1, short", [adobe(1), short_adobe].concat(), [YCBCR, YCBCR, YCCK]),
    ]
}

fn shows(name: &str, file: &[u8], expected: [u8; 3]) {
    let pixels = decoded(file, (8, 8), 3).unwrap_or_else(|reason| panic!("{name}: {reason}"));
    for pixel in pixels.chunks(3) {
        let close = pixel.iter().zip(expected).all(|(&a, b)| a.abs_diff(b) <= 1);
        assert!(close, "{name}: {pixel:?}, not {expected:?}");
    }
}

#[test]
fn colours_are_what_libjpeg_takes_them_for() {
    for late in [false, true] {
        for (name, markers, [plain, named, four]) in cases() {
            let name = format!("{name}{}", if late { " behind the frame" } else { "" });
            let values = [180, 90, 200, 220];
            for (ids, expected) in
                [([1, 2, 3], plain), ([0, 1, 2], plain), ([7, 9, 8], plain), (*b"RGB", named)]
            {
                let file = jpeg(&markers, &ids, &values[..3], late);
                shows(&format!("{name}, {ids:?}"), &file, expected);
            }
            for ids in [[1, 2, 3, 4], *b"CMYK"] {
                shows(&format!("{name}, {ids:?}"), &jpeg(&markers, &ids, &values, late), four);
            }
            shows(&format!("{name}, grey"), &jpeg(&markers, &[1], &[77], late), [77; 3]);
        }
    }
}

/// Each scan of a progressive file names components, by the ids of the frame.
#[test]
fn components_that_are_renamed_are_renamed_in_every_scan() {
    let file = include_bytes!("files/progressive.jpg");
    assert!(file.windows(5).any(|window| window == b"JFIF\0"), "written by Pillow");
    let mut renamed = file.to_vec();
    let mut scans = 0;
    for at in 0..file.len() - 6 {
        let (first, count) = match file[at..at + 2] {
            [0xff, 0xc2] => (at + 10, 3),
            [0xff, 0xda] => (at + 5, usize::from(file[at + 4])),
            _ => continue,
        };
        let step = if file[at + 1] == 0xda { 2 } else { 3 };
        scans += usize::from(step == 2);
        for place in (0..count).map(|component| first + step * component) {
            renamed[place] = b"RGB"[usize::from(file[place]) - 1];
        }
    }
    assert!(scans > 3, "{scans} scans");
    let [as_written, as_renamed] =
        [&file[..], &renamed[..]].map(|it| decoded(it, (16, 16), 3).unwrap());
    assert_eq!(as_written, as_renamed);
}

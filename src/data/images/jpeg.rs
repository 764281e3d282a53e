//! Whether a JPEG file is all there.
//!
//! Decoders are lenient: of half a file they give the upper half of the image, and grey below it.
//! To train on that is wrong, so a file is followed from marker to marker to its end:
//! `FFD8 FFE0…  FFDB… FFDA…entropy-coded… FFD9` is complete, and not without the last two bytes.
//! What follows the end (a second picture, padding) does not matter, and nothing is decoded.

/// The marker that ends an image.
const END: u8 = 0xd9;

/// Whether the file's markers lead to the end of the image.
pub fn is_complete(file: &[u8]) -> bool {
    let mut at = 2;
    while let Some(marker) = next_marker(file, &mut at) {
        if marker == END {
            return true;
        }
        let Some(&[high, low]) = file.get(at..at + 2) else { return false };
        at += usize::from(u16::from_be_bytes([high, low])).max(2);
    }
    false
}

/// The next marker with something behind it: after a scan's header that passes over the
/// entropy-coded data, in which a stuffed zero or the number of a restart follows each FF.
fn next_marker(file: &[u8], at: &mut usize) -> Option<u8> {
    loop {
        let found = file.get(*at..)?.iter().position(|&byte| byte == 0xff)?;
        *at += found + 1;
        match *file.get(*at)? {
            // Any number of FF may stand before a marker.
            0xff => continue,
            0x00 | 0x01 | 0xd0..=0xd8 => *at += 1,
            marker => {
                *at += 1;
                return Some(marker);
            }
        }
    }
}

//! Reads the markers of a JPEG file before anything is decoded: whether the file is all there, and
//! what its colours are.
//!
//! Decoders are lenient: of half a file they give the upper half of the image, and grey below it.
//! To train on that is wrong, so a file is followed from marker to marker to its end:
//! `FFD8 FFE0…  FFDB… FFDA…entropy-coded… FFD9` is complete, and not without the last two bytes.
//! Data after the end (a second picture, padding) does not matter, and nothing is decoded.
//!
//! Nor does a file say plainly what its colours are: it has a JFIF header or not, a marker of Adobe's
//! or not, and ids of its components. libjpeg's rules are what other programs follow, and what
//! training data looked like to whoever collected it ([`Colours::of`]). The decoder has rules of its
//! own; [`plain`] gives it the file in a form of which both say the same.

use std::borrow::Cow;

/// The marker that ends an image.
const END: u8 = 0xd9;
/// The marker that begins a scan.
const SCAN: u8 = 0xda;
const JFIF: u8 = 0xe0;
const ADOBE: u8 = 0xee;

/// Whether the file's markers lead to the end of the image.
pub fn is_complete(file: &[u8]) -> bool {
    let mut at = 2;
    while let Some(marker) = next_marker(file, &mut at) {
        if marker == END {
            return true;
        }
        if segment(file, &mut at).is_none() {
            return false;
        }
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

/// Where the contents of a segment begin and what they are, behind their length; `at` goes on to
/// what follows. They are cut where the file ends.
fn segment<'a>(file: &'a [u8], at: &mut usize) -> Option<(usize, &'a [u8])> {
    let &[high, low] = file.get(*at..*at + 2)? else { return None };
    let start = *at + 2;
    *at += usize::from(u16::from_be_bytes([high, low])).max(2);
    Some((start, &file[start..(*at).min(file.len())]))
}

/// The colour space of an image's components.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Colours {
    Grey,
    YCbCr,
    Rgb,
    Cmyk,
    Ycck,
}

/// The markers before the first scan.
#[derive(Default)]
struct Markers {
    jfif: bool,
    /// The transform that Adobe's marker names.
    adobe: Option<u8>,
    /// Where each marker of Adobe's has its name, and its transform unless it is too short.
    adobes: Vec<(usize, Option<usize>)>,
    /// Where each component's id is.
    ids: Vec<usize>,
}

impl Markers {
    fn of(file: &[u8]) -> Markers {
        let (mut found, mut at) = (Markers::default(), 2);
        while let Some(marker) = next_marker(file, &mut at) {
            if marker == END || marker == SCAN {
                break;
            }
            let Some((start, contents)) = segment(file, &mut at) else { break };
            match marker {
                JFIF if contents.len() >= 14 && contents.starts_with(b"JFIF\0") => {
                    found.jfif = true;
                }
                ADOBE if contents.starts_with(b"Adobe") => {
                    let transform = contents.get(11).copied();
                    found.adobes.push((start, transform.map(|_| start + 11)));
                    found.adobe = transform.or(found.adobe);
                }
                // Frames of all kinds; between them are tables (DHT, JPG, DAC).
                0xc0..=0xcf if ![0xc4, 0xc8, 0xcc].contains(&marker) => {
                    let count = contents.get(5).copied().map_or(0, usize::from);
                    let ids = (0..count).map(|component| start + 6 + 3 * component);
                    found.ids = ids.filter(|&id| id < file.len()).collect();
                }
                _ => {}
            }
        }
        found
    }
}

impl Colours {
    /// By libjpeg's rules (`default_decompress_parms`): JFIF means YCbCr whatever Adobe's marker
    /// says, that marker decides where there is no JFIF, and ids only where there is neither.
    /// Transforms that nobody has defined count as 1 for three components, as 2 for four.
    fn of(file: &[u8], markers: &Markers) -> Option<Colours> {
        let ids: Vec<u8> = markers.ids.iter().map(|&at| file[at]).collect();
        Some(match (ids.len(), markers.adobe) {
            (1, _) => Colours::Grey,
            (3, _) if markers.jfif => Colours::YCbCr,
            (3, Some(0)) => Colours::Rgb,
            (3, None) if ids == *b"RGB" => Colours::Rgb,
            (3, _) => Colours::YCbCr,
            (4, None | Some(0)) => Colours::Cmyk,
            (4, Some(_)) => Colours::Ycck,
            _ => return None,
        })
    }
}

/// The file with markers that leave no doubt to a decoder which takes three components for YCbCr
/// unless they are called R, G and B, and four for CMYK unless Adobe's marker says 2. What it decodes
/// is not changed.
pub fn plain(file: &[u8]) -> Cow<'_, [u8]> {
    let markers = Markers::of(file);
    let Some(colours) = Colours::of(file, &markers) else { return Cow::Borrowed(file) };
    let mut plain = Cow::Borrowed(file);
    let mut put = |at: usize, byte: u8| {
        if file[at] != byte {
            plain.to_mut()[at] = byte;
        }
    };
    for &(name, transform) in &markers.adobes {
        match (colours, transform) {
            (Colours::Ycck, Some(transform)) => put(transform, 2),
            // A name that nobody knows.
            _ => put(name, b'-'),
        }
    }
    let ids: Vec<u8> = markers.ids.iter().map(|&at| file[at]).collect();
    let wanted = match colours {
        Colours::Rgb => *b"RGB",
        Colours::YCbCr if ids == *b"RGB" => [1, 2, 3],
        _ => return plain,
    };
    for (&at, id) in markers.ids.iter().zip(wanted) {
        put(at, id);
    }
    let mut at = 2;
    while let Some(marker) = next_marker(file, &mut at) {
        let Some((start, contents)) = segment(file, &mut at).filter(|_| marker != END) else {
            break;
        };
        if marker != SCAN {
            continue;
        }
        // Each scan names its components by their ids.
        let count = contents.first().copied().map_or(0, usize::from);
        for selector in (0..count).map(|component| 1 + 2 * component) {
            let named = contents.get(selector);
            if let Some(which) = ids.iter().position(|id| Some(id) == named) {
                put(start + selector, wanted[which]);
            }
        }
    }
    plain
}

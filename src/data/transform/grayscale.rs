//! `grayscale`: colours become their brightness, three channels one.
//!
//! `(0.299 r + 0.587 g + 0.114 b)`, ITU-R 601-2, as torchvision's `Grayscale` and Pillow's
//! `convert("L")`, in Pillow's 16-bit arithmetic. Images of one channel stay as they are.

use super::super::error::DataError;
use super::frame::{Frame, Size};

/// Names of the arguments: none.
pub const ARGUMENTS: [&str; 0] = [];

/// The size without colour; images have one channel or three.
pub fn fit(size: Size) -> Result<Size, DataError> {
    match size.channels {
        1 | 3 => Ok(Size { channels: 1, ..size }),
        found => {
            let message = format!("`grayscale` needs 3 channels (or 1), the images have {found}");
            Err(DataError::new(message))
        }
    }
}

/// Takes the colour away.
pub fn apply(frame: &mut Frame) {
    if frame.size.channels != 3 {
        return;
    }
    let size = Size { channels: 1, ..frame.size };
    frame.replace(size, |from, to, _| {
        for (to, from) in to.iter_mut().zip(from.as_chunks().0) {
            *to = brightness(*from);
        }
    });
}

/// The brightness of a colour.
#[inline]
pub fn brightness([r, g, b]: [u8; 3]) -> u8 {
    let sum = u32::from(r) * 19595 + u32::from(g) * 38470 + u32::from(b) * 7471;
    ((sum + 0x8000) >> 16) as u8
}

#[cfg(test)]
mod tests {
    use super::super::frame::frame;
    use super::*;

    #[test]
    fn brightness_is_pillows() {
        let colours = [255, 0, 0, 0, 255, 0, 0, 0, 255, 255, 255, 255, 7, 7, 7, 10, 200, 30];
        let mut image = frame([2, 3, 3], &colours);
        apply(&mut image);
        // Image.new("RGB", …).convert("L") of Pillow.
        assert_eq!(image.pixels, [76, 150, 29, 255, 7, 124]);
        assert_eq!(image.size, Size { height: 2, width: 3, channels: 1 });
        apply(&mut image);
        assert_eq!(image.pixels.len(), 6, "grey stays");
    }
}

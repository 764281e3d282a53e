//! `random_crop(size, pad = 0, fill = 0)`: a window of an image at a random place, after a border
//! of `pad` pixels was put around the image.
//!
//! `random_crop(pad: 4)` of a 32×32 image is any 32×32 window of the 40×40 one: `size` is the
//! image's own where it is left out. As torchvision's `RandomCrop(size, padding, fill,
//! padding_mode)`. On validation and test images the window stands in the middle (torchvision's
//! `CenterCrop`; so does Keras's `RandomCrop` at inference).

use super::super::error::DataError;
use super::super::request::Arguments;
use super::fill::FillMode;
use super::frame::{Frame, Size};
use crate::base::rng::Sequence;

/// Names of the arguments, in order.
pub const ARGUMENTS: [&str; 3] = ["size", "pad", "fill"];

/// Arguments of `random_crop(…)`, read.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Crop {
    size: Option<[usize; 2]>,
    pad: [usize; 2],
    fill: FillMode,
}

impl Crop {
    /// The arguments.
    pub fn of(args: &Arguments<'_>) -> Result<Crop, DataError> {
        let size = args.optional_size("size", 1)?;
        let pad = args.optional_size("pad", 0)?;
        if size.is_none() && pad.is_none() {
            let error = DataError::new("`random_crop` needs `size`, `pad` or both");
            return Err(error.help("`random_crop(28)`, or `random_crop(pad: 4)` for the same size"));
        }
        Ok(Crop { size, pad: pad.unwrap_or([0; 2]), fill: FillMode::of(args)? })
    }

    /// Whether it puts new bytes into an image.
    pub fn adds_bytes(&self) -> bool {
        self.pad != [0; 2] && self.fill.is_value()
    }

    /// The size of the window, which must lie in the image and its border.
    pub fn fit(&self, size: Size) -> Result<Size, DataError> {
        let window = self.window(size);
        let room = self.room(size);
        if window.height <= room[0] && window.width <= room[1] {
            return Ok(window);
        }
        let border = match self.pad {
            [0, 0] => String::new(),
            _ => format!(" with its border ({} × {})", room[0], room[1]),
        };
        let message = format!(
            "a crop of {} × {} is larger than the image of {} × {}{border}",
            window.height, window.width, size.height, size.width,
        );
        let help = "make `size` smaller, put a border around with `pad`, or `resize` before";
        Err(DataError::new(message).argument("size").help(help))
    }

    /// Cuts a window out at a random place.
    pub fn apply(&self, frame: &mut Frame, rng: &mut Sequence) {
        let (window, room) = (self.window(frame.size), self.room(frame.size));
        let top = rng.below((room[0] - window.height + 1) as u32);
        let left = rng.below((room[1] - window.width + 1) as u32);
        self.cut(frame, top as usize, left as usize);
    }

    /// Cuts the window in the middle out.
    pub fn center(&self, frame: &mut Frame) {
        let (window, room) = (self.window(frame.size), self.room(frame.size));
        self.cut(frame, (room[0] - window.height) / 2, (room[1] - window.width) / 2);
    }

    fn window(&self, size: Size) -> Size {
        let [height, width] = self.size.unwrap_or([size.height, size.width]);
        Size { height, width, channels: size.channels }
    }

    /// Rows and columns of the image with its border.
    fn room(&self, size: Size) -> [usize; 2] {
        [size.height + 2 * self.pad[0], size.width + 2 * self.pad[1]]
    }

    /// Cuts the window out whose corner is at a place of the image with its border.
    fn cut(&self, frame: &mut Frame, top: usize, left: usize) {
        let (size, window) = (frame.size, self.window(frame.size));
        let (top, left) = (top as i64 - self.pad[0] as i64, left as i64 - self.pad[1] as i64);
        if (top, left) == (0, 0) && window == size {
            return;
        }
        let fill = self.fill.of_frame(frame);
        frame.replace(window, |from, to, _| {
            for (row, to) in to.chunks_exact_mut(window.row()).enumerate() {
                match fill.place(top + row as i64, size.height) {
                    Some(place) => {
                        let from = &from[place * size.row()..][..size.row()];
                        cut_row(from, to, size.channels, left, fill);
                    }
                    None => to.fill(fill.byte()),
                }
            }
        });
    }
}

/// One row of a window that begins at the pixel `left`, which may lie beyond the row.
fn cut_row(from: &[u8], to: &mut [u8], channels: usize, left: i64, fill: FillMode) {
    let (width, wanted) = ((from.len() / channels) as i64, (to.len() / channels) as i64);
    // The part of the window that lies in the row.
    let begin = (-left).clamp(0, wanted);
    let end = (width - left).clamp(begin, wanted);
    let inside = (begin as usize * channels)..(end as usize * channels);
    let first = (left + begin).clamp(0, width) as usize * channels;
    to[inside.clone()].copy_from_slice(&from[first..][..inside.len()]);
    for pixel in (0..begin).chain(end..wanted) {
        let to = &mut to[pixel as usize * channels..][..channels];
        match fill.place(left + pixel, width as usize) {
            Some(place) => to.copy_from_slice(&from[place * channels..][..channels]),
            None => to.fill(fill.byte()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::frame::frame;
    use super::*;

    /// The window of a 3×3 image at a place, counted from the border's corner.
    fn cut(size: [usize; 2], pad: usize, fill: FillMode, top: usize, left: usize) -> Vec<u8> {
        let mut frame = frame([3, 3, 1], &[1, 2, 3, 4, 5, 6, 7, 8, 9]);
        Crop { size: Some(size), pad: [pad; 2], fill }.cut(&mut frame, top, left);
        assert_eq!((frame.size.height, frame.size.width), (size[0], size[1]));
        frame.pixels
    }

    #[test]
    fn windows_inside_and_over_the_border() {
        assert_eq!(cut([2, 2], 0, FillMode::Value(0), 1, 1), [5, 6, 8, 9]);
        assert_eq!(cut([3, 3], 1, FillMode::Value(7), 0, 0), [7, 7, 7, 7, 1, 2, 7, 4, 5]);
        assert_eq!(cut([3, 3], 1, FillMode::Value(0), 2, 2), [5, 6, 0, 8, 9, 0, 0, 0, 0]);
        assert_eq!(cut([3, 3], 1, FillMode::Edge, 2, 2), [5, 6, 6, 8, 9, 9, 8, 9, 9]);
        assert_eq!(cut([3, 3], 1, FillMode::Reflect, 0, 0), [5, 4, 5, 2, 1, 2, 5, 4, 5]);
        // A border wider than the window: nothing of the image is in it.
        assert_eq!(cut([1, 2], 4, FillMode::Value(3), 0, 0), [3, 3]);
        assert_eq!(cut([1, 2], 4, FillMode::Value(3), 5, 9), [3, 3]);
    }

    #[test]
    fn pixels_keep_their_channels_together() {
        let pixels: Vec<u8> = (0..12).collect();
        let mut frame = frame([2, 2, 3], &pixels);
        let crop = Crop { size: Some([1, 3]), pad: [1; 2], fill: FillMode::Value(0) };
        crop.cut(&mut frame, 2, 1);
        assert_eq!(frame.pixels, [6, 7, 8, 9, 10, 11, 0, 0, 0]);
    }

    #[test]
    fn every_place_comes_and_the_middle_is_for_evaluation() {
        let crop = Crop { size: Some([2, 2]), pad: [0; 2], fill: FillMode::Value(0) };
        let mut seen = [false; 4];
        for sample in 0..64 {
            let mut frame = frame([3, 3, 1], &[0, 1, 2, 3, 4, 5, 6, 7, 8]);
            crop.apply(&mut frame, &mut Sequence::new(1, sample));
            let place = [0, 1, 3, 4].iter().position(|&first| first == frame.pixels[0]);
            seen[place.expect("a corner of a window")] = true;
        }
        assert_eq!(seen, [true; 4]);
        let mut middle = frame([4, 4, 1], &(0..16).collect::<Vec<u8>>());
        crop.center(&mut middle);
        assert_eq!(middle.pixels, [5, 6, 9, 10]);
    }

    #[test]
    fn a_crop_larger_than_its_image_is_refused() {
        let crop = Crop { size: Some([30, 32]), pad: [0; 2], fill: FillMode::Value(0) };
        let size = Size { height: 28, width: 40, channels: 1 };
        let error = crop.fit(size).unwrap_err();
        assert_eq!(&*error.message, "a crop of 30 × 32 is larger than the image of 28 × 40");
        assert_eq!(error.argument.as_deref(), Some("size"));
        let padded = Crop { pad: [1, 0], ..crop };
        assert_eq!(padded.fit(size), Ok(Size { height: 30, width: 32, channels: 1 }));
    }
}

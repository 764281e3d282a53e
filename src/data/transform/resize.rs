//! `resize(size, mode = stretch)`: every image gets a size, antialiased where it shrinks.
//!
//! As torchvision's `Resize(size, antialias=True)` where both sides are given: the bilinear
//! (triangle) filter, widened by the factor. `mode: crop` keeps the shape of things and cuts off
//! what is too much at two sides, `mode: pad` keeps all and puts zeros at two sides.

use super::super::error::DataError;
use super::super::request::Arguments;
use super::super::scale::{nearest, scale};
use super::frame::{Frame, Size};

/// Names of the arguments, in order.
pub const ARGUMENTS: [&str; 2] = ["size", "mode"];

/// Arguments of `resize(…)`, read.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Resize {
    size: [usize; 2],
    mode: Mode,
}

/// The way in which an image of another shape is resized.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Stretch,
    Crop,
    Pad,
}

impl Resize {
    /// The arguments.
    pub fn of(args: &Arguments<'_>) -> Result<Resize, DataError> {
        let size = args.optional_size("size", 1)?;
        let size = size.ok_or_else(|| args.wrong("size", "given: such as `resize([32, 32])`"))?;
        let mode = match args.name("mode", &["stretch", "crop", "pad"])? {
            None | Some("stretch") => Mode::Stretch,
            Some("crop") => Mode::Crop,
            Some(_) => Mode::Pad,
        };
        Ok(Resize { size, mode })
    }

    /// Whether it puts new bytes into images of a size.
    pub fn adds_bytes(&self, size: Size) -> bool {
        self.inner(size) != self.size
    }

    /// The new size; images have one to four channels.
    pub fn fit(&self, size: Size) -> Result<Size, DataError> {
        let [height, width] = self.size;
        if (1..=4).contains(&size.channels) {
            Ok(Size { height, width, ..size })
        } else {
            let message = format!("`resize` needs 1 to 4 channels, not {}", size.channels);
            Err(DataError::new(message))
        }
    }

    /// The rows and columns that the image fills.
    fn inner(&self, size: Size) -> [usize; 2] {
        let [height, width] = self.size;
        if self.mode != Mode::Pad {
            return self.size;
        }
        // The side that limits is met exactly, the other one rounded.
        let scaled = |a: usize, b: usize, c: usize| ((a * b + c / 2) / c).max(1);
        match size.height * width <= size.width * height {
            true => [scaled(size.height, width, size.width).min(height), width],
            false => [height, scaled(size.width, height, size.height).min(width)],
        }
    }

    /// Resizes an image.
    pub fn apply(&self, frame: &mut Frame) {
        let (size, [height, width]) = (frame.size, self.inner(frame.size));
        let inner = Size { height, width, ..size };
        if inner != size {
            let (crop, classes) = (self.mode == Mode::Crop, frame.classes);
            frame.replace(inner, |from, to, resizer| {
                let (from, to) = ((from, [size.height, size.width]), (to, [height, width]));
                match classes {
                    true => nearest(from, to, crop),
                    false => scale(resizer, from, to, size.channels, crop),
                }
            });
        }
        let outer = Size { height: self.size[0], width: self.size[1], ..size };
        if inner != outer {
            frame.replace(outer, |from, to, _| {
                to.fill(0);
                let (top, left) = ((outer.height - height) / 2, (outer.width - width) / 2);
                let rows = to.chunks_exact_mut(outer.row()).skip(top);
                for (to, from) in rows.zip(from.chunks_exact(inner.row())) {
                    to[left * size.channels..][..from.len()].copy_from_slice(from);
                }
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::frame::frame;
    use super::*;

    fn resized(mode: Mode, to: [usize; 2], shape: [usize; 3], pixels: &[u8]) -> Vec<u8> {
        let mut frame = frame(shape, pixels);
        let resize = Resize { size: to, mode };
        let size = resize.fit(frame.size).unwrap();
        resize.apply(&mut frame);
        assert_eq!(frame.size, size);
        frame.pixels
    }

    #[test]
    fn halves_are_means_and_doubles_are_in_between() {
        // The triangle filter over two pixels and half of each neighbour: weights 1 3 3 1 (inside),
        // of a ramp its middle.
        let ramp: Vec<u8> = (0..8).map(|x| x * 16).collect();
        let half = resized(Mode::Stretch, [1, 4], [1, 8, 1], &ramp);
        assert_eq!(half[1..3], [40, 72]);
        let doubled = resized(Mode::Stretch, [2, 2], [1, 1, 3], &[9, 8, 7]);
        assert_eq!(doubled, [9, 8, 7, 9, 8, 7, 9, 8, 7, 9, 8, 7]);
        let wide = resized(Mode::Stretch, [1, 4], [1, 2, 1], &[0, 100]);
        assert_eq!(wide, [0, 25, 75, 100]);
        assert_eq!(resized(Mode::Stretch, [1, 2], [1, 2, 1], &[0, 100]), [0, 100]);
    }

    #[test]
    fn masks_are_resized_by_the_nearest_pixel() {
        for (mode, size, wanted) in [
            (Mode::Stretch, [1, 2], vec![6, 8]),
            (Mode::Crop, [2, 2], vec![2, 3, 6, 7]),
            (Mode::Pad, [4, 4], [vec![0; 4], (1..=8).collect(), vec![0; 4]].concat()),
        ] {
            let mut mask = frame([2, 4, 1], &[1, 2, 3, 4, 5, 6, 7, 8]);
            mask.classes = true;
            Resize { size, mode }.apply(&mut mask);
            assert_eq!(mask.pixels, wanted, "{mode:?}");
        }
    }

    #[test]
    fn other_shapes_are_cut_or_bordered() {
        let wide = [1, 2, 3, 4, 5, 6, 7, 8];
        assert_eq!(resized(Mode::Crop, [2, 2], [2, 4, 1], &wide), [2, 3, 6, 7]);
        let bordered = resized(Mode::Pad, [4, 4], [2, 4, 1], &wide);
        assert_eq!(bordered, [0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 0, 0]);
        let tall = resized(Mode::Pad, [4, 4], [4, 1, 1], &[1, 2, 3, 4]);
        assert_eq!(tall, [0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 4, 0, 0]);
    }
}

//! `random_flip(direction = horizontal, p = 0.5)`: mirrors an image from left to right, or with
//! `vertical` from top to bottom; `both` draws for each.
//!
//! ```text
//! a b c      c b a
//! d e f  →   f e d
//! ```
//!
//! As torchvision's `RandomHorizontalFlip(p=0.5)` and `RandomVerticalFlip(p=0.5)`; Keras's
//! `RandomFlip` is `both` by default.

use super::super::error::DataError;
use super::super::request::Arguments;
use super::frame::Frame;
use crate::base::rng::Sequence;

/// Names of the arguments, in order.
pub const ARGUMENTS: [&str; 2] = ["direction", "p"];

/// Arguments of `random_flip(…)`, read.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Flip {
    horizontal: bool,
    vertical: bool,
    p: f64,
}

impl Flip {
    /// The arguments.
    pub fn of(args: &Arguments<'_>) -> Result<Flip, DataError> {
        let direction = args.name("direction", &["horizontal", "vertical", "both"])?;
        let direction = direction.unwrap_or("horizontal");
        Ok(Flip {
            horizontal: direction != "vertical",
            vertical: direction != "horizontal",
            p: args.number("p", 0.5, 0.0..=1.0)?,
        })
    }

    /// Mirrors an image, or not.
    pub fn apply(self, frame: &mut Frame, rng: &mut Sequence) {
        if self.horizontal && rng.unit() < self.p {
            left_to_right(frame);
        }
        if self.vertical && rng.unit() < self.p {
            top_to_bottom(frame);
        }
    }
}

fn left_to_right(frame: &mut Frame) {
    let size = frame.size;
    for row in frame.pixels.chunks_exact_mut(size.row()) {
        match size.channels {
            1 => row.reverse(),
            3 => row.as_chunks_mut::<3>().0.reverse(),
            channels => {
                for left in 0..size.width / 2 {
                    let (head, tail) = row.split_at_mut((size.width - 1 - left) * channels);
                    head[left * channels..][..channels].swap_with_slice(&mut tail[..channels]);
                }
            }
        }
    }
}

fn top_to_bottom(frame: &mut Frame) {
    let size = frame.size;
    for top in 0..size.height / 2 {
        let (head, tail) = frame.pixels.split_at_mut((size.height - 1 - top) * size.row());
        head[top * size.row()..][..size.row()].swap_with_slice(&mut tail[..size.row()]);
    }
}

#[cfg(test)]
mod tests {
    use super::super::frame::frame;
    use super::*;

    fn flipped(shape: [usize; 3], pixels: &[u8], horizontal: bool, vertical: bool) -> Vec<u8> {
        let mut frame = frame(shape, pixels);
        Flip { horizontal, vertical, p: 1.0 }.apply(&mut frame, &mut Sequence::new(0, 0));
        frame.pixels
    }

    #[test]
    fn pixels_of_any_number_of_channels_change_places() {
        let grey = [1, 2, 3, 4, 5, 6];
        assert_eq!(flipped([2, 3, 1], &grey, true, false), [3, 2, 1, 6, 5, 4]);
        assert_eq!(flipped([3, 2, 1], &grey, false, true), [5, 6, 3, 4, 1, 2]);
        assert_eq!(flipped([2, 3, 1], &grey, true, true), [6, 5, 4, 3, 2, 1]);
        let colour: Vec<u8> = (0..9).collect();
        assert_eq!(flipped([1, 3, 3], &colour, true, false), [6, 7, 8, 3, 4, 5, 0, 1, 2]);
        let two: Vec<u8> = (0..6).collect();
        assert_eq!(flipped([1, 3, 2], &two, true, false), [4, 5, 2, 3, 0, 1]);
    }

    #[test]
    fn p_says_how_often() {
        let flip = Flip { horizontal: true, vertical: false, p: 0.25 };
        let times = (0..1000).filter(|&sample| {
            let mut frame = frame([1, 2, 1], &[0, 1]);
            flip.apply(&mut frame, &mut Sequence::new(3, sample));
            frame.pixels == [1, 0]
        });
        let times = times.count();
        assert!((200..300).contains(&times), "{times} of 1000");
    }
}

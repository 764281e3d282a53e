//! `random_erase(p = 0.5, scale = [0.02, 0.33], ratio = [0.3, 3.3], value = 0)`: overwrites a
//! rectangle of an image with a byte, or with `value: random` with random bytes.
//!
//! As torchvision's `RandomErasing` (Zhong et al., "Random Erasing Data Augmentation", 2017): the
//! rectangle's part of the image is uniform in `scale`, its height over its width log-uniform in
//! `ratio`; after ten that do not fit the image is left as it is.

use super::super::error::DataError;
use super::super::request::{Arguments, Literal};
use super::frame::Frame;
use crate::base::rng::Sequence;

/// Names of the arguments, in order.
pub const ARGUMENTS: [&str; 4] = ["p", "scale", "ratio", "value"];

/// Arguments of `random_erase(…)`, read.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Erase {
    p: f64,
    scale: [f64; 2],
    ratio: [f64; 2],
    /// The byte, or random ones.
    value: Option<u8>,
}

impl Erase {
    /// The arguments.
    pub fn of(args: &Arguments<'_>) -> Result<Erase, DataError> {
        let value = match args.get("value") {
            None => Some(0),
            Some(&Literal::Int(value @ 0..=255)) => Some(value as u8),
            Some(Literal::Name(word)) if word == "random" => None,
            Some(_) => return Err(args.wrong("value", "an int from 0 to 255 or `random`")),
        };
        let same = |value| [value; 2];
        Ok(Erase {
            p: args.number("p", 0.5, 0.0..=1.0)?,
            scale: args.bounds("scale", [0.02, 0.33], 0.0..=1.0, same)?,
            ratio: args.bounds("ratio", [0.3, 3.3], 0.01..=100.0, same)?,
            value,
        })
    }

    /// Overwrites a rectangle, or does not.
    pub fn apply(&self, frame: &mut Frame, rng: &mut Sequence) {
        const TRIES: usize = 10;
        if rng.unit() >= self.p {
            return;
        }
        let size = frame.size;
        for _ in 0..TRIES {
            let [height, width] = self.rectangle(size.height * size.width, rng);
            if height < size.height && width < size.width && height * width > 0 {
                let top = rng.below((size.height - height + 1) as u32) as usize;
                let left = rng.below((size.width - width + 1) as u32) as usize;
                self.erase(frame, [top, left], [height, width], rng);
                return;
            }
        }
    }

    /// Height and width of a rectangle of an image of so many pixels.
    fn rectangle(&self, pixels: usize, rng: &mut Sequence) -> [usize; 2] {
        let between = |rng: &mut Sequence, [low, high]: [f64; 2]| low + (high - low) * rng.unit();
        let area = pixels as f64 * between(rng, self.scale);
        let ratio = libm::exp(between(rng, self.ratio.map(libm::log)));
        [(area * ratio).sqrt(), (area / ratio).sqrt()].map(|side| side.round() as usize)
    }

    fn erase(
        &self,
        frame: &mut Frame,
        [top, left]: [usize; 2],
        [height, width]: [usize; 2],
        rng: &mut Sequence,
    ) {
        let size = frame.size;
        for row in frame.pixels.chunks_exact_mut(size.row()).skip(top).take(height) {
            let part = &mut row[left * size.channels..][..width * size.channels];
            match self.value {
                Some(value) => part.fill(value),
                None => part.chunks_mut(4).for_each(|bytes| {
                    bytes.copy_from_slice(&rng.word().to_le_bytes()[..bytes.len()]);
                }),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::frame::frame;
    use super::*;

    const ALWAYS: Erase = Erase { p: 1.0, scale: [0.25, 0.25], ratio: [1.0, 1.0], value: Some(9) };

    #[test]
    fn a_rectangle_of_the_area_and_shape_is_overwritten() {
        // A quarter of 8×4 pixels, four times as high as wide, is about 6×1.
        let tall = Erase { ratio: [4.0, 4.0], ..ALWAYS };
        let mut frame = frame([8, 4, 2], &[1; 64]);
        tall.apply(&mut frame, &mut Sequence::new(0, 1));
        assert_eq!(frame.pixels.iter().filter(|&&byte| byte == 9).count(), 6 * 2);
        let rows = frame.pixels.chunks(8).filter(|row| row.contains(&9));
        let places: Vec<_> = rows.map(|row| row.iter().position(|&byte| byte == 9)).collect();
        assert_eq!(places.len(), 6, "one pixel of each of six rows");
        assert!(places.iter().all(|place| *place == places[0]), "in one column");
    }

    #[test]
    fn what_never_fits_or_is_not_drawn_leaves_the_image() {
        for erase in [Erase { scale: [1.0, 1.0], ..ALWAYS }, Erase { p: 0.0, ..ALWAYS }] {
            let mut frame = frame([4, 4, 1], &[1; 16]);
            erase.apply(&mut frame, &mut Sequence::new(0, 1));
            assert_eq!(frame.pixels, [1; 16]);
        }
    }

    #[test]
    fn random_bytes_differ() {
        let mut frame = frame([16, 16, 3], &[0; 768]);
        Erase { value: None, ..ALWAYS }.apply(&mut frame, &mut Sequence::new(0, 1));
        let mut bytes: Vec<u8> = frame.pixels.into_iter().filter(|&byte| byte > 0).collect();
        assert!(bytes.len() > 180, "of 192 that are erased");
        bytes.sort();
        bytes.dedup();
        assert!(bytes.len() > 100);
    }
}

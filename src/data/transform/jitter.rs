//! `color_jitter(brightness = 0, contrast = 0, saturation = 0, hue = 0)`: changes an image's
//! colours, by factors drawn from `[1 - x, 1 + x]` (not below 0), or from a list `[low, high]`;
//! the hue by a part of the circle from `[-hue, hue]`. In an order that is drawn as well.
//!
//! As torchvision's `ColorJitter` on tensors (`adjust_brightness`, …), but that bytes are rounded
//! to the nearest where torchvision cuts their fraction off:
//!
//! | | a byte `v` becomes |
//! |---|---|
//! | brightness | `f·v` |
//! | contrast | `f·v + (1 − f)·` the mean brightness of the image |
//! | saturation | `f·v + (1 − f)·` the pixel's brightness |
//! | hue | what it is with the hue of its HSV form moved by `f` |

use super::super::error::DataError;
use super::super::request::Arguments;
use super::frame::{Frame, Size};
use super::grayscale::brightness;
use crate::base::rng::Sequence;

/// Names of the arguments, in order.
pub const ARGUMENTS: [&str; 4] = ["brightness", "contrast", "saturation", "hue"];

/// Arguments of `color_jitter(…)`, read: the range of each factor, where it has one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Jitter {
    /// In the order of [`ARGUMENTS`].
    ranges: [Option<[f64; 2]>; 4],
}

impl Jitter {
    /// The arguments.
    pub fn of(args: &Arguments<'_>) -> Result<Jitter, DataError> {
        const MOST: f64 = 10.0;
        let factor = |name: &str| -> Result<Option<[f64; 2]>, DataError> {
            let around = |by: f64| [f64::max(0.0, 1.0 - by), 1.0 + by];
            let range = args.bounds(name, [1.0; 2], 0.0..=MOST, around)?;
            Ok(Some(range).filter(|&range| range != [1.0; 2]))
        };
        let hue = args.bounds("hue", [0.0; 2], -0.5..=0.5, |by| [-by, by])?;
        let hue = Some(hue).filter(|&range| range != [0.0; 2]);
        let ranges = [factor("brightness")?, factor("contrast")?, factor("saturation")?, hue];
        if ranges == [None; 4] {
            let error = DataError::new("this `color_jitter` changes nothing");
            return Err(error.help(format!("give it {}", ARGUMENTS.join(", "))));
        }
        Ok(Jitter { ranges })
    }

    /// The same size; what is about colours needs three channels.
    pub fn fit(&self, size: Size) -> Result<Size, DataError> {
        let about_colours = self.ranges.iter().zip(ARGUMENTS).skip(2);
        for (range, name) in about_colours {
            if range.is_some() && size.channels != 3 {
                let (found, channels) =
                    (size.channels, if size.channels == 1 { "channel" } else { "channels" });
                let message =
                    format!("`{name}` needs images of 3 channels, these have {found} {channels}");
                return Err(DataError::new(message).argument(name));
            }
        }
        if size.channels != 3 && size.channels != 1 && self.ranges[1].is_some() {
            let message = format!("`contrast` needs 1 or 3 channels, not {}", size.channels);
            return Err(DataError::new(message).argument("contrast"));
        }
        Ok(size)
    }

    /// Changes the colours.
    pub fn apply(&self, frame: &mut Frame, rng: &mut Sequence) {
        let mut order = [0, 1, 2, 3];
        rng.shuffle(&mut order);
        for which in order {
            let Some([low, high]) = self.ranges[which] else { continue };
            let factor = low + (high - low) * rng.unit();
            match which {
                0 => map_bytes(frame, |byte| factor * byte),
                1 => {
                    let mean = mean_brightness(frame);
                    map_bytes(frame, |byte| factor * byte + (1.0 - factor) * mean);
                }
                2 => saturate(frame, factor),
                _ => turn_hue(frame, factor),
            }
        }
    }
}

/// Maps every byte by a function of it alone.
fn map_bytes(frame: &mut Frame, map: impl Fn(f64) -> f64) {
    let table: [u8; 256] = std::array::from_fn(|byte| map(byte as f64).round() as u8);
    frame.pixels.iter_mut().for_each(|byte| *byte = table[usize::from(*byte)]);
}

/// The mean brightness of an image of one or three channels.
fn mean_brightness(frame: &Frame) -> f64 {
    let sum: u64 = match frame.size.channels {
        3 => frame.pixels.as_chunks().0.iter().map(|&colour| u64::from(brightness(colour))).sum(),
        _ => frame.pixels.iter().map(|&byte| u64::from(byte)).sum(),
    };
    sum as f64 / (frame.size.height * frame.size.width) as f64
}

fn saturate(frame: &mut Frame, factor: f64) {
    const ONE: i32 = 1 << 16;
    let factor = (factor * f64::from(ONE)).round() as i32;
    for colour in frame.pixels.as_chunks_mut().0 {
        let grey = (ONE - factor) * i32::from(brightness(*colour)) + ONE / 2;
        *colour = colour.map(|byte| ((factor * i32::from(byte) + grey) >> 16).clamp(0, 255) as u8);
    }
}

fn turn_hue(frame: &mut Frame, by: f64) {
    let by = by as f32 * 6.0;
    for colour in frame.pixels.as_chunks_mut().0 {
        *colour = with_hue(*colour, by);
    }
}

/// A colour whose hue is moved by a number of sixths of the circle, by its hexcone (Smith, "Color
/// gamut transform pairs", SIGGRAPH 1978).
fn with_hue(colour: [u8; 3], by: f32) -> [u8; 3] {
    let [r, g, b] = colour.map(f32::from);
    let (most, least) = (r.max(g).max(b), r.min(g).min(b));
    let range = most - least;
    if range == 0.0 {
        return colour;
    }
    let hue = if most == r {
        (g - b) / range
    } else if most == g {
        2.0 + (b - r) / range
    } else {
        4.0 + (r - g) / range
    };
    // In [0, 6): |hue + by| is below 9.
    let hue = match hue + by {
        hue if hue < 0.0 => hue + 6.0,
        hue if hue >= 6.0 => hue - 6.0,
        hue => hue,
    };
    // A channel is full for two sixths on either side of its own, and falls over the next one.
    let channel = |own: f32| {
        let apart = (hue - own).abs();
        let apart = apart.min(6.0 - apart);
        least + range * (2.0 - apart).clamp(0.0, 1.0)
    };
    [channel(0.0), channel(2.0), channel(4.0)].map(|value| (value + 0.5) as u8)
}

#[cfg(test)]
mod tests {
    use super::super::frame::frame;
    use super::*;

    fn with(which: usize, factor: f64, shape: [usize; 3], pixels: &[u8]) -> Vec<u8> {
        let mut jitter = Jitter { ranges: [None; 4] };
        jitter.ranges[which] = Some([factor; 2]);
        let mut frame = frame(shape, pixels);
        jitter.apply(&mut frame, &mut Sequence::new(0, 0));
        frame.pixels
    }

    #[test]
    fn factors_do_what_the_formulas_say() {
        let grey = [0, 100, 200, 60];
        assert_eq!(with(0, 1.5, [2, 2, 1], &grey), [0, 150, 255, 90]);
        // The mean is 90.
        assert_eq!(with(1, 0.5, [2, 2, 1], &grey), [45, 95, 145, 75]);
        assert_eq!(with(1, 2.0, [2, 2, 1], &grey), [0, 110, 255, 30]);
        // Brightness 19595·200 + 38470·100 + 7471·50 → 124.
        let colour = [200, 100, 50];
        assert_eq!(with(2, 0.0, [1, 1, 3], &colour), [124; 3]);
        assert_eq!(with(2, 1.0, [1, 1, 3], &colour), colour);
        assert_eq!(with(2, 2.0, [1, 1, 3], &colour), [255, 76, 0]);
    }

    #[test]
    fn hues_go_around_the_circle() {
        let third = 1.0 / 3.0;
        assert_eq!(with(3, third, [1, 1, 3], &[200, 100, 50]), [50, 200, 100]);
        assert_eq!(with(3, -third, [1, 1, 3], &[200, 100, 50]), [100, 50, 200]);
        assert_eq!(with(3, 0.5, [1, 2, 3], &[255, 0, 0, 9, 9, 9]), [0, 255, 255, 9, 9, 9]);
        for colour in [[200, 100, 50], [3, 250, 77], [0, 0, 1], [255, 254, 255]] {
            assert_eq!(with_hue(colour, 0.0), colour);
        }
    }

    #[test]
    fn arguments_are_ranges() {
        use crate::data::request::{Argument, Literal};
        let of = |name: &str, value| {
            let args = [Argument::named(name, value)];
            Jitter::of(&Arguments::of("color_jitter", &args, &ARGUMENTS).unwrap())
        };
        let size = Size { height: 1, width: 1, channels: 1 };
        let bright = of("brightness", Literal::Float(1.5)).unwrap();
        assert_eq!(bright.ranges, [Some([0.0, 2.5]), None, None, None]);
        assert_eq!(bright.fit(size), Ok(size));
        let hue = of("hue", Literal::List(vec![Literal::Float(-0.1), Literal::Float(0.2)]));
        let hue = hue.unwrap();
        assert_eq!(hue.ranges[3], Some([-0.1, 0.2]));
        assert_eq!(hue.fit(size).unwrap_err().argument.as_deref(), Some("hue"));
        assert!(of("hue", Literal::Float(0.6)).is_err());
        assert!(of("contrast", Literal::Int(0)).unwrap_err().message.contains("changes nothing"));
    }
}

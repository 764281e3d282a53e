//! `random_rotate(degrees, fill = 0)`: turns an image about its middle, by an angle drawn from
//! `[-degrees, degrees]`, or from a list `[low, high]`; positive angles turn counter-clockwise.
//!
//! As torchvision's `RandomRotation(degrees, fill=0)` with bilinear interpolation; the size stays.
//! (Keras's `RandomRotation` counts in full turns.)

use super::super::error::DataError;
use super::super::request::Arguments;
use super::fill::FillMode;
use super::frame::Frame;
use super::warp::warp;
use crate::base::rng::Sequence;

/// Names of the arguments, in order.
pub const ARGUMENTS: [&str; 2] = ["degrees", "fill"];

/// Arguments of `random_rotate(…)`, read.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rotate {
    degrees: [f64; 2],
    fill: FillMode,
}

impl Rotate {
    /// The arguments.
    pub fn of(args: &Arguments<'_>) -> Result<Rotate, DataError> {
        if args.get("degrees").is_none() {
            return Err(args.wrong("degrees", "given: such as `random_rotate(15)`"));
        }
        let degrees = args.bounds("degrees", [0.0; 2], -360.0..=360.0, |by| [-by, by])?;
        Ok(Rotate { degrees, fill: FillMode::of(args)? })
    }

    /// Whether it puts new bytes into an image.
    pub fn adds_bytes(&self) -> bool {
        self.fill.is_value()
    }

    /// Turns an image.
    pub fn apply(&self, frame: &mut Frame, rng: &mut Sequence) {
        let [low, high] = self.degrees;
        turn(frame, low + (high - low) * rng.unit(), self.fill);
    }
}

fn turn(frame: &mut Frame, degrees: f64, fill: FillMode) {
    let angle = degrees.to_radians();
    let (sine, cosine) = (libm::sin(angle), libm::cos(angle));
    // Where a pixel comes from is found by turning back; y points down.
    warp(frame, [[cosine, -sine], [sine, cosine]], fill);
}

#[cfg(test)]
mod tests {
    use super::super::frame::frame;
    use super::*;

    #[test]
    fn quarter_turns_are_exact_and_counter_clockwise() {
        let turned = |degrees| {
            let mut frame = frame([3, 3, 1], &[1, 2, 3, 4, 5, 6, 7, 8, 9]);
            turn(&mut frame, degrees, FillMode::Value(0));
            frame.pixels
        };
        assert_eq!(turned(90.0), [3, 6, 9, 2, 5, 8, 1, 4, 7]);
        assert_eq!(turned(-90.0), [7, 4, 1, 8, 5, 2, 9, 6, 3]);
        assert_eq!(turned(180.0), [9, 8, 7, 6, 5, 4, 3, 2, 1]);
        assert_eq!(turned(0.0), [1, 2, 3, 4, 5, 6, 7, 8, 9]);
    }

    #[test]
    fn corners_of_a_small_turn_are_filled() {
        let mut bright = frame([8, 8, 3], &[200; 192]);
        turn(&mut bright, 30.0, FillMode::Value(0));
        assert_eq!(bright.pixels[..3], [0; 3], "the corner");
        assert_eq!(bright.pixels[(4 * 8 + 4) * 3..][..3], [200; 3], "the middle");
        let mut edge = frame([8, 8, 3], &[200; 192]);
        turn(&mut edge, 30.0, FillMode::Edge);
        assert_eq!(edge.pixels, [200; 192]);
    }
}

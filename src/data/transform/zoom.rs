//! `random_zoom(range, fill = 0)`: enlarges or shrinks what is in an image about its middle, by a
//! factor drawn from `[1 - range, 1 + range]`, or from a list `[low, high]`; above 1 enlarges.
//!
//! As the `scale` of torchvision's `RandomAffine(scale=(low, high), fill=0)` with bilinear
//! interpolation: both sides by the same factor, the size stays. (Keras's `RandomZoom` counts the
//! other way round: there a positive factor shrinks.)

use super::super::error::DataError;
use super::super::request::Arguments;
use super::fill::FillMode;
use super::frame::Frame;
use super::warp::warp;
use crate::base::rng::Sequence;

/// Names of the arguments, in order.
pub const ARGUMENTS: [&str; 2] = ["range", "fill"];

/// Arguments of `random_zoom(…)`, read.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Zoom {
    range: [f64; 2],
    fill: FillMode,
}

impl Zoom {
    /// The arguments.
    pub fn of(args: &Arguments<'_>) -> Result<Zoom, DataError> {
        if args.get("range").is_none() {
            return Err(args.wrong("range", "given: such as `random_zoom(0.2)`"));
        }
        let range = args.bounds("range", [1.0; 2], 0.05..=20.0, |by| [1.0 - by, 1.0 + by])?;
        Ok(Zoom { range, fill: FillMode::of(args)? })
    }

    /// Whether it puts new bytes into an image.
    pub fn adds_bytes(&self) -> bool {
        self.fill.is_value() && self.range[0] < 1.0
    }

    /// Enlarges or shrinks an image.
    pub fn apply(&self, frame: &mut Frame, rng: &mut Sequence) {
        let [low, high] = self.range;
        zoom(frame, low + (high - low) * rng.unit(), self.fill);
    }
}

fn zoom(frame: &mut Frame, factor: f64, fill: FillMode) {
    warp(frame, [[1.0 / factor, 0.0], [0.0, 1.0 / factor]], fill);
}

#[cfg(test)]
mod tests {
    use super::super::frame::frame;
    use super::*;

    #[test]
    fn a_factor_above_one_enlarges() {
        let zoomed = |factor, fill| {
            let mut frame = frame([1, 4, 1], &[0, 100, 200, 40]);
            zoom(&mut frame, factor, fill);
            frame.pixels
        };
        // Places 0.75, 1.25, 1.75, 2.25 − in pixels from the left, by halves about 1.5.
        assert_eq!(zoomed(2.0, FillMode::Value(0)), [75, 125, 175, 160]);
        assert_eq!(zoomed(1.0, FillMode::Value(0)), [0, 100, 200, 40]);
        // Places −1.5, 0.5, 2.5, 4.5.
        assert_eq!(zoomed(0.5, FillMode::Value(9)), [9, 50, 120, 9]);
        assert_eq!(zoomed(0.5, FillMode::Edge), [0, 50, 120, 40]);
    }
}

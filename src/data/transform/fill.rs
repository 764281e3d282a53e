//! Pixels beyond an image's border: a byte, its outermost pixels, or its mirror image.
//!
//! For a row `a b c d` and two pixels to the left: `fill: 0` gives `0 0`, `fill: edge` gives
//! `a a`, `fill: reflect` gives `c b` (the outermost pixel is not repeated, as in torchvision's
//! `padding_mode`).

use super::super::error::DataError;
use super::super::request::{Arguments, Literal};
use super::frame::Frame;

/// The pixels beyond the border.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FillMode {
    /// A byte in every channel.
    Value(u8),
    /// The nearest pixel of the image.
    Edge,
    /// The image, mirrored at its outermost pixels.
    Reflect,
}

impl FillMode {
    /// The argument `fill`; 0 where none is given.
    pub fn of(args: &Arguments<'_>) -> Result<FillMode, DataError> {
        match args.get("fill") {
            None => Ok(FillMode::Value(0)),
            Some(&Literal::Int(value @ 0..=255)) => Ok(FillMode::Value(value as u8)),
            Some(Literal::Name(word)) if word == "edge" => Ok(FillMode::Edge),
            Some(Literal::Name(word)) if word == "reflect" => Ok(FillMode::Reflect),
            Some(_) => Err(args.wrong("fill", "an int from 0 to 255, `edge` or `reflect`")),
        }
    }

    /// The same for an image or a mask: what has no pixel of a mask is of class 0.
    pub fn of_frame(self, frame: &Frame) -> FillMode {
        match self {
            FillMode::Value(_) if frame.classes => FillMode::Value(0),
            other => other,
        }
    }

    /// Whether it puts bytes into an image that were not there.
    pub fn is_value(self) -> bool {
        matches!(self, FillMode::Value(_))
    }

    /// Which of `len` pixels stands at a place that may lie beyond them; `None`: the fill's byte.
    pub fn place(self, at: i64, len: usize) -> Option<usize> {
        let last = len as i64 - 1;
        if (0..=last).contains(&at) {
            return Some(at as usize);
        }
        match self {
            FillMode::Value(_) => None,
            FillMode::Edge => Some(at.clamp(0, last) as usize),
            FillMode::Reflect if last == 0 => Some(0),
            FillMode::Reflect => {
                let turn = at.rem_euclid(2 * last);
                Some(turn.min(2 * last - turn) as usize)
            }
        }
    }

    /// The byte, where it is one.
    pub fn byte(self) -> u8 {
        match self {
            FillMode::Value(value) => value,
            FillMode::Edge | FillMode::Reflect => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_beyond_the_border() {
        let places = |fill: FillMode| (-4..7).map(|at| fill.place(at, 3)).collect::<Vec<_>>();
        let some = |places: [usize; 11]| places.map(Some).to_vec();
        assert_eq!(places(FillMode::Edge), some([0, 0, 0, 0, 0, 1, 2, 2, 2, 2, 2]));
        assert_eq!(places(FillMode::Reflect), some([0, 1, 2, 1, 0, 1, 2, 1, 0, 1, 2]));
        assert_eq!(FillMode::Value(7).place(-1, 3), None);
        assert_eq!(FillMode::Value(7).place(2, 3), Some(2));
        assert_eq!(FillMode::Reflect.place(-5, 1), Some(0));
    }
}

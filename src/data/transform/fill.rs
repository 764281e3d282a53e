//! Pixels beyond an image's border: a byte, its outermost pixels, or its mirror image.
//!
//! For a row `a b c d` and two pixels to the left: `fill: 0` gives `0 0`, `fill: edge` gives
//! `a a`, `fill: reflect` gives `c b` (the outermost pixel is not repeated, as in torchvision's
//! `padding_mode`).

use super::super::error::DataError;
use super::super::request::{Arguments, Literal};

/// The pixels beyond the border.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fill {
    /// A byte in every channel.
    Value(u8),
    /// The nearest pixel of the image.
    Edge,
    /// The image, mirrored at its outermost pixels.
    Reflect,
}

impl Fill {
    /// The argument `fill`; 0 where none is given.
    pub fn of(args: &Arguments<'_>) -> Result<Fill, DataError> {
        match args.get("fill") {
            None => Ok(Fill::Value(0)),
            Some(&Literal::Int(value @ 0..=255)) => Ok(Fill::Value(value as u8)),
            Some(Literal::Name(word)) if word == "edge" => Ok(Fill::Edge),
            Some(Literal::Name(word)) if word == "reflect" => Ok(Fill::Reflect),
            Some(_) => Err(args.wrong("fill", "an int from 0 to 255, `edge` or `reflect`")),
        }
    }

    /// Whether it puts bytes into an image that were not there.
    pub fn is_value(self) -> bool {
        matches!(self, Fill::Value(_))
    }

    /// Which of `len` pixels stands at a place that may lie beyond them; `None`: the fill's byte.
    pub fn place(self, at: i64, len: usize) -> Option<usize> {
        let last = len as i64 - 1;
        if (0..=last).contains(&at) {
            return Some(at as usize);
        }
        match self {
            Fill::Value(_) => None,
            Fill::Edge => Some(at.clamp(0, last) as usize),
            Fill::Reflect if last == 0 => Some(0),
            Fill::Reflect => {
                let turn = at.rem_euclid(2 * last);
                Some(turn.min(2 * last - turn) as usize)
            }
        }
    }

    /// The byte, where it is one.
    pub fn byte(self) -> u8 {
        match self {
            Fill::Value(value) => value,
            Fill::Edge | Fill::Reflect => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_beyond_the_border() {
        let places = |fill: Fill| (-4..7).map(|at| fill.place(at, 3)).collect::<Vec<_>>();
        let some = |places: [usize; 11]| places.map(Some).to_vec();
        assert_eq!(places(Fill::Edge), some([0, 0, 0, 0, 0, 1, 2, 2, 2, 2, 2]));
        assert_eq!(places(Fill::Reflect), some([0, 1, 2, 1, 0, 1, 2, 1, 0, 1, 2]));
        assert_eq!(Fill::Value(7).place(-1, 3), None);
        assert_eq!(Fill::Value(7).place(2, 3), Some(2));
        assert_eq!(Fill::Reflect.place(-5, 1), Some(0));
    }
}

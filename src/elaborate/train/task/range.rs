//! Between which numbers a value surely is; the ends may be infinite. Weights have a sign, and so do
//! logarithms of probabilities: of those, products rise or fall.

use crate::base::scalar::unary::Curve;
use crate::graph::{Binary, Unary};

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct OutputRange {
    pub low: f64,
    pub high: f64,
}

impl OutputRange {
    /// Nothing is known.
    pub const ALL: OutputRange = OutputRange { low: f64::NEG_INFINITY, high: f64::INFINITY };

    /// The only number.
    pub fn point(self) -> Option<f64> {
        (self.low == self.high && self.low.is_finite()).then_some(self.low)
    }

    /// Whether it is at least 0, or at most 0.
    pub fn sign(self) -> Option<bool> {
        match (self.low >= 0.0, self.high <= 0.0) {
            (true, _) => Some(true),
            (false, true) => Some(false),
            (false, false) => None,
        }
    }

    pub fn hull(self, other: OutputRange) -> OutputRange {
        OutputRange { low: self.low.min(other.low), high: self.high.max(other.high) }
    }

    /// Of a sum over any number of such values.
    pub fn sum(self) -> OutputRange {
        let low = if self.low >= 0.0 { 0.0 } else { f64::NEG_INFINITY };
        let high = if self.high <= 0.0 { 0.0 } else { f64::INFINITY };
        OutputRange { low, high }
    }

    fn of(ends: &[f64]) -> OutputRange {
        if ends.iter().any(|end| end.is_nan()) {
            return OutputRange::ALL;
        }
        let low = ends.iter().copied().fold(f64::INFINITY, f64::min);
        let high = ends.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        OutputRange { low, high }
    }

    pub fn unary(self, unary: Unary) -> OutputRange {
        let OutputRange { low, high } = self;
        let ends = [unary.eval(low), unary.eval(high)];
        let row = unary.row();
        match row.shape {
            Curve::Waves => OutputRange { low: row.range.0, high: row.range.1 },
            Curve::Kink if low < 0.0 && high > 0.0 => {
                OutputRange::of(&[ends[0], ends[1], unary.eval(0.0)])
            }
            Curve::Kink | Curve::Rising | Curve::Falling | Curve::Steps => OutputRange::of(&ends),
        }
    }

    pub fn binary(self, binary: Binary, other: OutputRange) -> OutputRange {
        let (a, b) = (self, other);
        // Nothing times what has no bound is nothing.
        let times = |a: f64, b: f64| if a == 0.0 || b == 0.0 { 0.0 } else { a * b };
        match binary {
            Binary::Add => OutputRange::of(&[a.low + b.low, a.high + b.high]),
            Binary::Sub => OutputRange::of(&[a.low - b.high, a.high - b.low]),
            Binary::Mul => OutputRange::of(&[
                times(a.low, b.low),
                times(a.low, b.high),
                times(a.high, b.low),
                times(a.high, b.high),
            ]),
            // At its end a divisor of one sign may be 0: what it divides has no bound, and a sign.
            Binary::Div if b.low >= 0.0 => {
                a.binary(Binary::Mul, OutputRange { low: 1.0 / b.high, high: 1.0 / b.low.abs() })
            }
            Binary::Div if b.high <= 0.0 => {
                a.binary(Binary::Mul, OutputRange { low: -1.0 / b.high.abs(), high: 1.0 / b.low })
            }
            Binary::Pow if a.low >= 0.0 && b.low >= 0.0 => {
                let ends = [(a.low, b.low), (a.low, b.high), (a.high, b.low), (a.high, b.high)];
                OutputRange::of(&ends.map(|(a, b)| binary.eval(a, b)))
            }
            Binary::Pow if b.point().is_some_and(|power| power % 2.0 == 0.0) => {
                OutputRange { low: 0.0, high: f64::INFINITY }
            }
            Binary::Min => OutputRange { low: a.low.min(b.low), high: a.high.min(b.high) },
            Binary::Max => OutputRange { low: a.low.max(b.low), high: a.high.max(b.high) },
            Binary::Div | Binary::Pow => OutputRange::ALL,
            Binary::Eq
            | Binary::Ne
            | Binary::Lt
            | Binary::Le
            | Binary::Gt
            | Binary::Ge
            | Binary::And
            | Binary::Or => OutputRange { low: 0.0, high: 1.0 },
        }
    }
}

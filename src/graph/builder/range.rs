//! Between which numbers a uniform value lies, whatever the step and the hyper-parameters are.
//!
//! ```text
//! %3 = sub 1, (pow 0.9, step)        from 0.1 to 1
//! ```
//!
//! The builder asks before it multiplies by a reciprocal instead of dividing. What is not known is
//! anything at all, and so is what stands more than [`DEPTH`] operators deep: a value may have
//! more paths to it than there are nodes.

use super::Builder;
use crate::graph::op::{Binary, NodeId, Op, Unary};

/// How many operators deep is looked.
const DEPTH: usize = 8;

/// The least and the greatest that a value may be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct ValueRange {
    pub low: f64,
    pub high: f64,
}

const ANYTHING: ValueRange = ValueRange { low: f64::NEG_INFINITY, high: f64::INFINITY };

impl ValueRange {
    /// The range of these corners; anything where one is not a number.
    fn around(corners: &[f64]) -> ValueRange {
        if corners.iter().any(|corner| corner.is_nan()) {
            return ANYTHING;
        }
        let low = corners.iter().copied().fold(f64::INFINITY, f64::min);
        let high = corners.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        ValueRange { low, high }
    }
}

impl Builder {
    /// The range of an `f64` scalar.
    pub(super) fn range(&self, x: NodeId) -> ValueRange {
        self.range_within(x, DEPTH)
    }

    fn range_within(&self, x: NodeId, depth: usize) -> ValueRange {
        let Some(depth) = depth.checked_sub(1) else { return ANYTHING };
        let node = &self.graph.nodes[x];
        let of = |index: usize| self.range_within(node.args[index], depth);
        if let Op::Const(value, _) = node.op {
            return ValueRange::around(&[value]);
        }
        if node.op == Op::Step {
            return ValueRange { low: 1.0, high: 2f64.powi(53) };
        }
        if let Op::Extent(dim) = node.op {
            // No value has more elements.
            let most = dim.known().map_or(2f64.powi(34), |extent| extent as f64);
            return ValueRange { low: dim.known().map_or(1.0, |extent| extent as f64), high: most };
        }
        if let Op::Unary(function) = node.op {
            return of_unary(function, of(0));
        }
        if let Op::Binary(function) = node.op {
            return of_binary(function, of(0), of(1));
        }
        ANYTHING
    }
}

fn of_unary(function: Unary, x: ValueRange) -> ValueRange {
    match function {
        Unary::Neg | Unary::Exp | Unary::Sqrt | Unary::Floor => {
            ValueRange::around(&[function.eval(x.low), function.eval(x.high)])
        }
        _ => ANYTHING,
    }
}

/// The range of a function that is monotonic in each argument where the arguments are.
fn of_binary(function: Binary, a: ValueRange, b: ValueRange) -> ValueRange {
    let monotonic = match function {
        Binary::Add | Binary::Sub | Binary::Mul | Binary::Min | Binary::Max => true,
        Binary::Div => b.low > 0.0,
        Binary::Pow => a.low > 0.0,
        _ => false,
    };
    if !monotonic {
        return ANYTHING;
    }
    let of = |a, b| function.eval(a, b);
    ValueRange::around(&[
        of(a.low, b.low),
        of(a.low, b.high),
        of(a.high, b.low),
        of(a.high, b.high),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::tensor::DType;

    #[test]
    fn the_correction_of_a_running_mean_is_between_its_first_value_and_1() {
        let mut build = Builder::new("test");
        let (beta, one) = (build.constant(0.9, DType::F64), build.constant(1.0, DType::F64));
        let step = build.step();
        let power = build.binary(Binary::Pow, beta, step).expect("two scalars");
        let rest = build.binary(Binary::Sub, one, power).expect("two scalars");
        let range = build.range(rest);
        assert!((range.low - 0.1).abs() < 1e-12 && range.high == 1.0, "{range:?}");
    }

    #[test]
    fn what_is_not_known_or_stands_too_deep_is_anything() {
        let mut build = Builder::new("test");
        let rate = build.hyper("rate", 0.1);
        assert_eq!(build.range(rate), ANYTHING);
        let mut deep = build.step();
        for _ in 0..64 {
            deep = build.binary(Binary::Min, deep, deep).expect("two scalars");
        }
        assert_eq!(build.range(deep), ANYTHING);
        let zero = build.constant(0.0, DType::F64);
        let nan = build.binary(Binary::Mul, rate, zero).expect("two scalars");
        assert_eq!(build.range(nan), ANYTHING);
    }
}

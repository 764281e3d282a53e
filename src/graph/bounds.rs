//! How large the values of a graph of scalars can be: interval arithmetic over its nodes.
//!
//! In: a graph without shapes (an optimiser's rule), the exact values of its `f64` scalars, and
//! intervals for its inputs and states. Out: an interval for each `f32` node that holds every value
//! which any engine computes from those, or `None` where a result may be infinite or NaN, or where
//! nothing is known.
//!
//! ```text
//! g in [-2, 2], v in [0, 1]
//! %4 = 0.9 · v + 0.1 · g ^ 2       [0, 1.3]
//! %6 = g / (sqrt(%4) + 1e-8)       [-2e8, 2e8]
//! %7 = g / sqrt(%4)                None: the divisor may be 0
//! ```
//!
//! Intervals are widened by more than any engine rounds. Relations between values are not known:
//! `x / (abs(x) + 1)` is as large as `x`.

use super::op::{Binary, NodeId, Op, Unary};
use super::{Graph, InputId, StateId};
use crate::base::entity::Entity;
use crate::base::scalar::unary::Curve;
use crate::base::tensor::DType;

/// All numbers from `low` to `high`, both finite.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Interval {
    /// The least.
    pub low: f64,
    /// The largest.
    pub high: f64,
}

/// Values beyond this are held to overflow: engines may compute products in another order, and
/// pass through larger numbers than the graph says.
const LARGEST: f64 = 1e36;
/// Smaller numbers may count as 0: the least normal `f32`.
const SMALLEST: f64 = 1.2e-38;
/// By how much of itself an arithmetic result may be off: some roundings of `f32`.
const ROUNDING: f64 = 1e-6;
/// The same of an elementary function.
const FUNCTION: f64 = 1e-4;

impl Interval {
    /// One number.
    pub fn point(value: f64) -> Option<Interval> {
        Interval::new(value, value, 0.0)
    }

    /// From `-size` to `size`.
    pub fn within(size: f64) -> Option<Interval> {
        Interval::new(-size, size, 0.0)
    }

    /// The least interval that holds both.
    pub fn hull(self, other: Interval) -> Interval {
        Interval { low: self.low.min(other.low), high: self.high.max(other.high) }
    }

    /// All numbers of it times this one.
    pub fn times(self, factor: f64) -> Option<Interval> {
        self.mul(Interval::point(factor)?)
    }

    /// The sums of numbers of both.
    pub fn plus(self, other: Interval) -> Option<Interval> {
        self.add(other)
    }

    /// Widened by a part of the ends, where both are finite numbers.
    fn new(low: f64, high: f64, part: f64) -> Option<Interval> {
        let (mut low, mut high) = (low - low.abs() * part, high + high.abs() * part);
        // NaN fails this, too.
        if !(-LARGEST <= low && low <= high && high <= LARGEST) {
            return None;
        }
        if 0.0 < low && low < SMALLEST {
            low = 0.0;
        }
        if -SMALLEST < high && high < 0.0 {
            high = 0.0;
        }
        Some(Interval { low, high })
    }

    /// The least interval of these.
    fn of(values: &[f64], part: f64) -> Option<Interval> {
        // `min` and `max` drop a NaN.
        if values.iter().any(|value| value.is_nan()) {
            return None;
        }
        let low = values.iter().copied().fold(f64::INFINITY, f64::min);
        let high = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        Interval::new(low, high, part)
    }

    fn add(self, other: Interval) -> Option<Interval> {
        Interval::new(self.low + other.low, self.high + other.high, ROUNDING)
    }

    fn neg(self) -> Interval {
        Interval { low: -self.high, high: -self.low }
    }

    fn mul(self, other: Interval) -> Option<Interval> {
        let Interval { low: a, high: b } = self;
        let Interval { low: c, high: d } = other;
        Interval::of(&[a * c, a * d, b * c, b * d], ROUNDING)
    }

    fn div(self, other: Interval) -> Option<Interval> {
        let apart = other.low > SMALLEST || other.high < -SMALLEST;
        let inverse = Interval { low: 1.0 / other.high, high: 1.0 / other.low };
        if apart { self.mul(inverse) } else { None }
    }

    fn pow(self, exponent: Interval) -> Option<Interval> {
        let Interval { low: a, high: b } = self;
        let Interval { low: c, high: d } = exponent;
        if c == d && c == c.floor() && (0.0..64.0).contains(&c) {
            let (low, high) = (a.powf(c), b.powf(c));
            let through = a < 0.0 && b > 0.0 && c % 2.0 == 0.0;
            return Interval::of(&[low, high, if through { 0.0 } else { low }], FUNCTION);
        }
        let known = if c < 0.0 { a > SMALLEST } else { a >= 0.0 };
        let corners = [a.powf(c), a.powf(d), b.powf(c), b.powf(d)];
        if known { Interval::of(&corners, FUNCTION) } else { None }
    }

    fn unary(self, op: Unary) -> Option<Interval> {
        let Interval { low, high } = self;
        let row = op.row();
        if row.is_bounded() {
            return Interval::new(row.range.0, row.range.1, FUNCTION);
        }
        // An engine may take what is as near to the end of the domain for that end.
        let margin = (row.domain.abs() * FUNCTION).max(SMALLEST);
        let inside = row.domain == f64::NEG_INFINITY
            || low > row.domain + margin
            || low >= row.domain && row.is_closed();
        let part = if row.ulp == 0.0 { 0.0 } else { FUNCTION };
        let (first, last) = (op.eval(low), op.eval(high));
        let turn = if row.shape == Curve::Kink && low <= 0.0 && high >= 0.0 {
            op.eval(0.0)
        } else {
            first
        };
        if inside { Interval::of(&[first, last, turn], part) } else { None }
    }

    fn binary(self, op: Binary, other: Interval) -> Option<Interval> {
        match op {
            Binary::Add => self.add(other),
            Binary::Sub => self.add(other.neg()),
            Binary::Mul => self.mul(other),
            Binary::Div => self.div(other),
            Binary::Pow => self.pow(other),
            Binary::Min => Interval::new(self.low.min(other.low), self.high.min(other.high), 0.0),
            Binary::Max => Interval::new(self.low.max(other.low), self.high.max(other.high), 0.0),
            Binary::Eq | Binary::Ne | Binary::Lt | Binary::Le | Binary::Gt | Binary::Ge => TRUTH,
            Binary::And | Binary::Or => TRUTH,
        }
    }
}

/// A bool.
const TRUTH: Option<Interval> = Some(Interval { low: 0.0, high: 1.0 });

/// The values of a graph's `f64` scalars at a step, by node; NaN for others.
pub fn uniforms(graph: &Graph, step: u64, hypers: &[f64]) -> Vec<f64> {
    let mut values: Vec<f64> = Vec::with_capacity(graph.nodes.len());
    for node in graph.nodes.values() {
        let arg = |index: usize| values[node.args[index].index()];
        if node.ty.dtype != DType::F64 {
            values.push(f64::NAN);
            continue;
        }
        values.push(match &node.op {
            Op::Const(value, _) => *value,
            Op::Step => step as f64,
            Op::Hyper(hyper) => hypers[hyper.index()],
            Op::Unary(op) => op.eval(arg(0)),
            Op::Binary(op) => op.eval(arg(0), arg(1)),
            Op::Cast(_) | Op::StopGradient | Op::Broadcast(_) | Op::Reshape(_) => arg(0),
            // A rule has no other `f64`; what is NaN here has no bounds below.
            _ => f64::NAN,
        });
    }
    values
}

/// An `f32` number that is one of the `f64` scalars.
pub fn rounded(graph: &Graph, uniforms: &[f64], node: NodeId) -> Option<f64> {
    let node = &graph.nodes[node];
    if let Op::Const(value, DType::F32) = node.op {
        return Some(value).filter(|value| value.is_finite());
    }
    let is_cast = matches!(node.op, Op::Cast(DType::F32));
    let value = f64::from(uniforms[node.args.first()?.index()] as f32);
    (is_cast && value.is_finite()).then_some(value)
}

/// The bounds of every value, by node.
pub fn bounds(
    graph: &Graph,
    uniforms: &[f64],
    input: impl Fn(InputId) -> Option<Interval>,
    state: impl Fn(StateId) -> Option<Interval>,
) -> Vec<Option<Interval>> {
    let mut found: Vec<Option<Interval>> = Vec::with_capacity(graph.nodes.len());
    for node in graph.nodes.values() {
        let arg = |index: usize| -> Option<Interval> {
            let arg = node.args[index];
            match graph.ty(arg).dtype {
                DType::F64 => Interval::point(f64::from(uniforms[arg.index()] as f32)),
                DType::F32 | DType::I32 | DType::U8 | DType::Bool => found[arg.index()],
            }
        };
        let both = || Some((arg(0)?, arg(1)?));
        let bound = match &node.op {
            Op::Input(id) => input(*id),
            Op::State(id) => state(*id),
            Op::Const(value, _) => Interval::point(*value),
            // A square is not negative, which the product of two intervals does not know.
            Op::Binary(Binary::Mul) if node.args[0] == node.args[1] => {
                let two = Interval { low: 2.0, high: 2.0 };
                arg(0).and_then(|x| x.pow(two))
            }
            Op::Unary(op) => arg(0).and_then(|x| x.unary(*op)),
            Op::Binary(op) => both().and_then(|(a, b)| a.binary(*op, b)),
            Op::Where => Some((arg(1), arg(2))).and_then(|(a, b)| Some(a?.hull(b?))),
            Op::Cast(DType::F32 | DType::Bool) => arg(0),
            Op::StopGradient | Op::Broadcast(_) | Op::Reshape(_) => arg(0),
            // Nothing is known of the others.
            _ => None,
        };
        found.push(bound);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn interval(low: f64, high: f64) -> Interval {
        Interval { low, high }
    }

    /// Numbers of an interval, its ends among them.
    fn samples(of: Interval) -> Vec<f64> {
        let between = (0..=8).map(|part| of.low + (of.high - of.low) * f64::from(part) / 8.0);
        between.map(|x| x.clamp(of.low, of.high)).chain([of.low, of.high]).collect()
    }

    #[test]
    fn results_of_numbers_lie_in_the_results_of_their_intervals() {
        let ends = [-1e30, -7.5, -1.0, -1e-30, 0.0, 1e-39, 0.3, 1.0, 2.0, 64.5, 1e18, 3e35];
        let all: Vec<Interval> = ends
            .iter()
            .flat_map(|&a| ends.iter().filter(move |&&b| a <= b).map(move |&b| interval(a, b)))
            .collect();
        for &a in &all {
            for &op in Unary::ALL {
                let Some(bound) = a.unary(op) else { continue };
                for x in samples(a) {
                    let y = op.eval(x);
                    assert!(bound.low <= y && y <= bound.high, "{op:?} {x}: {y} not in {bound:?}");
                }
            }
            for &b in &all {
                for &op in Binary::ALL {
                    let Some(bound) = a.binary(op, b) else { continue };
                    for (x, y) in samples(a).into_iter().zip(samples(b).into_iter().rev()) {
                        let z = op.eval(x, y);
                        let inside = bound.low <= z && z <= bound.high;
                        assert!(inside, "{op:?} {x} {y}: {z} not in {bound:?}");
                    }
                }
            }
        }
    }

    #[test]
    fn what_may_be_infinite_or_no_number_has_no_bounds() {
        let around = interval(-1.0, 1.0);
        assert_eq!(around.unary(Unary::Sqrt), None);
        assert_eq!(around.unary(Unary::Log), None);
        assert_eq!(interval(0.0, 1.0).unary(Unary::Rsqrt), None);
        assert_eq!(around.binary(Binary::Div, interval(0.0, 1.0)), None);
        // A denormal divisor may count as 0.
        assert_eq!(around.binary(Binary::Div, interval(1e-40, 1.0)), None);
        assert_eq!(interval(0.0, 100.0).unary(Unary::Exp), None);
        assert_eq!(interval(1e30, 1e30).binary(Binary::Mul, interval(1e8, 1e8)), None);
        assert!(interval(0.0, 1.0).unary(Unary::Sqrt).is_some());
    }
}

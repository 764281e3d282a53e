//! Conditions on schedules that can be checked only when the length of a run is known.
//!
//! ```text
//! lr: cosine(1e-3, warmup: 500)          WarmUp { steps: 500 }
//! momentum: linear(0.5, to: 1.5)         Driven { must: "from 0 to 1", … }
//! ```

use crate::base::source::Span;
use crate::graph::NodeId;

/// Steps that a schedule takes to its full value.
#[derive(Clone, Debug, PartialEq)]
pub struct WarmUp {
    /// How many.
    pub steps: u64,
    /// The place of the number.
    pub span: Span,
}

/// One end of a range of numbers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct End<T> {
    /// Where it is.
    pub at: T,
    /// Whether it is among them.
    pub included: bool,
}

/// The numbers between two ends, where there are any.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Between<T> {
    /// The least.
    pub low: Option<End<T>>,
    /// The largest.
    pub high: Option<End<T>>,
}

/// An argument that a schedule drives, and the numbers that it takes.
#[derive(Clone, Debug, PartialEq)]
pub struct Driven {
    /// The argument in words: `` `momentum` of `sgd` ``.
    pub argument: String,
    /// Its condition: `from 0 to 1`.
    pub must: String,
    /// Its value at a step, an `f64` scalar of the graph that it was elaborated into.
    pub node: NodeId,
    /// The place of the argument.
    pub span: Span,
    /// The numbers that it takes.
    pub range: Between<f64>,
}

impl Driven {
    /// Whether a number is one that the argument takes, as far as 32 bits tell.
    pub fn takes(&self, number: f32) -> bool {
        let Between { low, high } = self.range;
        let inside = |end: End<f64>, a: f32, b: f32| a > b || (end.included && a == b);
        number.is_finite()
            && low.is_none_or(|end| inside(end, number, end.at as f32))
            && high.is_none_or(|end| inside(end, end.at as f32, number))
    }
}

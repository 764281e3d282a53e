//! Sums of what a loss makes of the output's numbers, in a normal form.
//!
//! ```text
//! log_softmax(x)                           X − Total
//! max(x, 0) + log1p(exp(-abs(x)))          Relu + Tail
//! -log(sigmoid(x))                         Relu + Tail − X
//! ```
//!
//! So a loss is known by what it computes, however it is written.

use crate::graph::NodeId;
use std::collections::BTreeMap;

/// A part of a sum.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Atom {
    /// 1.
    One,
    /// The output's number.
    X,
    /// The number, held within constant bounds.
    Held,
    /// The number's logarithm; it may be held above 0 or shifted by a little.
    Log,
    /// The logarithm of 1 less the number.
    LogNot,
    /// `max(x, 0)`.
    Relu,
    /// `log1p(exp(-abs(x)))`.
    Tail,
    /// `log(sum(exp(scale · x)))` over the row; the scale's bits.
    Total(u64),
    /// A value of the row.
    Row(NodeId),
    /// A value of its own for each number.
    Own(NodeId),
}

/// A sum of atoms, each with its factor. A factor of 0 stays: the atom was looked at.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct AtomSum(BTreeMap<Atom, f64>);

impl AtomSum {
    pub fn of(parts: &[(Atom, f64)]) -> AtomSum {
        AtomSum(parts.iter().copied().collect())
    }

    pub fn get(&self, atom: Atom) -> f64 {
        self.0.get(&atom).copied().unwrap_or(0.0)
    }

    pub fn has(&self, atom: Atom) -> bool {
        self.0.contains_key(&atom)
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn plus(&self, other: &AtomSum) -> AtomSum {
        let mut sum = self.clone();
        for (&atom, &factor) in &other.0 {
            *sum.0.entry(atom).or_insert(0.0) += factor;
        }
        sum
    }

    pub fn times(&self, factor: f64) -> AtomSum {
        AtomSum(self.0.iter().map(|(&atom, &known)| (atom, known * factor)).collect())
    }

    /// Whether all atoms but those with a factor of 0 satisfy a test.
    pub fn all(&self, test: impl Fn(Atom) -> bool) -> bool {
        self.0.iter().all(|(&atom, &factor)| close(factor, 0.0) || test(atom))
    }

    /// The atoms that satisfy a test.
    pub fn only(&self, test: impl Fn(Atom) -> bool) -> AtomSum {
        AtomSum(self.0.iter().filter(|(atom, _)| test(**atom)).map(|(&a, &f)| (a, f)).collect())
    }

    /// The same value for all numbers of a row.
    pub fn is_of_row(&self) -> bool {
        self.all(|atom| matches!(atom, Atom::One | Atom::Total(_) | Atom::Row(_)))
    }

    /// The logarithms of sums of exponentials in it: the scale and the factor of each.
    pub fn totals(&self) -> Vec<(f64, f64)> {
        let of = |(atom, factor): (&Atom, &f64)| match atom {
            Atom::Total(bits) => Some((f64::from_bits(*bits), *factor)),
            _ => None,
        };
        self.0.iter().filter_map(of).collect()
    }

    /// The factor and the constant, where it is `factor · x + constant`.
    pub fn affine(&self) -> Option<(f64, f64)> {
        let known = self.all(|atom| matches!(atom, Atom::One | Atom::X));
        known.then(|| (self.get(Atom::X), self.get(Atom::One)))
    }

    /// Whether it is a logarithm of a softmax's value, and so at most 0, times a factor.
    pub fn log_softmax(&self) -> Option<f64> {
        let scale = self.get(Atom::X);
        let total = Atom::Total(1f64.to_bits());
        let known = self.all(|atom| atom == Atom::X || atom == total);
        (known && self.has(total) && close(self.get(total), -scale)).then_some(scale)
    }
}

/// Equal up to what constants of the graph are rounded by.
pub(super) fn close(a: f64, b: f64) -> bool {
    (a - b).abs() <= 1e-5 * a.abs().max(b.abs()).max(1e-3)
}

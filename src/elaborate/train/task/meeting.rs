//! The place where a loss meets the target: the task of a normal form, and whether less of it is
//! a better fit.
//!
//! ```text
//! Total − target · X                   class: logits
//! −target · X                          class: logarithms of probabilities
//! Relu + Tail − target · X             yes or no: sigmoids
//! (X − target)²                        numbers
//! target · X, target · Relu(X), …      nothing is said
//! ```

use super::form::{Atom, AtomSum, close};
use crate::base::task::Scale;

/// How the target chooses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum By {
    /// A class of each row: by its index, or as a number of 0 or 1 for each.
    Class,
    /// A number in the place of each of the output's.
    Number,
}

/// The task that a meeting sets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum About {
    Class(Scale),
    Labels(Scale),
    Numbers,
}

impl About {
    /// Of a value that is made of two.
    pub fn with(self, other: About) -> Option<About> {
        match (self, other) {
            (About::Class(a), About::Class(b)) if a != b => Some(About::Class(Scale::Scores)),
            (a, b) => (a == b).then_some(a),
        }
    }
}

/// The task of `plain + target · chosen`, and whether it falls as the fit gets better. `linear`:
/// nothing but sums and positive factors is between it and the loss.
pub(super) fn settle(
    plain: &AtomSum,
    chosen: &AtomSum,
    by: By,
    linear: bool,
) -> Option<(About, bool)> {
    if let Some((scale, falls)) = yes_or_no(plain, chosen) {
        let about = match by {
            By::Class => About::Class(scale),
            By::Number => About::Labels(scale),
        };
        return Some((about, falls));
    }
    match by {
        By::Class => class(plain, chosen, linear),
        By::Number => None,
    }
}

fn class(plain: &AtomSum, chosen: &AtomSum, linear: bool) -> Option<(About, bool)> {
    let known = |atom| matches!(atom, Atom::X | Atom::One | Atom::Total(_) | Atom::Row(_));
    for (atom, scale) in [(Atom::Log, Scale::Probabilities), (Atom::Held, Scale::Scores)] {
        if chosen.has(atom) && chosen.all(|it| it == atom || it == Atom::One) {
            return Some((About::Class(scale), chosen.get(atom) <= 0.0));
        }
    }
    if !chosen.has(Atom::X) || !chosen.all(known) {
        return None;
    }
    let factor = chosen.get(Atom::X);
    let (inner, all) = (chosen.totals(), chosen.plus(plain).totals());
    let matched = |totals: &[(f64, f64)]| match totals {
        [(scale, total)] => close(total * scale, -factor).then_some(*scale),
        _ => None,
    };
    let scale = if all.is_empty() {
        let alone = chosen.all(|it| it == Atom::X) && plain.all(|it| it == Atom::One);
        if linear && alone { Scale::LogProbabilities } else { Scale::Scores }
    } else {
        // A softmax of `scale · x` has the same order, but other probabilities.
        let scale = matched(&inner).or_else(|| matched(&all))?;
        if close(scale, 1.0) { Scale::Logits } else { Scale::Scores }
    };
    Some((About::Class(scale), factor <= 0.0))
}

/// The cross-entropy of a number's sigmoid, or of a probability.
fn yes_or_no(plain: &AtomSum, chosen: &AtomSum) -> Option<(Scale, bool)> {
    let rest = |atom| matches!(atom, Atom::One | Atom::Row(_) | Atom::Own(_));
    let (yes, no) = (-chosen.get(Atom::X), plain.get(Atom::Relu));
    let logits = plain.all(|it| rest(it) || matches!(it, Atom::Relu | Atom::Tail))
        && chosen.all(|it| it == Atom::X)
        && close(no, yes)
        && close(plain.get(Atom::Tail), yes);
    if logits && !close(yes, 0.0) {
        return Some((Scale::Sigmoids, yes > 0.0));
    }
    let yes = -chosen.get(Atom::Log);
    let sure = plain.all(|it| rest(it) || it == Atom::LogNot)
        && chosen.all(|it| matches!(it, Atom::Log | Atom::LogNot))
        && close(chosen.get(Atom::LogNot), yes)
        && close(plain.get(Atom::LogNot), -yes);
    (sure && !close(yes, 0.0)).then_some((Scale::Probabilities, yes > 0.0))
}

//! Sums of two values: parts of the output and of what the target chooses, differences of the two,
//! losses with a penalty.
//!
//! ```text
//! output + (−1 · target)             Difference { scale: 1, about: Numbers }
//! Relu + Tail, and −target · X       Sum { plain: Relu + Tail, chosen: −X, by: Number }
//! a settled loss + sum(weights²)     the loss
//! ```

use super::form::close;
use super::meeting::About;
use super::value::{EPSILON, ElementPlace, Kind, TracedValue, settled};
use super::walk::TaskWalk;
use crate::base::task::Scale;
use crate::graph::NodeId;

impl TaskWalk<'_> {
    pub fn plus(
        &self,
        id: NodeId,
        a: &TracedValue,
        b: &TracedValue,
        place: ElementPlace,
    ) -> Option<Kind> {
        for (a, b) in [(a, b), (b, a)] {
            if let Some(kind) = self.plus_ordered(id, a, b, place) {
                return Some(kind);
            }
        }
        let (plain, chosen, by) = self.as_sum(id, a)?;
        let (plain_b, chosen_b, by_b) = self.as_sum(id, b)?;
        if !(a.of_target() || b.of_target()) {
            return (a.of_output() || b.of_output()).then(|| Kind::Out(plain.plus(&plain_b)));
        }
        let by = match (by, by_b) {
            (Some(a), Some(b)) if a != b => return None,
            (a, b) => a.or(b),
        };
        (a.of_output() || b.of_output()).then(|| Kind::Sum {
            plain: plain.plus(&plain_b),
            chosen: chosen.plus(&chosen_b),
            by,
        })
    }

    pub fn plus_ordered(
        &self,
        id: NodeId,
        a: &TracedValue,
        b: &TracedValue,
        place: ElementPlace,
    ) -> Option<Kind> {
        match (&a.kind, &b.kind) {
            (kind, Kind::Free) if b.constant() == Some(0.0) => Some(kind.clone()),
            (&Kind::Target { scale, shift }, Kind::Free) => {
                let shift = shift + b.constant()?;
                Some(Kind::Target { scale, shift })
            }
            (&Kind::OneHot { scale, shift }, Kind::Free) => {
                let shift = shift + b.constant()?;
                Some(Kind::OneHot { scale, shift })
            }
            (Kind::Sigmoid { .. }, Kind::Free) => {
                let small = b.constant().is_some_and(|it| (0.0..=EPSILON).contains(&it));
                small.then(|| a.kind.clone())
            }
            (Kind::Out(form), &Kind::Target { scale, shift }) => {
                let (factor, constant) = form.affine()?;
                let alike = close(factor, -scale) && close(constant, -shift) && factor != 0.0;
                let met = alike && self.in_place(id, place);
                met.then_some(Kind::Difference { scale: factor, about: About::Numbers })
            }
            (Kind::Out(form), &Kind::OneHot { scale, .. }) => {
                let (factor, _) = form.affine()?;
                let about = About::Class(Scale::Scores);
                (place == ElementPlace::Rows && factor * scale < 0.0)
                    .then_some(Kind::Difference { scale: factor, about })
            }
            (Kind::Exp(form), &Kind::OneHot { scale: -1.0, shift: 0.0 }) => {
                let about = About::Class(Scale::Logits);
                (place == ElementPlace::Rows && form.log_softmax() == Some(1.0))
                    .then_some(Kind::Difference { scale: 1.0, about })
            }
            (
                &Kind::Settled { about, falls },
                &Kind::Settled { about: other, falls: falls_too },
            ) => {
                let about = about.with(other).filter(|_| falls == falls_too)?;
                Some(Kind::Settled { about, falls })
            }
            (&Kind::Settled { .. }, Kind::Sum { by: Some(_), .. }) => {
                self.plus_ordered(id, a, &settled(b.clone(), false), place)
            }
            (Kind::Settled { .. }, Kind::Difference { .. } | Kind::Unknown | Kind::Largest) => None,
            // What else the loss asks of the output does not say what it is.
            (Kind::Settled { .. }, _) => Some(a.kind.clone()),
            _ => None,
        }
    }
}

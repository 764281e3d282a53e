//! Functions of two values, and a choice between two: where the output meets the target.
//!
//! ```text
//! log_softmax · one_hot(target)      Sum: chosen by class
//! (output − target) · (output − target)   Settled: numbers
//! max(output, 0)                     Relu
//! ```

use super::form::{Atom, AtomSum, close};
use super::meeting::By;
use super::range::OutputRange;
use super::value::{ElementPlace, Kind, TracedValue, chosen, is_bare, rising, scaled, settled};
use super::walk::TaskWalk;
use crate::graph::{Binary, NodeId, Op, Unary};

impl TaskWalk<'_> {
    pub fn binary(&self, id: NodeId, binary: Binary, place: ElementPlace) -> Option<Kind> {
        let args = &self.graph.nodes[id].args;
        let (a, b) = (self.value(args[0]), self.value(args[1]));
        match binary {
            Binary::Add => self.plus(id, a, b, place),
            Binary::Sub => {
                if let (&Kind::Sigmoid { negative }, Some(1.0)) = (&b.kind, a.constant()) {
                    return Some(Kind::Sigmoid { negative: !negative });
                }
                let kind = match scaled(&b.kind, -1.0) {
                    Some(kind) => kind,
                    None if b.of_target() || b.of_output() => return None,
                    None => Kind::Free,
                };
                let range = b.range.unary(Unary::Neg);
                self.plus(id, a, &TracedValue { kind, range, place: b.place }, place)
            }
            Binary::Mul => self.product(id, args[0] == args[1], a, b, place),
            Binary::Div => match (&a.kind, &b.kind) {
                (Kind::Exp(a), Kind::Exp(b)) => Some(Kind::Exp(a.plus(&b.times(-1.0)))),
                _ if b.of_output() => None,
                _ => {
                    let one = OutputRange { low: 1.0, high: 1.0 };
                    let range = one.binary(Binary::Div, b.range);
                    let kind = if b.of_target() { Kind::OfTarget } else { Kind::Free };
                    self.product(id, false, a, &TracedValue { kind, range, place: b.place }, place)
                }
            },
            Binary::Pow => match (&a.kind, b.constant()?) {
                (&Kind::Difference { about, .. }, power) if power > 0.0 && power % 2.0 == 0.0 => {
                    Some(Kind::Settled { about, falls: true })
                }
                (_, power) if power >= 0.0 && a.range.low >= 0.0 => rising(a),
                _ => None,
            },
            Binary::Min | Binary::Max => bounded(binary, a, b),
            Binary::Eq => {
                let of = |counts: &TracedValue, label: &TracedValue| {
                    counts.kind == Kind::Counts && is_bare(&label.kind)
                };
                (of(a, b) || of(b, a)).then_some(Kind::OneHot { scale: 1.0, shift: 0.0 })
            }
            // Of 0 and 1, what is more than 0 is 1.
            Binary::Gt => match (&a.kind, b.constant()) {
                (Kind::OneHot { scale, shift: 0.0 }, Some(0.0)) if *scale > 0.0 => {
                    Some(Kind::OneHot { scale: 1.0, shift: 0.0 })
                }
                _ => None,
            },
            Binary::Ne | Binary::Lt | Binary::Le | Binary::Ge | Binary::And | Binary::Or => None,
        }
    }

    fn product(
        &self,
        id: NodeId,
        same: bool,
        a: &TracedValue,
        b: &TracedValue,
        place: ElementPlace,
    ) -> Option<Kind> {
        if let (Kind::Exp(a), Kind::Exp(b)) = (&a.kind, &b.kind) {
            return Some(Kind::Exp(a.plus(b)));
        }
        if let (
            &Kind::Difference { scale, about },
            &Kind::Difference { scale: other, about: about_too },
        ) = (&a.kind, &b.kind)
        {
            return (about == about_too)
                .then_some(Kind::Settled { about, falls: scale * other > 0.0 });
        }
        if let (&Kind::Settled { .. }, true) = (&a.kind, same) {
            let squared = TracedValue { range: a.range.unary(Unary::Abs), ..a.clone() };
            return match a.range.sign()? {
                true => rising(&squared),
                false => rising(&squared).and_then(|kind| scaled(&kind, -1.0)),
            };
        }
        for (a, b) in [(a, b), (b, a)] {
            if let Some(kind) = self.times(id, a, b, place) {
                return Some(kind);
            }
        }
        let (a, b) = (settled(a.clone(), false), settled(b.clone(), false));
        let (Kind::Settled { about, falls }, Kind::Settled { about: other, falls: falls_too }) =
            (&a.kind, &b.kind)
        else {
            return None;
        };
        let (positive, positive_too) = (a.range.sign()?, b.range.sign()?);
        // How their sizes go.
        let (falls, falls_too) = (*falls == positive, *falls_too == positive_too);
        let about = about.with(*other).filter(|_| falls == falls_too)?;
        Some(Kind::Settled { about, falls: falls == (positive == positive_too) })
    }

    fn times(
        &self,
        id: NodeId,
        a: &TracedValue,
        b: &TracedValue,
        place: ElementPlace,
    ) -> Option<Kind> {
        if let Some(factor) = b.constant() {
            return match &a.kind {
                Kind::Counts if factor == 0.0 => Some(Kind::Free),
                kind => scaled(kind, factor),
            };
        }
        match (&b.kind, &a.kind) {
            (&Kind::Target { scale, shift }, Kind::Out(form)) => {
                self.in_place(id, place).then(|| Kind::Sum {
                    plain: form.times(shift),
                    chosen: form.times(scale),
                    by: Some(By::Number),
                })
            }
            (&Kind::OneHot { scale, shift }, kind) if place == ElementPlace::Rows => {
                chosen(kind, scale, shift)
            }
            // A weight.
            (
                Kind::Free | Kind::OfTarget,
                Kind::Sum { .. } | Kind::Settled { .. } | Kind::Difference { .. },
            ) => {
                let sign = b.range.sign()?;
                let a = settled(a.clone(), true);
                let is_settled = matches!(a.kind, Kind::Settled { .. });
                is_settled.then(|| scaled(&a.kind, if sign { 1.0 } else { -1.0 })).flatten()
            }
            _ => None,
        }
    }

    pub fn choice(&self, id: NodeId, args: &[&TracedValue], place: ElementPlace) -> Option<Kind> {
        let [condition, a, b] = args else { return None };
        if let (&Kind::OneHot { scale, shift }, Some(0.0), ElementPlace::Rows) =
            (&condition.kind, b.constant(), place)
            && a.of_output()
        {
            return chosen(&a.kind, scale, shift);
        }
        // A class in place of the one that does not count.
        if is_bare(&a.kind) && b.constant().is_some() && self.differs_from_one(id) {
            return Some(a.kind.clone());
        }
        if !(a.meets() || b.meets()) {
            return None;
        }
        let (a, b) = (settled((*a).clone(), false), settled((*b).clone(), false));
        if let (Kind::Settled { .. }, Kind::Settled { .. }) = (&a.kind, &b.kind) {
            return self.plus_ordered(id, &a, &b, place);
        }
        [(&a, &b), (&b, &a)].into_iter().find_map(|(a, b)| {
            let alone = !b.of_output();
            (matches!(a.kind, Kind::Settled { .. }) && alone).then(|| a.kind.clone())
        })
    }
}

impl TaskWalk<'_> {
    /// Whether the condition of a choice is that the target is not one certain class.
    fn differs_from_one(&self, choice: NodeId) -> bool {
        let condition = &self.graph.nodes[self.graph.nodes[choice].args[0]];
        let [a, b] = condition.args[..] else { return false };
        matches!(condition.op, Op::Binary(Binary::Ne))
            && is_bare(&self.value(a).kind)
            && self.value(b).constant().is_some()
    }
}

/// The larger or the smaller of two values.
fn bounded(binary: Binary, a: &TracedValue, b: &TracedValue) -> Option<Kind> {
    let (a, b) = if a.constant().is_some() { (b, a) } else { (a, b) };
    if let (
        &Kind::Difference { scale, about },
        &Kind::Difference { scale: other, about: about_too },
    ) = (&a.kind, &b.kind)
    {
        // A quantile's loss.
        return (binary == Binary::Max && about == about_too && scale * other <= 0.0)
            .then_some(Kind::Settled { about, falls: true });
    }
    if let (Kind::Settled { .. }, Kind::Settled { .. }) = (&a.kind, &b.kind) {
        return (a.kind == b.kind).then(|| a.kind.clone());
    }
    let bound = b.constant()?;
    let in_place = matches!(a.place, ElementPlace::Rows | ElementPlace::Full);
    let held = AtomSum::of(&[(Atom::Held, 1.0)]);
    let is_bare = |form: &AtomSum| {
        let known = form.all(|atom| matches!(atom, Atom::X | Atom::Held));
        known && close(form.get(Atom::X) + form.get(Atom::Held), 1.0)
    };
    match &a.kind {
        Kind::Out(form) if in_place && bound == 0.0 && binary == Binary::Max => {
            let (factor, constant) = form.affine().filter(|(factor, _)| *factor != 0.0)?;
            // max(-x, 0) is max(x, 0) - x.
            let below = if factor < 0.0 { -1.0 } else { 0.0 };
            let relu = AtomSum::of(&[(Atom::Relu, 1.0), (Atom::X, below)]);
            (constant == 0.0).then(|| Kind::Out(relu.times(factor.abs())))
        }
        Kind::Out(form) if in_place && is_bare(form) => Some(Kind::Out(held)),
        Kind::Sum { plain, chosen, by: Some(By::Class) }
            if is_bare(chosen) && plain.all(|_| false) =>
        {
            Some(Kind::Sum { plain: AtomSum::default(), chosen: held, by: Some(By::Class) })
        }
        Kind::Sigmoid { .. } => Some(a.kind.clone()),
        _ => rising(a),
    }
}

//! Functions of one value: the exponentials, logarithms and sigmoids of a class's loss, and what
//! rises with its argument.
//!
//! ```text
//! log(exp(x) / Total)                 x − Total
//! log1p(exp(-abs(x)))                 Tail
//! sqrt of a settled value             settled: it falls where that falls
//! ```

use super::form::{Atom, AtomSum, close};
use super::meeting::By;
use super::value::{EPSILON, ElementPlace, Kind, TracedValue, rising, scaled};
use crate::base::scalar::unary::Curve;
use crate::graph::Unary;

/// A function of a value; `None` where nothing is known of it.
pub(super) fn unary(unary: Unary, arg: &TracedValue) -> Option<Kind> {
    let in_place = matches!(arg.place, ElementPlace::Rows | ElementPlace::Full);
    match unary {
        Unary::Neg => scaled(&arg.kind, -1.0),
        Unary::Abs => size(arg, in_place),
        Unary::Exp => exponential(arg).or_else(|| rising(arg)),
        Unary::Log => log(arg, in_place).or_else(|| rising(arg)),
        Unary::Log1p => log1p(arg, in_place).or_else(|| rising(arg)),
        Unary::Sigmoid => sigmoid(arg, in_place).or_else(|| rising(arg)),
        function => match function.row().shape {
            Curve::Rising => rising(arg),
            Curve::Falling | Curve::Steps | Curve::Kink | Curve::Waves => None,
        },
    }
}

/// `abs(x)` is `2 · max(x, 0) − x`; of a difference, it is how far output and target are apart.
fn size(arg: &TracedValue, in_place: bool) -> Option<Kind> {
    match arg.kind {
        Kind::Out(ref form) if in_place => {
            let (factor, constant) = form.affine()?;
            let size = AtomSum::of(&[(Atom::Relu, 2.0), (Atom::X, -1.0)]);
            (constant == 0.0).then(|| Kind::Out(size.times(factor.abs())))
        }
        Kind::Difference { about, .. } => Some(Kind::Settled { about, falls: true }),
        Kind::Settled { about, falls } if arg.range.sign().is_some() => {
            Some(Kind::Settled { about, falls: falls == (arg.range.low >= 0.0) })
        }
        _ => None,
    }
}

fn exponential(arg: &TracedValue) -> Option<Kind> {
    let Kind::Out(form) = &arg.kind else { return None };
    let own = |atom| matches!(atom, Atom::Own(_) | Atom::Held);
    form.all(|atom| !own(atom)).then(|| Kind::Exp(form.clone()))
}

fn log(arg: &TracedValue, in_place: bool) -> Option<Kind> {
    match &arg.kind {
        Kind::Exp(form) => Some(Kind::Out(form.clone())),
        Kind::Out(form) if in_place => logarithm(form).map(Kind::Out),
        Kind::Sum { plain, chosen, by: Some(By::Class) } => {
            let held = |it| matches!(it, Atom::X | Atom::Held);
            let one = close(chosen.get(Atom::X) + chosen.get(Atom::Held), 1.0);
            let small = (0.0..=EPSILON).contains(&plain.get(Atom::One));
            let bare = chosen.all(held) && plain.all(|it| it == Atom::One);
            (one && small && bare && arg.place == ElementPlace::Row).then(|| Kind::Sum {
                plain: AtomSum::default(),
                chosen: AtomSum::of(&[(Atom::Log, 1.0)]),
                by: Some(By::Class),
            })
        }
        &Kind::Sigmoid { negative } => {
            let x = if negative { 0.0 } else { 1.0 };
            let parts = [(Atom::X, x), (Atom::Relu, -1.0), (Atom::Tail, -1.0)];
            Some(Kind::Out(AtomSum::of(&parts)))
        }
        _ => None,
    }
}

/// `log1p(exp(x))` is `max(x, 0)` and a tail, `log1p(exp(-abs(x)))` the tail alone.
fn log1p(arg: &TracedValue, in_place: bool) -> Option<Kind> {
    let Kind::Exp(form) = &arg.kind else { return None };
    let known = in_place && form.all(|atom| matches!(atom, Atom::X | Atom::Relu));
    let soft = |x| AtomSum::of(&[(Atom::Relu, 1.0), (Atom::Tail, 1.0), (Atom::X, x)]);
    match (form.get(Atom::X), form.get(Atom::Relu)) {
        (1.0, 0.0) if known => Some(Kind::Out(soft(0.0))),
        (-1.0, 0.0) if known => Some(Kind::Out(soft(-1.0))),
        (1.0, -2.0) if known => Some(Kind::Out(AtomSum::of(&[(Atom::Tail, 1.0)]))),
        _ => None,
    }
}

fn sigmoid(arg: &TracedValue, in_place: bool) -> Option<Kind> {
    let Kind::Out(form) = &arg.kind else { return None };
    match form.affine().filter(|_| in_place)? {
        (1.0, 0.0) => Some(Kind::Sigmoid { negative: false }),
        (-1.0, 0.0) => Some(Kind::Sigmoid { negative: true }),
        _ => None,
    }
}

/// The logarithm of a probability, or of what is left of 1.
fn logarithm(form: &AtomSum) -> Option<AtomSum> {
    if !form.all(|atom| matches!(atom, Atom::One | Atom::X | Atom::Held)) {
        return None;
    }
    let (factor, constant) = (form.get(Atom::X) + form.get(Atom::Held), form.get(Atom::One));
    let small = 0.0..=EPSILON;
    if close(factor, 1.0) && small.contains(&constant) {
        return Some(AtomSum::of(&[(Atom::Log, 1.0)]));
    }
    let no = close(factor, -1.0) && (-1e-6..=EPSILON).contains(&(constant - 1.0));
    no.then(|| AtomSum::of(&[(Atom::LogNot, 1.0)]))
}

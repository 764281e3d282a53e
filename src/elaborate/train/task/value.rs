//! The role of a value of the graph: its relation to the output and to the target, and what of it is
//! still known when it is scaled, chosen from by class, or taken through a rising function.
//!
//! ```text
//! 2 * (output - target)        Difference { scale: 2, about: Numbers }
//! −1 · that                    Difference { scale: −2, about: Numbers }
//! exp(…) of a Settled value    still Settled: it rises and falls with it
//! ```

use super::form::AtomSum;
use super::meeting::{About, By, settle};
use super::range::OutputRange;

/// A constant below this only keeps a logarithm from 0.
pub(super) const EPSILON: f64 = 1e-3;

/// The role of a value: its relation to the output and to the target.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Kind {
    /// It depends on neither.
    Free,
    /// Counts along the last axis.
    Counts,
    /// A sum over what is made of the output alone.
    Out(AtomSum),
    /// The exponential of such a sum.
    Exp(AtomSum),
    /// The sigmoid of the output's number, or of its negative.
    Sigmoid { negative: bool },
    /// Where the largest number of each row is.
    Largest,
    /// `scale · target + shift`.
    Target { scale: f64, shift: f64 },
    /// `scale · (1 at the target's class, else 0) + shift`, for each number of a row.
    OneHot { scale: f64, shift: f64 },
    /// Another value of the target alone.
    OfTarget,
    /// `plain + target · chosen`; of a class, `chosen` may be at the class already.
    Sum { plain: AtomSum, chosen: AtomSum, by: Option<By> },
    /// `scale · (output − target)`.
    Difference { scale: f64, about: About },
    /// A value that rises, or falls, with each meeting in it.
    Settled { about: About, falls: bool },
    /// Of both, in no known way.
    Unknown,
}

/// Where a value's elements lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ElementPlace {
    /// In the output's places, its last axis last.
    Rows,
    /// In the output's places.
    Full,
    /// One for each row of the output.
    Row,
    Elsewhere,
}

#[derive(Clone, Debug)]
pub(super) struct TracedValue {
    pub kind: Kind,
    pub place: ElementPlace,
    pub range: OutputRange,
}

impl TracedValue {
    pub fn meets(&self) -> bool {
        matches!(
            self.kind,
            Kind::Sum { .. } | Kind::Difference { .. } | Kind::Settled { .. } | Kind::Unknown
        )
    }

    pub fn of_output(&self) -> bool {
        self.meets()
            || matches!(
                self.kind,
                Kind::Out(_) | Kind::Exp(_) | Kind::Sigmoid { .. } | Kind::Largest
            )
    }

    pub fn of_target(&self) -> bool {
        self.meets()
            || matches!(self.kind, Kind::Target { .. } | Kind::OneHot { .. } | Kind::OfTarget)
    }

    /// The number that all its elements are.
    pub fn constant(&self) -> Option<f64> {
        match self.kind {
            Kind::Free => self.range.point(),
            _ => None,
        }
    }
}

/// Where elements lie when the last axis is gone.
pub(super) fn without_last(place: ElementPlace) -> ElementPlace {
    if place == ElementPlace::Rows { ElementPlace::Row } else { ElementPlace::Elsewhere }
}

/// Whether a value is the target itself.
pub(super) fn is_bare(kind: &Kind) -> bool {
    *kind == Kind::Target { scale: 1.0, shift: 0.0 }
}

/// A sum, read as what it is about.
pub(super) fn settled(value: TracedValue, linear: bool) -> TracedValue {
    let kind = match &value.kind {
        Kind::Sum { plain, chosen, by: Some(by) } => match settle(plain, chosen, *by, linear) {
            Some((about, falls)) => Kind::Settled { about, falls },
            None => Kind::Unknown,
        },
        kind => kind.clone(),
    };
    TracedValue { kind, ..value }
}

/// `(scale · one_hot + shift) · value`, where the value is of numbers in rows.
pub(super) fn chosen(kind: &Kind, scale: f64, shift: f64) -> Option<Kind> {
    let by = Some(By::Class);
    match kind {
        Kind::Out(form) => {
            Some(Kind::Sum { plain: form.times(shift), chosen: form.times(scale), by })
        }
        Kind::Exp(form) if scale > 0.0 && shift == 0.0 => {
            let found = settle(&AtomSum::default(), form, By::Class, false);
            found.map(|(about, falls)| Kind::Settled { about, falls })
        }
        // With a value of the target alone, which is no matter.
        Kind::Sum { plain, chosen, by: None } if chosen.is_empty() => {
            Some(Kind::Sum { plain: plain.times(shift), chosen: plain.times(scale), by })
        }
        // What is 0 but at the class stays so.
        Kind::Sum { plain, chosen, by: Some(By::Class) } if plain.all(|_| false) => {
            Some(Kind::Sum { plain: AtomSum::default(), chosen: chosen.times(scale + shift), by })
        }
        _ => None,
    }
}

/// A value times a number.
pub(super) fn scaled(kind: &Kind, factor: f64) -> Option<Kind> {
    Some(match kind {
        Kind::Free => Kind::Free,
        Kind::Out(form) => Kind::Out(form.times(factor)),
        Kind::Target { scale, shift } => {
            Kind::Target { scale: scale * factor, shift: shift * factor }
        }
        Kind::OneHot { scale, shift } => {
            Kind::OneHot { scale: scale * factor, shift: shift * factor }
        }
        Kind::OfTarget => Kind::OfTarget,
        Kind::Sum { plain, chosen, by } => {
            Kind::Sum { plain: plain.times(factor), chosen: chosen.times(factor), by: *by }
        }
        &Kind::Difference { scale, about } => Kind::Difference { scale: scale * factor, about },
        &Kind::Settled { about, falls } => Kind::Settled { about, falls: falls == (factor >= 0.0) },
        // Only `1 - sigmoid(x)` is known.
        Kind::Sigmoid { .. } | Kind::Counts | Kind::Exp(_) | Kind::Largest | Kind::Unknown => {
            return (factor == 1.0).then(|| kind.clone());
        }
    })
}

/// A rising function of a value that meets the target.
pub(super) fn rising(arg: &TracedValue) -> Option<Kind> {
    match settled(arg.clone(), false).kind {
        kind @ Kind::Settled { .. } => Some(kind),
        _ => None,
    }
}

/// A value whose form bounds it more than its arguments' do.
pub(super) fn ranged(value: TracedValue) -> TracedValue {
    let empty = |form: &AtomSum| form.all(|_| false);
    let form = match &value.kind {
        Kind::Out(form) => Some(form),
        Kind::Sum { plain, chosen, .. } if empty(plain) => Some(chosen),
        _ => None,
    };
    let range = match form.and_then(AtomSum::log_softmax) {
        Some(scale) if scale >= 0.0 => {
            OutputRange { high: value.range.high.min(0.0), ..value.range }
        }
        Some(_) => OutputRange { low: value.range.low.max(0.0), ..value.range },
        None => value.range,
    };
    TracedValue { range, ..value }
}

//! Axes: which part of the numbers is shown, where a number lies in it, and its ticks.
//!
//! Linear axes have ticks at 1, 2 or 5 times a power of ten: `0.0 0.5 1.0 1.5`. Logarithmic ones
//! have them at powers of ten, `10⁻⁵ 10⁻⁴ 10⁻³`; over less than three of these at 1, 2 and 5 times
//! a power, and over a small part of one where a linear axis has them.

use super::number::{self, power};

/// Numbers beyond this are taken for infinite, so that differences of those shown are not.
const LARGEST: f64 = 1e300;

/// The part of the numbers that is shown, of their logarithms to base ten on a logarithmic axis.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Axis {
    log: bool,
    low: f64,
    high: f64,
    /// Whether ticks are whole numbers, as those of epochs and steps.
    whole: bool,
}

/// A place on an axis.
#[derive(Clone, Debug, PartialEq)]
pub struct Tick {
    /// Where it is: 0 at the axis' start, 1 at its end.
    pub at: f64,
    /// Text beside the tick; empty for a line without one.
    pub label: String,
}

/// Whether an axis has a place for a number.
pub fn shown(value: f64, log: bool) -> bool {
    value.abs() <= LARGEST && (!log || value > 0.0)
}

impl Axis {
    /// An axis over those of the numbers that can be shown on it, and a part of their range more
    /// on both sides; none where there is no such number.
    pub fn over(values: impl Iterator<Item = f64>, log: bool, margin: f64) -> Option<Axis> {
        let mut range: Option<(f64, f64)> = None;
        let mut whole = !log;
        for value in values.filter(|&value| shown(value, log)) {
            whole &= value.fract() == 0.0;
            let value = if log { value.log10() } else { value };
            let (low, high) = range.unwrap_or((value, value));
            range = Some((low.min(value), high.max(value)));
        }
        let (low, high) = range?;
        let (low, high) = widened(low, high, log);
        let margin = (high - low) * margin;
        Some(Axis { log, low: low - margin, high: high + margin, whole })
    }

    /// The same axis, with ticks at any numbers.
    pub fn with_fractions(self) -> Axis {
        Axis { whole: false, ..self }
    }

    /// Where a number lies: 0 at the axis' start, 1 at its end; nowhere if it is not shown.
    pub fn place(&self, value: f64) -> Option<f64> {
        if !shown(value, self.log) {
            return None;
        }
        let value = if self.log { value.log10() } else { value };
        Some((value - self.low) / (self.high - self.low))
    }

    /// About so many ticks, two at least where the range has them.
    pub fn ticks(&self, count: usize) -> Vec<Tick> {
        if !self.log {
            return self.linear(self.low, self.high, count);
        }
        let (first, last) = ((self.low - 1e-9).ceil() as i32, (self.high + 1e-9).floor() as i32);
        if last - first >= 2 {
            return self.decades(first, last, count);
        }
        let within = self.multiples(&[1, 2, 5]);
        if within.len() >= 3 {
            return self.labelled(&within);
        }
        self.linear(power(self.low), power(self.high), count)
    }

    /// Lines between the ticks of a logarithmic axis, at 2 to 9 times each power of ten.
    pub fn lines_between(&self) -> Vec<Tick> {
        if !self.log || self.high - self.low > 6.0 || self.high - self.low < 1.0 {
            return Vec::new();
        }
        let between = self.multiples(&[2, 3, 4, 5, 6, 7, 8, 9]);
        let line = |&(factor, exponent)| Tick { at: self.at(factor, exponent), label: "".into() };
        between.iter().map(line).collect()
    }

    /// Ticks at multiples of 1, 2 or 5 times a power of ten.
    fn linear(&self, low: f64, high: f64, count: usize) -> Vec<Tick> {
        let (factor, exponent) = self.step((high - low) / count.max(1) as f64);
        let step = f64::from(factor) * power(f64::from(exponent));
        // A little beyond both ends: a tick at the very end must not be lost to rounding.
        let (first, last) =
            ((low / step - 1e-9).ceil() as i64, (high / step + 1e-9).floor() as i64);
        let multiples: Vec<i64> = (first..=last).map(|index| index * i64::from(factor)).collect();
        let labels = number::labels(&multiples, exponent);
        let tick = |(&multiple, label)| {
            let at = self.place(multiple as f64 * power(f64::from(exponent)))?;
            Some(Tick { at: at.clamp(0.0, 1.0), label })
        };
        multiples.iter().zip(labels).filter_map(tick).collect()
    }

    /// The least of 1, 2, 5 times a power of ten that is no less than a number, as factor and
    /// exponent.
    fn step(&self, least: f64) -> (u32, i32) {
        let exponent = least.log10().floor();
        let step = match least / power(exponent) {
            part if part <= 1.0 => (1, exponent as i32),
            part if part <= 2.0 => (2, exponent as i32),
            part if part <= 5.0 => (5, exponent as i32),
            _ => (1, exponent as i32 + 1),
        };
        if self.whole && step.1 < 0 { (1, 0) } else { step }
    }

    /// Ticks at powers of ten, some left out where there are many.
    fn decades(&self, first: i32, last: i32, count: usize) -> Vec<Tick> {
        let stride = (last - first + 1).div_euclid(count.max(1) as i32 + 1) + 1;
        let powers: Vec<(u32, i32)> = (first..=last)
            .filter(|exponent| exponent.rem_euclid(stride) == 0)
            .map(|exponent| (1, exponent))
            .collect();
        self.labelled(&powers)
    }

    /// The products of these factors and powers of ten that are shown.
    fn multiples(&self, factors: &[u32]) -> Vec<(u32, i32)> {
        let exponents = self.low.floor() as i32..=self.high.ceil() as i32;
        let all =
            exponents.flat_map(|exponent| factors.iter().map(move |&factor| (factor, exponent)));
        all.filter(|&(factor, exponent)| (0.0..=1.0).contains(&self.at(factor, exponent))).collect()
    }

    fn labelled(&self, multiples: &[(u32, i32)]) -> Vec<Tick> {
        let labels = number::powers(multiples);
        let tick = |(&(factor, exponent), label)| {
            let at = self.at(factor, exponent).clamp(0.0, 1.0);
            Tick { at, label }
        };
        multiples.iter().zip(labels).map(tick).collect()
    }

    /// Where `factor · 10^exponent` lies on a logarithmic axis.
    fn at(&self, factor: u32, exponent: i32) -> f64 {
        (f64::from(factor).log10() + f64::from(exponent) - self.low) / (self.high - self.low)
    }
}

/// A range that has a length: a single number gets one around it.
fn widened(low: f64, high: f64, log: bool) -> (f64, f64) {
    let middle = low + (high - low) / 2.0;
    if log {
        return if high - low > 1e-6 { (low, high) } else { (middle - 0.5, middle + 0.5) };
    }
    // Below the first bound, ticks have more digits than anybody reads; below the second, steps
    // between them are no longer exact.
    if high - low > 1e-9 * low.abs().max(high.abs()) && high - low > 1e-290 {
        return (low, high);
    }
    let around = if middle.abs() > 1e-280 { middle.abs() / 10.0 } else { 1.0 };
    (middle - around, middle + around)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn axis(values: &[f64], log: bool) -> Axis {
        Axis::over(values.iter().copied(), log, 0.0).expect("numbers that can be shown")
    }

    fn labels(values: &[f64], log: bool, count: usize) -> String {
        let ticks = axis(values, log).ticks(count);
        ticks.into_iter().map(|tick| tick.label).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn linear_ticks_are_1_2_5() {
        assert_eq!(labels(&[0.0, 1.0], false, 6), "0 1", "whole numbers have whole ticks");
        assert_eq!(labels(&[0.01, 1.0], false, 6), "0.2 0.4 0.6 0.8 1.0");
        assert_eq!(labels(&[0.5, 2.3], false, 4), "0.5 1.0 1.5 2.0");
        assert_eq!(labels(&[1.0, 20.0], false, 6), "5 10 15 20");
        assert_eq!(
            labels(&[0.0, 60_000.0], false, 4),
            "0 20\u{202f}000 40\u{202f}000 60\u{202f}000"
        );
        assert_eq!(labels(&[-1.5, 1.5], false, 3), "−1 0 1");
        assert_eq!(labels(&[0.0, 2.5e-6], false, 3), "0 1×10⁻⁶ 2×10⁻⁶");
        assert_eq!(labels(&[0.0, 3.1e7], false, 3), "0 2×10⁷");
    }

    #[test]
    fn logarithmic_ticks_are_powers_of_ten_where_there_are_some() {
        assert_eq!(labels(&[0.01, 100.0], true, 6), "0.01 0.1 1 10 100");
        assert_eq!(labels(&[1e-6, 1e-3], true, 6), "10⁻⁶ 10⁻⁵ 10⁻⁴ 10⁻³");
        assert_eq!(labels(&[1e-12, 1.0], true, 6), "10⁻¹² 10⁻¹⁰ 10⁻⁸ 10⁻⁶ 10⁻⁴ 10⁻² 1");
        assert_eq!(labels(&[0.3, 3.0], true, 6), "0.5 1 2");
        assert_eq!(labels(&[2e-5, 5e-5], true, 4), "2×10⁻⁵ 3×10⁻⁵ 4×10⁻⁵ 5×10⁻⁵");
        assert_eq!(labels(&[1.1, 1.9], true, 4), "1.2 1.4 1.6 1.8");
    }

    #[test]
    fn numbers_have_their_places() {
        let linear = axis(&[2.0, 6.0], false);
        assert_eq!(linear.place(3.0), Some(0.25));
        assert_eq!(linear.place(f64::NAN), None);
        assert_eq!(linear.place(f64::INFINITY), None);
        let log = axis(&[1.0, 10_000.0], true);
        assert_eq!(log.place(100.0), Some(0.5));
        assert_eq!(log.place(0.0), None);
        assert_eq!(log.place(-1.0), None);
        assert_eq!(log.lines_between().len(), 32);
        assert!(linear.lines_between().is_empty());
    }

    #[test]
    fn an_axis_needs_a_number() {
        assert_eq!(Axis::over([f64::NAN, f64::INFINITY].into_iter(), false, 0.0), None);
        assert_eq!(Axis::over([0.0, -1.0].into_iter(), true, 0.0), None);
        assert_eq!(Axis::over([].into_iter(), false, 0.0), None);
    }

    #[test]
    fn any_numbers_have_a_few_ticks_within_the_axis() {
        let ends = [0.0, 1e-320, 1e-300, 1e-12, 0.3, 1.0, 1.0 + 1e-12, 7e4, 1e12, 1e300, f64::MAX];
        let all = || ends.iter().flat_map(|&end| [end, -end]);
        for (low, high) in all().flat_map(|low| all().map(move |high| (low, high))) {
            for log in [false, true] {
                let Some(axis) = Axis::over([low, high].into_iter(), log, 0.04) else { continue };
                for count in 1..8 {
                    let ticks = axis.with_fractions().ticks(count);
                    let said = format!("{low:e} to {high:e}, log {log}, {count}: {ticks:?}");
                    assert!((1..=12).contains(&ticks.len()) || count == 1, "{said}");
                    assert!(ticks.iter().all(|tick| (0.0..=1.0).contains(&tick.at)), "{said}");
                    assert!(ticks.is_sorted_by(|a, b| a.at < b.at), "{said}");
                    assert!(ticks.is_sorted_by(|a, b| a.label != b.label), "{said}");
                }
            }
        }
    }
}

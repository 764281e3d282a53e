//! Sets of elements as sorted intervals.
//!
//! `{0..4, 8..12}` prints so; two sets can be joined, and asked whether they touch or one holds
//! the other. A set may be an upper bound of what is meant ([`IntervalSet::exact`] is false);
//! answers are then on the safe side.

use std::fmt;
use std::ops::Range;

/// More intervals than this are not counted out one by one; a bound is taken.
const MOST_INTERVALS: usize = 1 << 14;

/// A set of whole numbers: intervals, ascending, not empty, with gaps between.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IntervalSet {
    intervals: Vec<Range<i64>>,
    exact: bool,
}

impl Default for IntervalSet {
    fn default() -> Self {
        IntervalSet { intervals: Vec::new(), exact: true }
    }
}

impl IntervalSet {
    /// The empty set.
    pub fn new() -> Self {
        Self::default()
    }

    /// One interval; empty if its end is not above its start.
    pub fn of(range: Range<i64>) -> Self {
        let intervals = if range.is_empty() { Vec::new() } else { vec![range] };
        IntervalSet { intervals, exact: true }
    }

    /// The numbers `start + Σ stride·i` with `0 ≤ i < count` for each `(stride, count)`.
    pub fn lattice(start: i64, dims: &[(i64, usize)]) -> Self {
        if dims.iter().any(|&(_, count)| count == 0) {
            return Self::new();
        }
        let mut start = start;
        let mut steps: Vec<(i64, i64)> = Vec::new();
        for &(stride, count) in dims {
            let last = count as i64 - 1;
            start += stride.min(0) * last;
            if stride != 0 && last > 0 {
                steps.push((stride.abs(), count as i64));
            }
        }
        steps.sort_unstable();
        // Neighbours first: strides no larger than what is already one interval prolong it.
        let mut run = 1;
        let mut outer: Vec<(i64, i64)> = Vec::new();
        for (stride, count) in steps {
            match outer.last_mut() {
                None if stride <= run => run += stride * (count - 1),
                // Multiples of a stride, close enough to go on where it ends.
                Some((step, steps)) if stride % *step == 0 && stride / *step <= *steps => {
                    *steps += stride / *step * (count - 1);
                }
                _ => outer.push((stride, count)),
            }
        }
        let product = |dims: &[(i64, i64)]| {
            dims.iter().fold(1usize, |n, dim| n.saturating_mul(dim.1 as usize))
        };
        let mut number = product(&outer);
        let mut exact = true;
        while number > MOST_INTERVALS {
            let (stride, count) = outer.remove(0);
            number = product(&outer);
            run += stride * (count - 1);
            exact = false;
        }
        let mut starts = vec![start];
        for &(stride, count) in outer.iter().rev() {
            starts = starts
                .into_iter()
                .flat_map(|first| (0..count).map(move |i| first + stride * i))
                .collect();
        }
        let mut set =
            Self::from_unsorted(starts.into_iter().map(|first| first..first + run).collect());
        set.exact = exact;
        set
    }

    /// Sets of many intervals are put together in order, so that most often nothing is to be
    /// sorted; a stable sort merges the runs that it finds.
    fn from_unsorted(mut intervals: Vec<Range<i64>>) -> Self {
        if !intervals.is_sorted_by_key(|interval| interval.start) {
            intervals.sort_by_key(|interval| interval.start);
        }
        IntervalSet::from_sorted(intervals.into_iter())
    }

    fn from_sorted(intervals: impl Iterator<Item = Range<i64>>) -> Self {
        let mut merged: Vec<Range<i64>> = Vec::with_capacity(intervals.size_hint().0);
        for interval in intervals {
            #[cfg(test)]
            work::count(1);
            match merged.last_mut() {
                Some(last) if interval.start <= last.end => last.end = last.end.max(interval.end),
                _ => merged.push(interval),
            }
        }
        IntervalSet { intervals: merged, exact: true }
    }

    /// This set with every number moved.
    pub fn shifted(&self, by: i64) -> Self {
        #[cfg(test)]
        work::count(self.intervals.len());
        let intervals = self.intervals.iter().map(|it| it.start + by..it.end + by).collect();
        IntervalSet { intervals, exact: self.exact }
    }

    /// The numbers of either.
    pub fn union(&self, other: &IntervalSet) -> Self {
        if other.is_empty() || self.intervals == other.intervals && self.exact == other.exact {
            return self.clone();
        }
        if self.is_empty() {
            return other.clone();
        }
        let mut set = Self::from_sorted(Merge { left: &self.intervals, right: &other.intervals });
        set.exact = self.exact && other.exact;
        set
    }

    /// The numbers of any of many sets.
    pub fn joined(sets: impl IntoIterator<Item = IntervalSet>) -> Self {
        let mut exact = true;
        let mut intervals = Vec::new();
        for set in sets {
            exact &= set.exact;
            intervals.extend(set.intervals);
        }
        IntervalSet { exact, ..Self::from_unsorted(intervals) }
    }

    /// Whether some number may be in both.
    pub fn intersects(&self, other: &IntervalSet) -> bool {
        let (Some(a), Some(b)) = (self.bounds(), other.bounds()) else { return false };
        if a.end <= b.start || b.end <= a.start {
            return false;
        }
        let (mut left, mut right) = (self.intervals.iter(), other.intervals.iter());
        let (mut a, mut b) = (left.next(), right.next());
        while let (Some(x), Some(y)) = (a, b) {
            if x.end <= y.start {
                a = left.next();
            } else if y.end <= x.start {
                b = right.next();
            } else {
                return true;
            }
        }
        false
    }

    /// Whether every number of the other is surely in this one.
    pub fn covers(&self, other: &IntervalSet) -> bool {
        if other.is_empty() {
            return true;
        }
        let mut own = self.intervals.iter().peekable();
        self.exact
            && other.intervals.iter().all(|wanted| {
                while own.next_if(|interval| interval.end <= wanted.start).is_some() {}
                own.peek().is_some_and(|it| it.start <= wanted.start && wanted.end <= it.end)
            })
    }

    /// How many numbers there are.
    pub fn count(&self) -> u64 {
        self.intervals.iter().map(|interval| (interval.end - interval.start) as u64).sum()
    }

    /// Whether there are no numbers.
    pub fn is_empty(&self) -> bool {
        self.intervals.is_empty()
    }

    /// Whether it is the set that is meant, not one that holds it.
    pub fn exact(&self) -> bool {
        self.exact
    }

    /// From the smallest number to past the largest.
    pub fn bounds(&self) -> Option<Range<i64>> {
        Some(self.intervals.first()?.start..self.intervals.last()?.end)
    }

    /// The intervals, ascending, with gaps between.
    pub fn intervals(&self) -> &[Range<i64>] {
        &self.intervals
    }
}

/// How many intervals a test's thread has moved or merged: the work of a footprint, which a clock
/// would measure together with everything else that the machine does.
#[cfg(test)]
pub(super) mod work {
    use std::cell::Cell;

    thread_local! {
        static INTERVALS: Cell<usize> = const { Cell::new(0) };
    }

    pub fn count(intervals: usize) {
        INTERVALS.set(INTERVALS.get() + intervals);
    }

    /// The result of `job`, and the number of intervals that it made.
    pub fn of<T>(job: impl FnOnce() -> T) -> (T, usize) {
        let before = INTERVALS.get();
        let result = job();
        (result, INTERVALS.get() - before)
    }
}

/// The intervals of two sets, in order of their starts.
struct Merge<'a> {
    left: &'a [Range<i64>],
    right: &'a [Range<i64>],
}

impl Iterator for Merge<'_> {
    type Item = Range<i64>;

    fn next(&mut self) -> Option<Range<i64>> {
        let from = match (self.left.first(), self.right.first()) {
            (Some(a), Some(b)) if a.start <= b.start => &mut self.left,
            (Some(_), None) => &mut self.left,
            _ => &mut self.right,
        };
        let (first, rest) = from.split_first()?;
        *from = rest;
        Some(first.clone())
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let len = self.left.len() + self.right.len();
        (len, Some(len))
    }
}

impl fmt::Display for IntervalSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.exact { "{" } else { "within {" })?;
        for (index, interval) in self.intervals.iter().enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            write!(f, "{comma}{}..{}", interval.start, interval.end)?;
        }
        f.write_str("}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbouring_dimensions_become_one_interval() {
        assert_eq!(IntervalSet::lattice(5, &[(10, 3), (1, 10)]).to_string(), "{5..35}");
        assert_eq!(IntervalSet::lattice(0, &[(1, 2), (8, 3)]).to_string(), "{0..2, 8..10, 16..18}");
        assert_eq!(IntervalSet::lattice(9, &[(-1, 10)]).to_string(), "{0..10}");
        assert_eq!(IntervalSet::lattice(0, &[(3, 4), (4, 0)]).to_string(), "{}");
    }

    #[test]
    fn lattices_are_the_sets_that_counting_gives() {
        for dims in [[(7, 3), (2, 5), (3, 2)], [(-4, 3), (1, 3), (6, 2)], [(5, 4), (5, 4), (2, 2)]]
        {
            let set = IntervalSet::lattice(40, &dims);
            let mut counted = std::collections::BTreeSet::new();
            for i in 0..dims[0].1 as i64 {
                for j in 0..dims[1].1 as i64 {
                    for k in 0..dims[2].1 as i64 {
                        counted.insert(40 + dims[0].0 * i + dims[1].0 * j + dims[2].0 * k);
                    }
                }
            }
            let listed: Vec<i64> = set.intervals().iter().cloned().flatten().collect();
            assert_eq!(listed, counted.into_iter().collect::<Vec<_>>(), "{dims:?}");
        }
    }

    #[test]
    fn a_set_too_fine_is_bounded_from_above_and_covers_nothing() {
        let set = IntervalSet::lattice(0, &[(2, 1 << 20)]);
        assert!(!set.exact() && set.intersects(&IntervalSet::of(1..2)));
        assert!(!set.covers(&IntervalSet::of(0..1)));
    }

    #[test]
    fn sets_are_joined_and_compared() {
        let even = IntervalSet::lattice(0, &[(2, 4)]);
        let odd = IntervalSet::lattice(1, &[(2, 4)]);
        assert!(!even.intersects(&odd));
        let all = even.union(&odd);
        assert_eq!(all.to_string(), "{0..8}");
        assert!(all.covers(&odd) && !odd.covers(&all) && all.intersects(&odd));
        assert!(!all.covers(&IntervalSet::of(7..9)));
    }
}

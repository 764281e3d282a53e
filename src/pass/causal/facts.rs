//! The facts of causality: on which positions a value depends, and where it is known to be low or 0.

/// A set of axes of a value; in the body of a scan, the step may be one of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AxisSet(u64);

/// The step of a scan, as an axis.
pub(super) const STEP: usize = 63;

/// The positions on which a value depends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PositionReach {
    /// Those up to the largest of an element's indices along these axes; none where there are none.
    Axes(AxisSet),
    /// Any.
    All,
}

/// Two axes of a value, and the part where the index of the key is at most that of the query.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Triangle {
    pub query: usize,
    pub key: usize,
}

/// An integer as a sum of indices along axes: `offset + Σ factor · index`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct IndexSum {
    pub offset: i64,
    /// Axes in ascending order; no factor is 0.
    pub terms: Vec<(usize, i64)>,
}

/// All that is known of a value.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Facts {
    pub reach: PositionReach,
    /// Where it is an integer or a float of this value.
    pub index: Option<IndexSum>,
    /// A condition is true only inside of it.
    pub only: Option<Triangle>,
    /// A condition is true everywhere outside of it.
    pub outside: Option<Triangle>,
    /// Outside of it, numbers are so low that their exponentials are 0 beside those of others.
    pub low: Option<Triangle>,
    /// Outside of it, numbers are 0.
    pub zero: Option<Triangle>,
}

impl AxisSet {
    /// One axis.
    pub fn one(axis: usize) -> AxisSet {
        AxisSet(1 << axis)
    }

    /// Whether it has an axis.
    pub fn has(self, axis: usize) -> bool {
        self.0 >> axis & 1 == 1
    }

    /// Whether it has none.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The only axis of a set that has one.
    pub fn single(self) -> Option<usize> {
        (self.0.count_ones() == 1).then(|| self.0.trailing_zeros() as usize)
    }

    pub(super) fn axes(self) -> impl Iterator<Item = usize> {
        (0..64).filter(move |&axis| self.has(axis))
    }

    pub(super) fn union(self, other: AxisSet) -> AxisSet {
        AxisSet(self.0 | other.0)
    }
}

impl PositionReach {
    pub(super) const NONE: PositionReach = PositionReach::Axes(AxisSet(0));

    pub(super) fn one(axis: usize) -> PositionReach {
        PositionReach::Axes(AxisSet::one(axis))
    }

    pub(super) fn and(self, other: PositionReach) -> PositionReach {
        match (self, other) {
            (PositionReach::Axes(a), PositionReach::Axes(b)) => PositionReach::Axes(a.union(b)),
            _ => PositionReach::All,
        }
    }

    /// With each axis as another; everything where one has no other. The step of a scan stays.
    pub(super) fn map(self, to: impl Fn(usize) -> Option<usize>) -> PositionReach {
        let PositionReach::Axes(axes) = self else { return PositionReach::All };
        let mapped = axes.axes().map(|axis| if axis == STEP { Some(STEP) } else { to(axis) });
        let set = mapped
            .map(|axis| axis.map(AxisSet::one))
            .try_fold(AxisSet(0), |set, axis| Some(set.union(axis?)));
        set.map_or(PositionReach::All, PositionReach::Axes)
    }

    /// Inside of a triangle, what a key reaches the query reaches, too.
    pub(super) fn inside(self, triangle: Option<Triangle>) -> PositionReach {
        let Some(Triangle { query, key }) = triangle else { return self };
        self.map(|axis| Some(if axis == key { query } else { axis }))
    }

    pub(super) fn is_within(self, step: usize) -> bool {
        matches!(self, PositionReach::Axes(AxisSet(axes)) if axes & !(1 << step) == 0)
    }
}

impl Triangle {
    pub fn map(self, to: impl Fn(usize) -> Option<usize>) -> Option<Triangle> {
        Some(Triangle { query: to(self.query)?, key: to(self.key)? })
    }
}

impl IndexSum {
    pub fn map(&self, to: impl Fn(usize) -> Option<usize>) -> Option<IndexSum> {
        let terms = self.terms.iter().map(|&(axis, factor)| Some((to(axis)?, factor)));
        let mut terms = terms.collect::<Option<Vec<_>>>()?;
        terms.sort_unstable();
        Some(IndexSum { offset: self.offset, terms })
    }

    /// This and `times` times another.
    pub fn plus(&self, other: &IndexSum, times: i64) -> IndexSum {
        let mut sum = self.clone();
        sum.offset += times * other.offset;
        for &(axis, factor) in &other.terms {
            match sum.terms.iter_mut().find(|(known, _)| *known == axis) {
                Some((_, known)) => *known += times * factor,
                None => sum.terms.push((axis, times * factor)),
            }
        }
        sum.terms.retain(|(_, factor)| *factor != 0);
        sum.terms.sort_unstable();
        sum
    }

    /// The axes `key` and `query` of `key − query + offset`.
    pub fn difference(&self) -> Option<(Triangle, i64)> {
        let (query, key) = match self.terms[..] {
            [(key, 1), (query, -1)] | [(query, -1), (key, 1)] => (query, key),
            _ => return None,
        };
        Some((Triangle { query, key }, self.offset))
    }
}

impl Facts {
    pub fn of(reach: PositionReach) -> Facts {
        Facts { reach, index: None, only: None, outside: None, low: None, zero: None }
    }

    /// With each axis as another.
    pub fn map(&self, to: impl Fn(usize) -> Option<usize> + Copy) -> Facts {
        let triangle = |known: Option<Triangle>| known.and_then(|it| it.map(to));
        Facts {
            reach: self.reach.map(to),
            index: self.index.as_ref().and_then(|index| index.map(to)),
            only: triangle(self.only),
            outside: triangle(self.outside),
            low: triangle(self.low),
            zero: triangle(self.zero),
        }
    }

    /// Of the condition `a ≤ b`, where `sum` is `a − b`.
    pub fn at_most(reach: PositionReach, sum: &IndexSum) -> Facts {
        let only = sum.difference().filter(|&(_, offset)| offset >= 0);
        // It is false where `b < a`: there the index that is taken away is the smaller one.
        let turned = IndexSum { offset: 1, ..IndexSum::default() }.plus(sum, -1);
        let outside = turned.difference().filter(|&(_, offset)| offset >= 0);
        Facts {
            only: only.map(|(triangle, _)| triangle),
            outside: outside.map(|(triangle, _)| triangle),
            ..Facts::of(reach)
        }
    }
}

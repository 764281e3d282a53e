//! The contraction statement: what a [`Tile`] means, and its simplest form.
//!
//! ```text
//! a convolution's output, 3×3 over 8×8×4 into 16 channels, its border in memory (10×10×4):
//!
//! tile n 16 {
//!     row 8 a 40 c 128      rows of the image
//!     row 8 a 4 c 16        columns of the image
//!     sum 3 a 40 b 192      rows of the window
//!     sum 12 a 1 b 16       columns of the window and channels, which are neighbours in memory
//!     c = s2[0]
//!     a = s0[0]
//!     b = s1[0]
//! }
//! ```
//!
//! Which registers hold what, and in which order elements come, is no business of the loops: the
//! result of each element is defined to the bit without it.

use crate::loops::access::Access;

/// A contraction: for each row (over all axes of `rows`) and each column `j < n`,
///
/// `c[row, j] = init + Σ a[row + sum]·b[sum + j]`, then `bias[j]` is added, then `max(·, 0)` taken
/// (as `x > 0 ? x : 0`).
///
/// For each element the products are added in lexicographic order of the sum's axes, each with
/// one rounding (FMA), starting from `init`; so the result does not depend on how code generation
/// cuts the work into registers.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Tile {
    /// The rows, outermost axis first; no axis is one row.
    pub rows: Vec<RowAxis>,
    /// Columns, which are neighbours in `b`, `c` and `bias`.
    pub n: usize,
    /// The sum, outermost axis first; no axis is one product, an axis of extent 0 an empty sum.
    pub sum: Vec<SumAxis>,
    /// The left operand's first element.
    pub a: Access,
    /// The right operand's first element.
    pub b: Access,
    /// The result's first element.
    pub c: Access,
    /// Whether `init` is what `c` holds, not 0.
    pub accumulate: bool,
    /// A vector of `n` added to each row of the finished sum.
    pub bias: Option<Access>,
    /// Whether negative results (and NaN) become 0 at last.
    pub relu: bool,
}

/// An axis of a tile's rows: distances from one row to the next, in elements, of any sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RowAxis {
    /// How many rows.
    pub extent: usize,
    /// In the left operand.
    pub a: i64,
    /// In the result.
    pub c: i64,
}

/// An axis of a tile's sum: distances from one product to the next, in elements, of any sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SumAxis {
    /// How many products.
    pub extent: usize,
    /// In the left operand.
    pub a: i64,
    /// In the right operand.
    pub b: i64,
}

/// A sum of no products.
const EMPTY: SumAxis = SumAxis { extent: 0, a: 0, b: 0 };

impl Tile {
    /// The same rows and products in the same order, with as few axes as possible: axes of one
    /// element are dropped, and neighbours that go on from one another are one. Equal tiles are
    /// then equal values.
    pub fn merged(mut self) -> Tile {
        let rows = self.rows.iter().map(|axis| (axis.extent, [axis.a, axis.c]));
        self.rows = merge(rows).map(|(extent, [a, c])| RowAxis { extent, a, c }).collect();
        let sum = self.sum.iter().map(|axis| (axis.extent, [axis.a, axis.b]));
        self.sum = match self.sum.iter().any(|axis| axis.extent == 0) {
            true => vec![EMPTY],
            false => merge(sum).map(|(extent, [a, b])| SumAxis { extent, a, b }).collect(),
        };
        self
    }

    /// How many rows there are.
    pub fn row_count(&self) -> usize {
        self.rows.iter().fold(1, |count, axis| count.saturating_mul(axis.extent))
    }

    /// How many products the sum of an element has.
    pub fn product_count(&self) -> usize {
        self.sum.iter().fold(1, |count, axis| count.saturating_mul(axis.extent))
    }

    /// The distances of each row of `a` and `c` from the first.
    pub fn row_offsets(&self) -> Vec<[i64; 2]> {
        offsets(self.rows.iter().map(|axis| (axis.extent, [axis.a, axis.c])))
    }

    /// The distances of each product's elements of `a` and `b` from the first ones.
    pub fn sum_offsets(&self) -> Vec<[i64; 2]> {
        offsets(self.sum.iter().map(|axis| (axis.extent, [axis.a, axis.b])))
    }

    /// Strides and extents of the left operand.
    pub fn a_dims(&self) -> Vec<(i64, usize)> {
        let rows = self.rows.iter().map(|axis| (axis.a, axis.extent));
        rows.chain(self.sum.iter().map(|axis| (axis.a, axis.extent))).collect()
    }

    /// Strides and extents of the right operand.
    pub fn b_dims(&self) -> Vec<(i64, usize)> {
        let sum = self.sum.iter().map(|axis| (axis.b, axis.extent));
        sum.chain([(1, self.n)]).collect()
    }

    /// Strides and extents of the result.
    pub fn c_dims(&self) -> Vec<(i64, usize)> {
        let rows = self.rows.iter().map(|axis| (axis.c, axis.extent));
        rows.chain([(1, self.n)]).collect()
    }
}

/// The distances that axes (outermost first) reach, in lexicographic order.
pub fn offsets(axes: impl IntoIterator<Item = (usize, [i64; 2])>) -> Vec<[i64; 2]> {
    let mut found = vec![[0, 0]];
    for (extent, strides) in axes {
        let step = |index: i64| strides.map(|stride| stride * index);
        let along =
            |[x, y]: [i64; 2]| (0..extent as i64).map(step).map(move |[dx, dy]| [x + dx, y + dy]);
        found = found.into_iter().flat_map(along).collect();
    }
    found
}

/// Axes without those of one element, neighbours that go on from one another joined.
fn merge(axes: impl Iterator<Item = (usize, [i64; 2])>) -> impl Iterator<Item = (usize, [i64; 2])> {
    let mut merged: Vec<(usize, [i64; 2])> = Vec::new();
    for (extent, strides) in axes.filter(|&(extent, _)| extent != 1) {
        let span = strides.map(|stride| stride.saturating_mul(extent as i64));
        match merged.last_mut() {
            Some((outer, far)) if *far == span => (*outer, *far) = (*outer * extent, strides),
            _ => merged.push((extent, strides)),
        }
    }
    merged.into_iter()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::entity::Entity;
    use crate::loops::{Affine, SlotId};

    fn tile(rows: &[(usize, i64, i64)], sum: &[(usize, i64, i64)]) -> Tile {
        let at = |slot| Access { slot: SlotId::from_index(slot), index: Affine::default() };
        Tile {
            rows: rows.iter().map(|&(extent, a, c)| RowAxis { extent, a, c }).collect(),
            n: 16,
            sum: sum.iter().map(|&(extent, a, b)| SumAxis { extent, a, b }).collect(),
            a: at(0),
            b: at(1),
            c: at(2),
            accumulate: false,
            bias: None,
            relu: false,
        }
    }

    #[test]
    fn neighbours_that_go_on_are_one_axis() {
        // A convolution over whole rows: the window's columns and channels are neighbours.
        let given = tile(
            &[(2, 400, 1024), (8, 40, 128), (8, 4, 16)],
            &[(3, 40, 192), (3, 4, 64), (4, 1, 16)],
        );
        let merged = given.clone().merged();
        assert_eq!(
            merged,
            tile(&[(2, 400, 1024), (8, 40, 128), (8, 4, 16)], &[(3, 40, 192), (12, 1, 16),])
        );
        assert_eq!(merged.row_offsets(), given.row_offsets());
        assert_eq!(merged.sum_offsets(), given.sum_offsets());
    }

    #[test]
    fn units_vanish_and_empty_sums_are_alike() {
        let flat = tile(&[(4, 32, 16), (8, 4, 2)], &[(1, 7, 7), (3, 0, 0), (5, 0, 0)]).merged();
        assert_eq!(flat, tile(&[(32, 4, 2)], &[(15, 0, 0)]));
        assert_eq!(tile(&[(1, 9, 9)], &[(1, 1, 1)]).merged(), tile(&[], &[]));
        let empty = tile(&[], &[(3, 1, 2), (0, 5, 5)]).merged();
        assert_eq!(empty.sum, [EMPTY]);
        assert_eq!((empty.product_count(), empty.row_count()), (0, 1));
        assert!(empty.sum_offsets().is_empty());
    }
}

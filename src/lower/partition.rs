//! How the work of a kernel is cut into parts: from its leading extent alone, so that kernels
//! over the same rows have the same parts, on any number of threads.
//!
//! ```text
//! 784 rows: 14 parts of 56      32 rows: 4 parts of 8      100 rows: 13 parts, 12 of 8, one of 4
//! 32 images: 16 parts of 2      20 images: 10 parts of 2   100 images: 10 parts of 10
//! ```
//!
//! A row of a matrix is little work, and a tile wants several; an image is much.

/// The most parts of a kernel.
const MOST_PARTS: usize = 16;
/// Rows come in groups of this many, the height of a small tile.
const GROUP: usize = 8;
/// Rows of so many elements (images) are parts by themselves.
const LARGE_ROW: usize = 4096;

/// A leading extent in parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Partition {
    /// How many parts.
    pub parts: usize,
    /// Rows of each but the last.
    pub rows: usize,
    /// Rows of the last; equal to `rows` where the extent divides.
    pub last: usize,
}

impl Partition {
    /// The parts of `extent` rows: as many as possible up to 16, of a multiple of 8 rows each,
    /// equal where that costs less than half of them.
    pub fn of(extent: usize) -> Partition {
        if extent < 2 * GROUP {
            return Partition { parts: 1, rows: extent, last: extent };
        }
        Self::grouped(extent, GROUP)
    }

    /// The parts of `extent` rows of `elements` each: as [`Partition::of`], but of any number of
    /// rows where one alone is much work.
    pub fn of_rows(extent: usize, elements: usize) -> Partition {
        match elements < LARGE_ROW || extent < 2 {
            true => Self::of(extent),
            false => Self::grouped(extent, 1),
        }
    }

    /// The parts of a tensor along its first axis: of rows where it is a matrix, of images (or
    /// other samples) where each of them has several axes.
    pub fn of_axes(axes: &[usize]) -> Partition {
        match axes {
            [] => Self::of(1),
            [rows] | [rows, _] => Self::of(*rows),
            [images, rest @ ..] => Self::of_rows(*images, rest.iter().product()),
        }
    }

    /// Up to 16 parts of a multiple of `group` rows each.
    fn grouped(extent: usize, group: usize) -> Partition {
        let rows = extent.div_ceil(MOST_PARTS).next_multiple_of(group);
        let parts = extent.div_ceil(rows);
        let equal =
            (parts.div_ceil(2)..=parts).rev().find(|&parts| extent.is_multiple_of(parts * group));
        match equal {
            Some(parts) => Partition { parts, rows: extent / parts, last: extent / parts },
            None => Partition { parts, rows, last: extent - (parts - 1) * rows },
        }
    }

    /// Whether the last part is shorter.
    pub fn has_tail(&self) -> bool {
        self.rows != self.last
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_equal_where_the_extent_divides() {
        let of = |extent| {
            let Partition { parts, rows, last } = Partition::of(extent);
            (parts, rows, last)
        };
        assert_eq!(of(784), (14, 56, 56));
        assert_eq!(of(32), (4, 8, 8));
        assert_eq!(of(512), (16, 32, 32));
        assert_eq!(of(10), (1, 10, 10));
        assert_eq!(of(100), (13, 8, 4));
        assert_eq!(of(8 * 97), (14, 56, 48));
    }

    #[test]
    fn large_rows_are_parts_by_themselves() {
        let of = |extent| {
            let Partition { parts, rows, last } = Partition::of_rows(extent, LARGE_ROW);
            (parts, rows, last)
        };
        assert_eq!((of(1), of(7), of(32), of(20)), ((1, 1, 1), (7, 1, 1), (16, 2, 2), (10, 2, 2)));
        assert_eq!((of(100), of(37)), ((10, 10, 10), (13, 3, 1)));
        assert_eq!(Partition::of_rows(100, 10), Partition::of(100));
    }

    #[test]
    fn every_row_is_in_one_part() {
        for (extent, elements) in (1..5000).flat_map(|extent| [(extent, 1), (extent, LARGE_ROW)]) {
            let Partition { parts, rows, last } = Partition::of_rows(extent, elements);
            assert!(parts <= MOST_PARTS && last >= 1 && last <= rows);
            assert_eq!((parts - 1) * rows + last, extent);
        }
    }
}

//! How the work of a kernel is cut into parts: from its leading extent alone, so that kernels
//! over the same rows have the same parts, on any number of threads.
//!
//! ```text
//! 784 rows: 14 parts of 56      32 rows: 4 parts of 8      100 rows: 13 parts, 12 of 8, one of 4
//! ```

/// The most parts of a kernel.
const MOST_PARTS: usize = 16;
/// Rows come in groups of this many, the height of a small tile.
const GROUP: usize = 8;

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
        let rows = extent.div_ceil(MOST_PARTS).next_multiple_of(GROUP);
        let parts = extent.div_ceil(rows);
        let equal =
            (parts.div_ceil(2)..=parts).rev().find(|&parts| extent.is_multiple_of(parts * GROUP));
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
    fn every_row_is_in_one_part() {
        for extent in 1..5000 {
            let Partition { parts, rows, last } = Partition::of(extent);
            assert!(parts <= MOST_PARTS && last >= 1 && last <= rows);
            assert_eq!((parts - 1) * rows + last, extent);
        }
    }
}

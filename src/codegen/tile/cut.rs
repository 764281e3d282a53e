//! How a tile is cut into register blocks: a `loops::Tile` goes in, regions of equal blocks come
//! out, together covering each element once.
//!
//! ```text
//! 32×10, AVX-512   →  rows 2×16, columns 1×10            one masked register a row
//! 32×138, AVX-512  →  rows 2×11 and 1×10, columns 4×32;  the same rows, columns 1×10
//! ```
//!
//! The choice is by a small model of a core's ports, not by timing, so that the code for a
//! program is always the same. It cannot change results: see `loops::Tile`.

use crate::loops::Tile;

/// The blocks that fit an instruction set's registers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockLimits {
    /// Columns in a register.
    pub lanes: usize,
    /// The most rows of a block that is 1, 2, … registers wide.
    pub rows: &'static [usize],
}

/// Neighbouring blocks of one size along one axis: `count` of them, the first at `start`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Run {
    /// The first row or column.
    pub start: usize,
    /// Rows or columns of each block.
    pub size: usize,
    /// How many blocks.
    pub count: usize,
}

/// A grid of equal blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Region {
    /// Its blocks from top to bottom.
    pub rows: Run,
    /// Its blocks from left to right.
    pub columns: Run,
    /// Whether the loop over columns is the outer one.
    pub columns_outermost: bool,
}

/// A tile in register blocks. Regions are disjoint and cover the tile.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Cut {
    /// The regions, in the order in which they should run; at most four.
    pub regions: Vec<Region>,
}

/// Cuts a tile for an instruction set.
pub fn cut(isa: super::WideIsa, tile: &Tile) -> Cut {
    cut_within(isa.limits(), tile)
}

/// Cuts a tile into blocks within limits. A tile without rows or columns has no regions.
pub fn cut_within(limits: BlockLimits, tile: &Tile) -> Cut {
    if tile.m == 0 || tile.n == 0 {
        return Cut { regions: Vec::new() };
    }
    // Of equal costs the narrower is kept: it reads less of B for a row of products.
    let candidates = (1..=limits.rows.len()).map(|width| grid(limits, tile, width));
    let best = candidates.min_by_key(|regions| cost(limits, regions));
    Cut { regions: best.expect("limits allow a width of one register") }
}

/// The regions for panels that are `width` registers wide.
fn grid(limits: BlockLimits, tile: &Tile, width: usize) -> Vec<Region> {
    // The operand that is read again for each outer block should be the smaller one. Where they
    // are alike, a panel of B should stay near: its rows lie apart, which prefetchers cannot
    // follow, while A is read along its rows.
    let columns_outermost = 2 * tile.n >= tile.m;
    let panel = limits.lanes * width;
    let (full, rest) = (tile.n / panel, tile.n % panel);
    let panels = [
        Run { start: 0, size: panel, count: full },
        Run { start: full * panel, size: rest, count: usize::from(rest > 0) },
    ];
    let mut regions = Vec::with_capacity(4);
    for columns in panels.into_iter().filter(|run| run.count > 0) {
        let most = limits.rows[columns.size.div_ceil(limits.lanes) - 1];
        for rows in even_runs(tile.m, most) {
            regions.push(Region { rows, columns, columns_outermost });
        }
    }
    regions
}

/// `total` rows in as few blocks of at most `most` as possible, whose sizes differ by at most one.
fn even_runs(total: usize, most: usize) -> impl Iterator<Item = Run> {
    let blocks = total.div_ceil(most);
    let (size, larger) = (total / blocks, total % blocks);
    let runs = [
        Run { start: 0, size: size + 1, count: larger },
        Run { start: larger * (size + 1), size, count: blocks - larger },
    ];
    runs.into_iter().filter(|run| run.count > 0)
}

/// Half cycles that one step of the sum takes over all blocks, on a core that starts two FMAs and
/// two loads a cycle and finishes an FMA after four.
fn cost(limits: BlockLimits, regions: &[Region]) -> usize {
    const LATENCY: usize = 8;
    let block = |region: &Region| {
        let (m, width) = (region.rows.size, region.columns.size.div_ceil(limits.lanes));
        (m * width).max(m + width).max(LATENCY)
    };
    regions.iter().map(|region| region.rows.count * region.columns.count * block(region)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::entity::Entity;
    use crate::codegen::tile::WideIsa;
    use crate::loops::{Access, Affine, SlotId, TileOperand};

    fn tile(m: usize, n: usize, k: usize) -> Tile {
        let at = || Access { slot: SlotId::from_index(0), index: Affine::default() };
        Tile {
            m,
            n,
            k,
            outer: 1,
            a: TileOperand { base: at(), row: k as i64, inner: 1, outer: 0 },
            b: TileOperand { base: at(), row: 0, inner: n as i64, outer: 0 },
            c: at(),
            c_row: n as i64,
            accumulate: false,
            bias: None,
            relu: false,
        }
    }

    #[test]
    fn every_element_is_in_one_block_that_fits() {
        for isa in WideIsa::ALL {
            let limits = isa.limits();
            for (m, n) in (1..70).flat_map(|m| (1..150).step_by(3).map(move |n| (m, n))) {
                let mut covered = vec![0; m * n];
                for region in cut(isa, &tile(m, n, 9)).regions {
                    let Region { rows, columns, .. } = region;
                    let width = columns.size.div_ceil(limits.lanes);
                    assert!(rows.size <= limits.rows[width - 1], "{region:?}");
                    for row in rows.start..rows.start + rows.size * rows.count {
                        for column in columns.start..columns.start + columns.size * columns.count {
                            covered[row * n + column] += 1;
                        }
                    }
                }
                assert!(covered.iter().all(|&times| times == 1), "{m}×{n} {isa:?}");
            }
        }
    }

    #[test]
    fn blocks_are_of_even_height_and_few_shapes() {
        let rows = |m, n| {
            let regions = cut(WideIsa::Avx512, &tile(m, n, 100)).regions;
            regions.iter().map(|r| (r.rows.size, r.rows.count)).collect::<Vec<_>>()
        };
        assert_eq!(rows(32, 10), [(16, 2)]);
        let heights: usize = rows(50, 128).iter().map(|&(size, count)| size * count).sum();
        assert_eq!(heights, 50);
        assert!(rows(50, 128).len() <= 2);
    }

    #[test]
    fn a_tile_without_elements_has_no_blocks() {
        assert!(cut(WideIsa::Avx2, &tile(0, 4, 4)).regions.is_empty());
    }
}

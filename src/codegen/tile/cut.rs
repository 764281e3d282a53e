//! How a tile is cut into register blocks: a `loops::Tile` goes in, panels of columns with blocks
//! of rows come out, together covering each element once.
//!
//! ```text
//! 32×10, AVX-512         →  1 panel of 10 columns: 2 blocks of 16 rows
//! 32×138, AVX-512        →  4 panels of 32 and one of 10: each 2 blocks of 11 rows, 1 of 10
//! 8 images of 7×7 rows,  →  2 panels of 16; for each image a block of 4 of its rows (28 rows of
//!   32 columns, AVX-512      the tile), then one of 3
//! ```
//!
//! Rows of a block need not lie at equal distances: small inner axes are whole in every block,
//! and the axis around them is cut evenly. The choice is by a small model of a core's ports, not
//! by timing, so that the code for a program is always the same. It cannot change results: see
//! `loops::Tile`.

use crate::codegen::isa::BlockLimits;
use crate::loops::tile::offsets;
use crate::loops::{RowAxis, Tile};

/// A place in the left operand and in the result, as distances from the first row's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct RowOffset {
    /// In the left operand.
    pub a: i64,
    /// In the result.
    pub c: i64,
}

/// Equal blocks of rows, at equal distances: `count` of them.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Blocks {
    /// The first row of the first block.
    pub first: RowOffset,
    /// From one block to the next.
    pub step: RowOffset,
    /// How many blocks.
    pub count: usize,
    /// The rows of a block, from its first one.
    pub rows: Vec<RowOffset>,
}

/// Panels of columns, all as wide, side by side, and the rows of each.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Panels {
    /// The first column of the first panel.
    pub start: usize,
    /// Columns of a panel.
    pub size: usize,
    /// How many panels.
    pub count: usize,
    /// The axes of the tile's rows around all blocks, outermost first.
    pub outer: Vec<RowAxis>,
    /// The blocks for each step of `outer`, in order.
    pub blocks: Vec<Blocks>,
}

/// A tile in register blocks, which cover it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Cut {
    /// From left to right.
    pub panels: Vec<Panels>,
    /// Whether a panel is done for all rows before the next one.
    pub columns_outermost: bool,
}

/// Cuts a tile into blocks within limits. A tile without rows or columns has no blocks.
pub fn cut(limits: BlockLimits, tile: &Tile) -> Cut {
    // The operand that is read again for each outer block should be the smaller one. Where they
    // are alike, a panel of B should stay near: its rows lie apart, which prefetchers cannot
    // follow, while A is read along its rows.
    let columns_outermost = tile.n.saturating_mul(2) >= tile.row_count();
    if tile.row_count() == 0 || tile.n == 0 {
        return Cut { panels: Vec::new(), columns_outermost };
    }
    // Of equal costs the narrower is kept: it reads less of B for a row of products.
    let candidates = (1..=limits.rows.len()).map(|width| panels(limits, tile, width));
    let best = candidates.min_by_key(|panels| cost(limits, panels));
    Cut { panels: best.expect("limits allow a width of one register"), columns_outermost }
}

/// The panels where they are `width` registers wide.
fn panels(limits: BlockLimits, tile: &Tile, width: usize) -> Vec<Panels> {
    let size = limits.lanes * width;
    let (full, rest) = (tile.n / size, tile.n % size);
    let runs = [(0, size, full), (full * size, rest, usize::from(rest > 0))];
    let panel = |(start, size, count): (usize, usize, usize)| {
        let most = limits.rows[size.div_ceil(limits.lanes) - 1];
        let (outer, blocks) = blocks(&tile.rows, most);
        Panels { start, size, count, outer, blocks }
    };
    runs.into_iter().filter(|&(_, _, count)| count > 0).map(panel).collect()
}

/// Rows in blocks of at most `most`: as many inner axes as fit are whole in every block, the next
/// one is cut evenly, and those around it are given back.
fn blocks(axes: &[RowAxis], most: usize) -> (Vec<RowAxis>, Vec<Blocks>) {
    let (mut around, mut inside) = (axes.len(), 1);
    while around > 0 && inside * axes[around - 1].extent <= most {
        around -= 1;
        inside *= axes[around].extent;
    }
    let (outer, whole) = axes.split_at(around);
    let Some((cut, outer)) = outer.split_last() else {
        return (Vec::new(), vec![evenly(&RowAxis { extent: 1, a: 0, c: 0 }, 0, 1, 1, whole)]);
    };
    let steps = even_runs(cut.extent, most / inside);
    let blocks = steps.map(|(start, size, count)| evenly(cut, start, size, count, whole));
    (outer.to_vec(), blocks.collect())
}

/// `count` blocks of `size` steps of an axis each, from `start` on, with all of the axes inside.
fn evenly(cut: &RowAxis, start: usize, size: usize, count: usize, inside: &[RowAxis]) -> Blocks {
    let far = |steps: usize| RowOffset { a: cut.a * steps as i64, c: cut.c * steps as i64 };
    let axes = [RowAxis { extent: size, ..*cut }];
    let axes = axes.iter().chain(inside).map(|axis| (axis.extent, [axis.a, axis.c]));
    let rows = offsets(axes).into_iter().map(|[a, c]| RowOffset { a, c }).collect();
    Blocks { first: far(start), step: far(size), count, rows }
}

/// `total` rows in as few blocks of at most `most` as possible, whose sizes differ by at most one:
/// where they start, their size and their number.
fn even_runs(total: usize, most: usize) -> impl Iterator<Item = (usize, usize, usize)> {
    let blocks = total.div_ceil(most);
    let (size, larger) = (total / blocks, total % blocks);
    let runs = [(0, size + 1, larger), (larger * (size + 1), size, blocks - larger)];
    runs.into_iter().filter(|&(_, _, count)| count > 0)
}

/// Half cycles that one step of the sum takes over all blocks, on a core that starts two FMAs and
/// two loads a cycle and finishes an FMA after four.
fn cost(limits: BlockLimits, panels: &[Panels]) -> usize {
    const LATENCY: usize = 8;
    let panel = |panels: &Panels| {
        let width = panels.size.div_ceil(limits.lanes);
        let block = |blocks: &Blocks| {
            let m = blocks.rows.len();
            blocks.count * (m * width).max(m + width).max(LATENCY)
        };
        let outer: usize = panels.outer.iter().map(|axis| axis.extent).product();
        panels.count * outer * panels.blocks.iter().map(block).sum::<usize>()
    };
    panels.iter().map(panel).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::entity::Entity;
    use crate::codegen::isa::{Avx2, Avx512, WideIsa};
    use crate::loops::{Access, Affine, SlotId, SumAxis};

    /// Rows of `extents` (outermost first), whose columns lie one after the other in `c`.
    fn tile(extents: &[usize], n: usize) -> Tile {
        let at = || Access { slot: SlotId::from_index(0), index: Affine::default() };
        let mut rows = Vec::new();
        let (mut a, mut c) = (3, n as i64);
        for &extent in extents.iter().rev() {
            rows.insert(0, RowAxis { extent, a, c });
            (a, c) = ((a + 1) * extent as i64, c * extent as i64);
        }
        Tile {
            rows,
            n,
            sum: vec![SumAxis { extent: 9, a: 1, b: n as i64 }],
            a: at(),
            b: at(),
            c: at(),
            accumulate: false,
            bias: None,
            relu: false,
        }
        .merged()
    }

    /// Each block's rows and columns, once for every time that it is run.
    fn each_block(cut: &Cut, mut run: impl FnMut(&[RowOffset], RowOffset, usize, usize)) {
        for panels in &cut.panels {
            let outer = offsets(panels.outer.iter().map(|axis| (axis.extent, [axis.a, axis.c])));
            for (panel, [a, c]) in
                (0..panels.count).flat_map(|p| outer.iter().map(move |&o| (p, o)))
            {
                for blocks in &panels.blocks {
                    for block in 0..blocks.count as i64 {
                        let first = RowOffset {
                            a: a + blocks.first.a + block * blocks.step.a,
                            c: c + blocks.first.c + block * blocks.step.c,
                        };
                        let column = panels.start + panel * panels.size;
                        run(&blocks.rows, first, column, panels.size);
                    }
                }
            }
        }
    }

    fn check(limits: BlockLimits, tile: &Tile) {
        let places: std::collections::HashMap<i64, i64> =
            tile.row_offsets().into_iter().map(|[a, c]| (c, a)).collect();
        let mut covered = vec![0; tile.row_count() * tile.n];
        each_block(&cut(limits, tile), |rows, first, column, size| {
            let width = size.div_ceil(limits.lanes);
            assert!((1..=limits.rows[width - 1]).contains(&rows.len()), "{tile:?}");
            for row in rows {
                assert_eq!(places[&(first.c + row.c)], first.a + row.a);
                for element in
                    first.c + row.c + column as i64..first.c + row.c + (column + size) as i64
                {
                    covered[element as usize] += 1;
                }
            }
        });
        assert!(covered.iter().all(|&times| times == 1), "{tile:?} {limits:?}");
    }

    #[test]
    fn every_element_is_in_one_block_that_fits() {
        for limits in [Avx512.limits(), Avx2.limits()] {
            for (m, n) in (1..70).flat_map(|m| (1..150).step_by(3).map(move |n| (m, n))) {
                check(limits, &tile(&[m], n));
            }
            for (x, y) in (1..20).flat_map(|x| (1..20).map(move |y| (x, y))) {
                check(limits, &tile(&[2, x, y], 37));
            }
            check(limits, &tile(&[2, 3, 2, 3, 2], 70));
        }
    }

    /// The rows of each kind of block of the first panels, and how many blocks of it there are.
    fn heights(extents: &[usize], n: usize) -> Vec<(usize, usize)> {
        let cut = cut(Avx512.limits(), &tile(extents, n));
        let outer: usize = cut.panels[0].outer.iter().map(|axis| axis.extent).product();
        cut.panels[0].blocks.iter().map(|it| (it.rows.len(), it.count * outer)).collect()
    }

    #[test]
    fn blocks_are_of_even_height_and_few_shapes() {
        assert_eq!(heights(&[32], 10), [(16, 2)]);
        assert_eq!(heights(&[8, 26, 26], 32), [(13, 8 * 26 * 2)]);
        assert_eq!(heights(&[148, 148], 32), [(14, 148 * 5), (13, 148 * 6)]);
        assert_eq!(heights(&[2, 28, 28], 16), [(28, 56)]);
    }

    #[test]
    fn small_rows_run_on_over_an_image_and_small_images_over_several() {
        assert_eq!(heights(&[8, 7, 7], 16), [(28, 8), (21, 8)]);
        assert_eq!(heights(&[14, 2, 2], 16), [(28, 2)]);
        assert_eq!(heights(&[3, 4, 4], 16), [(16, 3)]);
    }

    #[test]
    fn a_tile_without_elements_has_no_blocks() {
        assert!(cut(Avx2.limits(), &tile(&[0], 4)).panels.is_empty());
    }
}

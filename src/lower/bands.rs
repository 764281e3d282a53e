//! The loops over images and rows that kernels with windows share.
//!
//! Takes the shape of what is computed, `[N, H, W, C]`, and what an image costs in memory; gives
//! parts of images, and inside a part *blocks*: several whole images, or a band of one image's
//! rows, so that a block's input and output stay in a core's cache. A single image is cut into
//! parts along its rows. Windows at the upper and lower edge of an image read border rows, so
//! blocks there are not alike: the loops are written once for each kind.
//!
//! ```text
//! [32, 28, 28, 16]     16 parts of 2 images: block 2 images
//! [32, 224, 224, 64]   16 parts of 2 images: { first band; for 14 bands; last band }
//! [1, 224, 224, 64]    16 parts of 14 rows: if i0 < 1 { first } else if i0 < 15 { … }
//! ```

use crate::graph::Window;
use crate::loops::{Affine, IfTest, Stmt, VarId};
use crate::lower::nest::Nest;
use crate::lower::partition::Partition;
use std::ops::Range;

/// Bytes of a block's inputs and outputs: about half of a core's L2 cache, which also holds what
/// they are combined with.
pub const CACHED: usize = 512 << 10;

/// How windows read an axis: window `i` reads `span` elements from `first + step·i`; those outside
/// of the axis are border.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reach {
    /// The first element of window 0; negative where the border comes first.
    pub first: i64,
    /// The distance between windows.
    pub step: usize,
    /// From a window's first element to past its last.
    pub span: usize,
}

impl Reach {
    /// How windows read what they slide over.
    pub fn of(window: &Window, axis: usize) -> Reach {
        let first = -(window.pad[axis].0 as i64);
        Reach { first, step: window.stride[axis], span: window.span(axis) }
    }

    /// Each element by itself.
    pub fn same() -> Reach {
        Reach { first: 0, step: 1, span: 1 }
    }

    /// The positions that windows `start..start + count` read.
    pub fn over(&self, start: i64, count: usize) -> Range<i64> {
        let first = self.first + self.step as i64 * start;
        first..first + self.length(count) as i64
    }

    /// How many neighbours `count` windows read.
    pub fn length(&self, count: usize) -> usize {
        count.saturating_sub(1) * self.step + self.span
    }
}

/// How many of `range` lie before `0..extent`, and how many after it.
pub fn clipped(range: &Range<i64>, extent: usize) -> (usize, usize) {
    let length = range.end - range.start;
    let before = (-range.start).clamp(0, length);
    let after = (range.end - extent as i64).clamp(0, length - before);
    (before as usize, after as usize)
}

/// Rows that are computed together: all of some images, or some of one.
#[derive(Clone, Debug)]
pub struct RowBlock {
    /// The first image.
    pub image: Affine,
    /// How many images.
    pub images: usize,
    /// The first row of each.
    pub row: Affine,
    /// How many rows.
    pub rows: usize,
    /// The least value of `row`: what is border is the same for all of them.
    pub first_row: i64,
}

/// Windows along the rows: their reach, and the number of rows.
pub type RowRead = (Reach, usize);

/// Bands of an image that are alike: `count` of them from row `start` on, `rows` rows each.
#[derive(Clone, Debug, PartialEq, Eq)]
struct BandKind {
    start: usize,
    rows: usize,
    count: usize,
}

/// A kernel's images and rows in blocks.
#[derive(Clone, Debug)]
pub struct Bands {
    /// The parts: of images; of bands where there is one image.
    pub partition: Partition,
    /// How many images a block has at most; 1 where it is a band of rows.
    pub images: usize,
    /// How many rows a block has at most.
    pub rows: usize,
    /// How many rows an image has.
    pub out_rows: usize,
    one_image: bool,
    kinds: Vec<BandKind>,
}

/// Sizes by which images and rows are cut into blocks.
#[derive(Clone, Debug)]
pub struct BlockShape {
    /// Images.
    pub images: usize,
    /// Rows that are computed of each.
    pub rows: usize,
    /// Bytes that a row of the result and the rows that it reads take in cache.
    pub row_bytes: usize,
    /// A band has a multiple of so many rows (but for the last).
    pub multiple: usize,
    /// Multiplications of a row: a single image is cut into bands that are worth a thread.
    pub row_work: usize,
}

/// Multiplications that are worth waiting for another thread: some microseconds.
const WORTH_A_PART: usize = 1 << 19;

impl Bands {
    /// Cuts images into blocks; `partition` is that of images.
    pub fn new(shape: &BlockShape, partition: Partition, reads: &[RowRead]) -> Bands {
        let BlockShape { images, rows, row_bytes, multiple, row_work } = *shape;
        let one_image = images == 1;
        let rounded = |rows: usize| rows.max(1).next_multiple_of(multiple.max(1));
        let mut band = rows;
        if one_image {
            let worth = (WORTH_A_PART / row_work.max(1)).max(1);
            band = band.min(rounded(rows.div_ceil(16).max(worth)));
        }
        let fits = (CACHED / row_bytes.max(1)).max(1);
        if band > fits && !one_image {
            band = band.min(rounded(rows.div_ceil(rows.div_ceil(fits))));
        }
        let kinds = kinds(rows, band, reads);
        let parts = rows.div_ceil(band.max(1));
        let partition = match one_image {
            true => Partition { parts, rows: band, last: rows - (parts - 1) * band },
            false => partition,
        };
        let most = (fits / rows.max(1)).clamp(1, partition.rows.max(1));
        let divides = |count: &usize| partition.rows.is_multiple_of(*count);
        let whole = band == rows && !one_image;
        let images = if whole { (1..=most).rev().find(divides).unwrap_or(1) } else { 1 };
        Bands { partition, images, rows: band, out_rows: rows, one_image, kinds }
    }

    /// Blocks of whole images, one at a time.
    pub fn whole(images: usize, rows: usize, partition: Partition) -> Bands {
        debug_assert!(partition.parts <= images);
        let kinds = vec![BandKind { start: 0, rows, count: 1 }];
        Bands { partition, images: 1, rows, out_rows: rows, one_image: false, kinds }
    }

    /// Whether every block has all rows of its images, so that borders stay as they are.
    pub fn whole_images(&self) -> bool {
        self.kinds.len() == 1 && self.kinds[0].count == 1
    }

    /// Writes a body for each kind of block, in loops over a part's blocks.
    pub fn each(&self, nest: &mut Nest, part: VarId, mut body: impl FnMut(&mut Nest, &RowBlock)) {
        if self.one_image {
            return self.parts_of_rows(nest, part, &self.kinds, &mut body);
        }
        nest.each_length(part, self.partition, |nest, count| {
            let first = Affine::var(part).times(self.partition.rows as i64);
            if self.whole_images() {
                self.groups(nest, first, count, &mut body);
            } else {
                let image = nest.values.writer.var(count);
                nest.values.writer.open(Some(image));
                self.bands(nest, &first.plus(&Affine::var(image)), &mut body);
                nest.values.writer.close_for(image);
            }
        });
    }

    /// Whole images, several at a time.
    fn groups(
        &self,
        nest: &mut Nest,
        first: Affine,
        count: usize,
        body: &mut impl FnMut(&mut Nest, &RowBlock),
    ) {
        let block = |image: Affine, images: usize| RowBlock {
            image,
            images,
            row: Affine::default(),
            rows: self.rows,
            first_row: 0,
        };
        let whole = count / self.images;
        if whole > 0 {
            let group = nest.values.writer.var(whole);
            nest.values.writer.open(Some(group));
            let image = first.plus(&Affine::var(group).times(self.images as i64));
            body(nest, &block(image, self.images));
            nest.values.writer.close_for(group);
        }
        let rest = count % self.images;
        if rest > 0 {
            let image = first.plus(&Affine::constant((whole * self.images) as i64));
            body(nest, &block(image, rest));
        }
    }

    /// The bands of an image, one kind after the other.
    fn bands(&self, nest: &mut Nest, image: &Affine, body: &mut impl FnMut(&mut Nest, &RowBlock)) {
        for kind in &self.kinds {
            let band = nest.values.writer.var(kind.count);
            nest.values.writer.open(Some(band));
            let step = Affine::var(band).times(kind.rows as i64);
            body(nest, &kind.block(image.clone(), step));
            nest.values.writer.close_for(band);
        }
    }

    /// The bands of a single image, which are its parts.
    fn parts_of_rows(
        &self,
        nest: &mut Nest,
        part: VarId,
        kinds: &[BandKind],
        body: &mut impl FnMut(&mut Nest, &RowBlock),
    ) {
        let Some((kind, others)) = kinds.split_first() else { return };
        let before = kind.start / self.rows;
        let own = |nest: &mut Nest, body: &mut dyn FnMut(&mut Nest, &RowBlock)| {
            let start = Affine::constant(-((before * self.rows) as i64));
            let step = start.plus(&Affine::var(part).times(self.rows as i64));
            let step = if kind.count == 1 { Affine::default() } else { step };
            body(nest, &kind.block(Affine::default(), step));
        };
        if others.is_empty() {
            return own(nest, body);
        }
        nest.values.writer.open(None);
        own(nest, body);
        let then = nest.values.writer.close();
        nest.values.writer.open(None);
        self.parts_of_rows(nest, part, others, body);
        let otherwise = nest.values.writer.close();
        let bound = before + kind.count;
        let test = IfTest::Below(part, bound);
        nest.values.writer.push(Stmt::If { test, then, otherwise });
    }
}

impl BandKind {
    fn block(&self, image: Affine, step: Affine) -> RowBlock {
        let row = Affine::constant(self.start as i64).plus(&step);
        RowBlock { image, images: 1, row, rows: self.rows, first_row: self.start as i64 }
    }
}

/// The bands of `rows` rows, `band` each; neighbours that read equally much border are alike.
fn kinds(rows: usize, band: usize, reads: &[RowRead]) -> Vec<BandKind> {
    let mut kinds: Vec<(BandKind, Vec<(usize, usize)>)> = Vec::new();
    for start in (0..rows).step_by(band.max(1)) {
        let own = band.min(rows - start);
        let edges: Vec<(usize, usize)> = reads
            .iter()
            .map(|(reach, extent)| clipped(&reach.over(start as i64, own), *extent))
            .collect();
        match kinds.last_mut() {
            Some((kind, known)) if kind.rows == own && *known == edges => kind.count += 1,
            _ => kinds.push((BandKind { start, rows: own, count: 1 }, edges)),
        }
    }
    kinds.into_iter().map(|(kind, _)| kind).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(images: usize, rows: usize, row_bytes: usize) -> BlockShape {
        BlockShape { images, rows, row_bytes, multiple: 1, row_work: 1 << 20 }
    }

    #[test]
    fn small_images_are_taken_together_and_large_ones_in_bands() {
        let reach = Reach { first: -1, step: 1, span: 3 };
        let small = Bands::new(&shape(32, 4, 16 << 10), Partition::of(32), &[(reach, 4)]);
        assert_eq!((small.images, small.rows, small.whole_images()), (8, 4, true));
        let parts = Partition::of_rows(32, 1 << 20);
        let large = Bands::new(&shape(32, 224, 32 << 10), parts, &[(reach, 224)]);
        assert_eq!((large.images, large.rows, large.whole_images()), (1, 16, false));
        let starts: Vec<_> = large.kinds.iter().map(|kind| (kind.start, kind.count)).collect();
        assert_eq!(starts, [(0, 1), (16, 12), (208, 1)]);
    }

    #[test]
    fn one_image_is_cut_into_parts_of_rows() {
        let reach = Reach { first: 0, step: 2, span: 2 };
        let bands = Bands::new(&shape(1, 37, 1 << 10), Partition::of(1), &[(reach, 74)]);
        assert_eq!((bands.partition.parts, bands.partition.rows, bands.partition.last), (13, 3, 1));
        assert_eq!(bands.kinds.len(), 2);
    }

    #[test]
    fn what_lies_outside_of_an_axis_is_border() {
        assert_eq!(clipped(&(-2..5), 4), (2, 1));
        assert_eq!(clipped(&(1..3), 4), (0, 0));
        assert_eq!(clipped(&(-5..-2), 4), (3, 0));
        assert_eq!(clipped(&(6..8), 4), (0, 2));
    }
}

//! The weight gradient of a convolution of each channel by itself: for each tap, the sum over all
//! images and positions of what it read times the output's gradient.
//!
//! Takes where both are; gives loops that leave each part's sums, a slice `[taps, channels]` a
//! part. Products are added in order of images, rows and columns, each with one rounding.
//!
//! ```text
//! for image { for row { for four columns { vector channel { four gradients; for each tap:
//!     load its sum, four products, store it } } } }
//! ```

use super::ranges::{RangeTap, Spaced, TapRange, spaced};
use super::slide::{FEW_CHANNELS, MOST_TAPS, PIXELS, SlideOperand, Windows, dot, load};
use crate::base::tensor::DType;
use crate::loops::{Access, Affine, Binary, Inst, Reduce, SlotId, VarId};

/// Sums of products over positions.
pub struct WindowWeights {
    /// Channels.
    pub channels: usize,
    /// Outputs along the height.
    pub rows: Vec<TapRange>,
    /// Outputs along the width.
    pub columns: Vec<TapRange>,
    /// Taps along the width.
    pub width: usize,
    /// The images.
    pub x: SlideOperand,
    /// The gradient of the outputs.
    pub gradient: SlideOperand,
    /// The sums, so many elements a part.
    pub sums: SlotId,
    /// The elements of a part.
    pub pitch: usize,
}

/// A place in the loops.
struct LoopPlace<'a> {
    part: VarId,
    image: Affine,
    rows: &'a TapRange,
    columns: &'a TapRange,
    row: Affine,
}

impl WindowWeights {
    /// The loops of a part: over so many images from `first` on.
    pub fn write(&self, writer: &mut Windows, part: VarId, first: &Affine, images: usize) {
        let lane = writer.var(self.pitch);
        writer.open(Some(lane));
        let zero = writer.define(DType::F32, 0, Inst::F32(0.0));
        let start = Affine::var(part).times(self.pitch as i64);
        writer.store(self.sums, start.plus(&Affine::var(lane)), zero);
        writer.close_vector(lane, &[]);
        let image = writer.var(images);
        writer.open(Some(image));
        for rows in self.rows.iter().filter(|rows| !rows.taps.is_empty()) {
            let row = writer.var(rows.count);
            writer.open(Some(row));
            for columns in self.columns.iter().filter(|columns| !columns.taps.is_empty()) {
                let image = first.plus(&Affine::var(image));
                let place = LoopPlace { part, image, rows, columns, row: Affine::var(row) };
                match self.channels {
                    0..FEW_CHANNELS => self.along_columns(writer, &place),
                    _ => self.along_channels(writer, &place),
                }
            }
            writer.close_for(row);
        }
        writer.close_for(image);
    }

    /// Vectors along the channels, for several neighbouring outputs at once.
    fn along_channels(&self, writer: &mut Windows, place: &LoopPlace) {
        let whole = place.columns.count / PIXELS;
        for (count, height, before) in
            [(whole, PIXELS, 0), (place.columns.count % PIXELS, 1, whole * PIXELS)]
        {
            if count == 0 {
                continue;
            }
            let column = writer.var(count);
            writer.open(Some(column));
            let first = Affine::var(column).times(height as i64);
            let pixel = |number: usize| first.plus(&Affine::constant((before + number) as i64));
            let pixels: Vec<Affine> = (0..height).map(pixel).collect();
            if place.rows.taps.len() * place.columns.taps.len() <= MOST_TAPS {
                self.channels(writer, place, &pixels, &self.every_tap(place));
            } else {
                self.each_tap(writer, place, |writer, tap| {
                    self.channels(writer, place, &pixels, std::slice::from_ref(&tap));
                });
            }
            writer.close_for(column);
        }
    }

    fn channels(
        &self,
        writer: &mut Windows,
        place: &LoopPlace,
        pixels: &[Affine],
        taps: &[[Spaced; 2]],
    ) {
        let lane = writer.var(self.channels);
        writer.open(Some(lane));
        let channel = Affine::var(lane);
        for tap in taps {
            let access = self.sum(place, tap, &channel);
            let depth = writer.depth();
            let mut sum = writer.define(DType::F32, depth, Inst::Load(access.clone()));
            for column in pixels {
                let x = load(writer, self.x(place, tap, column, &channel));
                let gradient = load(writer, self.gradient(place, column, &channel));
                sum = writer.define(DType::F32, depth, Inst::Fma(x, gradient, sum));
            }
            writer.store(access.slot, access.index, sum);
        }
        writer.close_vector(lane, &[]);
    }

    /// Vectors along the outputs of a row, one for each of few channels.
    fn along_columns(&self, writer: &mut Windows, place: &LoopPlace) {
        let channel_var = writer.var(self.channels);
        writer.open(Some(channel_var));
        let channel = Affine::var(channel_var);
        self.each_tap(writer, place, |writer, tap| {
            let lane = writer.var(place.columns.count);
            writer.open(Some(lane));
            let column = Affine::var(lane);
            let x = load(writer, self.x(place, &tap, &column, &channel));
            let gradient = load(writer, self.gradient(place, &column, &channel));
            let product = writer.define(DType::F32, 0, Inst::Binary(Binary::Mul, x, gradient));
            let added = writer.close_vector(lane, &[(Reduce::Sum, product)])[0];
            let access = self.sum(place, &tap, &channel);
            let depth = writer.depth();
            let sum = writer.define(DType::F32, depth, Inst::Load(access.clone()));
            let sum = writer.define(DType::F32, depth, Inst::Binary(Binary::Add, sum, added));
            writer.store(access.slot, access.index, sum);
        });
        writer.close_for(channel_var);
    }

    /// Loops over the taps of a place.
    fn each_tap(
        &self,
        writer: &mut Windows,
        place: &LoopPlace,
        body: impl FnOnce(&mut Windows, [Spaced; 2]),
    ) {
        let (rows, columns) = (&place.rows.taps, &place.columns.taps);
        let [tall, wide] = [rows, columns].map(|taps| writer.var(taps.len()));
        writer.open(Some(tall));
        writer.open(Some(wide));
        body(writer, [spaced(rows, tall), spaced(columns, wide)]);
        writer.close_for(wide);
        writer.close_for(tall);
    }

    /// All taps of a place, in order.
    fn every_tap(&self, place: &LoopPlace) -> Vec<[Spaced; 2]> {
        let fixed = |tap: &RangeTap| Spaced {
            number: Affine::constant(tap.number as i64),
            place: Affine::constant(tap.place as i64),
        };
        let columns = &place.columns.taps;
        let pairs = |row| columns.iter().map(move |column| [fixed(row), fixed(column)]);
        place.rows.taps.iter().flat_map(pairs).collect()
    }

    /// The sum of a tap and a channel.
    fn sum(&self, place: &LoopPlace, [row, column]: &[Spaced; 2], channel: &Affine) -> Access {
        let number = row.number.times(self.width as i64).plus(&column.number);
        let part = Affine::var(place.part).times(self.pitch as i64);
        let index = part.plus(&number.times(self.channels as i64)).plus(channel);
        Access { slot: self.sums, index }
    }

    /// The element that a tap reads.
    fn x(&self, place: &LoopPlace, tap: &[Spaced; 2], column: &Affine, channel: &Affine) -> Access {
        let row = tap[0].place.plus(&place.row.times(place.rows.stride as i64));
        let column = tap[1].place.plus(&column.times(place.columns.stride as i64));
        let index = dot(&self.x.view, [&place.image, &row, &column, channel]);
        Access { slot: self.x.slot, index }
    }

    /// The gradient of an output.
    fn gradient(&self, place: &LoopPlace, column: &Affine, channel: &Affine) -> Access {
        let first = |range: &TapRange| Affine::constant(range.first as i64);
        let row = place.row.plus(&first(place.rows));
        let column = column.plus(&first(place.columns));
        let index = dot(&self.gradient.view, [&place.image, &row, &column, channel]);
        Access { slot: self.gradient.slot, index }
    }
}

//! The loops of a window: for each position, what its taps read, combined in their order.
//!
//! Takes ranges of positions along both axes, where the operands are, and what is done with an
//! operand's elements; gives loops over the images of a part without a border or a test. Vectors
//! run along the channels; where the channels of neighbouring positions stand side by side, along
//! both; where there are few channels, along the positions. Up to [`MOST_TAPS`] taps are written
//! out, more are loops over sums in memory.
//!
//! ```text
//! 2 × 2 taps at distance 2, [8, 4, 4, 16]
//!     for image { for row { for column { vector channel { four loads, three adds, a store } } } }
//! ```

mod looped;

use super::ranges::{RangeTap, TapRange};
use crate::base::tensor::DType;
use crate::graph::view::View;
use crate::loops::{Access, Affine, Binary, Inst, RegId, SlotId, VarId};
use crate::lower::writer::KernelWriter;

/// Taps that are written out.
pub const MOST_TAPS: usize = 16;

/// Fewer channels than this are a loop around vectors along the positions.
pub const FEW_CHANNELS: usize = 4;

/// Neighbouring positions that one body computes, so that they share what they load.
pub const PIXELS: usize = 4;

/// Kernels of windows: scalars that were loaded are known by where from.
pub type Windows = KernelWriter<(SlotId, Affine)>;

/// An operand: images, or weights of taps.
#[derive(Clone, Debug)]
pub struct SlideOperand {
    /// Where it is.
    pub slot: SlotId,
    /// How it lies there.
    pub view: View,
}

/// The operation on the elements that taps read.
#[derive(Clone, Debug)]
pub enum TapWork {
    /// They are added.
    Sum,
    /// Those are added whose tap the index names.
    Chosen(SlideOperand),
    /// Their products with the tap's weights `[kh, kw, 1, c]` are added.
    Product(SlideOperand),
    /// The largest is found, its tap, or both. The last buffer holds what the index names, where
    /// taps are a loop.
    Largest {
        /// Where the largest goes.
        value: Option<SlotId>,
        /// Where its tap goes.
        index: Option<SlotId>,
        /// The thread's own.
        named: SlotId,
    },
}

/// A window over images.
#[derive(Clone, Debug)]
pub struct WindowSlide {
    /// The height and width of what is written.
    pub extents: [usize; 2],
    /// Channels.
    pub channels: usize,
    /// Positions along the height.
    pub rows: Vec<TapRange>,
    /// Positions along the width.
    pub columns: Vec<TapRange>,
    /// Taps along the width.
    pub width: usize,
    /// The operand that taps read.
    pub source: SlideOperand,
    /// The operation on it.
    pub work: TapWork,
    /// Where sums go; not used by `Largest`.
    pub to: SlotId,
}

/// The largest vector of a window.
pub fn most_lanes(channels: usize, columns: &[TapRange]) -> usize {
    columns.iter().map(|range| range.count).max().unwrap_or(1) * channels
}

/// A place in the loops.
#[derive(Clone)]
struct Pixel<'a> {
    image: Affine,
    rows: &'a TapRange,
    columns: &'a TapRange,
    row: Affine,
    column: Affine,
    channel: Affine,
    /// The lane of the vector.
    lane: Affine,
}

/// Along what a vector runs.
#[derive(Clone, Copy, PartialEq)]
enum VectorAxis {
    Channels,
    Columns,
    Both,
}

impl WindowSlide {
    /// The loops over so many images from `first` on.
    pub fn write(&self, writer: &mut Windows, first: &Affine, images: usize) {
        let image = writer.var(images);
        writer.open(Some(image));
        for rows in &self.rows {
            let row = writer.var(rows.count);
            writer.open(Some(row));
            for columns in &self.columns {
                let pixel = Pixel {
                    image: first.plus(&Affine::var(image)),
                    rows,
                    columns,
                    row: Affine::var(row),
                    column: Affine::default(),
                    channel: Affine::default(),
                    lane: Affine::default(),
                };
                self.row(writer, pixel);
            }
            writer.close_for(row);
        }
        writer.close_for(image);
    }

    /// Along what vectors over a range run.
    fn along(&self, columns: &TapRange) -> VectorAxis {
        let mut operands = vec![&self.source];
        match &self.work {
            TapWork::Chosen(index) => operands.push(index),
            TapWork::Product(_) | TapWork::Sum | TapWork::Largest { .. } => {}
        }
        let side_by_side = |operand: &&SlideOperand| match operand.view.strides[..] {
            [.., column, channel] => column == self.channels as i64 * channel,
            _ => false,
        };
        let joined = columns.step == 1
            && columns.stride == 1
            && columns.count > 1
            && self.channels > 1
            && !matches!(self.work, TapWork::Product(_))
            && operands.iter().all(side_by_side);
        match joined {
            true => VectorAxis::Both,
            false if self.channels < FEW_CHANNELS && columns.count > 1 => VectorAxis::Columns,
            false => VectorAxis::Channels,
        }
    }

    /// The positions of a range along one row.
    fn row(&self, writer: &mut Windows, mut pixel: Pixel) {
        let columns = pixel.columns;
        let along = self.along(columns);
        let few_taps = pixel.rows.taps.len() * columns.taps.len() <= MOST_TAPS;
        match along {
            VectorAxis::Both => self.lanes(writer, &pixel, along, few_taps, 1),
            VectorAxis::Columns => {
                let channel = writer.var(self.channels);
                writer.open(Some(channel));
                pixel.channel = Affine::var(channel);
                self.lanes(writer, &pixel, along, few_taps, 1);
                writer.close_for(channel);
            }
            VectorAxis::Channels => {
                let shares = few_taps && matches!(self.work, TapWork::Product(_));
                let height = if shares { PIXELS } else { 1 };
                let whole = columns.count / height;
                for (count, height, before) in
                    [(whole, height, 0), (columns.count % height, 1, whole * height)]
                {
                    if count == 0 {
                        continue;
                    }
                    let column = writer.var(count);
                    writer.open(Some(column));
                    pixel.column = Affine::var(column)
                        .times(height as i64)
                        .plus(&Affine::constant(before as i64));
                    self.lanes(writer, &pixel, along, few_taps, height);
                    writer.close_for(column);
                }
            }
        }
    }

    /// The vectors at a place, for so many neighbouring positions at once.
    fn lanes(
        &self,
        writer: &mut Windows,
        pixel: &Pixel,
        along: VectorAxis,
        few_taps: bool,
        height: usize,
    ) {
        if !few_taps {
            return self.looped(writer, pixel, along);
        }
        self.vector(writer, pixel, along, |writer, pixel| {
            for number in 0..height {
                let column = pixel.column.plus(&Affine::constant(number as i64));
                self.unrolled(writer, &Pixel { column, ..pixel.clone() });
            }
        });
    }

    /// One vector loop.
    fn vector(
        &self,
        writer: &mut Windows,
        pixel: &Pixel,
        along: VectorAxis,
        body: impl FnOnce(&mut Windows, &Pixel),
    ) {
        let extent = match along {
            VectorAxis::Channels => self.channels,
            VectorAxis::Columns => pixel.columns.count,
            VectorAxis::Both => pixel.columns.count * self.channels,
        };
        let var: VarId = writer.var(extent);
        writer.open(Some(var));
        let lane = Affine::var(var);
        let mut pixel = Pixel { lane: lane.clone(), ..pixel.clone() };
        match along {
            VectorAxis::Columns => pixel.column = lane,
            VectorAxis::Channels | VectorAxis::Both => pixel.channel = lane,
        }
        body(writer, &pixel);
        writer.close_vector(var, &[]);
    }

    /// All taps written out.
    fn unrolled(&self, writer: &mut Windows, pixel: &Pixel) {
        let taps: Vec<(RangeTap, RangeTap)> = pairs(pixel);
        if let TapWork::Largest { value, index, .. } = self.work {
            return self.largest(writer, pixel, &taps, value, index);
        }
        let mut sum = None;
        for &tap in &taps {
            sum = Some(self.add(writer, pixel, tap, sum));
        }
        let sum = sum.unwrap_or_else(|| writer.define(DType::F32, 0, Inst::F32(0.0)));
        writer.store(self.to, self.target(pixel), sum);
    }

    /// A sum with what a tap adds.
    fn add(
        &self,
        writer: &mut Windows,
        pixel: &Pixel,
        tap: (RangeTap, RangeTap),
        sum: Option<RegId>,
    ) -> RegId {
        let value = self.read(writer, pixel, tap, &self.source);
        let value = match &self.work {
            TapWork::Sum | TapWork::Largest { .. } => value,
            TapWork::Chosen(index) => {
                let index = self.read(writer, pixel, tap, index);
                let number = Inst::I32(self.number(tap) as i32);
                let number = writer.define(DType::I32, 0, number);
                chosen(writer, index, number, value)
            }
            TapWork::Product(weights) => {
                let weight = weight(writer, pixel, tap, weights);
                let product = match sum {
                    Some(sum) => Inst::Fma(value, weight, sum),
                    None => Inst::Binary(Binary::Mul, value, weight),
                };
                return writer.define(DType::F32, 0, product);
            }
        };
        match sum {
            Some(sum) => writer.define(DType::F32, 0, Inst::Binary(Binary::Add, sum, value)),
            None => value,
        }
    }

    /// The largest of the taps and the first that it stands at. NaN wherever one is NaN; the
    /// index goes on from one tap to another only where that is strictly larger.
    fn largest(
        &self,
        writer: &mut Windows,
        pixel: &Pixel,
        taps: &[(RangeTap, RangeTap)],
        value: Option<SlotId>,
        index: Option<SlotId>,
    ) {
        let values: Vec<RegId> =
            taps.iter().map(|&tap| self.read(writer, pixel, tap, &self.source)).collect();
        let at = self.target(pixel);
        let Some(index) = index else {
            let max = |a, b| writer.define(DType::F32, 0, Inst::Binary(Binary::Max, a, b));
            let largest = values.into_iter().reduce(max).expect("a window covers something");
            return writer.store(value.expect("something is wanted"), at, largest);
        };
        let mut named = values[0];
        let first = Inst::I32(self.number(taps[0]) as i32);
        let mut number = writer.define(DType::I32, 0, first);
        for (&tap, &value) in taps.iter().zip(&values).skip(1) {
            let more = writer.define(DType::Bool, 0, Inst::Binary(Binary::Gt, value, named));
            let own = writer.define(DType::I32, 0, Inst::I32(self.number(tap) as i32));
            number = writer.define(DType::I32, 0, Inst::Select(more, own, number));
            named = writer.define(DType::F32, 0, Inst::Select(more, value, named));
        }
        writer.store(index, at.clone(), number);
        if let Some(to) = value {
            let nan = |value| Inst::Binary(Binary::Ne, value, value);
            let mut unordered = writer.define(DType::Bool, 0, nan(values[0]));
            for &value in &values[1..] {
                let own = writer.define(DType::Bool, 0, nan(value));
                let either = Inst::Binary(Binary::Or, unordered, own);
                unordered = writer.define(DType::Bool, 0, either);
            }
            let nan = writer.define(DType::F32, 0, Inst::F32(f32::NAN));
            let largest = writer.define(DType::F32, 0, Inst::Select(unordered, nan, named));
            writer.store(to, at, largest);
        }
    }

    /// The number of a tap.
    fn number(&self, (row, column): (RangeTap, RangeTap)) -> usize {
        row.number * self.width + column.number
    }

    /// The element that a place writes.
    fn target(&self, pixel: &Pixel) -> Affine {
        let [height, width] = self.extents;
        let at = |range: &TapRange, index: &Affine| {
            index.times(range.step as i64).plus(&Affine::constant(range.first as i64))
        };
        let row = pixel.image.times(height as i64).plus(&at(pixel.rows, &pixel.row));
        let column = row.times(width as i64).plus(&at(pixel.columns, &pixel.column));
        column.times(self.channels as i64).plus(&pixel.channel)
    }

    fn read(
        &self,
        writer: &mut Windows,
        pixel: &Pixel,
        (row, column): (RangeTap, RangeTap),
        from: &SlideOperand,
    ) -> RegId {
        let places = [row.place, column.place].map(|place| Affine::constant(place as i64));
        load(writer, self.access(pixel, [&places[0], &places[1]], from))
    }

    /// The element of an operand that stands at these places for the first position.
    fn access(&self, pixel: &Pixel, [row, column]: [&Affine; 2], from: &SlideOperand) -> Access {
        let moved = |range: &TapRange, index: &Affine| index.times(range.stride as i64);
        let row = row.plus(&moved(pixel.rows, &pixel.row));
        let column = column.plus(&moved(pixel.columns, &pixel.column));
        let index = dot(&from.view, [&pixel.image, &row, &column, &pixel.channel]);
        Access { slot: from.slot, index }
    }
}

/// All taps of a place, in order.
fn pairs(pixel: &Pixel) -> Vec<(RangeTap, RangeTap)> {
    let columns = &pixel.columns.taps;
    let row = |&row: &RangeTap| columns.iter().map(move |&column| (row, column));
    pixel.rows.taps.iter().flat_map(row).collect()
}

/// `value` where the index names the tap, else 0.
fn chosen(writer: &mut Windows, index: RegId, number: RegId, value: RegId) -> RegId {
    let zero = writer.define(DType::F32, 0, Inst::F32(0.0));
    let equal = writer.define(DType::Bool, 0, Inst::Binary(Binary::Eq, index, number));
    writer.define(DType::F32, 0, Inst::Select(equal, value, zero))
}

/// A tap's weight of the channel.
fn weight(
    writer: &mut Windows,
    pixel: &Pixel,
    (row, column): (RangeTap, RangeTap),
    from: &SlideOperand,
) -> RegId {
    let numbers = [row.number, column.number].map(|number| Affine::constant(number as i64));
    load(writer, weight_access(pixel, [&numbers[0], &numbers[1]], from))
}

fn weight_access(pixel: &Pixel, [row, column]: [&Affine; 2], from: &SlideOperand) -> Access {
    let index = dot(&from.view, [row, column, &Affine::default(), &pixel.channel]);
    Access { slot: from.slot, index }
}

/// An element of a view.
pub fn dot(view: &View, at: [&Affine; 4]) -> Affine {
    let start = Affine::constant(view.offset);
    let sum = |sum: Affine, (index, &stride): (&Affine, &i64)| sum.plus(&index.times(stride));
    at.into_iter().zip(&view.strides).fold(start, sum)
}

/// An element, once.
pub fn load(writer: &mut Windows, access: Access) -> RegId {
    let key = (access.slot, access.index.clone());
    if let Some(known) = writer.known(&key) {
        return known;
    }
    let dtype = crate::lower::values::scalar_type(writer.slot_type(access.slot));
    let reg = writer.define(dtype, 0, Inst::Load(access));
    writer.remember(key, reg);
    reg
}

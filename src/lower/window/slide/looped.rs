//! Taps as loops, where they are too many to be written out: each adds to sums in memory, or takes
//! the place of the largest there.
//!
//! ```text
//! 7 × 7 taps    vector { s1[…] = 0 }; for tall { for wide { vector { s1[…] += s0[…] } } }
//! ```

use super::{
    Pixel, SlideOperand, TapWork, VectorAxis, WindowSlide, Windows, chosen, load, weight_access,
};
use crate::base::tensor::DType;
use crate::loops::{Access, Affine, Binary, Inst, RegId, SlotId};
use crate::lower::window::ranges::{Spaced, spaced};

impl WindowSlide {
    /// A loop over taps, which adds to sums in memory.
    pub(super) fn looped(&self, writer: &mut Windows, pixel: &Pixel, along: VectorAxis) {
        self.vector(writer, pixel, along, |writer, pixel| self.begin(writer, pixel));
        let (rows, columns) = (&pixel.rows.taps, &pixel.columns.taps);
        let [tall, wide] = [rows, columns].map(|taps| writer.var(taps.len()));
        writer.open(Some(tall));
        writer.open(Some(wide));
        self.vector(writer, pixel, along, |writer, pixel| {
            let spaced = [spaced(rows, tall), spaced(columns, wide)];
            self.step(writer, pixel, &spaced);
        });
        writer.close_for(wide);
        writer.close_for(tall);
    }

    /// The start value of sums in memory.
    fn begin(&self, writer: &mut Windows, pixel: &Pixel) {
        let at = self.target(pixel);
        let TapWork::Largest { value, index, named } = self.work else {
            let zero = writer.define(DType::F32, 0, Inst::F32(0.0));
            return writer.store(self.to, at, zero);
        };
        let first = (pixel.rows.taps[0], pixel.columns.taps[0]);
        let element = self.read(writer, pixel, first, &self.source);
        if let Some(index) = index {
            let number = Inst::I32(self.number(first) as i32);
            let number = writer.define(DType::I32, 0, number);
            writer.store(index, at.clone(), number);
            writer.store(named, pixel.lane.clone(), element);
        }
        if let Some(value) = value {
            writer.store(value, at, element);
        }
    }

    /// Emits the addition of a tap to sums in memory.
    fn step(&self, writer: &mut Windows, pixel: &Pixel, taps: &[Spaced; 2]) {
        let at = self.target(pixel);
        let element = self.read_spaced(writer, pixel, taps, &self.source);
        let depth = writer.depth();
        let number = taps[0].number.times(self.width as i64).plus(&taps[1].number);
        let old = |writer: &mut Windows, slot: SlotId, index: &Affine, dtype| {
            let access = Access { slot, index: index.clone() };
            writer.define(dtype, depth, Inst::Load(access))
        };
        let added = match &self.work {
            TapWork::Sum => element,
            TapWork::Chosen(index) => {
                let index = self.read_spaced(writer, pixel, taps, index);
                let number = writer.define(DType::I32, 0, Inst::Index(number));
                chosen(writer, index, number, element)
            }
            TapWork::Product(weights) => {
                let places = [&taps[0].number, &taps[1].number];
                let weight = load(writer, weight_access(pixel, places, weights));
                let sum = old(writer, self.to, &at, DType::F32);
                let sum = writer.define(DType::F32, depth, Inst::Fma(element, weight, sum));
                return writer.store(self.to, at, sum);
            }
            TapWork::Largest { value, index, named } => {
                if let Some(index) = index {
                    let known = old(writer, *named, &pixel.lane, DType::F32);
                    let before = old(writer, *index, &at, DType::I32);
                    let more = Inst::Binary(Binary::Gt, element, known);
                    let more = writer.define(DType::Bool, depth, more);
                    let own = writer.define(DType::I32, 0, Inst::Index(number));
                    let number = writer.define(DType::I32, depth, Inst::Select(more, own, before));
                    let known = Inst::Select(more, element, known);
                    let known = writer.define(DType::F32, depth, known);
                    writer.store(*index, at.clone(), number);
                    writer.store(*named, pixel.lane.clone(), known);
                }
                if let Some(value) = value {
                    let before = old(writer, *value, &at, DType::F32);
                    let larger = Inst::Binary(Binary::Max, before, element);
                    let larger = writer.define(DType::F32, depth, larger);
                    writer.store(*value, at, larger);
                }
                return;
            }
        };
        let sum = old(writer, self.to, &at, DType::F32);
        let sum = writer.define(DType::F32, depth, Inst::Binary(Binary::Add, sum, added));
        writer.store(self.to, at, sum);
    }

    fn read_spaced(
        &self,
        writer: &mut Windows,
        pixel: &Pixel,
        [rows, columns]: &[Spaced; 2],
        from: &SlideOperand,
    ) -> RegId {
        load(writer, self.access(pixel, [&rows.place, &columns.place], from))
    }
}

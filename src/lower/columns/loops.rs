//! The loops that add rows to sums.
//!
//! Takes reductions and a range of each axis: a part's own rows, or a block of a kernel that
//! computes what is summed and calls here while it is in cache; gives loops, outermost first: all
//! axes but the last two one by one, then several rows at once, then a vector along the channels.
//!
//! ```text
//! [8, 32, 32, 16], 8 images    for 2048 { vector 16 { four values, s += (a + b) + (c + d) } }
//! [8, 32, 32, 3], 8 images     for 8 { for 3 { vector 1024 { value } reduce; s += } }
//! ```

use super::totals::TotalKind;
use super::{ColumnSums, FirstBlockMean, Sum};
use crate::base::tensor::DType;
use crate::graph::Reduce;
use crate::loops::{Access, Affine, Binary, Inst, RegId, SlotId, VarId};
use crate::lower::nest::{Nest, combining};
use crate::lower::values::{ValueKey, scalar_type};
use crate::lower::writer::KernelWriter;

/// Fewer channels than this are summed along the rows.
const NARROW: usize = 8;

/// Rows whose mean is what a variance's sums are shifted by.
const FIRST_ROWS: usize = 32;

/// Rows that one body adds.
const UNROLL: usize = 4;

/// Rows along which a vector of few channels runs, so that they are in cache for each of them.
const BLOCK: usize = 1024;

/// A loop over joined axes: the last of them, from `start` on.
#[derive(Clone)]
struct JoinedLoop {
    axis: usize,
    extent: usize,
    reduced: bool,
    start: Affine,
}

impl ColumnSums {
    /// The loops of a part of so many rows.
    pub(super) fn part(&self, nest: &mut Nest, part: VarId, rows: usize) {
        nest.forget();
        let start = Affine::var(part).times(self.shape.partition.rows as i64);
        let mut ranges = self.whole(nest);
        ranges[self.shape.cut] = (start, rows);
        let runs = self.runs(nest, &ranges);
        let first = runs.iter().position(|run| run.reduced).expect("something is reduced");
        let vars: Vec<VarId> = runs[..first].iter().map(|run| open(nest, run)).collect();
        self.begin(nest, part, &runs[first..]);
        let shifts: Vec<SlotId> = self.variances().map(|sum| sum.slots[0]).collect();
        self.means(nest, &shifts, &self.of_part(part), &runs[first..]);
        self.add(nest, part, &runs[first..]);
        close(nest, vars);
    }

    /// Sums of nothing, before the blocks of a part.
    pub fn begin_part(&self, nest: &mut Nest, part: VarId) {
        let runs = self.runs(nest, &self.whole(nest));
        self.begin(nest, part, &runs);
        if let Some(FirstBlockMean { met, .. }) = self.first {
            let zero = nest.values.constant(0.0, DType::F32);
            nest.values.writer.store(met, Affine::default(), zero);
        }
    }

    /// Adds the elements of a block: those whose first axes are in the given ranges. They are
    /// computed, and stored where they are results.
    pub fn block(&self, nest: &mut Nest, part: VarId, lead: &[(Affine, usize)]) {
        nest.forget();
        let mut ranges = self.whole(nest);
        ranges[..lead.len()].clone_from_slice(lead);
        let runs = self.runs(nest, &ranges);
        self.shift_by_first(nest, part, &runs);
        self.add(nest, part, &runs);
    }

    /// All of every axis.
    fn whole(&self, nest: &Nest) -> Vec<(Affine, usize)> {
        nest.values.domain.axes.iter().map(|&extent| (Affine::default(), extent)).collect()
    }

    /// The loops over a range of each axis: the cut one first (unless it is the vector's),
    /// neighbours joined where they can be.
    fn runs(&self, nest: &mut Nest, ranges: &[(Affine, usize)]) -> Vec<JoinedLoop> {
        nest.values.index.fill(Affine::default());
        let axes = nest.values.domain.axes.clone();
        let cut = self.shape.cut;
        let mut order: Vec<usize> = (0..axes.len()).filter(|&axis| axis != cut).collect();
        order.insert(if cut + 1 == axes.len() { order.len() } else { 0 }, cut);
        let mut runs: Vec<JoinedLoop> = Vec::new();
        for axis in order {
            let (start, extent) = &ranges[axis];
            let whole = *extent == axes[axis] && *start == Affine::default();
            match runs.last_mut() {
                Some(run)
                    if run.axis + 1 == axis
                        && whole
                        && run.reduced == self.reduced[axis]
                        && self.joins[run.axis] =>
                {
                    run.axis = axis;
                    run.extent *= extent;
                    run.start = run.start.times(*extent as i64);
                }
                _ => runs.push(JoinedLoop {
                    axis,
                    extent: *extent,
                    reduced: self.reduced[axis],
                    start: start.clone(),
                }),
            }
        }
        runs
    }

    /// Sums of nothing.
    fn begin(&self, nest: &mut Nest, part: VarId, runs: &[JoinedLoop]) {
        let at = self.of_part(part);
        self.each_kept(nest, runs, |columns, nest| {
            for sum in &columns.sums {
                let op = match sum.kind {
                    TotalKind::Reduce(op) => op,
                    TotalKind::Variance => Reduce::Sum,
                };
                for &slot in &sum.slots {
                    let dtype = scalar_type(nest.values.writer.slot_type(slot));
                    let neutral = nest.neutral(op, dtype);
                    let index = columns.index(nest, &at);
                    nest.values.writer.store(slot, index, neutral);
                }
            }
        });
    }

    /// The means of the first rows of what variances are of: added to these slots, at a distance.
    fn means(&self, nest: &mut Nest, slots: &[SlotId], at: &Affine, runs: &[JoinedLoop]) {
        if slots.is_empty() {
            return;
        }
        let [outer @ .., rows, vector] = runs else { unreachable!("rows before columns") };
        let mut vars = Vec::new();
        for run in outer {
            match run.reduced {
                true => nest.values.index[run.axis] = run.start.clone(),
                false => vars.push(open(nest, run)),
            }
        }
        let first = if self.in_order { 1 } else { FIRST_ROWS };
        let few = JoinedLoop { extent: rows.extent.min(first), ..rows.clone() };
        let count = if rows.reduced { few.extent } else { 1 };
        vars.push(open(nest, if rows.reduced { &few } else { rows }));
        let lane = open(nest, vector);
        for (sum, &slot) in self.variances().zip(slots) {
            let value = nest.values.value(sum.arg, &sum.forms);
            let share = nest.values.constant(1.0 / count as f64, DType::F32);
            let share = binary(&mut nest.values.writer, Binary::Mul, value, share);
            self.combine(nest, at, slot, Reduce::Sum, &[share]);
        }
        nest.values.writer.close_vector(lane, &[]);
        close(nest, vars);
    }

    /// Shifts variances by the mean of the first rows of a part's first block.
    fn shift_by_first(&self, nest: &mut Nest, part: VarId, runs: &[JoinedLoop]) {
        let Some(FirstBlockMean { met, means }) = &self.first else { return };
        let here = Affine::default();
        self.each_kept(nest, runs, |columns, nest| {
            let zero = nest.values.constant(0.0, DType::F32);
            for &mean in means {
                let index = columns.index(nest, &here);
                nest.values.writer.store(mean, index, zero);
            }
        });
        self.means(nest, means, &here, runs);
        let depth = nest.values.writer.depth();
        let access = Access { slot: *met, index: Affine::default() };
        let writer = &mut nest.values.writer;
        let known = writer.define(DType::F32, depth, Inst::Load(access));
        let (zero, one) =
            (nest.values.constant(0.0, DType::F32), nest.values.constant(1.0, DType::F32));
        let writer = &mut nest.values.writer;
        let is_first = writer.define(DType::Bool, depth, Inst::Binary(Binary::Eq, known, zero));
        let of_part = self.of_part(part);
        self.each_kept(nest, runs, |columns, nest| {
            for (sum, &mean) in columns.variances().zip(means) {
                let mean = columns.load(nest, &here, mean);
                let before = columns.load(nest, &of_part, sum.slots[0]);
                let depth = nest.values.writer.depth();
                let shift = Inst::Select(is_first, mean, before);
                let shift = nest.values.writer.define(DType::F32, depth, shift);
                let index = columns.index(nest, &of_part);
                nest.values.writer.store(sum.slots[0], index, shift);
            }
        });
        nest.values.writer.store(*met, Affine::default(), one);
    }

    /// A body for each sum that is kept.
    fn each_kept(&self, nest: &mut Nest, runs: &[JoinedLoop], body: impl FnOnce(&Self, &mut Nest)) {
        let kept: Vec<&JoinedLoop> = runs.iter().filter(|run| !run.reduced).collect();
        let (vector, outer) = kept.split_last().expect("the last axis is kept");
        let vars: Vec<VarId> = outer.iter().map(|run| open(nest, run)).collect();
        let lane = open(nest, vector);
        body(self, nest);
        nest.values.writer.close_vector(lane, &[]);
        close(nest, vars);
    }

    /// The loops over what is added up.
    fn add(&self, nest: &mut Nest, part: VarId, runs: &[JoinedLoop]) {
        let [outer @ .., rows, vector] = runs else { unreachable!("rows before columns") };
        let vars: Vec<VarId> = outer.iter().map(|run| open(nest, run)).collect();
        let one_vector = outer.iter().all(|run| run.reduced) && rows.reduced;
        let is_narrow = vector.extent < NARROW && rows.extent >= 4 * NARROW;
        if one_vector && is_narrow && !self.in_order {
            self.along_rows(nest, part, rows, vector);
        } else if rows.reduced {
            self.several_rows(nest, part, rows, vector);
        } else {
            let var = open(nest, rows);
            self.vector(nest, part, vector, rows.axis, &[nest.values.index[rows.axis].clone()]);
            nest.values.writer.close_for(var);
        }
        close(nest, vars);
    }

    /// Vectors along the channels, over four rows at a time.
    fn several_rows(&self, nest: &mut Nest, part: VarId, rows: &JoinedLoop, vector: &JoinedLoop) {
        let whole = rows.extent / UNROLL;
        for (count, height, before) in
            [(whole, UNROLL, 0), (rows.extent % UNROLL, 1, whole * UNROLL)]
        {
            if count == 0 {
                continue;
            }
            nest.forget();
            let var = nest.values.writer.var(count);
            nest.values.writer.open(Some(var));
            let first = rows.start.plus(&Affine::var(var).times(height as i64));
            let row = |row: usize| first.plus(&Affine::constant((before + row) as i64));
            let indices: Vec<Affine> = (0..height).map(row).collect();
            self.vector(nest, part, vector, rows.axis, &indices);
            nest.values.writer.close_for(var);
        }
    }

    /// One vector along the channels, that adds the rows at these indices.
    fn vector(
        &self,
        nest: &mut Nest,
        part: VarId,
        vector: &JoinedLoop,
        axis: usize,
        rows: &[Affine],
    ) {
        let lane = open(nest, vector);
        let mut values: Vec<Vec<RegId>> = vec![Vec::new(); self.sums.len()];
        // All values first: what is stored is not loaded again.
        self.each_row(nest, axis, rows, |nest| {
            for &result in &self.results {
                nest.values.own_value(result);
            }
            for (values, sum) in values.iter_mut().zip(&self.sums) {
                values.push(nest.values.value(sum.arg, &sum.forms));
            }
        });
        self.each_row(nest, axis, rows, |nest| self.store(nest));
        for (values, sum) in values.into_iter().zip(&self.sums) {
            match sum.kind {
                TotalKind::Reduce(op) => {
                    let values = self.neighbours(nest, op, values);
                    self.combine(nest, &self.of_part(part), sum.slots[0], op, &values);
                }
                TotalKind::Variance => self.add_squares(nest, part, sum, values),
            }
        }
        nest.values.writer.close_vector(lane, &[]);
    }

    /// Adds what is left of values after the shift, and the squares of that.
    fn add_squares(&self, nest: &mut Nest, part: VarId, sum: &Sum, values: Vec<RegId>) {
        let shift = self.load(nest, &self.of_part(part), sum.slots[0]);
        let writer = &mut nest.values.writer;
        let rests: Vec<RegId> =
            values.into_iter().map(|value| binary(writer, Binary::Sub, value, shift)).collect();
        let squares = match self.in_order {
            true => rests.iter().map(|&rest| binary(writer, Binary::Mul, rest, rest)).collect(),
            false => vec![sum_of_squares(writer, &rests)],
        };
        let rests = self.neighbours(nest, Reduce::Sum, rests);
        self.combine(nest, &self.of_part(part), sum.slots[1], Reduce::Sum, &rests);
        self.combine(nest, &self.of_part(part), sum.slots[2], Reduce::Sum, &squares);
    }

    /// Does something at each of several rows.
    fn each_row(
        &self,
        nest: &mut Nest,
        axis: usize,
        rows: &[Affine],
        mut body: impl FnMut(&mut Nest),
    ) {
        for index in rows {
            nest.values.index[axis] = index.clone();
            body(nest);
        }
    }

    fn store(&self, nest: &mut Nest) {
        for &result in &self.results {
            nest.store(result);
        }
    }

    /// Vectors along the rows, one for each channel; over blocks of rows that stay in cache.
    fn along_rows(&self, nest: &mut Nest, part: VarId, rows: &JoinedLoop, vector: &JoinedLoop) {
        let whole = rows.extent / BLOCK;
        for (count, height, before) in [(whole, BLOCK, 0), (1, rows.extent % BLOCK, whole * BLOCK)]
        {
            if count * height == 0 {
                continue;
            }
            nest.forget();
            let block = nest.values.writer.var(count);
            nest.values.writer.open(Some(block));
            let channel = open(nest, vector);
            let shifts: Vec<RegId> = self
                .sums
                .iter()
                .filter(|sum| sum.kind == TotalKind::Variance)
                .map(|sum| self.load(nest, &self.of_part(part), sum.slots[0]))
                .collect();
            let row = nest.values.writer.var(height);
            nest.values.writer.open(Some(row));
            let first = rows.start.plus(&Affine::constant(before as i64));
            let block_index = Affine::var(block).times(height as i64);
            nest.values.index[rows.axis] = first.plus(&block_index).plus(&Affine::var(row));
            for &result in &self.results {
                nest.values.own_value(result);
            }
            let (slots, values) = self.row_values(nest, &shifts);
            self.store(nest);
            let regs = nest.values.writer.close_vector(row, &values);
            for ((slot, (op, _)), reg) in slots.into_iter().zip(values).zip(regs) {
                self.combine(nest, &self.of_part(part), slot, op, &[reg]);
            }
            nest.values.writer.close_for(channel);
            nest.values.writer.close_for(block);
        }
    }

    /// The slots to reduce into along the rows, and each element's contribution.
    fn row_values(&self, nest: &mut Nest, shifts: &[RegId]) -> (Vec<SlotId>, Vec<(Reduce, RegId)>) {
        let (mut slots, mut values) = (Vec::new(), Vec::new());
        let mut shifts = shifts.iter();
        for sum in &self.sums {
            let value = nest.values.value(sum.arg, &sum.forms);
            match sum.kind {
                TotalKind::Reduce(op) => {
                    slots.push(sum.slots[0]);
                    values.push((op, value));
                }
                TotalKind::Variance => {
                    let &shift = shifts.next().expect("one a variance");
                    let writer = &mut nest.values.writer;
                    let rest = binary(writer, Binary::Sub, value, shift);
                    let square = binary(writer, Binary::Mul, rest, rest);
                    slots.extend([sum.slots[1], sum.slots[2]]);
                    values.extend([(Reduce::Sum, rest), (Reduce::Sum, square)]);
                }
            }
        }
        (slots, values)
    }

    /// Values of neighbouring rows as they are combined with their sum: one after another where that is
    /// due, else with each other first.
    fn neighbours(&self, nest: &mut Nest, op: Reduce, values: Vec<RegId>) -> Vec<RegId> {
        match self.in_order {
            true => values,
            false => vec![tree(&mut nest.values.writer, op, values)],
        }
    }

    /// Combines values with their sum, in order.
    fn combine(&self, nest: &mut Nest, at: &Affine, slot: SlotId, op: Reduce, values: &[RegId]) {
        let before = self.load(nest, at, slot);
        let writer = &mut nest.values.writer;
        let next = |sum, &value: &RegId| binary(writer, combining(op), sum, value);
        let after = values.iter().fold(before, next);
        let index = self.index(nest, at);
        nest.values.writer.store(slot, index, after);
    }

    /// The sum of the element being computed.
    fn load(&self, nest: &mut Nest, at: &Affine, slot: SlotId) -> RegId {
        let index = self.index(nest, at);
        let writer = &mut nest.values.writer;
        let (dtype, depth) = (scalar_type(writer.slot_type(slot)), writer.depth());
        writer.define(dtype, depth, Inst::Load(Access { slot, index }))
    }

    /// Where the sum of the element being computed is, in a slice that begins at `at`.
    fn index(&self, nest: &Nest, at: &Affine) -> Affine {
        nest.values.affine(&self.kept).plus(at)
    }

    /// Where a part's sums begin.
    fn of_part(&self, part: VarId) -> Affine {
        Affine::var(part).times(self.shape.pitch as i64)
    }
}

/// Opens a loop over joined axes.
fn open(nest: &mut Nest, run: &JoinedLoop) -> VarId {
    let var = nest.values.writer.var(run.extent);
    nest.values.writer.open(Some(var));
    nest.values.index[run.axis] = run.start.plus(&Affine::var(var));
    var
}

/// A function of two, in the innermost body.
fn binary(writer: &mut KernelWriter<ValueKey>, op: Binary, a: RegId, b: RegId) -> RegId {
    let (dtype, depth) = (writer.dtype(a), writer.depth());
    writer.define(dtype, depth, Inst::Binary(op, a, b))
}

fn close(nest: &mut Nest, vars: Vec<VarId>) {
    for var in vars.into_iter().rev() {
        nest.values.writer.close_for(var);
    }
}

/// The sum of the squares of some values.
fn sum_of_squares(writer: &mut KernelWriter<ValueKey>, values: &[RegId]) -> RegId {
    let depth = writer.depth();
    let first = binary(writer, Binary::Mul, values[0], values[0]);
    let add = |sum, &value: &RegId| writer.define(DType::F32, depth, Inst::Fma(value, value, sum));
    values[1..].iter().fold(first, add)
}

/// Neighbours combined, then neighbours of those: of four, `(a + b) + (c + d)`.
fn tree(writer: &mut KernelWriter<ValueKey>, op: Reduce, mut values: Vec<RegId>) -> RegId {
    while values.len() > 1 {
        let pair = |pair: &[RegId]| match *pair {
            [a, b] => binary(writer, combining(op), a, b),
            _ => pair[0],
        };
        values = values.chunks(2).map(pair).collect();
    }
    values[0]
}

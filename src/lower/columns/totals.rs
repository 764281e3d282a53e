//! The sums of parts become the sums of all.
//!
//! Takes buffers in which each part has left its sums, a slice a part; gives each result, in a
//! buffer of the thread's own where it is small ([`TotalsOwner::Thread`]), so that whoever reads it
//! next needs no barrier.
//!
//! ```text
//! vector i0 in 0..128 { r0 = load s0[i0]; r1 = load s0[128 + i0]; r2 = add r0, r1; …; store s1[i0] }
//! ```
//!
//! A variance comes from three sums a part: its shift `k`, `s = Σ (x − k)` and `q = Σ (x − k)²`.
//! With `m = (k − k₀) + s / n`, the part's mean seen from the first part's shift, and `M` the mean
//! of these, it is `Σ (q − s²/n) + n·(m − M)²`, divided by the number of all (Chan, Golub and
//! LeVeque 1983, for parts of known sizes). Nothing large is subtracted, however far the mean is
//! from zero.

use crate::base::tensor::DType;
use crate::graph::{NodeId, Reduce};
use crate::loops::{Access, Affine, Binary, BufferId, Inst, RegId, SlotId, VarId};
use crate::lower::StepBuilder;
use crate::lower::moves::tailed;
use crate::lower::nest::combining;
use crate::lower::partition::Partition;
use crate::lower::title::Title;
use crate::lower::values::scalar_type;
use crate::lower::writer::KernelWriter;

/// The kind of a reduction over rows.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum TotalKind {
    /// A sum, maximum or minimum: one sum a part.
    Reduce(Reduce),
    /// A variance: the shift, the sum and the sum of squares of what is left.
    Variance,
}

/// A result and the sums it is made of.
pub struct Total {
    /// The result.
    pub node: NodeId,
    /// Its kind.
    pub kind: TotalKind,
    /// The sums of parts.
    pub sums: Vec<BufferId>,
}

/// Who computes totals.
#[derive(Clone, Copy, Debug)]
pub enum TotalsOwner {
    /// Every thread all of them, for itself.
    Thread,
    /// Threads share them: parts of so many rows of so many elements each.
    Parts(Partition, usize),
}

/// A vector loop over totals.
struct Lanes<'w> {
    writer: &'w mut KernelWriter<()>,
    /// The total being computed.
    index: Affine,
    /// How many elements each part has summed.
    counts: &'w [usize],
    /// The distance between the sums of two parts.
    pitch: usize,
}

/// Combines the sums of parts, `pitch` elements apart, in order of parts; `counts` says how many
/// elements each has summed.
pub fn run(
    step: &mut StepBuilder,
    totals: &[Total],
    (counts, pitch): (&[usize], usize),
    place: TotalsOwner,
    title: Title,
) {
    let parts = match place {
        TotalsOwner::Thread => 0,
        TotalsOwner::Parts(partition, _) => partition.parts,
    };
    let mut writer: KernelWriter<()> = KernelWriter::new(title.and("total"), parts);
    let mut slots = Vec::new();
    for total in totals {
        let result = match place {
            TotalsOwner::Thread => step.thread_buffer(total.node),
            TotalsOwner::Parts(..) => step.result_buffer(total.node),
        };
        let mut slot = |buffer: BufferId| {
            let (dtype, len) = step.shape_of(buffer);
            (writer.slot(buffer, dtype, len), len)
        };
        let from: Vec<SlotId> = total.sums.iter().map(|&sums| slot(sums).0).collect();
        slots.push((total.kind, from, slot(result)));
    }
    match place {
        TotalsOwner::Thread => {
            for (kind, from, (to, len)) in &slots {
                vector(&mut writer, Affine::default(), *len, |writer, index| {
                    let mut lanes = Lanes { writer, index, counts, pitch };
                    lanes.total(*kind, from, *to);
                });
            }
        }
        TotalsOwner::Parts(partition, unit) => {
            let part = writer.var(parts);
            writer.open_parts(part);
            tailed(&mut writer, part, partition, |writer, rows| {
                for (kind, from, (to, _)) in &slots {
                    let start = Affine::var(part).times((partition.rows * unit) as i64);
                    vector(writer, start, rows * unit, |writer, index| {
                        let mut lanes = Lanes { writer, index, counts, pitch };
                        lanes.total(*kind, from, *to);
                    });
                }
            });
            writer.close_parts(part);
        }
    }
    step.run(writer.finish());
}

/// A vector loop over so many elements from `start` on.
fn vector(
    writer: &mut KernelWriter<()>,
    start: Affine,
    len: usize,
    body: impl FnOnce(&mut KernelWriter<()>, Affine),
) {
    let lane: VarId = writer.var(len);
    writer.open(Some(lane));
    body(writer, start.plus(&Affine::var(lane)));
    writer.close_vector(lane, &[]);
}

impl Lanes<'_> {
    fn total(&mut self, kind: TotalKind, from: &[SlotId], to: SlotId) {
        let value = match kind {
            TotalKind::Reduce(op) => self.reduced(op, from[0]),
            TotalKind::Variance => self.variance(from),
        };
        self.writer.store(to, self.index.clone(), value);
    }

    fn reduced(&mut self, op: Reduce, from: SlotId) -> RegId {
        let first = self.load(from, 0);
        (1..self.counts.len()).fold(first, |sum, part| {
            let next = self.load(from, part);
            self.binary(combining(op), sum, next)
        })
    }

    fn variance(&mut self, from: &[SlotId]) -> RegId {
        let [shifts, sums, squares] = from[..] else { unreachable!("three sums of a variance") };
        let count: usize = self.counts.iter().sum();
        let origin = self.load(shifts, 0);
        let mut means = Vec::new();
        let mut within: Option<RegId> = None;
        for (part, &own) in self.counts.iter().enumerate() {
            let (sum, square) = (self.load(sums, part), self.load(squares, part));
            let inverse = self.number(1.0 / own as f64);
            let rest = self.binary(Binary::Mul, sum, inverse);
            let correction = self.binary(Binary::Mul, sum, rest);
            let own_square = self.binary(Binary::Sub, square, correction);
            within = Some(self.add(within, own_square));
            let shift = self.load(shifts, part);
            let moved = self.binary(Binary::Sub, shift, origin);
            means.push(self.binary(Binary::Add, moved, rest));
        }
        let mut mean: Option<RegId> = None;
        for (&own_mean, &own) in means.iter().zip(self.counts) {
            let share = self.number(own as f64 / count as f64);
            let share = self.binary(Binary::Mul, own_mean, share);
            mean = Some(self.add(mean, share));
        }
        let mean = mean.expect("at least one part");
        let mut all = within;
        for (&own_mean, &own) in means.iter().zip(self.counts) {
            let distance = self.binary(Binary::Sub, own_mean, mean);
            let square = self.binary(Binary::Mul, distance, distance);
            let weight = self.number(own as f64);
            let between = self.binary(Binary::Mul, square, weight);
            all = Some(self.add(all, between));
        }
        let inverse = self.number(1.0 / count as f64);
        let variance = self.binary(Binary::Mul, all.expect("at least one part"), inverse);
        // Rounding may leave a little less than nothing.
        let zero = self.number(0.0);
        self.binary(Binary::Max, variance, zero)
    }

    fn add(&mut self, sum: Option<RegId>, value: RegId) -> RegId {
        match sum {
            Some(sum) => self.binary(Binary::Add, sum, value),
            None => value,
        }
    }

    fn load(&mut self, slot: SlotId, part: usize) -> RegId {
        let index = self.index.plus(&Affine::constant((part * self.pitch) as i64));
        let (dtype, depth) = (scalar_type(self.writer.slot_type(slot)), self.writer.depth());
        self.writer.define(dtype, depth, Inst::Load(Access { slot, index }))
    }

    fn binary(&mut self, op: Binary, a: RegId, b: RegId) -> RegId {
        let (dtype, depth) = (self.writer.dtype(a), self.writer.depth());
        self.writer.define(dtype, depth, Inst::Binary(op, a, b))
    }

    fn number(&mut self, value: f64) -> RegId {
        self.writer.define(DType::F32, 0, Inst::F32(value as f32))
    }
}

//! Which kernels may run without a barrier between them, and which may change places.
//!
//! Takes uses of a buffer by two runs of kernels; compares what each part of one and of the other
//! touches. Kernels of
//! equally many parts give equal parts to the same thread, so only what *different* parts touch
//! needs a barrier; kernels of different parts need one for anything they share. Thread buffers
//! are each thread's own. A loop is one run to those outside of it; its own runs are compared as if all
//! steps used the same place of a buffer. What was found of two slots is kept ([`ConflictTable`]). Nothing is decided here: `schedule` does.
//!
//! ```text
//! h = relu(x @ w)   parts 4: part j writes rows 8j..8j+8
//! y = h @ v         parts 4: part j reads  rows 8j..8j+8       no barrier
//! dw = hᵀ @ g       parts 16: each reads all rows              barrier
//! ```

use crate::base::entity::Entity;
use crate::loops::footprint::Footprints;
use crate::loops::{BufferId, KernelId, SlotId};
use rustc_hash::FxHashMap;

/// A run of a kernel, or of a loop as a whole: on which buffers, and what its parts touch there.
pub struct KernelRun {
    /// The index of its action among those to be ordered.
    pub index: usize,
    /// The number of parts; 0 where every thread runs all of it.
    pub parts: usize,
    /// A buffer a slot.
    pub args: Vec<BoundBuffer>,
    /// The elements that are read and written.
    pub touched: RunUses,
}

/// The elements of its buffers that a run touches.
pub enum RunUses {
    /// The elements that the parts of a kernel read and write; runs of the same one touch the same.
    Kernel(KernelId, std::sync::Arc<Footprints>),
    /// For each buffer that a loop uses, whether something of it is written.
    Loop(Vec<bool>),
}

/// A buffer that a run is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BoundBuffer {
    /// The buffer.
    pub buffer: BufferId,
    /// The one that has its bytes.
    pub whole: BufferId,
    /// How many elements it has, where it moves with the steps of a loop.
    pub moving: Option<usize>,
}

impl BoundBuffer {
    /// Whether two buffers with the same bytes are to be compared element by element: the same one, or
    /// places of a value in steps of a loop, of which any may be any other's in another step.
    fn is_like(&self, other: &BoundBuffer) -> bool {
        self.buffer == other.buffer || self.moving.is_some() && self.moving == other.moving
    }
}

/// A use of a buffer: the run, and the slot that stands for it there.
#[derive(Clone, Copy, Debug)]
pub struct BufferUse {
    /// The run, by its place among all.
    pub run: usize,
    /// The slot.
    pub slot: SlotId,
    /// Whether something of it is written.
    pub writes: bool,
}

impl KernelRun {
    /// Use of the buffer that a slot stands for.
    pub fn uses(&self, slot: SlotId) -> BufferUse {
        let writes = match &self.touched {
            RunUses::Kernel(_, touched) => !touched.all_writes(slot).is_empty(),
            RunUses::Loop(writes) => writes[slot.index()],
        };
        BufferUse { run: self.index, slot, writes }
    }

    /// Its slots, with the buffers that have their bytes.
    pub fn slots(&self) -> impl Iterator<Item = (SlotId, BufferId)> + '_ {
        let args = self.args.iter().enumerate();
        args.map(|(slot, bound)| (SlotId::from_index(slot), bound.whole))
    }
}

/// A slot of a kernel and one of another that stand for the same buffer.
type Pair = (KernelId, SlotId, KernelId, SlotId);

/// Conflicts of pairs of slots, remembered: a step runs the same few kernels many times.
#[derive(Default)]
pub struct ConflictTable {
    depends: FxHashMap<Pair, bool>,
    conflicts: FxHashMap<Pair, bool>,
}

impl ConflictTable {
    /// Whether the second use must stay behind the first: one writes what the other touches.
    pub fn depends(&mut self, runs: &[KernelRun], a: BufferUse, b: BufferUse) -> bool {
        let (first, second) = (&runs[a.run], &runs[b.run]);
        if !a.writes && !b.writes {
            return false;
        }
        let Some((pair, [own, other])) = comparable(first, a.slot, second, b.slot) else {
            return true;
        };
        *self
            .depends
            .entry(pair)
            .or_insert_with(|| conflict(own, a.slot, other, b.slot) != [false; 3])
    }

    /// Whether different threads may meet at an element of the buffer that one of the two writes.
    pub fn needs_barrier(&mut self, runs: &[KernelRun], a: BufferUse, b: BufferUse) -> bool {
        let (first, second) = (&runs[a.run], &runs[b.run]);
        if !a.writes && !b.writes {
            return false;
        }
        let Some((pair, touched)) = comparable(first, a.slot, second, b.slot) else { return true };
        let parts = [first.parts, second.parts];
        *self
            .conflicts
            .entry(pair)
            .or_insert_with(|| parts_conflict(parts, touched, [a.slot, b.slot]))
    }
}

/// The elements of a buffer that two kernels touch, if their elements can be compared.
fn comparable<'r>(
    a: &'r KernelRun,
    i: SlotId,
    b: &'r KernelRun,
    j: SlotId,
) -> Option<(Pair, [&'r Footprints; 2])> {
    match (&a.touched, &b.touched) {
        (RunUses::Kernel(first, own), RunUses::Kernel(second, other))
            if a.args[i.index()].is_like(&b.args[j.index()]) =>
        {
            Some(((*first, i, *second, j), [own, other]))
        }
        _ => None,
    }
}

/// Whether one reads what another writes, both write, one writes what the other reads.
fn conflict(a: &Footprints, i: SlotId, b: &Footprints, j: SlotId) -> [bool; 3] {
    let (reads_a, writes_a) = (a.all_reads(i), a.all_writes(i));
    let (reads_b, writes_b) = (b.all_reads(j), b.all_writes(j));
    [writes_a.intersects(reads_b), writes_a.intersects(writes_b), reads_a.intersects(writes_b)]
}

fn parts_conflict(parts: [usize; 2], [a, b]: [&Footprints; 2], [i, j]: [SlotId; 2]) -> bool {
    let all = conflict(a, i, b, j);
    if all == [false; 3] {
        return false;
    }
    if parts[0] != parts[1] || parts[0] == 0 {
        return true;
    }
    (0..parts[0]).any(|p| {
        (0..parts[1]).filter(|&q| q != p).any(|q| {
            let (reads_a, writes_a) = (a.reads(p, i), a.writes(p, i));
            let (reads_b, writes_b) = (b.reads(q, j), b.writes(q, j));
            (all[0] && writes_a.intersects(reads_b))
                || (all[1] && writes_a.intersects(writes_b))
                || (all[2] && reads_a.intersects(writes_b))
        })
    })
}

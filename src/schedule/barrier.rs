//! Which kernels may run without a barrier between them, and which may change places.
//!
//! Takes uses of a buffer by two runs of kernels; compares what each part of one and of the other
//! touches. Kernels of
//! equally many parts give equal parts to the same thread, so only what *different* parts touch
//! needs a barrier; kernels of different parts need one for anything they share. Thread buffers
//! are each thread's own. What was found of two slots is kept ([`ConflictTable`]). Nothing is decided here: `schedule` does.
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

/// A run of a kernel: on which buffers, and what its parts touch there.
pub struct KernelRun {
    /// The index of its action among those to be ordered.
    pub index: usize,
    /// The kernel: runs of the same one touch the same.
    pub kernel: KernelId,
    /// The number of parts; 0 where every thread runs all of it.
    pub parts: usize,
    /// A buffer a slot.
    pub args: Vec<BufferId>,
    /// The elements that its parts read and write.
    pub touched: std::sync::Arc<Footprints>,
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
        BufferUse { run: self.index, slot, writes: !self.touched.all_writes(slot).is_empty() }
    }

    /// Its slots, with their buffers.
    pub fn slots(&self) -> impl Iterator<Item = (SlotId, BufferId)> + '_ {
        self.args.iter().enumerate().map(|(slot, &buffer)| (SlotId::from_index(slot), buffer))
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
        let pair = (first.kernel, a.slot, second.kernel, b.slot);
        (a.writes || b.writes)
            && *self
                .depends
                .entry(pair)
                .or_insert_with(|| conflict(first, a.slot, second, b.slot) != [false; 3])
    }

    /// Whether different threads may meet at an element of the buffer that one of the two writes.
    pub fn needs_barrier(&mut self, runs: &[KernelRun], a: BufferUse, b: BufferUse) -> bool {
        let (first, second) = (&runs[a.run], &runs[b.run]);
        let pair = (first.kernel, a.slot, second.kernel, b.slot);
        (a.writes || b.writes)
            && *self
                .conflicts
                .entry(pair)
                .or_insert_with(|| parts_conflict(first, a.slot, second, b.slot))
    }
}

/// Whether one reads what another writes, both write, one writes what the other reads.
fn conflict(a: &KernelRun, i: SlotId, b: &KernelRun, j: SlotId) -> [bool; 3] {
    let (reads_a, writes_a) = (a.touched.all_reads(i), a.touched.all_writes(i));
    let (reads_b, writes_b) = (b.touched.all_reads(j), b.touched.all_writes(j));
    [writes_a.intersects(reads_b), writes_a.intersects(writes_b), reads_a.intersects(writes_b)]
}

fn parts_conflict(a: &KernelRun, i: SlotId, b: &KernelRun, j: SlotId) -> bool {
    let all = conflict(a, i, b, j);
    if all == [false; 3] {
        return false;
    }
    if a.parts != b.parts || a.parts == 0 {
        return true;
    }
    (0..a.parts).any(|p| {
        (0..b.parts).filter(|&q| q != p).any(|q| {
            let (reads_a, writes_a) = (a.touched.reads(p, i), a.touched.writes(p, i));
            let (reads_b, writes_b) = (b.touched.reads(q, j), b.touched.writes(q, j));
            (all[0] && writes_a.intersects(reads_b))
                || (all[1] && writes_a.intersects(writes_b))
                || (all[2] && reads_a.intersects(writes_b))
        })
    })
}

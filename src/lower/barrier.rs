//! Which kernels may run without a barrier between them, and which may change places.
//!
//! Takes two runs of kernels; compares what each part of one and of the other touches. Kernels of
//! equally many parts give equal parts to the same thread, so only what *different* parts touch
//! needs a barrier; kernels of different parts need one for anything they share. Thread buffers
//! are each thread's own. Nothing is decided here: `schedule` does.
//!
//! ```text
//! h = relu(x @ w)   parts 4: part j writes rows 8j..8j+8
//! y = h @ v         parts 4: part j reads  rows 8j..8j+8       no barrier
//! dw = hᵀ @ g       parts 16: each reads all rows              barrier
//! ```

use crate::base::entity::Entity;
use crate::loops::footprint::Footprints;
use crate::loops::{BufferId, Program, SlotId, Space};

/// A run of a kernel: on which buffers, and what its parts touch there.
pub struct Run {
    /// The index of its action among those to be ordered.
    pub index: usize,
    /// The number of parts; 0 where every thread runs all of it.
    pub parts: usize,
    /// A buffer a slot.
    pub args: Vec<BufferId>,
    /// What is touched.
    pub touched: std::sync::Arc<Footprints>,
}

/// The slots of two runs that stand for the same buffer.
fn shared<'a>(a: &'a Run, b: &'a Run) -> impl Iterator<Item = (BufferId, SlotId, SlotId)> + 'a {
    a.args.iter().enumerate().flat_map(move |(i, &buffer)| {
        let same = b.args.iter().enumerate().filter(move |&(_, &other)| other == buffer);
        same.map(move |(j, _)| (buffer, SlotId::from_index(i), SlotId::from_index(j)))
    })
}

/// Whether the second must stay behind the first: one writes what the other touches.
pub fn ordered(a: &Run, b: &Run) -> bool {
    shared(a, b).any(|(_, i, j)| {
        let (reads_a, writes_a) = (a.touched.all_reads(i), a.touched.all_writes(i));
        let (reads_b, writes_b) = (b.touched.all_reads(j), b.touched.all_writes(j));
        writes_a.intersects(reads_b)
            || writes_a.intersects(writes_b)
            || reads_a.intersects(writes_b)
    })
}

/// Whether different threads may meet at an element that one of the two writes.
pub fn needs_barrier(program: &Program, a: &Run, b: &Run) -> bool {
    shared(a, b)
        .any(|(buffer, i, j)| program.buffers[buffer].space != Space::Thread && meet(a, i, b, j))
}

fn meet(a: &Run, i: SlotId, b: &Run, j: SlotId) -> bool {
    let all = (
        a.touched.all_writes(i).intersects(b.touched.all_reads(j)),
        a.touched.all_writes(i).intersects(b.touched.all_writes(j)),
        a.touched.all_reads(i).intersects(b.touched.all_writes(j)),
    );
    if all == (false, false, false) {
        return false;
    }
    if a.parts != b.parts || a.parts == 0 {
        return true;
    }
    (0..a.parts).any(|p| {
        (0..b.parts).filter(|&q| q != p).any(|q| {
            let (reads_a, writes_a) = (a.touched.reads(p, i), a.touched.writes(p, i));
            let (reads_b, writes_b) = (b.touched.reads(q, j), b.touched.writes(q, j));
            (all.0 && writes_a.intersects(reads_b))
                || (all.1 && writes_a.intersects(writes_b))
                || (all.2 && reads_a.intersects(writes_b))
        })
    })
}

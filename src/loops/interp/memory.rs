//! The memory of a program: a global block, a local block, and one a thread.
//!
//! A buffer with an offset lies where the plan has put it, so that a bad plan shows; one without
//! gets bytes of its own behind all planned ones.

use crate::base::entity::{Arena, Entity};
use crate::base::tensor::{DType, Tensor};
use crate::loops::interp::trace::{Accesses, Trace};
use crate::loops::program::{BufferId, Program, Space};

/// Byte that fills memory which nothing has written: NaN as `f32`, -1 as `i32`, true as `bool`.
const POISON: u8 = 0xff;

/// Bytes, and what is known of each.
#[derive(Clone, Debug)]
pub(super) struct MemoryBlock {
    pub(super) bytes: Vec<u8>,
    pub(super) trace: Trace,
}

/// Where a buffer is.
#[derive(Clone, Copy, Debug)]
pub(super) struct BufferPlace {
    /// Its block; of thread buffers, that of thread 0.
    pub(super) block: usize,
    /// Its first byte there.
    pub(super) start: usize,
    pub(super) dtype: DType,
    /// Its elements.
    pub(super) len: usize,
    pub(super) space: Space,
}

/// The blocks: global, local, then those of the threads.
const GLOBAL: usize = 0;
const LOCAL: usize = 1;
pub(super) const THREADS: usize = 2;

/// The memory of one program.
#[derive(Clone, Debug)]
pub struct ProgramMemory {
    pub(super) blocks: Vec<MemoryBlock>,
    pub(super) places: Arena<BufferId, BufferPlace>,
    names: Vec<String>,
    thread_block: MemoryBlock,
    pub(super) accesses: Accesses,
}

impl ProgramMemory {
    /// Memory for a program; global and pinned buffers are zero.
    pub fn new(program: &Program) -> Self {
        let block_of = |space: Space| match space {
            Space::Global => GLOBAL,
            Space::Pinned | Space::Scratch => LOCAL,
            Space::Thread => THREADS,
        };
        let mut sizes = [0usize; 3];
        for buffer in program.buffers.values() {
            let end = buffer.offset.map_or(0, |offset| offset + buffer.bytes());
            let size = &mut sizes[block_of(buffer.space)];
            *size = (*size).max(end);
        }
        let mut places: Arena<BufferId, BufferPlace> = Arena::new();
        for buffer in program.buffers.values() {
            let block = block_of(buffer.space);
            let (dtype, len, space) = (buffer.dtype, buffer.len, buffer.space);
            if let Some(part) = buffer.part {
                // Wholes come before their parts.
                let start = places[part.of].start + part.first * dtype.size();
                places.push(BufferPlace { block, start, dtype, len, space });
                continue;
            }
            let start = buffer.offset.unwrap_or_else(|| {
                let start = sizes[block].next_multiple_of(64);
                sizes[block] = start + buffer.bytes();
                start
            });
            places.push(BufferPlace { block, start, dtype, len, space });
        }
        let blocks = [GLOBAL, LOCAL, THREADS].map(|block| {
            let dtypes = places.values().filter(|place| place.block == block);
            let granule = dtypes.map(|place| place.dtype.size()).min().unwrap_or(1);
            let byte = if block == THREADS { POISON } else { 0 };
            let size = sizes[block];
            MemoryBlock { bytes: vec![byte; size], trace: Trace::new(size, granule) }
        });
        let [global, local, thread_block] = blocks;
        let names = program.buffers.values().map(|buffer| buffer.name.clone()).collect();
        let accesses = Accesses::default();
        ProgramMemory { blocks: vec![global, local], places, names, thread_block, accesses }
    }

    /// A global or pinned buffer by its name.
    pub fn find(&self, name: &str) -> Option<BufferId> {
        self.places.iter().find_map(|(id, place)| {
            let named = matches!(place.space, Space::Global | Space::Pinned);
            (named && self.names[id.index()] == name).then_some(id)
        })
    }

    /// The elements of a global, pinned or scratch buffer, as a tensor of one axis.
    pub fn get(&self, buffer: BufferId) -> Tensor {
        let BufferPlace { block, start, dtype, len, .. } = self.places[buffer];
        let bytes = &self.blocks[block].bytes[start..start + len * dtype.size()];
        Tensor::from_bytes(dtype, [len], bytes)
    }

    /// Fills a global or pinned buffer; the tensor has its type and number of elements.
    pub fn set(&mut self, buffer: BufferId, tensor: &Tensor) {
        let BufferPlace { dtype, len, .. } = self.places[buffer];
        assert_eq!((tensor.dtype(), tensor.len()), (dtype, len), "elements of {buffer}");
        self.set_start(buffer, &tensor.to_bytes());
    }

    /// Fills the first bytes of a buffer.
    pub(super) fn set_start(&mut self, buffer: BufferId, bytes: &[u8]) {
        let BufferPlace { block, start, .. } = self.places[buffer];
        self.blocks[block].bytes[start..start + bytes.len()].copy_from_slice(bytes);
    }

    /// Before a step: what lives within one is poisoned, and owned by nobody.
    pub(super) fn begin(&mut self, program: &Program, threads: usize) {
        assert!((1..=Accesses::THREADS).contains(&threads), "{threads} threads");
        self.blocks.truncate(THREADS);
        self.blocks.resize(THREADS + threads, self.thread_block.clone());
        for block in &mut self.blocks {
            block.trace.begin();
        }
        let wholes = self.places.iter().filter(|(id, _)| program.buffers[*id].part.is_none());
        for (id, place) in wholes {
            let range = place.start..place.start + place.len * place.dtype.size();
            match program.buffers[id].space {
                Space::Scratch => self.blocks[place.block].bytes[range].fill(POISON),
                Space::Global | Space::Pinned => {
                    self.blocks[place.block].trace.own(range, id);
                }
                Space::Thread => {}
            }
        }
    }

    /// All that was touched before is of an earlier epoch now.
    pub(super) fn barrier(&mut self) {
        self.accesses.clear();
        for block in &mut self.blocks {
            block.trace.barrier();
        }
    }
}

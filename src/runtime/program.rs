//! A compiled step and the memory that it works in: values go in by the paths of parameters and the
//! ids of inputs, [`CompiledProgram::run`] computes a step, values come out by what they are ([`BufferKey`]).
//!
//! ```text
//! let mut memory = Memory::for_programs([&train, &last, &eval], pool.threads());
//! train.write(&mut memory, "dense.weight", &weight);
//! train.refresh(&mut memory, &mut pool);               // derived layouts: dense.weight^T
//! train.bytes_mut(&mut memory, train.input("image").unwrap()).copy_from_slice(batch);
//! train.run(&mut memory, &mut pool, &StepArgs { step: 1, seed: 0, hypers: &hypers })?;
//! let loss = train.f32s(&memory, &StepOutput::Loss)[0];
//! ```
//!
//! The programs of a run (a training step, the last and smaller batch's, an evaluation step)
//! share one [`RunMemory`]: parameters and states stay where they are, and each program has its own
//! layout of the local block, which is as large as the largest needs. So what a program's caller
//! put into its pinned buffers is lost when another program runs.
//!
//! It does not know what a step means: `trainer` does.

use std::alloc::{self, Layout};
use std::cell::UnsafeCell;
use std::collections::HashMap;
use std::fmt;
use std::ptr::NonNull;

use crate::base::tensor::{DType, Tensor};
use crate::codegen::MachineCode;
use crate::codegen::abi::{Context, StepFn};
use crate::loops::{Buffer, BufferId, Planned, Space};
use crate::runtime::pool::{Barrier, Pool};

mod key;
mod marks;
pub use key::BufferKey;
pub use marks::Marks;

/// Bytes that a program needs of each block.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BlockBytes {
    /// Parameters, their derived layouts, states.
    pub global: usize,
    /// Pinned and scratch buffers.
    pub local: usize,
    /// Bytes that each thread has for itself.
    pub thread: usize,
}

/// Distance kept between what different threads write, and the alignment of every block.
const APART: usize = 128;

impl BlockBytes {
    /// The blocks of a planned program.
    pub fn of(program: &Planned) -> BlockBytes {
        let mut blocks = BlockBytes::default();
        for buffer in program.buffers.values() {
            let end = offset(buffer) + buffer.bytes();
            let block = match buffer.space {
                Space::Global => &mut blocks.global,
                Space::Pinned | Space::Scratch => &mut blocks.local,
                Space::Thread => &mut blocks.thread,
            };
            *block = end.max(*block);
        }
        blocks.padded()
    }

    /// The blocks of two programs that share memory and do not run at once: the larger of each.
    pub fn max(self, other: BlockBytes) -> BlockBytes {
        BlockBytes {
            global: self.global.max(other.global),
            local: self.local.max(other.local),
            thread: self.thread.max(other.thread),
        }
    }

    /// All of it for a number of threads.
    pub fn total(self, threads: usize) -> usize {
        let all = self.padded();
        all.global + all.local + threads * all.thread
    }

    fn padded(self) -> BlockBytes {
        BlockBytes {
            global: self.global.next_multiple_of(APART),
            local: self.local.next_multiple_of(APART),
            thread: self.thread.next_multiple_of(APART),
        }
    }
}

fn offset(buffer: &Buffer) -> usize {
    buffer.offset.unwrap_or_else(|| panic!("buffer {} has a place", buffer.name))
}

/// The memory of a run: one allocation, zero at first, in the order global block, local block,
/// one block a thread.
pub struct RunMemory {
    base: NonNull<u8>,
    blocks: BlockBytes,
    /// A context for each thread; kept, so that a step allocates nothing.
    contexts: Vec<ThreadContext>,
    allocated: NonNull<u8>,
    layout: Layout,
}

// SAFETY: the memory is owned, and reached only through `&self` (to read) and `&mut self`; the
// pointers of contexts are used only during a step.
unsafe impl Send for RunMemory {}
// SAFETY: as above; `&self` gives only shared slices of plain bytes.
unsafe impl Sync for RunMemory {}

impl RunMemory {
    /// Zeroed memory.
    pub fn new(blocks: BlockBytes, threads: usize) -> RunMemory {
        /// Where the system has large pages, they are this large.
        const LARGE_PAGE: usize = 2 << 20;
        let blocks = blocks.padded();
        let bytes = blocks.total(threads);
        let align = if bytes >= 2 * LARGE_PAGE { LARGE_PAGE } else { APART };
        // Aligned by hand: an allocator asked for aligned zeros writes them all, but has zero
        // pages for free where the alignment is ordinary.
        let layout = Layout::from_size_align(bytes + align, 16).expect("memory below 2^63 bytes");
        // SAFETY: the size is not zero, since `align` is not.
        let allocated = unsafe { alloc::alloc_zeroed(layout) };
        let Some(allocated) = NonNull::new(allocated) else { alloc::handle_alloc_error(layout) };
        let skip = allocated.align_offset(align);
        // SAFETY: `skip` is less than `align`, and `align` bytes were allocated on top.
        let base = unsafe { allocated.add(skip) };
        let contexts = (0..threads).map(|_| ThreadContext::default()).collect();
        RunMemory { base, blocks, contexts, allocated, layout }
    }

    /// Memory that each of some programs fits.
    pub fn for_programs<'a>(
        programs: impl IntoIterator<Item = &'a CompiledProgram>,
        threads: usize,
    ) -> RunMemory {
        let blocks = programs
            .into_iter()
            .map(CompiledProgram::blocks)
            .fold(BlockBytes::default(), BlockBytes::max);
        RunMemory::new(blocks, threads)
    }

    /// How many threads have a block.
    pub fn threads(&self) -> usize {
        self.contexts.len()
    }

    /// Its size in bytes.
    pub fn bytes(&self) -> usize {
        self.blocks.total(self.threads())
    }

    /// Where a byte of a block is, counted from the start.
    fn position(&self, space: Space, offset: usize) -> usize {
        match space {
            Space::Global => offset,
            Space::Pinned | Space::Scratch => self.blocks.global + offset,
            Space::Thread => self.blocks.global + self.blocks.local + offset,
        }
    }

    fn slice(&self, from: usize, len: usize) -> &[u8] {
        assert!(from + len <= self.bytes(), "a buffer inside memory");
        // SAFETY: inside the allocation, which is initialised, and borrowed as `self` is.
        unsafe { std::slice::from_raw_parts(self.base.as_ptr().add(from), len) }
    }

    fn slice_mut(&mut self, from: usize, len: usize) -> &mut [u8] {
        assert!(from + len <= self.bytes(), "a buffer inside memory");
        // SAFETY: inside the allocation, which is initialised, and borrowed as `self` is.
        unsafe { std::slice::from_raw_parts_mut(self.base.as_ptr().add(from), len) }
    }

    /// Prepares what the threads of a pool are given for a step.
    fn set_contexts(&mut self, pool: &Pool, step: u64, seed: u64) {
        let at = |position| self.base.as_ptr().wrapping_add(position);
        let (global, local) = (at(0), at(self.position(Space::Pinned, 0)));
        let private = at(self.position(Space::Thread, 0));
        let apart = self.blocks.thread;
        for (thread, context) in self.contexts.iter_mut().enumerate() {
            *context.0.get_mut() = Context {
                global,
                local,
                private: private.wrapping_add(thread * apart),
                thread: thread as u64,
                seed,
                step,
                barrier: wait,
                barrier_data: std::ptr::from_ref(pool.barrier()).cast(),
                ..Context::default()
            };
        }
    }
}

impl Drop for RunMemory {
    fn drop(&mut self) {
        // SAFETY: allocated in `new` with this layout, and nobody borrows it any more.
        unsafe { alloc::dealloc(self.allocated.as_ptr(), self.layout) };
    }
}

crate::codegen::abi::step_abi! {
    /// The barrier, as compiled code calls it.
    fn wait(barrier: *const ()) {
        // SAFETY: `RunMemory::set_contexts` put a reference to the pool's barrier there, and the pool
        // lives as long as the step runs on it.
        unsafe { &*barrier.cast::<Barrier>() }.wait();
    }
}

/// Arguments that vary from step to step, besides inputs.
#[derive(Clone, Copy, Debug)]
pub struct StepArgs<'a> {
    /// The step's number, from 1.
    pub step: u64,
    /// The seed of random operators.
    pub seed: u64,
    /// A value for each hyper-parameter, in the order of `Uniforms::hypers`.
    pub hypers: &'a [f64],
}

/// An index from data that was out of range. The step was computed with 0 in its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct IndexFault {
    /// The operator, as `Inst::Checked` numbers it.
    pub site: u32,
    /// The element of the tensor of indices.
    pub element: usize,
}

impl fmt::Display for IndexFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "element {} of the indices of operator {} is out of range",
            self.element, self.site
        )
    }
}

impl std::error::Error for IndexFault {}

/// A compiled program.
pub struct CompiledProgram {
    names: HashMap<String, BufferId>,
    blocks: BlockBytes,
    code: MachineCode,
}

impl CompiledProgram {
    /// Of a program's code.
    pub fn new(code: MachineCode) -> CompiledProgram {
        let loops = code.program();
        // What callers reach by name; scratch values share bytes and mean nothing after a step.
        let lasting = |buffer: &Buffer| matches!(buffer.space, Space::Global | Space::Pinned);
        let names = loops.buffers.iter().filter(|(_, buffer)| lasting(buffer));
        let names = names.map(|(id, buffer)| (buffer.name.clone(), id)).collect();
        CompiledProgram { blocks: BlockBytes::of(loops), names, code }
    }

    /// The memory that it needs.
    pub fn blocks(&self) -> BlockBytes {
        self.blocks
    }

    /// The loops that it was compiled from.
    pub fn loops(&self) -> &Planned {
        self.code.program()
    }

    /// The global or pinned buffer of a key.
    pub fn buffer(&self, key: impl BufferKey) -> Option<&Buffer> {
        key.find(self).map(|id| &self.loops().buffers[id])
    }

    /// The buffer of the input of this name, if the step has it.
    pub fn input(&self, name: &str) -> Option<BufferId> {
        self.loops().io.input(name)
    }

    fn place(&self, memory: &RunMemory, key: impl BufferKey) -> (usize, &Buffer) {
        let id = key.find(self);
        let id = id.unwrap_or_else(|| panic!("the step has a buffer `{}`", key.shown()));
        let buffer = &self.loops().buffers[id];
        let lasts = matches!(buffer.space, Space::Global | Space::Pinned);
        assert!(lasts, "`{}` means nothing after a step", key.shown());
        (memory.position(buffer.space, offset(buffer)), buffer)
    }

    /// Writes a buffer. The tensor has its type and number of elements.
    pub fn write(&self, memory: &mut RunMemory, key: impl BufferKey, tensor: &Tensor) {
        let (position, buffer) = self.place(memory, &key);
        assert_eq!(tensor.dtype(), buffer.dtype, "type of `{}`", key.shown());
        assert_eq!(tensor.len(), buffer.len, "elements of `{}`", key.shown());
        let bytes = memory.slice_mut(position, buffer.bytes());
        bytes.copy_from_slice(&tensor.to_bytes());
    }

    /// A copy of a buffer's elements, as one axis.
    pub fn read(&self, memory: &RunMemory, key: impl BufferKey) -> Tensor {
        let (_, buffer) = self.place(memory, &key);
        Tensor::from_bytes(buffer.dtype, [buffer.len], self.bytes(memory, key))
    }

    /// The bytes of a buffer.
    pub fn bytes<'a>(&self, memory: &'a RunMemory, key: impl BufferKey) -> &'a [u8] {
        let (position, buffer) = self.place(memory, key);
        memory.slice(position, buffer.bytes())
    }

    /// The bytes of a buffer, to fill. Bytes of a bool are 0 or 1.
    pub fn bytes_mut<'a>(&self, memory: &'a mut RunMemory, key: impl BufferKey) -> &'a mut [u8] {
        let (position, buffer) = self.place(memory, key);
        memory.slice_mut(position, buffer.bytes())
    }

    /// The elements of an `f32` buffer, in place.
    pub fn f32s<'a>(&self, memory: &'a RunMemory, key: impl BufferKey) -> &'a [f32] {
        let (_, buffer) = self.place(memory, &key);
        assert_eq!(buffer.dtype, DType::F32, "type of `{}`", key.shown());
        let bytes = self.bytes(memory, key);
        // SAFETY: every bit pattern is an `f32`.
        let (before, elements, after) = unsafe { bytes.align_to::<f32>() };
        assert!(before.is_empty() && after.is_empty(), "buffers are aligned");
        elements
    }

    /// Computes one step.
    pub fn run(
        &self,
        memory: &mut RunMemory,
        pool: &mut Pool,
        args: &StepArgs<'_>,
    ) -> Result<(), IndexFault> {
        self.write_uniforms(memory, args);
        self.call(self.code.step(), memory, pool, args.step, args.seed, None)
    }

    /// Computes one step and notes when each action ended, if the code is timed code
    /// (`codegen::emit_timed`). The marks are for the program's actions and the pool's threads.
    pub fn run_timed(
        &self,
        memory: &mut RunMemory,
        pool: &mut Pool,
        args: &StepArgs<'_>,
        marks: &mut Marks,
    ) -> Result<(), IndexFault> {
        let fits =
            marks.threads() == pool.threads() && marks.actions() == self.loops().actions.len();
        assert!(fits, "marks for the program's actions and the pool's threads");
        self.write_uniforms(memory, args);
        self.call(self.code.step(), memory, pool, args.step, args.seed, Some(marks))
    }

    fn write_uniforms(&self, memory: &mut RunMemory, args: &StepArgs<'_>) {
        let loops = self.loops();
        if let Some(id) = loops.uniforms.buffer {
            let values = loops.uniforms.eval(args.step, args.hypers);
            let bytes = self.bytes_mut(memory, id);
            for (bytes, value) in bytes.chunks_exact_mut(size_of::<f32>()).zip(values) {
                bytes.copy_from_slice(&value.to_ne_bytes());
            }
        }
    }

    /// Writes parameters and states by their paths, those that the step has, and brings derived layouts
    /// up to date.
    pub fn fill<'v>(
        &self,
        memory: &mut RunMemory,
        pool: &mut Pool,
        values: impl IntoIterator<Item = (&'v String, &'v Tensor)>,
    ) {
        for (path, value) in values.into_iter().filter(|(path, _)| self.buffer(*path).is_some()) {
            self.write(memory, path, value);
        }
        self.refresh(memory, pool);
    }

    /// Brings the layouts derived from parameters up to date, after parameters were written.
    pub fn refresh(&self, memory: &mut RunMemory, pool: &mut Pool) {
        let result = self.call(self.code.refresh(), memory, pool, 0, 0, None);
        assert_eq!(result, Ok(()), "derived layouts do not depend on data");
    }

    fn call(
        &self,
        function: StepFn,
        memory: &mut RunMemory,
        pool: &mut Pool,
        step: u64,
        seed: u64,
        marks: Option<&mut Marks>,
    ) -> Result<(), IndexFault> {
        let threads = pool.threads();
        assert!(threads <= memory.threads(), "memory for {threads} threads");
        let fits = self.blocks.max(memory.blocks) == memory.blocks;
        assert!(fits, "memory that was made for this program");
        memory.set_contexts(pool, step, seed);
        for (context, data) in
            memory.contexts.iter_mut().zip(marks.into_iter().flat_map(Marks::targets))
        {
            let context = context.0.get_mut();
            (context.mark, context.mark_data) = (marks::MARK, data);
        }
        let contexts = &memory.contexts;
        // Where the code lies tells steps of different programs apart.
        pool.run_step(function as usize, |thread, threads| {
            let context = contexts[thread].0.get();
            // SAFETY: each thread has its own context, and nobody else reaches it before all are
            // done.
            unsafe { (*context).threads = threads as u64 };
            // SAFETY: the code was compiled from a `Planned` program, so it touches only bytes of
            // the blocks of `Blocks::of`, which `memory` has for as many threads (both checked
            // above). `memory` is borrowed exclusively until all are done.
            unsafe { function(context) };
        });
        // Threads own ascending parts, so the lowest one's fault is the first.
        let mut faults =
            memory.contexts.iter_mut().filter_map(|context| context.0.get_mut().fault());
        match faults.next() {
            Some((site, element)) => Err(IndexFault { site, element }),
            None => Ok(()),
        }
    }
}

/// A context on cache lines of its own, for one thread to write.
#[derive(Default)]
#[repr(align(128))]
struct ThreadContext(UnsafeCell<Context>);

// SAFETY: during a step only the thread of its number reaches a context.
unsafe impl Sync for ThreadContext {}

//! When each action of a step ended, on each thread: what timed code (`codegen::emit_timed`)
//! tells. [`Program::run_timed`](super::Program::run_timed) fills it in.
//!
//! ```text
//! thread 0:  start 0.0  run k0 12.5  barrier 12.9  run k1 20.1      in microseconds
//! thread 1:  start 0.3  run k0 12.6  barrier 12.9  run k1 19.8
//! ```
//!
//! A mark costs a reading of the clock, some 30 ns.

use std::time::Instant;

use crate::codegen::abi::MarkFn;

/// The marks of one step.
pub struct Marks {
    threads: Vec<ThreadMarks>,
}

/// The times of one thread, on cache lines of its own.
#[repr(align(128))]
struct ThreadMarks {
    begin: Instant,
    /// Nanoseconds at the start and at the end of each action.
    at: Vec<u64>,
}

impl Marks {
    /// Marks for steps of so many actions.
    pub fn new(actions: usize, threads: usize) -> Marks {
        let thread = |_| ThreadMarks { begin: Instant::now(), at: vec![0; actions + 1] };
        Marks { threads: (0..threads).map(thread).collect() }
    }

    /// Seconds that a thread spent on an action.
    pub fn seconds(&self, thread: usize, action: usize) -> f64 {
        let at = &self.threads[thread].at;
        (at[action + 1].saturating_sub(at[action])) as f64 * 1e-9
    }

    /// How many threads there are.
    pub fn threads(&self) -> usize {
        self.threads.len()
    }

    /// How many actions a step has.
    pub fn actions(&self) -> usize {
        self.threads.first().map_or(0, |thread| thread.at.len() - 1)
    }

    /// For each thread, the pointer that its code passes to [`MARK`].
    pub(super) fn targets(&mut self) -> impl Iterator<Item = *mut ()> + '_ {
        self.threads.iter_mut().map(|thread| std::ptr::from_mut(thread).cast())
    }
}

crate::codegen::abi::step_abi! {
    /// Notes the time, as timed code calls it.
    fn mark(marks: *mut (), index: u64) {
        // SAFETY: `Program::run_timed` put a thread's own marks there, which it borrows
        // exclusively until all threads are done.
        let marks = unsafe { &mut *marks.cast::<ThreadMarks>() };
        marks.at[index as usize] = marks.begin.elapsed().as_nanos() as u64;
    }
}

/// The function that timed code calls after each action.
pub(super) const MARK: MarkFn = mark;

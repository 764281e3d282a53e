//! Runs a program, slowly and suspiciously: the test of what lowering and planning have made.
//!
//! Takes a verified [`Program`], its [`ProgramMemory`] and the arguments of a step; what comes
//! out is what compiled code computes, to the bit: elementary functions are those of
//! `base::math` on [`Scalar`](crate::base::math::Scalar) (denormals are zero), reductions have 16
//! lanes, tiles add with FMA in order.
//!
//! Threads are not real: between two barriers (an epoch), the kernels of each thread run in
//! order, those of different threads in an order shuffled by a seed. Every byte remembers who
//! touched it, so a run fails
//! - with [`StepFailure::Race`] where a byte is written by one thread and touched by another in the
//!   same epoch, whatever the order was,
//! - with [`StepFailure::Clobbered`] where a buffer is read whose bytes another buffer has taken, or
//!   that nothing has written in this step.
//!
//! It deliberately says nothing about speed, and knows nothing of vectors and registers.

mod execute;
mod memory;
mod scalar;
mod trace;

#[cfg(test)]
mod tests;

use std::fmt;

use crate::base::rng::Sequence;
pub use crate::loops::interp::memory::ProgramMemory;
use crate::loops::program::{Action, BufferId, KernelId, Program};

/// Arguments of one step beside its memory.
#[derive(Clone, Debug, PartialEq)]
pub struct InterpArgs {
    /// The seed of random numbers.
    pub seed: u64,
    /// The step's number, counted from 1.
    pub step: u64,
    /// A value for each hyper-parameter.
    pub hypers: Vec<f64>,
}

/// One access, for messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ThreadAccess {
    /// The thread.
    pub thread: usize,
    /// The kernel's id and name: `k0 dense.forward`.
    pub kernel: String,
    /// The buffer's id and name: `b3 %12`.
    pub buffer: String,
}

impl fmt::Display for ThreadAccess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} in kernel {} on thread {}", self.buffer, self.kernel, self.thread)
    }
}

/// Why a step did not succeed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StepFailure {
    /// Two threads touched a byte in one epoch, and one of them wrote it.
    Race {
        /// The access that wrote.
        write: ThreadAccess,
        /// The other access, a read or a write.
        other: ThreadAccess,
    },
    /// Bytes were read that the buffer does not own.
    Clobbered {
        /// The access that read.
        read: ThreadAccess,
        /// Whose bytes they are; of nobody where this step has not written them.
        owner: Option<String>,
    },
    /// An index from data was out of range.
    Fault {
        /// Which operator of the program (the number in `Inst::Checked`).
        site: u32,
        /// The element of the index tensor.
        element: i64,
    },
}

impl fmt::Display for StepFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StepFailure::Race { write, other } => {
                write!(f, "race: {write} writes what {other} uses")
            }
            StepFailure::Clobbered { read, owner: Some(owner) } => {
                write!(f, "{read} is read, but its bytes hold {owner}")
            }
            StepFailure::Clobbered { read, owner: None } => {
                write!(f, "{read} is read, but nothing has written it")
            }
            StepFailure::Fault { site, element } => {
                write!(f, "index {element} of operator {site} is out of range")
            }
        }
    }
}

impl std::error::Error for StepFailure {}

/// Runs a step of a verified program on so many threads; `shuffle` orders them within epochs.
///
/// After a [`StepFailure::Fault`] the step has been run to its end, with 0 in place of bad indices;
/// of several faults, it is the first of the lowest thread. Other failures end it at once.
pub fn run(
    program: &Program,
    memory: &mut ProgramMemory,
    step: &InterpArgs,
    threads: usize,
    shuffle: u64,
) -> Result<(), StepFailure> {
    memory.begin(program, threads);
    if let Some(buffer) = program.uniforms.buffer {
        let values = program.uniforms.eval(step.step, &step.hypers);
        let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_ne_bytes()).collect();
        memory.set_start(buffer, &bytes);
    }
    actions(program, &program.actions, memory, step, threads, shuffle)
}

/// Runs what follows a change of parameters from outside: it brings derived layouts up to date.
pub fn refresh(
    program: &Program,
    memory: &mut ProgramMemory,
    threads: usize,
    shuffle: u64,
) -> Result<(), StepFailure> {
    memory.begin(program, threads);
    let step = InterpArgs { seed: 0, step: 0, hypers: Vec::new() };
    actions(program, &program.refresh, memory, &step, threads, shuffle)
}

fn actions(
    program: &Program,
    actions: &[Action],
    memory: &mut ProgramMemory,
    step: &InterpArgs,
    threads: usize,
    shuffle: u64,
) -> Result<(), StepFailure> {
    let mut order = Sequence::new(shuffle, 0);
    let mut faults = vec![None; threads];
    for epoch in unrolled(actions).split(|action| action.is_none()) {
        memory.barrier();
        let mut done = vec![0; threads];
        let mut waiting: Vec<usize> = (0..threads).filter(|_| !epoch.is_empty()).collect();
        while !waiting.is_empty() {
            let chosen = order.below(waiting.len() as u32) as usize;
            let thread = waiting[chosen];
            if let Some(run) = &epoch[done[thread]] {
                let share = execute::Share { thread, threads };
                execute::run(program, run, memory, step, share, &mut faults[thread])?;
            }
            done[thread] += 1;
            if done[thread] == epoch.len() {
                waiting.swap_remove(chosen);
            }
        }
    }
    match faults.into_iter().flatten().next() {
        Some((site, element)) => Err(StepFailure::Fault { site, element }),
        None => Ok(()),
    }
}

/// A run of a kernel in a step of a loop.
struct StepRun<'a> {
    kernel: KernelId,
    args: &'a [BufferId],
    /// The slice that the step works on; 0 outside of loops.
    slice: usize,
}

/// All runs, those of loops once for each step; none for a barrier.
fn unrolled(actions: &[Action]) -> Vec<Option<StepRun<'_>>> {
    fn add<'a>(found: &mut Vec<Option<StepRun<'a>>>, actions: &'a [Action], slice: usize) {
        for action in actions {
            match action {
                Action::Run { kernel, args } => {
                    found.push(Some(StepRun { kernel: *kernel, args, slice }));
                }
                Action::Barrier => found.push(None),
                Action::Loop { steps, reverse, body } => {
                    for step in 0..*steps {
                        add(found, body, if *reverse { steps - 1 - step } else { step });
                    }
                }
            }
        }
    }
    let mut found = Vec::new();
    add(&mut found, actions, 0);
    found
}

/// A buffer's id and name.
fn buffer_name(program: &Program, id: BufferId) -> String {
    program.buffers.get(id).map_or(id.to_string(), |buffer| format!("{id} {}", buffer.name))
}

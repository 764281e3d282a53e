//! `nnc bench --explain`: what each kernel of a step does and how long it takes, in the step.
//!
//! ```text
//! action 3 of the step  →  dense.matmul, models/mnist.nn:5:25, 6.4 MFLOP, 0.5 MB, 0.025 ms
//! ```
//!
//! The step is compiled once more, as timed code that reads the clock after each action; nothing
//! else is changed, so a kernel finds in caches what its neighbours leave there. Operations and
//! bytes come from the loops' text: bytes are those of every element that is read and every
//! element that is written, each once, in memory that outlives the kernel; what one of several
//! reads finds in a cache is not counted again.

use crate::base::entity::Arena;
use crate::codegen::{self, Target};
use crate::command::bench::TimedStep;
use crate::driver::compiled::KernelOrigin;
use crate::loops::work::{Operations, operations, touched};
use crate::loops::{Action, BufferId, KernelId, Program as Loops, SlotId, Space};
use crate::runtime::pool::Pool;
use crate::runtime::program::{CompiledProgram, Marks};
use std::collections::HashMap;
use std::time::Instant;

/// Steps whose times are kept at most.
const MOST_STEPS: usize = 2000;

/// Work and time of one action of a step.
#[derive(Clone, Debug)]
pub struct Explained {
    /// The kernel that runs; none for a barrier.
    pub kernel: Option<ExplainedKernel>,
    /// Seconds: the median over steps, of the thread that takes longest; of a barrier, of the
    /// thread that waits least.
    pub seconds: f64,
    /// The same in the step where it was fastest.
    pub fastest: f64,
}

/// Work and forecast of a run of a kernel.
#[derive(Clone, Debug)]
pub struct ExplainedKernel {
    /// The layer and operator: `dense.matmul`.
    pub name: String,
    /// The place in the user's files that asks for it: `models/mnist.nn:5:25`.
    pub place: Option<String>,
    /// Into how many parts its work is cut; 0 where every thread does all of it.
    pub parts: usize,
    /// Its floating-point operations, of all threads together.
    pub operations: Operations,
    /// Bytes that it reads and writes at least.
    pub bytes: u64,
}

impl TimedStep {
    /// Times each action of the step for about so many seconds.
    pub fn explain(&mut self, pool: &mut Pool, seconds: f64, target: &Target) -> Vec<Explained> {
        let loops = self.program().loops().clone();
        let code = codegen::jit::link(&codegen::emit_timed(&loops, target));
        let mut times = ActionTimes::new(&loops, pool.threads());
        let timed = CompiledProgram::new(code);
        let start = Instant::now();
        let mut number = 1;
        while number < 5 || (start.elapsed().as_secs_f64() < seconds && number < MOST_STEPS as u64)
        {
            number += 1;
            self.timed_step(&timed, number, pool, &mut times.marks);
            // The first step finds caches as something else left them.
            if number > 2 {
                times.note(timed.loops());
            }
        }
        let mut work = KernelWork::default();
        let actions = timed.loops().actions.iter().zip(self.origins());
        let kernels = actions.map(|(action, origin)| work.of(timed.loops(), action, origin));
        kernels.zip(times.finish()).map(explained).collect()
    }
}

fn explained((kernel, [seconds, fastest]): (Option<ExplainedKernel>, [f64; 2])) -> Explained {
    Explained { kernel, seconds, fastest }
}

/// Seconds of each action in each step.
struct ActionTimes {
    marks: Marks,
    seconds: Vec<Vec<f64>>,
}

impl ActionTimes {
    fn new(loops: &Loops, threads: usize) -> ActionTimes {
        let actions = loops.actions.len();
        ActionTimes { marks: Marks::new(actions, threads), seconds: vec![Vec::new(); actions] }
    }

    /// Keeps the times of the step that was marked last.
    fn note(&mut self, loops: &Loops) {
        let threads = 0..self.marks.threads();
        for (action, (kind, seconds)) in loops.actions.iter().zip(&mut self.seconds).enumerate() {
            let each = threads.clone().map(|thread| self.marks.seconds(thread, action));
            seconds.push(match kind {
                Action::Run { .. } | Action::Loop { .. } => each.fold(0.0, f64::max),
                Action::Barrier => each.fold(f64::INFINITY, f64::min),
            });
        }
    }

    /// The median and the smallest of each action.
    fn finish(self) -> impl Iterator<Item = [f64; 2]> {
        self.seconds.into_iter().map(|mut seconds| {
            seconds.sort_by(f64::total_cmp);
            [seconds[seconds.len() / 2], seconds[0]]
        })
    }
}

/// Operations and bytes of kernels, counted once for each.
#[derive(Default)]
pub(crate) struct KernelWork {
    known: HashMap<KernelId, (Operations, Arena<SlotId, [u64; 2]>)>,
}

impl KernelWork {
    /// The work of an action; `None` for a barrier.
    pub fn of(
        &mut self,
        loops: &Loops,
        action: &Action,
        origin: &Option<KernelOrigin>,
    ) -> Option<ExplainedKernel> {
        let (kernel, args) = match action {
            Action::Run { kernel, args } => (kernel, args),
            Action::Loop { steps, body, .. } => return self.of_loop(loops, *steps, body, origin),
            Action::Barrier => return None,
        };
        let code = &loops.kernels[*kernel];
        let count = || (operations(code), touched(code));
        let (operations, touched) = self.known.entry(*kernel).or_insert_with(count);
        let bytes = |(&buffer, [reads, writes]): (&BufferId, &[u64; 2])| {
            let buffer = &loops.buffers[buffer];
            let lasts = buffer.space != Space::Thread;
            if lasts { (reads + writes) * buffer.dtype.size() as u64 } else { 0 }
        };
        Some(ExplainedKernel {
            name: origin.as_ref().map_or(&code.name, |origin| &origin.name).clone(),
            place: origin.as_ref().and_then(|origin| origin.place.clone()),
            parts: code.parts,
            operations: *operations,
            bytes: args.iter().zip(touched.values()).map(bytes).sum(),
        })
    }

    /// The work of all steps of a loop.
    fn of_loop(
        &mut self,
        loops: &Loops,
        steps: usize,
        body: &[Action],
        origin: &Option<KernelOrigin>,
    ) -> Option<ExplainedKernel> {
        let kernels: Vec<ExplainedKernel> =
            body.iter().filter_map(|action| self.of(loops, action, &None)).collect();
        let mut all = ExplainedKernel {
            name: origin.as_ref().map_or("scan", |origin| &origin.name).to_owned(),
            place: origin.as_ref().and_then(|origin| origin.place.clone()),
            parts: kernels.iter().map(|kernel| kernel.parts).max()?,
            operations: Operations::default(),
            bytes: 0,
        };
        for kernel in kernels {
            all.operations.contraction += steps as u64 * kernel.operations.contraction;
            all.operations.scalar += steps as u64 * kernel.operations.scalar;
            all.bytes += steps as u64 * kernel.bytes;
        }
        Some(all)
    }
}

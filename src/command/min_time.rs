//! The shortest time of a program's first action, for what measures the machine itself.
//!
//! The action's own time is taken, of the thread that takes longest, not the step's: on a busy
//! machine a step waits for threads that the system has put aside, but now and then each of them
//! runs its share undisturbed.

use crate::codegen::{self, Target};
use crate::loops::Planned;
use crate::runtime::pool::Pool;
use crate::runtime::program::{CompiledProgram, Marks, RunMemory, StepArgs};
use std::time::{Duration, Instant};

/// How long a program is looked at, and at most on a busy machine.
const LOOK: [Duration; 2] = [Duration::from_millis(200), Duration::from_secs(2)];
/// Steps at least, unless they take too long.
const STEPS: usize = 50;

/// Seconds of the first action at its fastest. Pinned buffers hold small numbers at first.
pub fn fastest(loops: &Planned, target: &Target, pool: &mut Pool) -> f64 {
    let code = codegen::jit::link(&codegen::emit_timed(loops, target));
    let names: Vec<String> = loops.buffers.values().map(|buffer| buffer.name.clone()).collect();
    let mut marks = Marks::new(loops.actions.len(), pool.threads());
    let program = CompiledProgram::new(code);
    let mut memory = RunMemory::for_programs([&program], pool.threads());
    // Pages that were never written are all one page of zeros.
    names.iter().for_each(|name| program.bytes_mut(&mut memory, name).fill(1));
    let mut fastest = f64::INFINITY;
    let (begin, mut steps) = (Instant::now(), 0);
    while begin.elapsed() < LOOK[0] || (steps < STEPS && begin.elapsed() < LOOK[1]) {
        steps += 1;
        let args = StepArgs { step: 1, seed: 0, hypers: &[] };
        program.run_timed(&mut memory, pool, &args, &mut marks).expect("no index comes from data");
        let threads = (0..pool.threads()).map(|thread| marks.seconds(thread, 0));
        fastest = fastest.min(threads.fold(0.0, f64::max));
    }
    fastest
}

//! The order of kernels, and where barriers stand.
//!
//! Takes runs of kernels in any order that is right on one thread; gives an order with few
//! barriers: whatever can run without one does so before the next is placed. Of those that
//! can, the first in the given order goes first, which keeps producers near consumers.
//!
//! ```text
//! forward, dw₂, dx, dw₁, norm     forward, dx | dw₂, dw₁ | norm
//! ```

use crate::base::entity::Entity;
use crate::loops::footprint::{Footprints, footprints};
use crate::loops::{BufferId, Kernel, KernelId, Program};
use crate::lower::barrier::{Run, needs_barrier, ordered};
use rayon::prelude::*;
use rustc_hash::FxHashMap;
use std::collections::BTreeSet;
use std::sync::Arc;

/// The order of these runs: the index of each, none for a barrier.
pub fn run(program: &Program, runs: &[(KernelId, Vec<BufferId>)]) -> Vec<Option<usize>> {
    let touched = touched(program);
    let compared: Vec<Run> = runs
        .iter()
        .enumerate()
        .map(|(index, (kernel, args))| {
            let parts = program.kernels[*kernel].parts;
            Run { index, parts, args: args.clone(), touched: Arc::clone(&touched[kernel.index()]) }
        })
        .collect();
    Order::new(program, &compared).run()
}

/// What each kernel touches; kernels are looked at on all processors.
fn touched(program: &Program) -> Vec<Arc<Footprints>> {
    let kernels: Vec<&Kernel> = program.kernels.values().collect();
    kernels.into_par_iter().map(|kernel| Arc::new(footprints(kernel))).collect()
}

struct Order<'a> {
    program: &'a Program,
    runs: &'a [Run],
    /// Those that must wait for each.
    after: Vec<Vec<usize>>,
    /// How many each still waits for.
    waits: Vec<usize>,
}

impl<'a> Order<'a> {
    fn new(program: &'a Program, runs: &'a [Run]) -> Self {
        let mut users: FxHashMap<BufferId, Vec<usize>> = FxHashMap::default();
        let mut after = vec![Vec::new(); runs.len()];
        let mut waits = vec![0; runs.len()];
        for run in runs {
            // Only what shares a buffer can have to wait.
            let mut earlier: Vec<usize> =
                run.args.iter().filter_map(|buffer| users.get(buffer)).flatten().copied().collect();
            earlier.sort_unstable();
            earlier.dedup();
            for other in earlier.into_iter().filter(|&other| ordered(&runs[other], run)) {
                after[other].push(run.index);
                waits[run.index] += 1;
            }
            for &buffer in &run.args {
                let users = users.entry(buffer).or_default();
                if users.last() != Some(&run.index) {
                    users.push(run.index);
                }
            }
        }
        Order { program, runs, after, waits }
    }

    /// Indices of runs, none for a barrier.
    fn run(mut self) -> Vec<Option<usize>> {
        let mut steps = Vec::new();
        let mut ready: BTreeSet<usize> =
            (0..self.runs.len()).filter(|&index| self.waits[index] == 0).collect();
        let mut epoch: Vec<usize> = Vec::new();
        // Those that need a barrier in this epoch, and with how many of it each was compared: an
        // epoch only grows.
        let mut blocked: BTreeSet<usize> = BTreeSet::new();
        let mut compared = vec![0; self.runs.len()];
        while !ready.is_empty() || !blocked.is_empty() {
            let mut next = None;
            while let Some(&index) = ready.first() {
                let free = |&other: &usize| {
                    !needs_barrier(self.program, &self.runs[other], &self.runs[index])
                };
                if epoch[compared[index]..].iter().all(free) {
                    compared[index] = epoch.len();
                    next = Some(index);
                    break;
                }
                ready.remove(&index);
                blocked.insert(index);
            }
            match next {
                Some(index) => {
                    ready.remove(&index);
                    epoch.push(index);
                    for &other in &self.after[index] {
                        self.waits[other] -= 1;
                        if self.waits[other] == 0 {
                            ready.insert(other);
                        }
                    }
                }
                None => {
                    epoch.clear();
                    compared.fill(0);
                    ready.append(&mut blocked);
                }
            }
            steps.push(next);
        }
        steps
    }
}

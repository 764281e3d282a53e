//! The order of kernels, and where barriers stand.
//!
//! Takes runs of kernels in any order that is right on one thread; gives an order with few
//! barriers: whatever can run without one does so before the next is placed. Of those that
//! can, the first in the given order goes first, which keeps producers near consumers.
//!
//! ```text
//! forward, dw₂, dx, dw₁, norm     forward, dx | dw₂, dw₁ | norm
//! ```

use crate::loops::footprint::footprints;
use crate::loops::{BufferId, KernelId, Program};
use crate::lower::barrier::{Run, needs_barrier, ordered};
use std::collections::HashMap;
use std::rc::Rc;

/// The order of these runs: the index of each, none for a barrier.
pub fn run(program: &Program, runs: &[(KernelId, Vec<BufferId>)]) -> Vec<Option<usize>> {
    let mut known = HashMap::new();
    let mut touched = |kernel: KernelId| {
        let compute = || Rc::new(footprints(&program.kernels[kernel]));
        Rc::clone(known.entry(kernel).or_insert_with(compute))
    };
    let compared: Vec<Run> = runs
        .iter()
        .enumerate()
        .map(|(index, (kernel, args))| {
            let parts = program.kernels[*kernel].parts;
            Run { index, parts, args: args.clone(), touched: touched(*kernel) }
        })
        .collect();
    Order::new(program, &compared).run()
}

struct Order<'a> {
    program: &'a Program,
    runs: &'a [Run],
    /// Those that each must wait for.
    before: Vec<Vec<usize>>,
}

impl<'a> Order<'a> {
    fn new(program: &'a Program, runs: &'a [Run]) -> Self {
        let before = |b: &Run| (0..b.index).filter(|&a| ordered(&runs[a], b)).collect();
        Order { program, runs, before: runs.iter().map(before).collect() }
    }

    /// Indices of runs, none for a barrier.
    fn run(&self) -> Vec<Option<usize>> {
        let mut done = vec![false; self.runs.len()];
        let mut steps = Vec::new();
        let mut epoch: Vec<usize> = Vec::new();
        while done.contains(&false) {
            let next = (0..self.runs.len()).find(|&index| {
                let ready = self.before[index].iter().all(|&before| done[before]);
                let free = |&other: &usize| {
                    !needs_barrier(self.program, &self.runs[other], &self.runs[index])
                };
                !done[index] && ready && epoch.iter().all(free)
            });
            match next {
                Some(index) => {
                    done[index] = true;
                    epoch.push(index);
                }
                None => epoch.clear(),
            }
            steps.push(next);
        }
        steps
    }
}

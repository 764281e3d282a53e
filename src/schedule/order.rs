//! The order of kernels, and where barriers stand.
//!
//! Takes runs of kernels in any order that is right on one thread; gives an order with few
//! barriers: whatever can run without one does so before the next is placed. Of those that
//! can, the first in the given order goes first, which keeps producers near consumers; but one that
//! frees much memory (the last reader of a gradient of a layer's size) goes before. Another
//! barrier stands where an epoch has left much memory behind, since buffers share bytes only across
//! barriers ([`plan`](super::plan)).
//!
//! ```text
//! forward, dw₂, dx, dw₁, norm     forward, dx | dw₂, dw₁ | norm
//! ```

use crate::base::entity::Entity;
use crate::loops::footprint::{Footprints, footprints};
use crate::loops::{Action, Buffer, BufferId, Kernel, Program, Space};
use crate::schedule::barrier::{BoundBuffer, BufferUse, ConflictTable, KernelRun, RunUses};
use rayon::prelude::*;
use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::sync::Arc;

/// Orders the runs of a program's step, and those of its loops, which are right in the order given,
/// and puts barriers between them; gives the index that each action had, none for a barrier. Barriers
/// of the program so far go.
pub fn run(program: &mut Program) -> Vec<Option<usize>> {
    let touched = touched(program);
    let mut actions = std::mem::take(&mut program.actions);
    let mut known = ConflictTable::default();
    for action in &mut actions {
        if let Action::Loop { body, .. } = action {
            ordered(program, &touched, &mut known, body, true);
        }
    }
    let order = ordered(program, &touched, &mut known, &mut actions, false);
    program.actions = actions;
    order
}

/// Orders actions; those that `repeat` may need a barrier between one time and the next.
fn ordered(
    program: &Program,
    touched: &[Arc<Footprints>],
    known: &mut ConflictTable,
    actions: &mut Vec<Action>,
    repeat: bool,
) -> Vec<Option<usize>> {
    actions.retain(|action| *action != Action::Barrier);
    let runs: Vec<KernelRun> = actions
        .iter()
        .enumerate()
        .filter_map(|(index, action)| run_of(program, touched, index, action))
        .collect();
    let order = RunOrder::new(program, &runs, known).run(repeat);
    let mut take = |index: usize| std::mem::replace(&mut actions[index], Action::Barrier);
    let placed = order.iter().map(|index| index.map_or(Action::Barrier, &mut take)).collect();
    *actions = placed;
    order
}

/// A part that is to be ordered: a run of a kernel, or a loop with all that its body uses.
fn run_of(
    program: &Program,
    touched: &[Arc<Footprints>],
    index: usize,
    action: &Action,
) -> Option<KernelRun> {
    let bound = |&buffer: &BufferId| {
        let part = program.buffers[buffer].part.filter(|part| part.stride > 0);
        let moving = part.map(|_| program.buffers[buffer].len);
        BoundBuffer { buffer, whole: program.whole(buffer), moving }
    };
    match action {
        Action::Run { kernel, args } => Some(KernelRun {
            index,
            parts: program.kernels[*kernel].parts,
            args: args.iter().map(bound).collect(),
            touched: RunUses::Kernel(*kernel, Arc::clone(&touched[kernel.index()])),
        }),
        Action::Loop { body, .. } => {
            let mut args: Vec<BoundBuffer> = Vec::new();
            let mut writes: Vec<bool> = Vec::new();
            let runs = body.iter().filter_map(|action| run_of(program, touched, index, action));
            for run in runs {
                for (slot, whole) in run.slots() {
                    let own = run.uses(slot).writes;
                    match args.iter().position(|known| known.whole == whole) {
                        Some(known) => writes[known] |= own,
                        None => {
                            args.push(BoundBuffer { buffer: whole, whole, moving: None });
                            writes.push(own);
                        }
                    }
                }
            }
            Some(KernelRun { index, parts: 0, args, touched: RunUses::Loop(writes) })
        }
        Action::Barrier => None,
    }
}

/// Footprints of each kernel, computed on all processors.
fn touched(program: &Program) -> Vec<Arc<Footprints>> {
    let kernels: Vec<&Kernel> = program.kernels.values().collect();
    kernels.into_par_iter().map(|kernel| Arc::new(footprints(kernel))).collect()
}

/// When so many bytes of an epoch will not be read again, the next buffers had better have them: a
/// barrier costs less than it takes to pass over as much memory.
const ROOM: usize = 8 << 20;

/// A run goes before others where it frees so many bytes.
const MUCH: usize = 1 << 20;

struct RunOrder<'a> {
    runs: &'a [KernelRun],
    known: &'a mut ConflictTable,
    /// Those that must wait for each.
    after: Vec<Vec<usize>>,
    /// How many each still waits for.
    waits: Vec<usize>,
    /// The uses of each buffer in this epoch, in order; of threads' own buffers none.
    epoch: Vec<Vec<BufferUse>>,
    /// The buffers that have some.
    touched: Vec<BufferId>,
    /// Whether threads share each buffer.
    is_shared: Vec<bool>,
    /// How many uses of each buffer are to come.
    uses: Vec<usize>,
    /// Whether a run has touched each buffer.
    begun: Vec<bool>,
    /// The bytes that a later buffer may have, of each buffer.
    bytes: Vec<usize>,
    /// Those of the epoch's buffers that have no use to come.
    room: usize,
    /// The runs to come whose buffers are so large that they may free much.
    large: BTreeSet<usize>,
}

impl<'a> RunOrder<'a> {
    fn new(program: &Program, runs: &'a [KernelRun], known: &'a mut ConflictTable) -> Self {
        let mut readers: Vec<Vec<BufferUse>> = vec![Vec::new(); program.buffers.len()];
        let mut writers = readers.clone();
        let mut after = vec![Vec::new(); runs.len()];
        let mut waits = vec![0; runs.len()];
        let mut before: Vec<usize> = Vec::new();
        for run in runs {
            for (slot, buffer) in run.slots() {
                let own = run.uses(slot);
                // Who only reads waits for those that have written, whoever writes for all.
                let read: &[BufferUse] = if own.writes { &readers[buffer.index()] } else { &[] };
                let earlier = writers[buffer.index()].iter().chain(read);
                let waited = earlier.filter(|&&other| known.depends(runs, other, own));
                before.extend(waited.map(|other| other.run));
            }
            before.sort_unstable();
            before.dedup();
            waits[run.index] = before.len();
            before.drain(..).for_each(|other| after[other].push(run.index));
            for (slot, buffer) in run.slots() {
                let own = run.uses(slot);
                let users = if own.writes { &mut writers } else { &mut readers };
                users[buffer.index()].push(own);
            }
        }
        let is_shared = program.buffers.values().map(|it| it.space != Space::Thread).collect();
        let mut uses = vec![0; program.buffers.len()];
        let slots = runs.iter().flat_map(KernelRun::slots);
        slots.for_each(|(_, buffer)| uses[buffer.index()] += 1);
        let bytes = |buffer: &Buffer| match buffer.space {
            Space::Scratch => buffer.bytes(),
            Space::Global | Space::Pinned | Space::Thread => 0,
        };
        let bytes: Vec<usize> = program.buffers.values().map(bytes).collect();
        let is_large = |&index: &usize| {
            let slots = runs[index].slots();
            slots.map(|(_, buffer)| bytes[buffer.index()]).sum::<usize>() >= MUCH
        };
        RunOrder {
            runs,
            known,
            after,
            waits,
            epoch: vec![Vec::new(); program.buffers.len()],
            touched: Vec::new(),
            is_shared,
            uses,
            begun: vec![false; program.buffers.len()],
            large: (0..runs.len()).filter(is_large).collect(),
            bytes,
            room: 0,
        }
    }

    /// Adds a run to the epoch.
    fn place(&mut self, index: usize) {
        self.large.remove(&index);
        for (slot, buffer) in self.runs[index].slots() {
            let at = buffer.index();
            self.epoch[at].push(self.runs[index].uses(slot));
            self.touched.push(buffer);
            self.uses[at] -= 1;
            self.begun[at] = true;
            if self.uses[at] == 0 {
                self.room += self.bytes[at];
            }
        }
    }

    /// Whether a run needs no barrier between it and those of the epoch.
    fn is_free(&mut self, index: usize) -> bool {
        let run = &self.runs[index];
        let mut shared = run.slots().filter(|&(_, buffer)| self.is_shared[buffer.index()]);
        shared.all(|(slot, buffer)| {
            let own = run.uses(slot);
            let users = &self.epoch[buffer.index()];
            !users.iter().any(|&other| self.known.needs_barrier(self.runs, other, own))
        })
    }

    /// Takes the run that comes next from those that are ready: the one after which the least memory
    /// is needed, where that is much less, or else the first. Those that need a barrier are moved.
    fn next(
        &mut self,
        ready: &mut BTreeSet<usize>,
        blocked: &mut BTreeSet<usize>,
    ) -> Option<usize> {
        let mut freeing: Vec<(usize, usize)> = self
            .large
            .intersection(ready)
            .map(|&index| (self.freed(index), index))
            .filter(|&(freed, _)| freed >= MUCH)
            .collect();
        freeing.sort_by_key(|&(freed, index)| (Reverse(freed), index));
        for (_, index) in freeing {
            ready.remove(&index);
            if self.is_free(index) {
                return Some(index);
            }
            blocked.insert(index);
        }
        while let Some(index) = ready.pop_first() {
            if self.is_free(index) {
                return Some(index);
            }
            blocked.insert(index);
        }
        None
    }

    /// How many bytes less are needed after a run than before it.
    fn freed(&self, index: usize) -> usize {
        let (mut freed, mut taken) = (0, 0);
        for (slot, buffer) in self.runs[index].slots() {
            let at = buffer.index();
            if self.uses[at] == 1 {
                freed += self.bytes[at];
            }
            if self.runs[index].uses(slot).writes && !self.begun[at] {
                taken += self.bytes[at];
            }
        }
        freed.saturating_sub(taken)
    }

    /// Indices of runs, none for a barrier; at the end one, where they repeat and threads must not be a
    /// time ahead.
    fn run(mut self, repeat: bool) -> Vec<Option<usize>> {
        let mut steps = Vec::new();
        let mut ready: BTreeSet<usize> =
            (0..self.runs.len()).filter(|&index| self.waits[index] == 0).collect();
        // Those that need a barrier in this epoch.
        let mut blocked: BTreeSet<usize> = BTreeSet::new();
        while !ready.is_empty() || !blocked.is_empty() {
            let next = match self.room >= ROOM {
                true => None,
                false => self.next(&mut ready, &mut blocked),
            };
            match next {
                Some(index) => {
                    self.place(index);
                    for &other in &self.after[index] {
                        self.waits[other] -= 1;
                        if self.waits[other] == 0 {
                            ready.insert(other);
                        }
                    }
                }
                None => {
                    self.touched.drain(..).for_each(|it| self.epoch[it.index()].clear());
                    self.room = 0;
                    ready.append(&mut blocked);
                }
            }
            steps.push(next);
        }
        let first: Vec<usize> = steps.iter().map_while(|&step| step).collect();
        if repeat && first.into_iter().any(|index| !self.is_free(index)) {
            steps.push(None);
        }
        steps
    }
}

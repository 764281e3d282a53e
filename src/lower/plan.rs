//! The plan: a place for every buffer.
//!
//! Takes the scheduled program; sets the offsets. Pinned buffers stand first in the local block,
//! each alone. Scratch buffers share bytes by the clock of barrier epochs: two may overlap only
//! if every access to one is in an earlier epoch than the first to the other, because within an
//! epoch threads are not ordered. A thread's own buffers share by the order of actions.
//!
//! ```text
//! epoch        0 1 2
//! %8  4 KB     ###      at 128
//! %12 4 KB     ##       at 4224        %12 and %20 share
//! %20 2 KB         #    at 4224
//! ```

use crate::base::entity::Entity;
use crate::loops::{Action, BufferId, Program, Space};

/// Every buffer begins at a multiple of this: a cache line, a vector register.
const ALIGNMENT: usize = 64;

/// The exact sizes of a program's memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Layout {
    /// Parameters, states and derived layouts; shared by all programs of a run.
    pub global_bytes: usize,
    /// Inputs, outputs and what is alive within a step.
    pub local_bytes: usize,
    /// What each thread has for itself.
    pub thread_bytes: usize,
}

/// When a buffer is first and last used.
type Life = Option<(usize, usize)>;

/// A buffer that has its place.
struct Placed {
    start: usize,
    end: usize,
    life: (usize, usize),
}

/// Places all buffers but the global ones, which have their places.
pub fn run(program: &mut Program, global_bytes: usize) -> Layout {
    let mut local = 0;
    for buffer in program.buffers.values_mut().filter(|buffer| buffer.space == Space::Pinned) {
        buffer.offset = Some(local);
        local += size(buffer.len * buffer.dtype.size());
    }
    let epochs = lives(program, true);
    let local_bytes = place(program, Space::Scratch, &epochs, local);
    let actions = lives(program, false);
    let thread_bytes = place(program, Space::Thread, &actions, 0);
    Layout { global_bytes, local_bytes, thread_bytes }
}

fn size(bytes: usize) -> usize {
    bytes.next_multiple_of(ALIGNMENT)
}

/// First and last use of each buffer, counted in epochs or in actions.
fn lives(program: &Program, by_epoch: bool) -> Vec<Life> {
    let mut lives: Vec<Life> = vec![None; program.buffers.len()];
    let mut clock = 0;
    for action in &program.actions {
        match action {
            Action::Barrier if by_epoch => clock += 1,
            Action::Barrier => {}
            Action::Run { args, .. } => {
                for buffer in args {
                    let life = &mut lives[buffer.index()];
                    *life = Some((life.map_or(clock, |(first, _)| first), clock));
                }
                clock += usize::from(!by_epoch);
            }
        }
    }
    lives
}

/// Places the buffers of a space, largest first, each into the tightest gap between those alive
/// at the same time; gives the end of the highest.
fn place(program: &mut Program, space: Space, lives: &[Life], begin: usize) -> usize {
    let mut order: Vec<BufferId> = program.buffers.keys().collect();
    order.retain(|&buffer| program.buffers[buffer].space == space);
    let bytes = |program: &Program, buffer: BufferId| {
        size(program.buffers[buffer].len * program.buffers[buffer].dtype.size())
    };
    order.sort_by_key(|&buffer| (std::cmp::Reverse(bytes(program, buffer)), buffer));
    let mut placed: Vec<Placed> = Vec::new();
    let mut end = begin;
    for buffer in order {
        let Some(life) = lives[buffer.index()] else {
            program.buffers[buffer].offset = Some(begin);
            continue;
        };
        let bytes = bytes(program, buffer);
        let start = gap(&placed, life, bytes, begin);
        program.buffers[buffer].offset = Some(start);
        end = end.max(start + bytes);
        placed.push(Placed { start, end: start + bytes, life });
    }
    end
}

fn gap(placed: &[Placed], life: (usize, usize), bytes: usize, begin: usize) -> usize {
    let mut alive: Vec<&Placed> =
        placed.iter().filter(|other| other.life.0 <= life.1 && life.0 <= other.life.1).collect();
    alive.sort_by_key(|other| other.start);
    let mut best: Option<(usize, usize)> = None;
    let mut free = begin;
    for other in alive {
        if other.start >= free + bytes {
            let slack = other.start - free - bytes;
            if best.is_none_or(|(least, _)| slack < least) {
                best = Some((slack, free));
            }
        }
        free = free.max(other.end);
    }
    best.map_or(free, |(_, start)| start)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tightest_gap_between_the_living_is_taken() {
        let at = |start, end, life| Placed { start, end, life };
        let placed =
            [at(0, 64, (0, 2)), at(192, 256, (0, 2)), at(320, 384, (1, 1)), at(64, 192, (2, 2))];
        assert_eq!(gap(&placed, (1, 1), 64, 0), 256);
        assert_eq!(gap(&placed, (0, 0), 128, 0), 64);
        assert_eq!(gap(&placed, (0, 2), 128, 0), 384);
    }
}

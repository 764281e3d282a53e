//! The plan: a place for every buffer.
//!
//! Takes the scheduled program; sets the offsets, and verifies the result. Global buffers have theirs
//! in the table that all programs of a run share. Pinned buffers stand first in the local block, each
//! alone. Scratch buffers share bytes by the clock of barrier epochs: two may overlap only
//! if every access to one is in an earlier epoch than the first to the other, because within an
//! epoch threads are not ordered. A thread's own buffers share by the order of actions.
//!
//! ```text
//! epoch        0 1 2
//! %8  4 KB     ###      at 128
//! %12 4 KB     ##       at 4224        %12 and %20 share
//! %20 2 KB         #    at 4224
//! ```
//!
//! [`table`] shows a plan.

use crate::base::entity::Entity;
use crate::loops::{Action, Buffer, BufferId, Planned, Program, Space};
use crate::schedule::Globals;
use std::fmt::Write;

/// Every buffer begins at a multiple of this: a cache line, a vector register.
const ALIGNMENT: usize = 64;

/// When a buffer is first and last used.
type Life = Option<(usize, usize)>;

/// A buffer that has its place.
struct PlacedBuffer {
    start: usize,
    end: usize,
    life: (usize, usize),
}

/// Places all buffers; global ones where `globals` has them, or at its end. An error is what the
/// verifier finds in the program.
pub fn run(mut program: Program, globals: &mut Globals) -> Result<Planned, Vec<String>> {
    let own = |buffer: &&mut Buffer, space| buffer.space == space && buffer.part.is_none();
    for buffer in program.buffers.values_mut().filter(|buffer| own(buffer, Space::Global)) {
        buffer.offset = Some(globals.place(&buffer.name, buffer.dtype, buffer.len).offset);
    }
    let mut local = 0;
    for buffer in program.buffers.values_mut().filter(|buffer| own(buffer, Space::Pinned)) {
        buffer.offset = Some(local);
        local += size(buffer.bytes());
    }
    let epochs = lives(&program, true);
    place(&mut program, Space::Scratch, &epochs, local);
    let actions = lives(&program, false);
    place(&mut program, Space::Thread, &actions, 0);
    place_parts(&mut program);
    Planned::new(program)
}

/// Parts lie in their wholes.
fn place_parts(program: &mut Program) {
    let wholes: Vec<Option<usize>> = program.buffers.values().map(|buffer| buffer.offset).collect();
    for buffer in program.buffers.values_mut() {
        if let Some(part) = buffer.part {
            let first = part.first * buffer.dtype.size();
            buffer.offset = wholes[part.of.index()].map(|whole| whole + first);
        }
    }
}

/// A plan for people, as comments of the program's text: each buffer's place, its bytes and the
/// epochs in which it is used, then the sizes of the blocks.
///
/// ```text
/// // buffer  space      offset     bytes  epochs  name
/// // b6      scratch       256     16384  0–1     %14
/// // global block 411136 bytes, local block 17000 bytes, block of each thread 64 bytes
/// ```
pub fn table(program: &Program) -> String {
    let mut text = String::from("// buffer  space      offset     bytes  epochs  name\n");
    let epochs = lives(program, true);
    for (id, buffer) in program.buffers.iter().filter(|(_, buffer)| buffer.part.is_none()) {
        let offset = buffer.offset.map_or("-".to_string(), |offset| offset.to_string());
        let alive = match epochs[id.index()] {
            _ if matches!(buffer.space, Space::Global | Space::Pinned) => "all".to_string(),
            Some((first, last)) if first == last => first.to_string(),
            Some((first, last)) => format!("{first}–{last}"),
            None => "none".to_string(),
        };
        let (id, space, bytes) = (id.to_string(), buffer.space.name(), buffer.bytes());
        let name = buffer.name.escape_debug();
        let _ =
            writeln!(text, "// {id:<6}  {space:<7}  {offset:>8}  {bytes:>8}  {alive:<6}  {name}");
    }
    let end = |spaces: &[Space]| {
        let inside = program.buffers.values().filter(|buffer| spaces.contains(&buffer.space));
        inside.map(|buffer| buffer.offset.unwrap_or(0).saturating_add(buffer.bytes())).max()
    };
    let _ = writeln!(
        text,
        "// global block {} bytes, local block {} bytes, block of each thread {} bytes",
        end(&[Space::Global]).unwrap_or(0),
        end(&[Space::Pinned, Space::Scratch]).unwrap_or(0),
        end(&[Space::Thread]).unwrap_or(0),
    );
    text
}

fn size(bytes: usize) -> usize {
    bytes.next_multiple_of(ALIGNMENT)
}

/// First and last use of each buffer, counted in epochs or in actions; uses of its parts are its own.
/// A loop is one action, all of it in one epoch: what its body uses is alive in all of its steps.
fn lives(program: &Program, by_epoch: bool) -> Vec<Life> {
    let mut lives: Vec<Life> = vec![None; program.buffers.len()];
    let mut clock = 0;
    let mut alive = |args: &[BufferId], clock: usize| {
        for &buffer in args {
            let life = &mut lives[program.whole(buffer).index()];
            *life = Some((life.map_or(clock, |(first, _)| first), clock));
        }
    };
    for action in &program.actions {
        action.runs().for_each(|(_, args)| alive(args, clock));
        clock += usize::from((*action == Action::Barrier) == by_epoch);
    }
    lives
}

/// Places the buffers of a space, largest first, each into the tightest gap between those alive
/// at the same time.
fn place(program: &mut Program, space: Space, lives: &[Life], begin: usize) {
    let mut order: Vec<BufferId> = program.buffers.keys().collect();
    order.retain(|&id| program.buffers[id].space == space && program.buffers[id].part.is_none());
    order.sort_by_key(|&id| (std::cmp::Reverse(size(program.buffers[id].bytes())), id));
    let mut placed: Vec<PlacedBuffer> = Vec::new();
    for buffer in order {
        let Some(life) = lives[buffer.index()] else {
            program.buffers[buffer].offset = Some(begin);
            continue;
        };
        let bytes = size(program.buffers[buffer].bytes());
        let start = gap(&placed, life, bytes, begin);
        program.buffers[buffer].offset = Some(start);
        let at = placed.partition_point(|other| other.start <= start);
        placed.insert(at, PlacedBuffer { start, end: start + bytes, life });
    }
}

/// Where the tightest gap begins between those of `placed`, in order of their starts, that are alive
/// at the same time.
fn gap(placed: &[PlacedBuffer], life: (usize, usize), bytes: usize, begin: usize) -> usize {
    let alive = placed.iter().filter(|other| other.life.0 <= life.1 && life.0 <= other.life.1);
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
        let at = |start, end, life| PlacedBuffer { start, end, life };
        let placed =
            [at(0, 64, (0, 2)), at(64, 192, (2, 2)), at(192, 256, (0, 2)), at(320, 384, (1, 1))];
        assert_eq!(gap(&placed, (1, 1), 64, 0), 256);
        assert_eq!(gap(&placed, (0, 0), 128, 0), 64);
        assert_eq!(gap(&placed, (0, 2), 128, 0), 384);
    }
}

//! Where the buffers of an exported step are: arguments of its function, constants, or the caller's
//! memory.
//!
//! ```text
//! input.image   →  image
//! %12           →  (float *)(void *)(arena + 128)
//! dense.weight  →  weight0, or (const float *)(const void *)(weights + 4096); where a model is trained,
//!                  (float *)(void *)(state + 4096)
//! ```

use super::interface::ALIGNMENT;
use crate::codegen::c::element_type;
use crate::loops::{Action, BufferId, Planned, Space};
use std::collections::BTreeMap;

/// The places of a program's buffers.
pub(super) struct BufferPlaces<'a> {
    program: &'a Planned,
    /// C expressions of buffers that are not in the arena.
    named: BTreeMap<BufferId, String>,
    /// The first byte of the local block that the arena has.
    first: usize,
    /// Bytes of the local block in the arena.
    local: usize,
    /// Bytes of the thread's block, which follow.
    thread: usize,
}

impl<'a> BufferPlaces<'a> {
    /// All that is not named lies in the arena: what is pinned or of a thread, and scratch.
    pub fn new(program: &'a Planned, named: BTreeMap<BufferId, String>) -> BufferPlaces<'a> {
        let own = || {
            let all = program.buffers.iter().filter(|(_, buffer)| buffer.part.is_none());
            all.filter(|(id, _)| !named.contains_key(id)).map(|(_, buffer)| buffer)
        };
        let offset = |buffer: &crate::loops::Buffer| buffer.offset.expect("the program is planned");
        let is_local = |space: Space| matches!(space, Space::Pinned | Space::Scratch);
        let local = || own().filter(|buffer| is_local(buffer.space));
        let first = local().map(offset).min().unwrap_or(0);
        let end = local().map(|buffer| offset(buffer) + buffer.bytes()).max().unwrap_or(0);
        let private = own().filter(|buffer| buffer.space == Space::Thread);
        let thread = private.map(|buffer| offset(buffer) + buffer.bytes()).max().unwrap_or(0);
        let local = (end - first).next_multiple_of(ALIGNMENT);
        let thread = thread.next_multiple_of(ALIGNMENT);
        BufferPlaces { program, named, first, local, thread }
    }

    /// Bytes of the arena.
    pub fn arena(&self) -> usize {
        self.local + self.thread
    }

    /// The C expression of a pointer to a buffer's elements.
    pub fn place(&self, id: BufferId) -> String {
        if let Some(known) = self.named.get(&id) {
            return known.clone();
        }
        let buffer = &self.program.buffers[id];
        let offset = buffer.offset.expect("the program is planned");
        let at = match buffer.space {
            Space::Pinned | Space::Scratch => offset - self.first,
            Space::Thread => self.local + offset,
            // Not among the constants: in the block of the caller.
            Space::Global => {
                return format!("({} *)(void *)(state + {offset})", element_type(buffer.dtype));
            }
        };
        format!("({} *)(void *)(arena + {at})", element_type(buffer.dtype))
    }
}

/// The global buffers that actions touch, each once, in the order of ids.
pub(super) fn globals(program: &Planned, actions: &[Action]) -> Vec<BufferId> {
    let args = actions.iter().flat_map(Action::runs).flat_map(|(_, args)| args);
    let mut found: Vec<BufferId> = args.map(|&arg| program.whole(arg)).collect();
    found.retain(|&id| program.buffers[id].space == Space::Global);
    found.sort_unstable();
    found.dedup();
    found
}

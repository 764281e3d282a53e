//! The needs of scans in a step: what is in one, parts of buffers that move with a loop, and the loop itself.

use super::{KernelInfo, StepBuilder};
use crate::graph::NodeId;
use crate::loops::{Action, Buffer, BufferId, BufferPart};
use crate::lower::title::{Title, TitleSubject};

/// Copies of values to where scans keep them, and the loops of scans.
const SCAN: Title = Title::new(TitleSubject::Step("scan"));

impl StepBuilder<'_> {
    /// Whether a node is computed in each step of a scan.
    pub fn is_in_scan(&self, node: NodeId) -> bool {
        self.bodies.scan(node).is_some()
    }

    /// Says where a scan wants the value of a node in each of its steps.
    pub fn expect(&mut self, node: NodeId, buffer: BufferId) {
        self.expected.insert(node, buffer);
    }

    /// Says where a value lies.
    pub fn bind(&mut self, node: NodeId, buffer: BufferId) {
        self.buffers.insert(node, buffer);
    }

    /// A part of a buffer: `len` elements from `first` on, in each step of a loop `stride` further.
    pub fn part(&mut self, of: BufferId, first: usize, stride: usize, len: usize) -> BufferId {
        let Buffer { dtype, space, part, .. } = self.program.buffers[of];
        // What lies still in another buffer is that one's part.
        let (of, first) = part.map_or((of, first), |outer| (outer.of, outer.first + first));
        let name = format!("t{}", self.program.buffers.len());
        let part = Some(BufferPart { of, first, stride });
        self.program.buffers.push(Buffer { name, dtype, len, space, offset: None, part })
    }

    /// The actions so far.
    pub fn mark(&self) -> usize {
        self.program.actions.len()
    }

    /// Makes the actions since a mark the body of a loop.
    pub fn close_loop(&mut self, mark: usize, steps: usize, reverse: bool) {
        let body = self.program.actions.split_off(mark);
        self.infos.truncate(mark);
        self.infos.push(KernelInfo { title: SCAN, node: self.source });
        self.program.actions.push(Action::Loop { steps, reverse, body });
    }

    /// Copies a step's value to where its scan keeps it.
    pub fn copy_step(&mut self, root: NodeId, to: BufferId) {
        self.copy_root(root, to, SCAN);
    }
}

//! Scans: kernels in a loop, over parts of buffers that move with its steps.
//!
//! ```text
//! x      [6 steps]   | 0 | 1 | 2 | 3 | 4 | 5 |        a step reads its slice where it lies
//! carry  [7 places]  | i | 0 | 1 | 2 | 3 | 4 | 5 |    step t reads place t and writes place t + 1
//! y      stack of what is handed on: places 1 to 6 of the carry
//! ```
//!
//! A stacked value is computed right into its place, and what is handed on too; a value that is
//! wanted at two places, or that no kernel of the body computes, is copied at the end of a step. A
//! carry has a place for each step: backward passes read them all.

use crate::base::tensor::DType;
use crate::graph::data::Scan;
use crate::graph::kernels::{FusedKernelId, KernelKind, Kernels};
use crate::graph::scan::Bodies;
use crate::graph::{NodeId, Op, OpKind, ScanId};
use crate::loops::{BufferId, Space};
use crate::lower::StepBuilder;
use rustc_hash::FxHashMap;

/// Lowers the kernels of a scan.
pub fn lower(
    step: &mut StepBuilder,
    id: ScanId,
    kernels: &Kernels,
    bodies: &Bodies,
    body: &[FusedKernelId],
) {
    let graph = &kernels.graph;
    let places = ScanPlaces {
        scan: graph.scans[id],
        id,
        bodies,
        carries: FxHashMap::default(),
        wanted: Vec::new(),
        step,
    };
    let (step, wanted) = places.find(kernels, body);
    let Scan { steps, reverse } = graph.scans[id];
    let mark = step.mark();
    for &kernel in body {
        super::one(step, &kernels.kernels[kernel]);
    }
    for (node, buffer) in wanted {
        step.copy_step(node, buffer);
    }
    step.close_loop(mark, steps, reverse);
}

/// Where the values of a scan lie.
struct ScanPlaces<'s, 'a> {
    step: &'s mut StepBuilder<'a>,
    id: ScanId,
    scan: Scan,
    bodies: &'s Bodies,
    /// The buffers of carries, by node.
    carries: FxHashMap<NodeId, BufferId>,
    /// The values of a step, and the parts where they are wanted.
    wanted: Vec<(NodeId, BufferId)>,
}

impl<'s, 'a> ScanPlaces<'s, 'a> {
    /// Finds all places, and writes the first values of carries.
    fn find(
        mut self,
        kernels: &Kernels,
        body: &[FusedKernelId],
    ) -> (&'s mut StepBuilder<'a>, Vec<(NodeId, BufferId)>) {
        let kernels = body.iter().map(|&kernel| &kernels.kernels[kernel]);
        for kernel in kernels.filter(|kernel| kernel.kind == KernelKind::Scan) {
            let node = kernel.nodes[0];
            match self.step.graph.nodes[node].op {
                Op::ScanSlice(_) => self.slice(node),
                _ => self.carry(node),
            }
        }
        let bodies = self.bodies;
        bodies.stacks(self.id).iter().for_each(|&node| self.stack(node));
        (self.step, self.wanted)
    }

    /// The elements of a step's value.
    fn elements(&self, node: NodeId) -> usize {
        self.step.graph.elements(node)
    }

    fn argument(&self, node: NodeId) -> NodeId {
        self.step.root(self.step.graph.nodes[node].args[0])
    }

    fn new_buffer(&mut self, node: NodeId, places: usize) -> BufferId {
        let dtype: DType = self.step.graph.ty(node).dtype;
        let len = places * self.elements(node);
        self.step.new_buffer(dtype, len, Space::Scratch)
    }

    fn slice(&mut self, node: NodeId) {
        let arg = self.argument(node);
        let from = self.step.buffer(arg);
        let elements = self.elements(node);
        let part = self.step.part(from, 0, elements, elements);
        self.step.bind(node, part);
    }

    /// A place for each step and one for the first value: in the order of the slices, whichever way
    /// the steps go.
    fn carry(&mut self, node: NodeId) {
        let Op::Carry(carry) = self.step.graph.nodes[node].op else { return };
        let elements = self.elements(node);
        let (first, read, written) = match self.scan.reverse {
            false => (0, 0, elements),
            true => (self.scan.steps * elements, elements, 0),
        };
        let whole = self.new_buffer(node, self.scan.steps + 1);
        self.carries.insert(node, whole);
        let initial = self.argument(node);
        let begin = self.step.part(whole, first, 0, elements);
        self.step.copy_step(initial, begin);
        let read = self.step.part(whole, read, elements, elements);
        self.step.bind(node, read);
        let next = self.step.graph.carries[carry].next.expect("a verified graph");
        let next = self.step.root(next);
        let written = self.step.part(whole, written, elements, elements);
        self.want(next, written);
    }

    /// A stacked value lies in a carry's buffer, if it is a carry or what one hands on.
    fn stack(&mut self, node: NodeId) {
        let value = self.argument(node);
        let elements = self.elements(value);
        let all = self.scan.steps * elements;
        let (before, after) = if self.scan.reverse { (elements, 0) } else { (0, elements) };
        let handed_on = self.wanted.iter().find(|(wanted, _)| *wanted == value);
        let within = match (self.carries.get(&value), handed_on) {
            (Some(&whole), _) => Some((whole, before)),
            (None, Some(&(_, part))) => {
                let whole = self.step.program.whole(part);
                self.carries.values().any(|&carry| carry == whole).then_some((whole, after))
            }
            (None, None) => None,
        };
        if let Some((whole, first)) = within {
            let part = self.step.part(whole, first, 0, all);
            return self.step.bind(node, part);
        }
        let whole = self.new_buffer(value, self.scan.steps);
        self.step.bind(node, whole);
        let part = self.step.part(whole, 0, elements, elements);
        self.want(value, part);
    }

    /// Remembers where a value is wanted; the first place is where it is computed, if it is by a
    /// kernel of the body.
    fn want(&mut self, value: NodeId, part: BufferId) {
        let computed = self.bodies.scan(value) == Some(self.id)
            && self.step.graph.nodes[value].op.kind() != OpKind::Scan;
        if computed && self.wanted.iter().all(|(known, _)| *known != value) {
            self.step.expect(value, part);
        }
        self.wanted.push((value, part));
    }
}

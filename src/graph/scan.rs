//! Scans: loops over the slices of tensors, whose steps hand values to the next.
//!
//! ```text
//! scan0 6 steps
//! carry0 of scan0
//! %3 = scan_slice scan0 %2 : f32[N, 4]     the step's slice of %2, f32[6, N, 4]
//! %5 = carry0 %4 : f32[N, 4]               %4 in the first step, then what the last one handed on
//! %6 = add %3, %5 : f32[N, 4]
//! %7 = scan_stack scan0 %6 : f32[6, N, 4]  the sums of all steps
//! next carry0 = %6
//! ```
//!
//! The body of a scan is what depends on its slices and carries, up to where its values are stacked;
//! it is not written down: what does not depend on them is computed once, before the scan, wherever
//! it stands. A scan has no results but its stacks, so that its body reads values from before the
//! scan, and what comes after reads stacks. A node is in the body of at most one scan.
//!
//! Steps go along the first axis of what is sliced and stacked, from the first slice to the last or,
//! in reverse, from the last to the first. The whole scan runs at the place of the first of its
//! stacks; [`units`] orders scans and the nodes outside of them.

use crate::base::entity::Entity;
use crate::graph::data::Graph;
use crate::graph::op::{NodeId, Op, ScanId};
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// A part of a graph that runs as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// A node outside of all scans.
    Node(NodeId),
    /// A scan: all steps of its body.
    Scan(ScanId),
}

/// The bodies of a graph's scans.
#[derive(Clone, Debug, Default)]
pub struct Bodies {
    /// The scan whose body each node is part of; empty in a graph without scans.
    of: Vec<Option<ScanId>>,
    /// The nodes of each body, in order.
    nodes: Vec<Vec<NodeId>>,
    /// The stacks of each scan, in order.
    stacks: Vec<Vec<NodeId>>,
}

impl Bodies {
    /// Finds the bodies. A node that would be part of two belongs to the later of its arguments';
    /// [`verify`](crate::graph::verify) refuses it.
    pub fn of(graph: &Graph) -> Bodies {
        if graph.scans.is_empty() {
            return Bodies::default();
        }
        let mut bodies = Bodies {
            of: Vec::with_capacity(graph.nodes.len()),
            nodes: vec![Vec::new(); graph.scans.len()],
            stacks: vec![Vec::new(); graph.scans.len()],
        };
        for (id, node) in graph.nodes.iter() {
            let scan = match node.op {
                Op::ScanSlice(scan) => Some(scan),
                Op::Carry(carry) => graph.carries.get(carry).map(|carry| carry.scan),
                Op::ScanStack(scan) => {
                    if let Some(stacks) = bodies.stacks.get_mut(scan.index()) {
                        stacks.push(id);
                    }
                    None
                }
                _ => node.args.iter().filter_map(|&arg| bodies.scan(arg)).next_back(),
            };
            if let Some(nodes) = scan.and_then(|scan| bodies.nodes.get_mut(scan.index())) {
                nodes.push(id);
            }
            bodies.of.push(scan);
        }
        bodies
    }

    /// The scan whose body a node is part of.
    pub fn scan(&self, node: NodeId) -> Option<ScanId> {
        self.of.get(node.index()).copied().flatten()
    }

    /// The nodes of a scan's body, in order.
    pub fn nodes(&self, scan: ScanId) -> &[NodeId] {
        self.nodes.get(scan.index()).map_or(&[], Vec::as_slice)
    }

    /// The nodes that stack a scan's values, in order.
    pub fn stacks(&self, scan: ScanId) -> &[NodeId] {
        self.stacks.get(scan.index()).map_or(&[], Vec::as_slice)
    }

    /// How often a node is computed in a step of the graph: once for each step of its scan.
    pub fn times(&self, graph: &Graph, node: NodeId) -> usize {
        self.scan(node).map_or(1, |scan| graph.scans[scan].steps)
    }

    /// The operations of a node over one sample, in all steps of its scan: each product of a contraction is
    /// multiplied and added.
    pub fn operations(&self, graph: &Graph, id: NodeId) -> u64 {
        let products = graph.products(&graph.nodes[id], 1).unwrap_or(0);
        2 * (self.times(graph, id) * products) as u64
    }
}

/// The nodes outside of scans, and the scans, in an order in which each comes after what it reads,
/// nodes in the order of their numbers where they may be; `None` where a scan reads what it makes.
pub fn units(graph: &Graph, bodies: &Bodies) -> Option<Vec<Unit>> {
    if graph.scans.is_empty() {
        return Some(graph.nodes.keys().map(Unit::Node).collect());
    }
    let nodes = graph.nodes.len();
    // Units by number: those of nodes, then those of scans.
    let unit = |node: NodeId| bodies.scan(node).map_or(node.index(), |scan| nodes + scan.index());
    let mut after: Vec<Vec<usize>> = vec![Vec::new(); nodes + graph.scans.len()];
    let mut waits = vec![0usize; after.len()];
    let mut edge = |from: usize, to: usize| {
        if from != to {
            after[from].push(to);
            waits[to] += 1;
        }
    };
    for (id, node) in graph.nodes.iter() {
        node.args.iter().for_each(|&arg| edge(unit(arg), unit(id)));
        if let Op::ScanStack(scan) = node.op {
            node.args.iter().for_each(|&arg| edge(unit(arg), nodes + scan.index()));
            edge(nodes + scan.index(), unit(id));
        }
    }
    for carry in graph.carries.values() {
        if let Some(next) = carry.next {
            edge(unit(next), nodes + carry.scan.index());
        }
    }
    // A scan's turn is that of its first node.
    let turn = |unit: usize| match unit.checked_sub(nodes) {
        None => unit,
        Some(scan) => bodies.nodes[scan].first().map_or(0, |first| first.index()),
    };
    let is_unit = |&unit: &usize| unit >= nodes || bodies.of[unit].is_none();
    let total = (0..after.len()).filter(is_unit).count();
    let mut ready: BinaryHeap<Reverse<(usize, usize)>> = (0..after.len())
        .filter(|unit| is_unit(unit) && waits[*unit] == 0)
        .map(|unit| Reverse((turn(unit), unit)))
        .collect();
    let mut units = Vec::with_capacity(total);
    while let Some(Reverse((_, next))) = ready.pop() {
        units.push(match next.checked_sub(nodes) {
            None => Unit::Node(NodeId::from_index(next)),
            Some(scan) => Unit::Scan(ScanId::from_index(scan)),
        });
        for &other in &after[next] {
            waits[other] -= 1;
            if waits[other] == 0 {
                ready.push(Reverse((turn(other), other)));
            }
        }
    }
    (units.len() == total).then_some(units)
}

//! The order of a graph's kernels, and which of them may write parameters and states in place.
//!
//! Takes fused kernels, in an order in which producers come first; gives one in which also every
//! reader of a parameter's old value comes before the kernel that writes the new one. Where that
//! can't be (two states that swap their values, an update that reads its target turned), the new
//! value is written aside and copied at the step's end.
//!
//! ```text
//! kernel3 writes p (reads g)    kernel5 reads p    ⇒    kernel5, then kernel3 in place
//! ```

use crate::base::entity::Entity;
use crate::base::topological::{Neighbours, Topological};
use crate::graph::kernels::{FusedKernel, FusedKernelId, KernelKind, Kernels};
use crate::graph::scan::Bodies;
use crate::graph::{BoundGraph, NodeId, Op, OpAccess, OpKind, ScanId, UpdateTarget};
use rustc_hash::{FxHashMap, FxHashSet};
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// The part that runs next.
pub enum Turn {
    /// A kernel.
    Kernel(FusedKernelId),
    /// The steps of a scan: its kernels, in order.
    Scan(ScanId, Vec<FusedKernelId>),
}

/// Kernels in order, and updates that are done in place.
pub struct KernelOrder {
    /// The order.
    pub turns: Vec<Turn>,
    /// The nodes that are computed right into what they update.
    pub in_place: FxHashMap<NodeId, UpdateTarget>,
}

/// The values that a kernel reads from memory.
#[derive(Default)]
struct KernelReads {
    /// The kernels that make what it reads.
    kernels: FxHashSet<usize>,
    leaves: FxHashSet<UpdateTarget>,
    /// Leaves that are read anywhere but at the element being computed.
    elsewhere: FxHashSet<UpdateTarget>,
    /// Nodes outside of kernels that were followed already, at the element being computed or not.
    seen: FxHashSet<(NodeId, bool)>,
}

/// Where nodes are computed.
struct NodePlaces {
    /// The kernel that a node is part of.
    part_of: Vec<Option<usize>>,
    /// The kernel that writes it to memory.
    made_by: Vec<Option<usize>>,
}

impl NodePlaces {
    fn of(kernels: &Kernels) -> NodePlaces {
        let nodes = kernels.graph.nodes.len();
        let mut places = NodePlaces { part_of: vec![None; nodes], made_by: vec![None; nodes] };
        for (id, kernel) in kernels.kernels.iter() {
            kernel.nodes.iter().for_each(|node| places.part_of[node.index()] = Some(id.index()));
            kernel.results.iter().for_each(|node| places.made_by[node.index()] = Some(id.index()));
        }
        places
    }
}

/// The order of kernels.
pub fn run(kernels: &Kernels, bodies: &Bodies) -> KernelOrder {
    let graph = &kernels.graph;
    let places = NodePlaces::of(kernels);
    let reads: Vec<KernelReads> = kernels
        .kernels
        .iter()
        .map(|(id, kernel)| {
            let mut reads = KernelReads::default();
            for &node in &kernel.nodes {
                collect(graph, &places, node, id.index(), true, &mut reads);
            }
            reads
        })
        .collect();
    let loops = ScanKernels::of(kernels, bodies);
    let mut edges = KernelEdges::default();
    for (index, reads) in reads.iter().enumerate() {
        edges.push();
        let mut add = |made: usize| {
            let (from, to) = (loops.vertex(made), loops.vertex(index));
            if from != to {
                edges.add(from, to);
            }
        };
        reads.kernels.iter().for_each(|&made| add(made));
        loops
            .handed_on(kernels, index)
            .filter_map(|next| places.made_by[next.index()])
            .for_each(add);
    }
    let in_place = in_place(kernels, &places, &reads, &loops, &mut edges);
    KernelOrder { turns: loops.turns(&edges.order()), in_place }
}

/// The kernels of scans. All of a scan's are one vertex of the graph of kernels, that of the first.
struct ScanKernels {
    /// The scan of each kernel.
    of: Vec<Option<ScanId>>,
    /// The kernels of each scan, in order.
    kernels: Vec<Vec<usize>>,
}

impl ScanKernels {
    fn of(kernels: &Kernels, bodies: &Bodies) -> ScanKernels {
        let scan = |kernel: &FusedKernel| kernel.nodes.first().and_then(|&node| bodies.scan(node));
        let of: Vec<Option<ScanId>> = kernels.kernels.values().map(scan).collect();
        let mut found = vec![Vec::new(); kernels.graph.scans.len()];
        for (kernel, scan) in of.iter().enumerate() {
            if let Some(scan) = scan {
                found[scan.index()].push(kernel);
            }
        }
        ScanKernels { of, kernels: found }
    }

    /// The vertex that stands for a kernel.
    fn vertex(&self, kernel: usize) -> usize {
        self.of[kernel].map_or(kernel, |scan| self.kernels[scan.index()][0])
    }

    /// The values that a kernel's carries hand on, which it does not read.
    fn handed_on<'k>(
        &self,
        kernels: &'k Kernels,
        kernel: usize,
    ) -> impl Iterator<Item = NodeId> + use<'k> {
        let Kernels { graph, kernels } = kernels;
        let nodes = &kernels[FusedKernelId::from_index(kernel)].nodes;
        nodes.iter().filter_map(|&node| graph.next(node))
    }

    /// The turns of vertices.
    fn turns(&self, vertices: &[usize]) -> Vec<Turn> {
        let turn = |&vertex: &usize| match self.of[vertex] {
            None => Some(Turn::Kernel(FusedKernelId::from_index(vertex))),
            Some(scan) => {
                let kernels = &self.kernels[scan.index()];
                let own = || kernels.iter().map(|&kernel| FusedKernelId::from_index(kernel));
                (kernels[0] == vertex).then(|| Turn::Scan(scan, own().collect()))
            }
        };
        vertices.iter().filter_map(turn).collect()
    }
}

/// Follows what a node reads, through views and cheap nodes, to memory.
fn collect(
    graph: &BoundGraph,
    places: &NodePlaces,
    node: NodeId,
    own: usize,
    in_place: bool,
    reads: &mut KernelReads,
) {
    let op = &graph.nodes[node].op;
    let one_to_one = op.kind() == OpKind::Reduction && graph.is_view(node);
    let args = match leaf(op) {
        // A leaf that is a kernel's own node: an output that is a parameter.
        Some(_) => std::slice::from_ref(&node),
        None => &graph.nodes[node].args[..],
    };
    for (position, &arg) in args.iter().enumerate() {
        let in_place = in_place && (one_to_one || op.access(position) == OpAccess::InPlace);
        if let Some(target) = leaf(&graph.nodes[arg].op) {
            reads.leaves.insert(target);
            if !in_place {
                reads.elsewhere.insert(target);
            }
        } else if places.part_of[arg.index()] == Some(own) {
            continue;
        } else if let Some(kernel) = places.made_by[arg.index()] {
            reads.kernels.insert(kernel);
        } else if reads.seen.insert((arg, in_place)) {
            collect(graph, places, arg, own, in_place, reads);
        }
    }
}

fn leaf(op: &Op) -> Option<UpdateTarget> {
    match op {
        Op::Param(id) => Some(UpdateTarget::Param(*id)),
        Op::State(id) => Some(UpdateTarget::State(*id)),
        _ => None,
    }
}

/// Which updates can be done in place; adds what that asks of the order.
fn in_place(
    kernels: &Kernels,
    places: &NodePlaces,
    reads: &[KernelReads],
    loops: &ScanKernels,
    edges: &mut KernelEdges,
) -> FxHashMap<NodeId, UpdateTarget> {
    let graph = &kernels.graph;
    let mut in_place: FxHashMap<NodeId, UpdateTarget> = FxHashMap::default();
    let outputs: FxHashSet<NodeId> = graph
        .outputs
        .iter()
        .map(|output| graph.base_or(output.node, |node| places.made_by[node.index()].is_some()))
        .collect();
    let mut readers: FxHashMap<UpdateTarget, Vec<usize>> = FxHashMap::default();
    for (index, reads) in reads.iter().enumerate() {
        reads.leaves.iter().for_each(|&leaf| readers.entry(leaf).or_default().push(index));
    }
    for update in &graph.updates {
        let Some(writer) = places.made_by[update.node.index()] else { continue };
        let kernel = &kernels.kernels[FusedKernelId::from_index(writer)];
        let one_pass = match kernel.kind {
            KernelKind::Rows | KernelKind::Contraction => {
                kernel.nodes.iter().all(|&node| !graph.nodes[node].op.kind().reduces())
            }
            KernelKind::Attention | KernelKind::Columns | KernelKind::Window => false,
            KernelKind::Move | KernelKind::Scan => false,
        };
        let is_leaf = leaf(&graph.nodes[update.node].op).is_some();
        let is_scalar = graph.elements(update.node) == 1;
        if !one_pass
            || is_leaf
            || is_scalar
            || outputs.contains(&update.node)
            || in_place.contains_key(&update.node)
            || reads[writer].elsewhere.contains(&update.target)
        {
            continue;
        }
        // All that read the old value come first, where none of them waits for the new one.
        let others = readers.get(&update.target).into_iter().flatten().copied();
        let others: Vec<usize> =
            others.filter(|&reader| reader != writer).map(|reader| loops.vertex(reader)).collect();
        if edges.put_after(writer, &others) {
            in_place.insert(update.node, update.target);
        }
    }
    in_place
}

/// Edges from each kernel to those that it must wait for; never a cycle.
#[derive(Default)]
struct KernelEdges {
    links: Links,
    ranks: Topological,
}

#[derive(Default)]
struct Links {
    before: Vec<Vec<usize>>,
    after: Vec<Vec<usize>>,
}

impl Neighbours for Links {
    fn after(&self, vertex: usize, found: &mut Vec<usize>) {
        found.extend(&self.after[vertex]);
    }

    fn before(&self, vertex: usize, found: &mut Vec<usize>) {
        found.extend(&self.before[vertex]);
    }
}

impl KernelEdges {
    /// The next kernel, which waits for nothing yet.
    fn push(&mut self) {
        self.ranks.push();
        self.links.before.push(Vec::new());
        self.links.after.push(Vec::new());
    }

    /// Says that one kernel waits for another, which stands before it.
    fn add(&mut self, before: usize, after: usize) {
        self.links.before[after].push(before);
        self.links.after[before].push(after);
    }

    /// Makes a kernel wait for others. False, where one of them waits for it.
    fn put_after(&mut self, kernel: usize, others: &[usize]) -> bool {
        let can = self.ranks.put_after(kernel, others, &self.links);
        if can {
            others.iter().for_each(|&other| self.add(other, kernel));
        }
        can
    }

    /// The least index first, of those that wait for nothing.
    fn order(&self) -> Vec<usize> {
        let mut waits: Vec<usize> = self.links.before.iter().map(Vec::len).collect();
        let free = waits.iter().enumerate().filter(|&(_, &waits)| waits == 0);
        let mut ready: BinaryHeap<Reverse<usize>> = free.map(|(index, _)| Reverse(index)).collect();
        let mut order = Vec::with_capacity(waits.len());
        while let Some(Reverse(index)) = ready.pop() {
            order.push(index);
            for &other in &self.links.after[index] {
                waits[other] -= 1;
                if waits[other] == 0 {
                    ready.push(Reverse(other));
                }
            }
        }
        assert_eq!(order.len(), waits.len(), "no cycle");
        order
    }
}

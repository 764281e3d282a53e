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
use crate::graph::domain::{base, is_view};
use crate::graph::kernels::{KernelId, KernelKind, Kernels};
use crate::graph::{Graph, NodeId, Op, Target};
use std::collections::{HashMap, HashSet};

/// Kernels in order, and updates that are done in place.
pub struct Order {
    /// The order.
    pub kernels: Vec<KernelId>,
    /// The nodes that are computed right into what they update.
    pub in_place: HashMap<NodeId, Target>,
}

/// What a kernel reads from memory.
#[derive(Default)]
struct Reads {
    stored: HashSet<NodeId>,
    leaves: HashSet<Target>,
    /// Leaves that are read anywhere but at the element being computed.
    elsewhere: HashSet<Target>,
}

/// The order of kernels.
pub fn run(kernels: &Kernels) -> Order {
    let graph = &kernels.graph;
    let mut made_by = HashMap::new();
    for (id, kernel) in kernels.kernels.iter() {
        made_by.extend(kernel.results.iter().map(|&node| (node, id)));
    }
    let reads: Vec<Reads> = kernels
        .kernels
        .values()
        .map(|kernel| {
            let mut reads = Reads::default();
            for &node in &kernel.nodes {
                collect(graph, &made_by, node, &kernel.nodes, true, &mut reads);
            }
            reads
        })
        .collect();
    let mut edges = Edges { before: vec![HashSet::new(); reads.len()] };
    for (index, reads) in reads.iter().enumerate() {
        edges.before[index].extend(reads.stored.iter().map(|node| made_by[node].index()));
        edges.before[index].remove(&index);
    }
    let in_place = in_place(kernels, &made_by, &reads, &mut edges);
    Order { kernels: edges.order(), in_place }
}

/// Follows what a node reads, through views and cheap nodes, to memory.
fn collect(
    graph: &Graph,
    made_by: &HashMap<NodeId, KernelId>,
    node: NodeId,
    inside: &[NodeId],
    in_place: bool,
    reads: &mut Reads,
) {
    let turned = match graph.nodes[node].op {
        Op::MatMul { .. }
        | Op::Conv { .. }
        | Op::ConvInputGrad { .. }
        | Op::ConvWeightGrad { .. }
        | Op::MaxPool(_)
        | Op::MaxPoolIndex(_)
        | Op::MaxPoolGrad { .. }
        | Op::SumPool(_)
        | Op::SumPoolGrad { .. }
        | Op::Variance(_)
        | Op::Transpose(_)
        | Op::Slice(_)
        | Op::Broadcast(_)
        | Op::Concat(_)
        | Op::Pad { .. }
        | Op::Gather(_)
        | Op::ScatterAdd { .. }
        | Op::Pick
        | Op::ArgMax(_) => true,
        Op::Reduce(..) => !is_view(graph, node),
        _ => false,
    };
    let in_place = in_place && !turned;
    let args = match leaf(&graph.nodes[node].op) {
        // A leaf that is a kernel's own node: an output that is a parameter.
        Some(_) => vec![node],
        None => graph.nodes[node].args.clone(),
    };
    for arg in args {
        if let Some(target) = leaf(&graph.nodes[arg].op) {
            reads.leaves.insert(target);
            if !in_place {
                reads.elsewhere.insert(target);
            }
        } else if inside.contains(&arg) {
            continue;
        } else if made_by.contains_key(&arg) {
            reads.stored.insert(arg);
        } else {
            collect(graph, made_by, arg, inside, in_place, reads);
        }
    }
}

fn leaf(op: &Op) -> Option<Target> {
    match op {
        Op::Param(id) => Some(Target::Param(*id)),
        Op::State(id) => Some(Target::State(*id)),
        _ => None,
    }
}

/// Which updates can be done in place; adds what that asks of the order.
fn in_place(
    kernels: &Kernels,
    made_by: &HashMap<NodeId, KernelId>,
    reads: &[Reads],
    edges: &mut Edges,
) -> HashMap<NodeId, Target> {
    let graph = &kernels.graph;
    let mut in_place: HashMap<NodeId, Target> = HashMap::new();
    let outputs: HashSet<NodeId> = graph
        .outputs
        .iter()
        .map(|output| base(graph, output.node, |node| made_by.contains_key(&node)))
        .collect();
    for update in &graph.updates {
        let Some(&writer) = made_by.get(&update.node) else { continue };
        let kernel = &kernels.kernels[writer];
        let one_pass = match kernel.kind {
            KernelKind::Rows | KernelKind::Contraction => kernel.nodes.iter().all(|&node| {
                !matches!(graph.nodes[node].op, Op::Reduce(..) | Op::ArgMax(_) | Op::Pick)
            }),
            KernelKind::Columns | KernelKind::Window | KernelKind::Move => false,
        };
        let is_leaf = leaf(&graph.nodes[update.node].op).is_some();
        let is_scalar = graph
            .ty(update.node)
            .shape
            .extents()
            .is_none_or(|extents| extents.iter().product::<usize>() == 1);
        if !one_pass
            || is_leaf
            || is_scalar
            || outputs.contains(&update.node)
            || in_place.contains_key(&update.node)
            || reads[writer.index()].elsewhere.contains(&update.target)
        {
            continue;
        }
        let readers: Vec<usize> = (0..reads.len())
            .filter(|&reader| reader != writer.index())
            .filter(|&reader| reads[reader].leaves.contains(&update.target))
            .collect();
        if readers.iter().any(|&reader| edges.leads(writer.index(), reader)) {
            continue;
        }
        edges.before[writer.index()].extend(readers);
        in_place.insert(update.node, update.target);
    }
    in_place
}

/// What each kernel must wait for; never a cycle.
struct Edges {
    before: Vec<HashSet<usize>>,
}

impl Edges {
    /// Whether `to` waits for `from`, directly or not.
    fn leads(&self, from: usize, to: usize) -> bool {
        let mut seen = vec![false; self.before.len()];
        let mut open = vec![to];
        while let Some(index) = open.pop() {
            if index == from {
                return true;
            }
            if !std::mem::replace(&mut seen[index], true) {
                open.extend(&self.before[index]);
            }
        }
        false
    }

    /// The least index first, of those that wait for nothing.
    fn order(&self) -> Vec<KernelId> {
        let mut done = vec![false; self.before.len()];
        let mut order = Vec::new();
        while order.len() < done.len() {
            let ready = |&index: &usize| {
                !done[index] && self.before[index].iter().all(|&before| done[before])
            };
            let index = (0..done.len()).find(ready).expect("no cycle");
            done[index] = true;
            order.push(KernelId::from_index(index));
        }
        order
    }
}

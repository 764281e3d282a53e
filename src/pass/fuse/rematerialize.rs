//! Values that every reader computes again rather than that they are written to memory.
//!
//! ```text
//! %4 = mul (cast %image), 1/255                 a convolution reads bytes
//! %9 = relu((%conv − mean)·scale + bias)        the next convolution, its weight's gradient and
//!                                               the mask of the gradient read %conv
//! ```
//!
//! Takes a graph; says which of its element-wise nodes are such values. A convolution evaluates
//! what it reads into a buffer of its own, with the border around it, so a chain of cheap
//! functions costs it little, and a value that is as large as all images of a layer is never
//! written. The chain reads one value of that size and otherwise constants and vectors along the
//! channels. Where the vectors don't depend on that value, the chain is better done where the value
//! is made, and only inputs are read in this way.
//!
//! A value of scaled rows (a layer norm's) that only a sum of columns reads, in a product, is computed
//! by that sum.
//!
//! Which of these must lie in memory all the same, for a reader that can't compute them, is
//! [`cluster`](super::cluster)'s question.

use crate::base::entity::Entity;
use crate::base::scalar::unary::Effort;
use crate::base::tensor::DType;
use crate::graph::domain::only_joins;
use crate::graph::{Binary, BoundGraph, NodeId, Op};
use crate::pass::fuse::prepare::scaled_rows;

/// Values with fewer elements stay in a cache until they are read.
pub const FEWEST: usize = 1 << 10;

/// For each node, whether its readers compute it again.
pub fn run(graph: &BoundGraph) -> Vec<bool> {
    let mut chains = Chains {
        graph,
        of: Vec::with_capacity(graph.nodes.len()),
        seen: vec![0; graph.nodes.len()],
        searches: 0,
    };
    for id in graph.nodes.keys() {
        let chain = chains.chain(id);
        chains.of.push(chain);
    }
    let read = read_by_convolutions(graph, &chains.of);
    let mut again: Vec<bool> =
        chains.of.iter().zip(read).map(|(chain, read)| chain.is_some() && read).collect();
    scaled_for_sums(graph).for_each(|node| again[node.index()] = true);
    again
}

/// Scaled rows that only a product reads which is summed over first axes.
fn scaled_for_sums(graph: &BoundGraph) -> impl Iterator<Item = NodeId> + '_ {
    let mut readers: Vec<Vec<NodeId>> = vec![Vec::new(); graph.nodes.len()];
    for (id, node) in graph.nodes.iter() {
        node.args.iter().for_each(|arg| readers[arg.index()].push(id));
    }
    let only = move |node: NodeId| match readers[node.index()][..] {
        [reader] => Some(reader),
        _ => None,
    };
    let is_root = |node: NodeId| graph.roots().any(|root| root == node);
    graph.nodes.keys().filter(move |&node| {
        let is_summed = || {
            let product = only(node)?;
            let sum = only(product)?;
            let is_product = graph.nodes[product].op == Op::Binary(Binary::Mul);
            Some(is_product && graph.sums_columns(sum) && !is_root(node) && !is_root(product))
        };
        scaled_rows(graph, node).is_some() && is_summed() == Some(true)
    })
}

/// The chains that nodes end, by node: the value of their size that they read.
struct Chains<'a> {
    graph: &'a BoundGraph,
    of: Vec<Option<NodeId>>,
    /// For each node, the last search that has met it.
    seen: Vec<u32>,
    searches: u32,
}

impl Chains<'_> {
    /// The value that a node is computed from, if it is the end of a chain.
    fn chain(&mut self, id: NodeId) -> Option<NodeId> {
        let graph = self.graph;
        let node = &graph.nodes[id];
        let size = graph.elements(id);
        if size < FEWEST || !is_cheap(&node.op) {
            return None;
        }
        let mut whole: Option<NodeId> = None;
        let mut tied = false;
        let mut vectors = Vec::new();
        for &arg in &node.args {
            let (source, plain) = source(graph, arg);
            if graph.elements(source) == size {
                let known = self.of[source.index()];
                tied |= known.is_some();
                let from = known.unwrap_or(source);
                if !plain || whole.is_some_and(|whole| whole != from) {
                    return None;
                }
                whole = Some(from);
            } else {
                vectors.push(source);
            }
        }
        let whole = whole?;
        let channels = *graph.extents(id).last()?;
        let fits = |&vector: &NodeId| [1, channels].contains(&graph.elements(vector));
        if !vectors.iter().all(fits) {
            return None;
        }
        tied |= matches!(graph.nodes[whole].op, Op::Input(_));
        (tied || vectors.iter().any(|&vector| self.depends(vector, whole))).then_some(whole)
    }

    /// Whether a value is computed from another.
    fn depends(&mut self, node: NodeId, on: NodeId) -> bool {
        self.searches += 1;
        let mut open = vec![node];
        while let Some(node) = open.pop() {
            if node == on {
                return true;
            }
            // Arguments come before uses: nothing before `on` is computed from it.
            let seen = &mut self.seen[node.index()];
            if node > on && std::mem::replace(seen, self.searches) != self.searches {
                open.extend(&self.graph.nodes[node].args);
            }
        }
        false
    }
}

/// The value below views, and whether it is read element by element.
pub fn source(graph: &BoundGraph, mut node: NodeId) -> (NodeId, bool) {
    let mut plain = true;
    while graph.is_view(node) {
        let arg = graph.nodes[node].args[0];
        plain &= match &graph.nodes[node].op {
            Op::StopGradient => true,
            Op::Reshape(_) => only_joins(graph.extents(node), graph.extents(arg)),
            _ => false,
        };
        node = arg;
    }
    (node, plain)
}

/// Functions that cost about as much as the load that they save.
pub fn is_cheap(op: &Op) -> bool {
    match op {
        Op::Unary(op) => op.row().effort == Effort::Least,
        Op::Binary(op) => op.effort() == Effort::Least,
        Op::Where => true,
        Op::Cast(to) => *to != DType::F64,
        _ => false,
    }
}

/// For each node, whether a convolution evaluates it, through views and chains.
fn read_by_convolutions(graph: &BoundGraph, chains: &[Option<NodeId>]) -> Vec<bool> {
    let mut read = vec![false; graph.nodes.len()];
    for (id, node) in graph.nodes.iter().rev() {
        let passes = read[id.index()] && (graph.is_view(id) || chains[id.index()].is_some());
        for (position, &arg) in node.args.iter().enumerate() {
            read[arg.index()] |= passes || evaluates(graph, id, position);
        }
    }
    read
}

/// Whether an operator can evaluate an argument of its own, so that it need not lie in memory.
pub fn evaluates(graph: &BoundGraph, id: NodeId, position: usize) -> bool {
    match graph.nodes[id].op {
        // The other argument is the weight.
        Op::Conv { .. } | Op::ConvInputGrad { .. } => position == 0 && !graph.is_depthwise(id),
        Op::ConvWeightGrad { .. } => !graph.is_depthwise(id),
        _ => false,
    }
}

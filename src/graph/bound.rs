//! A graph whose batch has its size, with what shapes alone say of each node, found out once.
//!
//! ```text
//! %7 = reduce_sum [0, 1] %5 : f32[64]     extents [64], elements 64, columns –, sums columns
//! %8 = broadcast %7 : f32[8, 49, 64]      extents [8, 49, 64], elements 25088, a view of %7
//! ```
//!
//! Takes a graph that `bind` has made; fusion and lowering ask [`domain`](crate::graph::domain)
//! about its nodes again and again, and find the answers in dense tables here. It says nothing
//! about how a node is computed.

use crate::base::entity::Entity;
use crate::graph::data::{Graph, Node};
use crate::graph::op::{NodeId, Op, OpKind};
use std::ops::Deref;

/// A graph of known extents. It reads as the [`Graph`] that it is, and cannot be changed.
#[derive(Clone, Debug)]
pub struct BoundGraph {
    graph: Graph,
    facts: Vec<NodeFacts>,
    /// The extents of all nodes, one after the other.
    extents: Vec<usize>,
}

/// Properties of a node that follow from its shape: see the methods of [`BoundGraph`].
#[derive(Clone, Copy, Debug)]
struct NodeFacts {
    /// Where its extents begin, and how many there are.
    first: u32,
    rank: u32,
    elements: usize,
    is_view: bool,
    base: NodeId,
    columns: Option<usize>,
    reduces_last: bool,
    sums_columns: bool,
    is_depthwise: bool,
}

impl Deref for BoundGraph {
    type Target = Graph;
    fn deref(&self) -> &Graph {
        &self.graph
    }
}

impl BoundGraph {
    /// The facts of a graph whose batch is bound.
    ///
    /// # Panics
    ///
    /// Where an extent is not known.
    pub fn new(graph: Graph) -> BoundGraph {
        let mut bound = BoundGraph {
            facts: Vec::with_capacity(graph.nodes.len()),
            extents: Vec::with_capacity(4 * graph.nodes.len()),
            graph: Graph::default(),
        };
        for (id, node) in graph.nodes.iter() {
            let facts = bound.find(id, node);
            bound.facts.push(facts);
        }
        bound.graph = graph;
        bound
    }

    /// The graph alone.
    pub fn into_graph(self) -> Graph {
        self.graph
    }

    /// The extents of a node's value.
    pub fn extents(&self, node: NodeId) -> &[usize] {
        let NodeFacts { first, rank, .. } = self.facts[node.index()];
        &self.extents[first as usize..(first + rank) as usize]
    }

    /// How many elements a node's value has.
    pub fn elements(&self, node: NodeId) -> usize {
        self.facts[node.index()].elements
    }

    /// Whether a node only reads its argument in another order. A reduction over unit axes is a
    /// reshape.
    pub fn is_view(&self, node: NodeId) -> bool {
        self.facts[node.index()].is_view
    }

    /// The first node at or below `node` that is not a view.
    pub fn base(&self, node: NodeId) -> NodeId {
        self.facts[node.index()].base
    }

    /// The first node at or below `node` that is not a view, or that `stop` names.
    pub fn base_or(&self, mut node: NodeId, stop: impl Fn(NodeId) -> bool) -> NodeId {
        while self.is_view(node) && !stop(node) {
            node = self.nodes[node].args[0];
        }
        node
    }

    /// How many elements of its first argument a node takes to one, where it reduces last axes,
    /// finds the largest or picks.
    pub fn columns(&self, node: NodeId) -> Option<usize> {
        self.facts[node.index()].columns
    }

    /// Whether the axes that a node reduces are the last ones (unit axes aside).
    pub fn reduces_last(&self, node: NodeId) -> bool {
        self.facts[node.index()].reduces_last
    }

    /// Whether a node reduces axes of which none is the last.
    pub fn sums_columns(&self, node: NodeId) -> bool {
        self.facts[node.index()].sums_columns
    }

    /// Whether a node reduces other axes than the first, which is the batch's: its value is one of a
    /// sample alone, and its bits must be the same in any batch, a batch of one among them.
    pub fn sums_by_sample(&self, node: NodeId) -> bool {
        match &self.nodes[node].op {
            Op::Reduce(_, axes) | Op::Variance(axes) => !axes.contains(&0),
            _ => false,
        }
    }

    /// Whether a node is a value of each row, repeated along it.
    pub fn spreads_rows(&self, node: NodeId) -> bool {
        let Node { op, args, .. } = &self.nodes[node];
        matches!(op, Op::Broadcast(_)) && self.extents(args[0]).last() == Some(&1)
    }

    /// Whether a convolution (or gradient of one) takes each channel by itself, so that there are no
    /// products to add up over channels.
    pub fn is_depthwise(&self, node: NodeId) -> bool {
        self.facts[node.index()].is_depthwise
    }

    /// The facts of the node that comes next; those of its arguments are known.
    fn find(&mut self, id: NodeId, node: &Node) -> NodeFacts {
        let first = self.extents.len();
        let known = node.ty.shape.iter().map(|dim| dim.known().expect("a bound batch"));
        self.extents.extend(known);
        let own = &self.extents[first..];
        let elements: usize = own.iter().product();
        let full = node.args.first().map(|arg| self.facts[arg.index()].elements);
        let kind = node.op.kind();
        let is_view = match node.op {
            // Over unit axes alone.
            Op::Reduce(..) => full == Some(elements),
            _ => kind == OpKind::View,
        };
        let by_rows = kind.reduces() && !is_view && !matches!(node.op, Op::Variance(_));
        let columns = full.filter(|_| by_rows).map(|full| full / elements.max(1));
        let reduces_last =
            node.args.first().is_some_and(|&arg| reduces_last(&node.op, self.extents(arg)));
        NodeFacts {
            first: u32::try_from(first).expect("fewer than 2^32 extents"),
            rank: own.len() as u32,
            elements,
            is_view,
            base: if is_view { self.facts[node.args[0].index()].base } else { id },
            columns,
            reduces_last,
            sums_columns: kind == OpKind::Reduction && !is_view && !reduces_last,
            is_depthwise: self.by_channel(node, own),
        }
    }

    fn by_channel(&self, node: &Node, own: &[usize]) -> bool {
        let (groups, weight) = match node.op {
            Op::Conv { groups, .. } | Op::ConvInputGrad { groups, .. } => {
                (groups, self.extents(node.args[1]))
            }
            Op::ConvWeightGrad { groups, .. } => (groups, own),
            _ => return false,
        };
        matches!(weight[..], [_, _, 1, outputs] if outputs == groups)
    }
}

/// Whether the axes of an argument that an operator reduces are its last ones, unit axes aside.
fn reduces_last(op: &Op, shape: &[usize]) -> bool {
    let reduced = |axis: usize| match op {
        Op::Reduce(_, axes) | Op::Variance(axes) => axes.contains(&axis),
        Op::ArgMax(reduced) => *reduced == axis,
        _ => axis + 1 == shape.len(),
    };
    let mut long = (0..shape.len()).filter(|&axis| shape[axis] != 1);
    long.by_ref().find(|&axis| reduced(axis));
    long.all(reduced)
}

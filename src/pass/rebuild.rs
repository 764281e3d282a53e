//! A graph made anew, node by node: what passes that drop or replace nodes share.
//!
//! Arenas never shrink, so such a pass walks the old graph in order and puts what survives into a
//! new one with the same tables (inputs, parameters, states, hyper-parameters, origins). Outputs
//! and updates follow the nodes they name; what fixed dimensions is left behind. A node that stays
//! as it is keeps its type: nothing is inferred again.
//!
//! ```text
//! old   %0  %1  %2        map   %0→%0  %1→–  %2→%1        new   %0  %1
//! ```

use crate::base::entity::{Arena, Entity};
use crate::graph::{Graph, Node, NodeId, Output, Update};
use crate::pass::emit::Emit;
use std::mem;

/// A graph being made from another.
pub struct Rebuild {
    /// The graph so far.
    pub emit: Emit,
    map: Vec<Option<NodeId>>,
    outputs: Vec<Output>,
    updates: Vec<Update>,
}

impl Rebuild {
    /// A graph with the old one's tables and no nodes yet.
    pub fn new(old: &Graph) -> Self {
        Self::of(
            old.nodes.len(),
            Graph {
                name: old.name.clone(),
                inputs: old.inputs.clone(),
                params: old.params.clone(),
                states: old.states.clone(),
                hypers: old.hypers.clone(),
                scans: old.scans.clone(),
                carries: old.carries.clone(),
                origins: old.origins.clone(),
                outputs: old.outputs.clone(),
                updates: old.updates.clone(),
                ..Graph::default()
            },
        )
    }

    /// As [`Rebuild::new`], from a graph that is taken apart: its nodes are given back, to be put
    /// into the new graph.
    pub fn take(mut old: Graph) -> (Self, Arena<NodeId, Node>) {
        let nodes = mem::take(&mut old.nodes);
        old.dim_origins.clear();
        (Self::of(nodes.len(), old), nodes)
    }

    fn of(nodes: usize, mut tables: Graph) -> Self {
        let (outputs, updates) = (mem::take(&mut tables.outputs), mem::take(&mut tables.updates));
        Rebuild { emit: Emit::resume(tables), map: vec![None; nodes], outputs, updates }
    }

    /// An old node with its arguments' new names. All of them have been mapped.
    pub fn renamed(&self, mut node: Node) -> Node {
        for arg in &mut node.args {
            *arg = self.map[arg.index()].expect("arguments come before uses");
        }
        node
    }

    /// Copies an old node, and returns its new name.
    pub fn keep(&mut self, old: NodeId, node: &Node) -> NodeId {
        let node = self.renamed(node.clone());
        self.put(old, node)
    }

    /// Puts an old node that was renamed into the new graph, and returns its new name.
    pub fn put(&mut self, old: NodeId, renamed: Node) -> NodeId {
        let new = self.emit.builder.add(renamed);
        self.replace(old, new);
        new
    }

    /// Says what stands for an old node.
    pub fn replace(&mut self, old: NodeId, new: NodeId) {
        self.map[old.index()] = Some(new);
    }

    /// Says what stood for an old node before a copy of it was made for some of its readers.
    pub fn restore(&mut self, old: NodeId, known: Option<NodeId>) {
        self.map[old.index()] = known;
    }

    /// The new node for an old one; `None` if it has not been rebuilt.
    pub fn mapped(&self, old: NodeId) -> Option<NodeId> {
        self.map[old.index()]
    }

    /// Names everything that refers to nodes; all roots have been mapped.
    pub fn finish(self) -> Graph {
        let Rebuild { emit, map, outputs, updates } = self;
        let root = |node: NodeId| map[node.index()].expect("a root survives");
        let mut graph = emit.finish();
        graph.outputs = outputs;
        graph.outputs.iter_mut().for_each(|output| output.node = root(output.node));
        // What a carry hands on survives where the carry does.
        for carry in graph.carries.values_mut() {
            carry.next = carry.next.and_then(|next| map[next.index()]);
        }
        graph.updates = updates;
        graph.updates.iter_mut().for_each(|update| update.node = root(update.node));
        graph
    }
}

//! A graph made anew, node by node: what passes that drop or replace nodes share.
//!
//! Arenas never shrink, so such a pass walks the old graph in order and puts what survives into a
//! new one with the same tables (inputs, parameters, states, hyper-parameters, origins). Outputs
//! and updates follow the nodes they name; what fixed dimensions is left behind.
//!
//! ```text
//! old   %0  %1  %2        map   %0→%0  %1→–  %2→%1        new   %0  %1
//! ```

use crate::base::entity::Entity;
use crate::graph::{Graph, Node, NodeId, Output, Update};
use crate::pass::emit::Emit;

/// A graph being made from another.
pub struct Rebuild<'a> {
    /// The graph it is made from.
    pub old: &'a Graph,
    /// The graph so far.
    pub emit: Emit,
    map: Vec<Option<NodeId>>,
}

impl<'a> Rebuild<'a> {
    /// A graph with the old one's tables and no nodes yet.
    pub fn new(old: &'a Graph) -> Self {
        let tables = Graph {
            name: old.name.clone(),
            inputs: old.inputs.clone(),
            params: old.params.clone(),
            states: old.states.clone(),
            hypers: old.hypers.clone(),
            origins: old.origins.clone(),
            ..Graph::default()
        };
        Rebuild { old, emit: Emit::resume(tables), map: vec![None; old.nodes.len()] }
    }

    /// An old node with its arguments' new names. All of them have been mapped.
    pub fn renamed(&self, node: NodeId) -> Node {
        let mut copy = self.old.nodes[node].clone();
        for arg in &mut copy.args {
            *arg = self.map[arg.index()].expect("arguments come before uses");
        }
        copy
    }

    /// Copies an old node, and returns its new name.
    pub fn keep(&mut self, old: NodeId) -> NodeId {
        let Node { op, args, origin, .. } = self.renamed(old);
        self.emit.builder.set_origin(origin);
        let new = self.emit.op(op, &args);
        self.replace(old, new);
        new
    }

    /// Says what stands for an old node.
    pub fn replace(&mut self, old: NodeId, new: NodeId) {
        self.map[old.index()] = Some(new);
    }

    /// What stands for an old node, where anything does.
    pub fn mapped(&self, old: NodeId) -> Option<NodeId> {
        self.map[old.index()]
    }

    /// Names everything that refers to nodes; all roots have been mapped.
    pub fn finish(self) -> Graph {
        let mut graph = self.emit.finish();
        let root = |node: NodeId| self.map[node.index()].expect("a root survives");
        let outputs = self.old.outputs.iter();
        graph.outputs = outputs
            .map(|output| Output { name: output.name.clone(), node: root(output.node) })
            .collect();
        let updates = self.old.updates.iter();
        graph.updates = updates
            .map(|update| Update { target: update.target, node: root(update.node) })
            .collect();
        graph
    }
}

//! A graph made anew, node by node: what passes that drop or replace nodes share.
//!
//! Arenas never shrink, so such a pass walks the old graph in order and puts what survives into a
//! new one with the same tables (inputs, parameters, states, hyper-parameters, origins). Outputs,
//! updates and the origins of dimensions follow the nodes they name.
//!
//! ```text
//! old   %0  %1  %2        map   %0→%0  %1→–  %2→%1        new   %0  %1
//! ```

use crate::base::entity::Entity;
use crate::graph::{DimOrigin, Graph, Node, NodeId, Output, Update};
use crate::pass::emit::Emit;
use std::collections::HashMap;

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
        let dim_origins = self.dim_origins();
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
        graph.dim_origins.extend(dim_origins);
        graph
    }

    /// The origins of dimensions in terms of new nodes. Where a node stands for several, the
    /// first one's origin is kept.
    fn dim_origins(&self) -> HashMap<(NodeId, usize), DimOrigin> {
        let mut keys: Vec<(NodeId, usize)> = self.old.dim_origins.keys().copied().collect();
        keys.sort_unstable();
        let mut origins = HashMap::new();
        for key in keys {
            let Some(node) = self.map[key.0.index()] else { continue };
            match self.dim_origin(key) {
                // What stands for its own source has nothing to say about where it came from.
                Some(DimOrigin::From(source, _)) if source >= node => {}
                Some(origin) => {
                    origins.entry((node, key.1)).or_insert(origin);
                }
                None => {}
            }
        }
        origins
    }

    /// One dimension's origin: through nodes that are gone to what they had it from.
    fn dim_origin(&self, mut key: (NodeId, usize)) -> Option<DimOrigin> {
        loop {
            match self.old.dim_origins.get(&key)? {
                DimOrigin::From(node, axis) => match self.map[node.index()] {
                    Some(node) => return Some(DimOrigin::From(node, *axis)),
                    None if *node < key.0 => key = (*node, *axis),
                    None => return None,
                },
                origin @ (DimOrigin::Written(_) | DimOrigin::Data(_) | DimOrigin::Formula(..)) => {
                    return Some(origin.clone());
                }
            }
        }
    }
}

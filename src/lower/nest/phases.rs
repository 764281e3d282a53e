//! The passes over a row: what each reduces and stores, and what is kept from one to the next.
//!
//! ```text
//! softmax: x - max(x), exp, sum, quotient
//! pass 0 reduces max; pass 1 computes exp(x - max) and reduces its sum; pass 2 stores the quotient
//! ```

use super::Nest;
use crate::graph::domain::Level;
use crate::graph::{NodeId, Op};
use crate::loops::Reduce;
use crate::lower::values::is_expensive;
use std::collections::BTreeMap;

/// One reduction of a row.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum RowReduction {
    /// A sum, maximum or minimum.
    Reduce(NodeId, Reduce),
    /// The first half of the first largest's index: the largest.
    Largest(NodeId),
    /// The second half: the least index of it.
    Index(NodeId),
}

impl Nest<'_, '_> {
    /// The nodes of this nest that a node reads.
    pub(super) fn sources(&self, node: NodeId) -> Vec<NodeId> {
        let graph = self.values.step.graph;
        let inside = |node: NodeId| self.values.nodes.contains(&node);
        let args = graph.nodes[node].args.iter();
        args.map(|&arg| graph.base_or(arg, inside)).filter(|&source| inside(source)).collect()
    }

    /// After how many passes over a row each value is known.
    pub(super) fn set_phases(&mut self) {
        for &node in &self.nodes {
            let before = self.sources(node).iter().map(|source| self.phases[source]).max();
            let passes = match self.op(node) {
                Op::Reduce(..) if self.level(node) == Level::Row && self.is_reduction(node) => 1,
                Op::ArgMax(_) => 2,
                _ => 0,
            };
            self.phases.insert(node, before.unwrap_or(0) + passes);
        }
    }

    pub(super) fn is_reduction(&self, node: NodeId) -> bool {
        let graph = self.values.step.graph;
        graph.elements(node) != graph.elements(graph.nodes[node].args[0])
    }

    /// The reductions of a pass over a row.
    pub(super) fn tasks(&self, phase: usize) -> Vec<RowReduction> {
        let mut tasks = Vec::new();
        for &node in &self.nodes {
            match self.op(node) {
                Op::Reduce(op, _) if self.is_reduction(node) && self.phases[&node] == phase + 1 => {
                    tasks.push(RowReduction::Reduce(node, *op));
                }
                Op::ArgMax(_) if self.phases[&node] == phase + 2 => {
                    tasks.push(RowReduction::Largest(node))
                }
                Op::ArgMax(_) if self.phases[&node] == phase + 1 => {
                    tasks.push(RowReduction::Index(node))
                }
                _ => {}
            }
        }
        tasks
    }

    /// The full results that a pass stores.
    pub(super) fn stores(&self, phase: usize) -> Vec<NodeId> {
        let due = |node: &NodeId| self.level(*node) == Level::Full && self.phases[node] == phase;
        self.results.iter().copied().filter(due).collect()
    }

    pub(super) fn passes(&self) -> usize {
        (0..=self.nodes.iter().map(|node| self.phases[node]).max().unwrap_or(0))
            .rev()
            .find(|&phase| !self.tasks(phase).is_empty() || !self.stores(phase).is_empty())
            .map_or(0, |last| last + 1)
    }

    /// Finds expensive full values that several passes need.
    pub(super) fn keep_values(&mut self) {
        let mut needed: BTreeMap<NodeId, Vec<usize>> = BTreeMap::new();
        for phase in 0..self.passes() {
            for node in self.computed_in(phase) {
                needed.entry(node).or_default().push(phase);
            }
        }
        for (node, phases) in needed {
            if phases.len() > 1 && is_expensive(self.op(node)) && !self.results.contains(&node) {
                self.kept.insert(node, phases[0]);
            }
        }
    }

    /// The full values that a pass needs, unless an earlier one has stored them.
    fn computed_in(&self, phase: usize) -> Vec<NodeId> {
        let mut open = self.stores(phase);
        open.extend(self.reduced_in(phase).flat_map(|node| self.sources(node)));
        let mut found = Vec::new();
        while let Some(node) = open.pop() {
            let stored = self.results.contains(&node) && self.phases[&node] < phase;
            if self.level(node) == Level::Row || stored || found.contains(&node) {
                continue;
            }
            found.push(node);
            open.extend(self.sources(node));
        }
        found
    }

    fn reduced_in(&self, phase: usize) -> impl Iterator<Item = NodeId> {
        self.tasks(phase).into_iter().map(|task| match task {
            RowReduction::Reduce(node, _)
            | RowReduction::Largest(node)
            | RowReduction::Index(node) => node,
        })
    }

    /// The nodes whose accesses are a pass's.
    pub(super) fn nodes_of(&self, phase: usize) -> Vec<NodeId> {
        self.computed_in(phase).into_iter().chain(self.reduced_in(phase)).collect()
    }
}

//! The graph in an order in which the nodes of each kernel of attention are neighbours.
//!
//! ```text
//! %3 scores   %4 other   %5 softmax   %6 taker        %3 other   %4 scores   %5 softmax   %6 taker
//! ```
//!
//! Takes groups of nodes; gives the graph anew, with a copy of each node that a group computes
//! again. Of several nodes that could be next, the first of the old graph is. What only copies are
//! read of is left out.

use super::{Attention, AttentionGroup};
use crate::graph::{BoundGraph, NodeId};
use crate::pass::rebuild::Rebuild;
use rustc_hash::FxHashMap;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};

/// A group by its number, or a node: placed as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum OrderUnit {
    Group(usize),
    Single(NodeId),
}

/// The graph in its new order; `None` where groups wait for one another.
pub fn run(graph: &BoundGraph, groups: &[AttentionGroup]) -> Option<Attention> {
    let units = Units::of(graph, groups);
    let order = units.order()?;
    let mut rebuild = Rebuild::new(graph);
    let mut kernels = vec![Vec::new(); groups.len()];
    for unit in order {
        match unit {
            OrderUnit::Single(node) => drop(rebuild.keep(node, &graph.nodes[node])),
            OrderUnit::Group(index) => {
                let AttentionGroup { nodes, copied } = &groups[index];
                let known: Vec<_> = copied.iter().map(|&node| rebuild.mapped(node)).collect();
                for &node in nodes {
                    let new = rebuild.keep(node, &graph.nodes[node]);
                    if !graph.is_view(node) {
                        kernels[index].push(new);
                    }
                }
                let known = copied.iter().zip(known);
                known.for_each(|(&node, known)| rebuild.restore(node, known));
            }
        }
    }
    kernels.retain(|nodes| !nodes.is_empty());
    Some(Attention { graph: BoundGraph::new(rebuild.finish()), kernels })
}

struct Units<'a> {
    graph: &'a BoundGraph,
    groups: &'a [AttentionGroup],
    /// The group that a node is placed with.
    of: FxHashMap<NodeId, usize>,
}

impl<'a> Units<'a> {
    fn of(graph: &'a BoundGraph, groups: &'a [AttentionGroup]) -> Self {
        let mut of = FxHashMap::default();
        for (index, group) in groups.iter().enumerate() {
            let copied: BTreeSet<NodeId> = group.copied.iter().copied().collect();
            let own = group.nodes.iter().filter(|node| !copied.contains(node));
            of.extend(own.map(|&node| (node, index)));
        }
        Units { graph, groups, of }
    }

    fn unit(&self, node: NodeId) -> OrderUnit {
        self.of.get(&node).map_or(OrderUnit::Single(node), |&group| OrderUnit::Group(group))
    }

    /// The units that a unit reads.
    fn reads(&self, unit: OrderUnit) -> BTreeSet<OrderUnit> {
        let args = |node: NodeId| self.graph.nodes[node].args.iter().copied();
        match unit {
            OrderUnit::Single(node) => args(node).map(|arg| self.unit(arg)).collect(),
            OrderUnit::Group(index) => {
                let nodes = &self.groups[index].nodes;
                let outside = |arg: &NodeId| nodes.binary_search(arg).is_err();
                let args = nodes.iter().flat_map(|&node| args(node)).filter(outside);
                args.map(|arg| self.unit(arg)).collect()
            }
        }
    }

    /// Where a unit stands among those that could be next.
    fn rank(&self, unit: OrderUnit) -> NodeId {
        match unit {
            OrderUnit::Single(node) => node,
            OrderUnit::Group(index) => {
                let nodes = &self.groups[index].nodes;
                let own = |node: &&NodeId| self.of.get(*node) == Some(&index);
                *nodes.iter().find(own).expect("a product that reads scores")
            }
        }
    }

    /// The units that outputs and updates need, each after those that it reads.
    fn order(&self) -> Option<Vec<OrderUnit>> {
        let mut reads: BTreeMap<OrderUnit, BTreeSet<OrderUnit>> = BTreeMap::new();
        let mut readers: BTreeMap<OrderUnit, Vec<OrderUnit>> = BTreeMap::new();
        let mut open: Vec<OrderUnit> = self.graph.roots().map(|node| self.unit(node)).collect();
        while let Some(unit) = open.pop() {
            if reads.contains_key(&unit) {
                continue;
            }
            let before = self.reads(unit);
            for &other in &before {
                readers.entry(other).or_default().push(unit);
                open.push(other);
            }
            reads.insert(unit, before);
        }
        let mut waits: BTreeMap<OrderUnit, usize> =
            reads.iter().map(|(&unit, before)| (unit, before.len())).collect();
        let free = waits.iter().filter(|&(_, &waits)| waits == 0);
        let mut ready: BinaryHeap<_> =
            free.map(|(&unit, _)| Reverse((self.rank(unit), unit))).collect();
        let mut order = Vec::with_capacity(waits.len());
        while let Some(Reverse((_, unit))) = ready.pop() {
            order.push(unit);
            for &reader in readers.get(&unit).into_iter().flatten() {
                let waits = waits.get_mut(&reader)?;
                *waits -= 1;
                if *waits == 0 {
                    ready.push(Reverse((self.rank(reader), reader)));
                }
            }
        }
        (order.len() == reads.len()).then_some(order)
    }
}

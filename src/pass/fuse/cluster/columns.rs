//! Sums of columns: a cluster takes in the element-wise work that makes what it reads, and joins
//! other sums over the same elements, so that one pass makes all of them.
//!
//! ```text
//! %7 = mul %g %x             %8 and %9 share %g: one cluster, %7 inside
//! %8 = reduce_sum [0] %7
//! %9 = reduce_sum [0] %g
//! ```
//!
//! Clusters of this kind are found by the values that they read or make.

use super::{Class, Clusters, MOST_NODES};
use crate::base::entity::Entity;
use crate::graph::NodeId;
use crate::graph::domain::{Domain, MOST_KEPT};
use crate::graph::kernels::KernelKind;
use rustc_hash::FxHashSet;
use std::collections::BTreeSet;

impl Clusters<'_> {
    /// Places a sum of columns.
    pub(super) fn place_columns(&mut self, id: NodeId) {
        self.start(KernelKind::Columns, id, true);
        let own = self.of[id.index()].expect("started");
        let arg = self.graph.nodes[id].args[0];
        if let Some(producer) = self.of[self.source(arg).index()]
            && self.is_plain(producer)
            && self.reads_directly(id, producer)
            && (self.only_read_by(producer, id)
                || self.graph.elements(id) <= MOST_KEPT && !self.follows_contraction(producer))
            && self.sums_together(producer, own)
        {
            self.unite(producer, own);
        }
        self.join_columns(own);
        for value in self.touched(self.live_nodes(own)) {
            self.columns.entry(value).or_default().push(own);
        }
    }

    /// Takes in earlier sums over the elements that a cluster reads or makes, the first first.
    fn join_columns(&mut self, own: usize) {
        let mut candidates = BTreeSet::new();
        let mut from = 0;
        let mut new = self.values_of(self.live_nodes(own), self.summed(self.live_nodes(own)));
        loop {
            let known = new.iter().filter_map(|value| self.columns.get(value)).flatten();
            candidates.extend(known.copied().filter(|&other| other >= from));
            let Some(other) = candidates.pop_first() else { return };
            from = other + 1;
            new.clear();
            if self.clusters[other].is_some() && self.sums_together(other, own) {
                new = self.values_of(self.live_nodes(other), self.summed(self.live_nodes(own)));
                self.unite(other, own);
            }
        }
    }

    /// Whether one pass can make the nodes of two clusters, of which some sum columns.
    pub(super) fn sums_together(&mut self, some: usize, others: usize) -> bool {
        let mut union = [self.live_nodes(some), self.live_nodes(others)].concat();
        union.sort_unstable();
        union.len() <= MOST_NODES
            && Domain::columns(self.graph, &union)
                .is_some_and(|(domain, _)| self.computes_in_place(&domain, &union))
            && self.can_unite(some, others)
    }

    /// Whether a cluster reads a contraction's result: it is better done while that is in cache.
    fn follows_contraction(&self, cluster: usize) -> bool {
        self.sources_of(cluster).into_iter().any(|source| {
            let source = self.clusters[source].as_ref();
            source.is_some_and(|cluster| cluster.kind == KernelKind::Contraction)
        })
    }

    /// Whether a cluster reads or makes elements that sums of columns read or make.
    pub(super) fn share_elements(&self, some: usize, sums: usize) -> bool {
        let total = self.summed(self.live_nodes(sums));
        let own = self.values_of(self.live_nodes(sums), total);
        self.values_of(self.live_nodes(some), total).iter().any(|value| own.contains(value))
    }

    /// How many elements sums of columns add up.
    fn summed(&self, nodes: &[NodeId]) -> usize {
        let sums = nodes.iter().filter(|&&node| self.graph.sums_columns(node));
        let totals = sums.map(|&node| self.graph.elements(self.graph.nodes[node].args[0]));
        totals.max().unwrap_or(1)
    }

    /// The values of so many elements that nodes read or make.
    fn values_of(&self, nodes: &[NodeId], total: usize) -> Vec<NodeId> {
        let mut values = self.touched(nodes);
        values.retain(|&value| self.graph.elements(value) == total);
        values
    }

    /// The values that nodes read or make, views and cheap nodes aside.
    fn touched(&self, nodes: &[NodeId]) -> Vec<NodeId> {
        let mut open: Vec<NodeId> = nodes.to_vec();
        let mut found: Vec<NodeId> = nodes.to_vec();
        let mut seen: FxHashSet<NodeId> = nodes.iter().copied().collect();
        while let Some(node) = open.pop() {
            for &arg in &self.graph.nodes[node].args {
                let source = self.source(arg);
                if !seen.insert(source) {
                    continue;
                }
                match self.class[source.index()] {
                    Class::Cheap => open.push(source),
                    Class::Work | Class::Free | Class::View => found.push(source),
                }
            }
        }
        found
    }
}

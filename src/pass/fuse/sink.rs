//! Results that are not worth writing: cheap functions of what is in memory anyway.
//!
//! ```text
//! kernel7 -> %38, %39, %40 {            kernel7 -> %38 {
//!     %38 = where %30, %36, 0               %38 = where %30, %36, 0
//!     %39 = mul %38, %scale             }
//!     %40 = mul %38, %23                kernel9 -> %41, %42 {
//! }                                         %41 = reduce_sum [0, 1, 2] %38
//! kernel9 -> %41 { … }                      %42 = reduce_sum [0, 1, 2] (mul %38, %23)
//! kernel10 -> %42 { … }                 }
//! ```
//!
//! Takes clusters that have grown; names nodes that their readers had better compute again, for
//! which [`fuse`](super) then grows the clusters anew. A node is named if it and what is between it
//! and memory are cheap, and if loading its one or two sources costs its readers no more than
//! writing and loading it. What reduces rows keeps all of its nodes: its loops compute them row by
//! row, each when it is known.

use super::cluster::{Class, Clusters};
use super::rematerialize::{FEWEST, is_cheap, source};
use crate::base::tensor::DType;
use crate::graph::NodeId;
use crate::graph::kernels::KernelKind;
use std::collections::BTreeSet;

/// The most functions that are computed again for a value.
const MOST_FUNCTIONS: usize = 12;

/// The most kernels that load two values instead of one.
const MOST_READERS: usize = 2;

/// The values in memory that a value is computed from.
#[derive(Default)]
struct ValueSources {
    /// Values of its size in memory.
    whole: BTreeSet<NodeId>,
    /// Nodes of its own cluster that nobody else reads, which are computed again with it.
    between: BTreeSet<NodeId>,
}

impl Clusters<'_> {
    /// Nodes that need not be written.
    pub fn sinkable(&self) -> BTreeSet<NodeId> {
        let mut found = BTreeSet::new();
        for (index, cluster) in self.live() {
            if !matches!(cluster.kind, KernelKind::Rows | KernelKind::Contraction)
                || self.reduces_rows(cluster)
            {
                continue;
            }
            found.extend(self.derived(index, cluster));
            for &node in &cluster.nodes {
                if self.is_large(node)
                    && let Some(sources) = self.memory_below(node, index)
                    && self.is_worth(node, index, &sources)
                    && sources.whole.iter().all(|source| !found.contains(source))
                {
                    found.insert(node);
                    found.extend(sources.between);
                }
            }
        }
        found
    }

    /// Whether a node is a value of its own that is large enough to be worth a look.
    pub(super) fn is_large(&self, node: NodeId) -> bool {
        !self.is_root(node)
            && !self.is_rematerialized(node)
            && self.graph.ty(node).dtype == DType::F32
            && self.graph.elements(node) >= FEWEST
    }

    /// Whether a node is written, and reading its sources instead costs its readers no more.
    fn is_worth(&self, node: NodeId, own: usize, sources: &ValueSources) -> bool {
        let readers = self.reading_clusters(node, own);
        let many = sources.whole.len() > 1 && readers.len() > MOST_READERS;
        !readers.is_empty()
            && (1..=2).contains(&sources.whole.len())
            && sources.between.len() < MOST_FUNCTIONS
            && !many
    }

    /// The other clusters that read a node.
    pub(super) fn reading_clusters(&self, node: NodeId, own: usize) -> BTreeSet<usize> {
        let clusters = self.readers(node).iter().filter_map(|&reader| self.cluster_of(reader));
        clusters.filter(|&cluster| cluster != own).collect()
    }

    /// The sources of a cheap node, if all of them are in memory whether or not the node is.
    fn memory_below(&self, node: NodeId, own: usize) -> Option<ValueSources> {
        let mut sources = ValueSources::default();
        let mut open = vec![node];
        while let Some(next) = open.pop() {
            let kept = &self.graph.nodes[next];
            if !is_cheap(&kept.op) || sources.between.len() > MOST_FUNCTIONS {
                return None;
            }
            for &arg in &kept.args {
                let (from, plain) = source(self.graph, arg);
                let size = self.graph.elements(from);
                let whole = size == self.graph.elements(node);
                if whole && !plain || !whole && size > self.graph.elements(node) / 16 {
                    return None;
                }
                let unwritten = self.cluster_of(from) == Some(own)
                    && !self.is_root(from)
                    && self.reading_clusters(from, own).is_empty();
                match self.class_of(from) {
                    Class::Cheap => open.push(from),
                    Class::Work if unwritten && whole => {
                        sources.between.insert(from);
                        open.push(from);
                    }
                    Class::Work if unwritten => return None,
                    Class::Work | Class::Free if whole => {
                        sources.whole.insert(from);
                    }
                    Class::Work | Class::Free => {}
                    Class::View => unreachable!("a source is no view"),
                }
            }
        }
        Some(sources)
    }
}

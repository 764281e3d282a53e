//! Results that are all functions of one value: the value is written, and their readers compute them
//! again.
//!
//! ```text
//! kernel7 -> %104, %108, %109, %120 {           kernel7 -> %101, %109 {
//!     %101 = add %97, %bias                         %101 = add %97, %bias
//!     %104 = mul %101, 0.5                          %109 = mul … (of %101)
//!     %108 = erfc (mul %101, -0.7)              }
//!     %109 = mul %104, %108                     kernel31 -> … {
//!     %120 = exp (neg (mul %101, %101))             erfc(%101), exp(-%101²), … at each element
//! }                                             }
//! ```
//!
//! An activation keeps such a set for its derivative. [`sink`](super::sink) asks that nothing
//! becomes dearer; here even an exponential is computed again, so that two values at least need not
//! be written: a value that is too large for the caches takes longer to write and load. Operands of
//! contractions stay in memory.

use super::cluster::{Class, Cluster, Clusters};
use super::prepare::LARGE;
use super::rematerialize::source;
use crate::base::tensor::DType;
use crate::graph::{NodeId, OpKind};
use std::collections::{BTreeMap, BTreeSet};

/// The most functions that are computed again for a result.
const MOST_FUNCTIONS: usize = 16;

/// The most kernels that compute them again.
const MOST_READERS: usize = 2;

/// The results that are computed from a value alone, with the functions on the way.
type Derived = BTreeMap<NodeId, BTreeSet<NodeId>>;

impl Clusters<'_> {
    /// The results of a cluster that are best computed again from one value, and what is between.
    pub(super) fn derived(&self, index: usize, cluster: &Cluster) -> BTreeSet<NodeId> {
        let mut values: BTreeMap<NodeId, Derived> = BTreeMap::new();
        for &result in cluster.nodes.iter().filter(|&&node| self.is_derivable(node, index)) {
            for (value, between) in self.values_below(result, index) {
                values.entry(value).or_default().insert(result, between);
            }
        }
        let saving = |value: &NodeId, derived: &Derived| {
            let is_written = self.is_root(*value) || self.is_read_elsewhere(*value, index);
            derived.len() - usize::from(!is_written)
        };
        // Of several values, the one that is computed last.
        let best = values.iter().max_by_key(|(value, derived)| (saving(value, derived), **value));
        let Some((value, derived)) = best else { return BTreeSet::new() };
        let readers: BTreeSet<usize> =
            derived.keys().flat_map(|&result| self.reading_clusters(result, index)).collect();
        if saving(value, derived) < 2 || readers.len() > MOST_READERS {
            return BTreeSet::new();
        }
        derived.values().flatten().copied().collect()
    }

    fn is_read_elsewhere(&self, node: NodeId, own: usize) -> bool {
        !self.reading_clusters(node, own).is_empty()
    }

    /// Whether a node is written for element-wise work alone.
    fn is_derivable(&self, node: NodeId, own: usize) -> bool {
        let graph = self.graph;
        let computes = |reader: &NodeId| {
            let kind = graph.nodes[*reader].op.kind();
            matches!(kind, OpKind::Elementwise | OpKind::Reduction)
        };
        self.is_large(node)
            && graph.elements(node) >= LARGE
            && graph.nodes[node].op.kind() == OpKind::Elementwise
            && self.is_read_elsewhere(node, own)
            && self.readers(node).iter().all(computes)
    }

    /// The values of a cluster, the last first, that a result is computed from element by element,
    /// with constants and vectors in memory, each with what is computed after it.
    fn values_below(&self, result: NodeId, own: usize) -> Vec<(NodeId, BTreeSet<NodeId>)> {
        let graph = self.graph;
        let size = graph.elements(result);
        let (mut open, mut between) = (BTreeSet::from([result]), BTreeSet::new());
        let mut values = Vec::new();
        while let Some(node) = open.pop_last() {
            if graph.nodes[node].op.kind() != OpKind::Elementwise || self.is_root(node) {
                break;
            }
            between.insert(node);
            for &arg in &graph.nodes[node].args {
                let (from, plain) = source(graph, arg);
                let is_own = self.cluster_of(from) == Some(own);
                let is_whole = graph.elements(from) == size;
                match self.class_of(from) {
                    _ if is_whole && !plain => return values,
                    Class::Work if is_whole && is_own => drop(open.insert(from)),
                    Class::Cheap if is_whole => drop(open.insert(from)),
                    Class::Work if is_whole || is_own => return values,
                    _ if !is_whole && graph.elements(from) > size / 16 => return values,
                    Class::Work | Class::Free | Class::Cheap | Class::View => {}
                }
            }
            if between.len() > MOST_FUNCTIONS {
                break;
            }
            if let (1, Some(&value)) = (open.len(), open.first())
                && self.class_of(value) == Class::Work
                && graph.ty(value).dtype == DType::F32
            {
                values.push((value, between.clone()));
            }
        }
        values
    }
}

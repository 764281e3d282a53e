//! Adds to a contraction, after clusters have grown, the work on its result that is best done
//! while that is in cache.
//!
//! ```text
//! conv | add bias, relu | max_pool     →  one kernel; what is pooled is never written
//! conv | sums of columns               →  one kernel; the statistics cost no pass over memory
//! ```
//!
//! Takes grown clusters; unites whole ones, and never takes nodes out of one.

use super::{Cluster, Clusters, MOST_POOLED, max_pool_window};
use crate::base::entity::Entity;
use crate::graph::domain::{Domain, MOST_KEPT};
use crate::graph::kernels::KernelKind;
use crate::graph::{Binary, NodeId, Op};

impl Clusters<'_> {
    /// Element-wise work on a contraction's result joins it, so that it is done while the result
    /// is in cache.
    pub(super) fn join_contractions(&mut self) {
        for index in 0..self.clusters.len() {
            if self.clusters[index].is_none() || !self.is_plain(index) {
                continue;
            }
            let mut sources = self.sources_of(index);
            sources.sort_unstable();
            for source in sources.into_iter().rev() {
                let is_contraction = self.clusters[source]
                    .as_ref()
                    .is_some_and(|cluster| cluster.kind == KernelKind::Contraction);
                if source != index && is_contraction && self.try_merge(index, source) {
                    break;
                }
            }
        }
    }

    /// A max-pooling of what only it reads of a convolution (with bias and relu) joins it: what is
    /// pooled is never written.
    pub(super) fn join_pools(&mut self) {
        for index in 0..self.clusters.len() {
            let Some(pools) = &self.clusters[index] else { continue };
            let pooled = &self.graph.nodes[pools.nodes[0]];
            let Some(window) = max_pool_window(&pooled.op) else { continue };
            let fits = window.pad == [(0, 0); 2] && window.taps() <= MOST_POOLED;
            let Some(source) = self.of[pooled.args[0].index()].filter(|_| fits) else { continue };
            let Some(cluster) = &self.clusters[source] else { continue };
            let plain = |node: &NodeId| {
                let op = &self.graph.nodes[*node].op;
                matches!(op, Op::Conv { .. } | Op::Where | Op::Binary(Binary::Add | Binary::Gt))
            };
            let unread = |&node: &NodeId| {
                let mut readers = self.readers(node).iter();
                !self.root[node.index()]
                    && readers.all(|it| [Some(source), Some(index)].contains(&self.of[it.index()]))
            };
            let is_convolution = cluster.kind == KernelKind::Contraction && self.slides(cluster);
            let is_convolution = is_convolution && self.share_time(source, index);
            if is_convolution && cluster.nodes.iter().all(plain) && cluster.nodes.iter().all(unread)
            {
                self.unite(index, source);
            }
        }
    }

    /// Sums of columns of what a convolution makes join it, block by block while that is in cache.
    pub(super) fn join_sums(&mut self) {
        for index in 0..self.clusters.len() {
            let Some(sums) = &self.clusters[index] else { continue };
            if sums.kind != KernelKind::Columns || !self.adds_up_parts(sums) {
                continue;
            }
            let mut sources = self.sources_of(index);
            sources.sort_unstable();
            for source in sources.into_iter().rev() {
                let cluster = self.clusters[source].as_ref().expect("a live cluster");
                if self.slides(cluster)
                    && self.share_elements(source, index)
                    && self.sums_together(source, index)
                {
                    self.unite(index, source);
                    break;
                }
            }
        }
    }

    /// Whether a cluster is a convolution or the gradient of one's input, with what follows.
    fn slides(&self, cluster: &Cluster) -> bool {
        let slides = |node: &NodeId| {
            matches!(self.graph.nodes[*node].op, Op::Conv { .. } | Op::ConvInputGrad { .. })
        };
        cluster.kind == KernelKind::Contraction && cluster.nodes.iter().any(slides)
    }

    /// Whether sums are added up part by part of the first axis.
    fn adds_up_parts(&self, sums: &Cluster) -> bool {
        let kept = |&node: &NodeId| {
            !self.graph.sums_columns(node) || self.graph.elements(node) <= MOST_KEPT
        };
        let domain = Domain::columns(self.graph, &sums.nodes);
        domain.is_some_and(|(_, reduced)| reduced[0]) && sums.nodes.iter().all(kept)
    }
}

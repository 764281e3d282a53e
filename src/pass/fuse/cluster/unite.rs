//! Whether nodes can be computed by one kernel, and making them one cluster.
//!
//! A cluster keeps the nest of its nodes. One node more is checked by itself, against that nest;
//! only where it cuts the axes finer, or is the first reduction, is the nest made anew. Whether a
//! union is convex is asked of the graph of clusters, whose order is kept
//! ([`Topological`](crate::base::topological::Topological)).

use super::{Class, Cluster, Clusters, MOST_NODES};
use crate::base::entity::Entity;
use crate::base::topological::Neighbours;
use crate::graph::domain::{AffineIndex, Domain, Level, Push};
use crate::graph::kernels::KernelKind;
use crate::graph::{Node, NodeId, Op};

/// The graph of clusters.
struct ClusterGraph<'c, 'a>(&'c Clusters<'a>);

impl Neighbours for ClusterGraph<'_, '_> {
    fn after(&self, cluster: usize, found: &mut Vec<usize>) {
        let ClusterGraph(clusters) = self;
        for &node in clusters.live_nodes(cluster) {
            // Readers come in order: those that have no cluster yet are the last.
            let placed =
                clusters.readers(node).iter().map_while(|reader| clusters.of[reader.index()]);
            found.extend(placed.filter(|&reader| reader != cluster));
        }
    }

    fn before(&self, cluster: usize, found: &mut Vec<usize>) {
        let ClusterGraph(clusters) = self;
        for &node in clusters.live_nodes(cluster) {
            let args = &clusters.graph.nodes[node].args;
            clusters.each_source(args, |source| {
                if source != cluster {
                    found.push(source);
                }
            });
        }
    }
}

impl Clusters<'_> {
    /// Adds a node that has no cluster yet and reads the clusters `reads`, where one nest holds all
    /// and the union is convex.
    pub(super) fn try_add(&mut self, cluster: usize, id: NodeId, reads: &[usize]) -> bool {
        let first = self.live_nodes(cluster)[0];
        if self.live_nodes(cluster).len() >= MOST_NODES || !self.times.are_equal(first, id) {
            return false;
        }
        let mut nest = self.clusters[cluster].as_mut().and_then(|cluster| cluster.nest.take());
        let pushed = nest.as_mut().map_or(Push::Anew, |nest| nest.push(self.graph, id));
        let added = match (pushed, &mut nest) {
            (Push::Added, Some(nest)) => {
                let first = self.live_nodes(cluster)[0];
                let added = self.allows(nest, self.live_nodes(cluster), id)
                    && self.node_in_place(nest, first, id)
                    && self.stays_convex(cluster, reads);
                if !added {
                    nest.levels.remove(&id);
                }
                added
            }
            (Push::Misfit, _) => false,
            (Push::Added | Push::Anew, _) => match self.common_nest(cluster, &[id]) {
                Some(anew) if self.stays_convex(cluster, reads) => {
                    nest = Some(anew);
                    true
                }
                _ => false,
            },
        };
        let Some(known) = &mut self.clusters[cluster] else { return false };
        known.nest = nest;
        if added {
            known.nodes.push(id);
            self.of[id.index()] = Some(cluster);
        }
        debug_assert!(self.nest_is_right(cluster));
        added
    }

    /// Adds all of a cluster to another, where one nest holds all and the union is convex.
    pub(super) fn try_merge(&mut self, from: usize, into: usize) -> bool {
        let both = self.live_nodes(from).len() + self.live_nodes(into).len();
        if both > MOST_NODES || self.nest(from).is_none() || self.nest(into).is_none() {
            return false;
        }
        let Some(nest) = self.joined_nest(from, into) else { return false };
        if !self.can_unite(from, into) {
            return false;
        }
        self.unite(from, into);
        if let Some(cluster) = &mut self.clusters[into] {
            cluster.nest = Some(nest);
        }
        debug_assert!(self.nest_is_right(into));
        true
    }

    /// Whether the nest that a cluster keeps is the one that its nodes make together.
    fn nest_is_right(&self, cluster: usize) -> bool {
        let known = self.clusters[cluster].as_ref().expect("a live cluster");
        known.nest.is_none() || known.nest == Domain::of(self.graph, &known.nodes)
    }

    /// The nest of two clusters, if they can be one.
    fn joined_nest(&self, from: usize, into: usize) -> Option<Domain> {
        let nest = |cluster: usize| self.clusters[cluster].as_ref()?.nest.as_ref();
        let (own, other) = (nest(into)?, nest(from)?);
        if own.excludes(other) {
            return None;
        }
        match own.joined(self.graph, other) {
            Ok(joined) => {
                let mut union = [self.live_nodes(into), self.live_nodes(from)].concat();
                union.sort_unstable();
                let last = *union.last()?;
                (self.allows(&joined, &union, last) && self.computes_in_place(&joined, &union))
                    .then_some(joined)
            }
            Err(Push::Anew) => self.common_nest(into, self.live_nodes(from)),
            Err(Push::Added | Push::Misfit) => None,
        }
    }

    /// The nest of a cluster's nodes and others.
    fn common_nest(&self, cluster: usize, others: &[NodeId]) -> Option<Domain> {
        let mut union = [self.live_nodes(cluster), others].concat();
        if union.len() > MOST_NODES {
            return None;
        }
        union.sort_unstable();
        let nest = Domain::of(self.graph, &union)?;
        let last = *union.last()?;
        (self.allows(&nest, &union, last) && self.computes_in_place(&nest, &union)).then_some(nest)
    }

    /// The nest of a cluster.
    fn nest(&mut self, cluster: usize) -> Option<&Domain> {
        let Cluster { nodes, nest, .. } = self.clusters[cluster].as_mut()?;
        if nest.is_none() {
            *nest = Domain::of(self.graph, nodes);
        }
        nest.as_ref()
    }

    /// Whether a cluster is element-wise work that may grow.
    pub(super) fn is_plain(&mut self, cluster: usize) -> bool {
        let known = &self.clusters[cluster];
        known.as_ref().is_some_and(|it| !it.closed && it.kind == KernelKind::Rows)
            && self.nest(cluster).is_some_and(|nest| !nest.reduces)
    }

    /// Whether a cluster reduces rows.
    pub fn reduces_rows(&self, cluster: &Cluster) -> bool {
        let reduces = |nest: &Domain| nest.reduces;
        if let Some(nest) = &cluster.nest {
            return reduces(nest);
        }
        let nodes = cluster.nodes.iter().copied();
        let others: Vec<NodeId> = nodes.filter(|&node| !self.graph.sums_columns(node)).collect();
        Domain::of(self.graph, &others).as_ref().is_none_or(reduces)
    }

    /// Whether a cluster is convex together with a node that has none yet, is read by none, and reads
    /// these clusters.
    fn stays_convex(&mut self, cluster: usize, reads: &[usize]) -> bool {
        let mut order = std::mem::take(&mut self.order);
        let convex = order.put_after(cluster, reads, &ClusterGraph(self));
        self.order = order;
        convex
    }

    /// Whether two clusters are convex together: no path leaves them and comes back. Leaving through
    /// cheap nodes and views is not leaving: they are computed inside.
    pub(super) fn can_unite(&mut self, a: usize, b: usize) -> bool {
        if !self.share_time(a, b) {
            return false;
        }
        let mut order = std::mem::take(&mut self.order);
        let convex = order.can_unite(a, b, &ClusterGraph(self));
        self.order = order;
        convex
    }

    /// Makes two clusters one.
    pub(super) fn unite(&mut self, from: usize, into: usize) {
        let Some(moved) = self.clusters[from].take() else { return };
        self.order.unite(from, into);
        for node in &moved.nodes {
            self.of[node.index()] = Some(into);
        }
        if let Some(cluster) = &mut self.clusters[into] {
            cluster.nodes.extend(moved.nodes);
            cluster.nodes.sort_unstable();
            cluster.nest = None;
        }
    }

    /// Whether what nodes compute again of one another is computed at the very element that they
    /// compute: a contraction's result is known nowhere else.
    pub(super) fn computes_in_place(&self, domain: &Domain, nodes: &[NodeId]) -> bool {
        nodes.iter().all(|&id| self.node_in_place(domain, nodes[0], id))
    }

    /// The same of one node; `first` is the first of all.
    fn node_in_place(&self, domain: &Domain, first: NodeId, id: NodeId) -> bool {
        let Node { op, args, .. } = &self.graph.nodes[id];
        let is_own = domain.levels.contains_key(&id);
        let reduces = op.kind().reduces();
        args.iter().enumerate().all(|(position, &arg)| {
            if !self.reaches(domain, first, arg) || domain.levels.contains_key(&self.source(arg)) {
                return true;
            }
            // Loops over rows know when a node of theirs is needed, not what reads it anew.
            if domain.reduces && !self.is_relu_mask(self.source(arg)) {
                return false;
            }
            let forms = match is_own && !(reduces && position == 0) {
                true => Some(domain.own_forms(self.graph, id)),
                false => domain.forms(self.graph.extents(arg), Level::Full),
            };
            forms.is_some_and(|forms| self.reads_in_place(domain, first, arg, &forms))
        })
    }

    /// Whether a value at these indices reads the domain's nodes at their own.
    fn reads_in_place(
        &self,
        domain: &Domain,
        first: NodeId,
        mut node: NodeId,
        forms: &[AffineIndex],
    ) -> bool {
        let mut forms = forms.to_vec();
        while !domain.levels.contains_key(&node) {
            match self.class[node.index()] {
                Class::View => match domain.through(self.graph, node, &forms) {
                    Some(inner) => forms = inner,
                    None => return !self.reaches(domain, first, node),
                },
                Class::Cheap => {
                    let mut args = self.graph.nodes[node].args.iter();
                    return args.all(|&arg| {
                        !self.reaches(domain, first, arg)
                            || self.reads_in_place(domain, first, arg, &forms)
                    });
                }
                Class::Free | Class::Work => return true,
            }
            node = self.graph.nodes[node].args[0];
        }
        domain.own_forms(self.graph, node) == forms
    }

    /// Whether a value is computed from the domain's nodes, through views and what is computed
    /// again; nothing before the first of these is.
    fn reaches(&self, domain: &Domain, first: NodeId, node: NodeId) -> bool {
        domain.levels.contains_key(&node)
            || matches!(self.class[node.index()], Class::View | Class::Cheap)
                && self.flow.last(node).is_some_and(|last| last >= first)
                && self.graph.nodes[node].args.iter().any(|&arg| self.reaches(domain, first, arg))
    }

    /// Conditions on a nest besides shapes: a picked element is computed again at its
    /// place, so its columns must be one axis and it can't be a random number.
    fn allows(&self, domain: &Domain, nodes: &[NodeId], last: NodeId) -> bool {
        let op = |node: NodeId| &self.graph.nodes[node].op;
        let nodes = || nodes.iter().copied().chain([last]);
        let picks = domain.reduces && nodes().any(|node| matches!(op(node), Op::Pick));
        !picks
            || domain.axes.len() - domain.rows <= 1
                && !nodes().any(|node| matches!(op(node), Op::Uniform { .. }))
    }
}

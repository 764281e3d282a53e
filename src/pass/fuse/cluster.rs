//! Clusters of nodes that grow into kernels.
//!
//! Nodes are taken in order. Each joins (and so unites) the clusters of the values it reads where
//! one nest of loops holds them all ([`unite`]); contractions, reductions over first axes
//! ([`columns`]) and moves start their own. At last, purely element-wise clusters join the
//! contraction whose result they read ([`join`]).
//!
//! ```text
//! %3 = matmul        starts        cluster 0  contraction  %3
//! %5 = add %3 %4     joins 0       cluster 0  contraction  %3 %5
//! %9 = reduce %8     starts        cluster 1  columns      %9
//! ```
//!
//! A union must be convex: no path may leave it and come back, since a kernel runs as a whole.

mod class;
mod columns;
mod flow;
mod join;
mod times;
mod unite;

use crate::base::entity::{Arena, Entity};
use crate::base::topological::Topological;
use crate::graph::domain::Domain;
use crate::graph::kernels::{FusedKernel, FusedKernelId, KernelKind};
use crate::graph::{Binary, BoundGraph, NodeId, Op, OpKind, Window};
use flow::{Edges, Flow};
use rustc_hash::{FxHashMap, FxHashSet};
use times::{Times, into_scans};

/// The treatment of a node by fusion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// No code: a leaf, a uniform value.
    Free,
    /// Read through its argument.
    View,
    /// Computed again wherever it is needed.
    Cheap,
    /// Computed once, in a cluster.
    Work,
}

/// The most nodes of a kernel: bounds the depth of its expressions and the time to grow it, far
/// above what layers need.
const MOST_NODES: usize = 256;

/// The most taps of a max-pooling that joins a convolution.
const MOST_POOLED: usize = 16;

#[derive(Clone, Debug)]
pub struct Cluster {
    /// The shape of its loops.
    pub kind: KernelKind,
    /// In order.
    pub nodes: Vec<NodeId>,
    /// Nothing joins any more.
    closed: bool,
    /// The nest of its nodes, where it was asked for since these have changed.
    nest: Option<Domain>,
}

/// The window of a max-pooling or of its index.
fn max_pool_window(op: &Op) -> Option<&Window> {
    match op {
        Op::MaxPool(window) | Op::MaxPoolIndex(window) => Some(window),
        _ => None,
    }
}

/// The clusters of a graph.
pub struct Clusters<'a> {
    /// The graph.
    pub graph: &'a BoundGraph,
    class: Vec<Class>,
    /// Whether each node depends on nothing but constants and uniform values.
    uniform: Vec<bool>,
    /// Which values are computed again by their readers, where these can.
    rematerialized: &'a [bool],
    /// Who reads each node.
    uses: Edges,
    /// The edges between nodes that do work.
    flow: Flow,
    /// When nodes run, as far as scans go.
    times: Times,
    root: Vec<bool>,
    of: Vec<Option<usize>>,
    clusters: Vec<Option<Cluster>>,
    /// The clusters, each after those that it reads.
    order: Topological,
    /// The kernel of attention that a node is part of.
    attention: FxHashMap<NodeId, usize>,
    /// The clusters of these kernels.
    attention_clusters: FxHashMap<usize, usize>,
    /// The poolings of each value.
    pools: FxHashMap<NodeId, Vec<usize>>,
    /// The clusters that sum columns, by the values that they read or make.
    columns: FxHashMap<NodeId, Vec<usize>>,
}

impl<'a> Clusters<'a> {
    /// No clusters yet; `rematerialized` says which values are computed again by their readers,
    /// `attention` which nodes are kernels already.
    pub fn new(
        graph: &'a BoundGraph,
        rematerialized: &'a [bool],
        attention: &[Vec<NodeId>],
    ) -> Self {
        let kernels = attention.iter().enumerate();
        let attention =
            kernels.flat_map(|(kernel, nodes)| nodes.iter().map(move |&node| (node, kernel)));
        let mut root = vec![false; graph.nodes.len()];
        for node in graph.roots().chain(graph.handed_on()).chain(into_scans(graph)) {
            root[node.index()] = true;
        }
        let mut clusters = Clusters {
            graph,
            class: Vec::with_capacity(graph.nodes.len()),
            uniform: Vec::with_capacity(graph.nodes.len()),
            rematerialized,
            uses: Edges::of_arguments(graph),
            flow: Flow::default(),
            times: Times::of(graph),
            root,
            of: vec![None; graph.nodes.len()],
            clusters: Vec::new(),
            order: Topological::default(),
            attention: attention.collect(),
            attention_clusters: FxHashMap::default(),
            pools: FxHashMap::default(),
            columns: FxHashMap::default(),
        };
        clusters.classify();
        clusters.write_out_views();
        clusters.flow = Flow::new(graph, &clusters.class);
        clusters
    }

    /// Grows all clusters.
    pub fn grow(&mut self) {
        for id in self.graph.nodes.keys() {
            if self.class[id.index()] == Class::Work {
                self.place(id);
            }
        }
        self.join_contractions();
        self.join_pools();
        self.join_sums();
    }

    /// Gives each operator a cluster of its own. Pools and their indices share one: the same windows
    /// find both.
    pub fn keep_apart(&mut self) {
        let graph = self.graph;
        for id in graph.nodes.keys() {
            if self.class[id.index()] != Class::Work {
                continue;
            }
            let op = &graph.nodes[id].op;
            match op.kind() {
                _ if graph.is_view(id) => self.start(KernelKind::Move, id, true),
                OpKind::Reduction if graph.sums_columns(id) || matches!(op, Op::Variance(_)) => {
                    self.start(KernelKind::Columns, id, true);
                }
                OpKind::Reduction | OpKind::Choice | OpKind::Elementwise | OpKind::Generated => {
                    self.start(KernelKind::Rows, id, true);
                }
                OpKind::Given | OpKind::Number | OpKind::Const | OpKind::View => self.place(id),
                OpKind::Joined | OpKind::Product | OpKind::Convolution => self.place(id),
                OpKind::Pool | OpKind::Indexed | OpKind::Scan => self.place(id),
            }
        }
    }

    /// The clusters that have not become part of others.
    pub fn live(&self) -> impl Iterator<Item = (usize, &Cluster)> {
        let clusters = self.clusters.iter().enumerate();
        clusters.filter_map(|(index, cluster)| Some((index, cluster.as_ref()?)))
    }

    /// The cluster that computes a node.
    pub fn cluster_of(&self, node: NodeId) -> Option<usize> {
        self.of[node.index()]
    }

    /// The class of a node.
    pub fn class_of(&self, node: NodeId) -> Class {
        self.class[node.index()]
    }

    /// Whether a node is an output or an update.
    pub fn is_root(&self, node: NodeId) -> bool {
        self.root[node.index()]
    }

    /// Whether a node's readers are to compute it again.
    pub fn is_rematerialized(&self, node: NodeId) -> bool {
        self.rematerialized[node.index()]
    }

    /// The working nodes that read a node that works, through views and cheap nodes.
    pub fn readers(&self, node: NodeId) -> &[NodeId] {
        self.flow.readers(node)
    }

    /// The node of a cluster that `node` is read through, if it is one.
    fn source(&self, node: NodeId) -> NodeId {
        self.graph.base_or(node, |node| self.class[node.index()] == Class::Work)
    }

    fn live_nodes(&self, cluster: usize) -> &[NodeId] {
        &self.clusters[cluster].as_ref().expect("a live cluster").nodes
    }

    fn start(&mut self, kind: KernelKind, id: NodeId, closed: bool) {
        self.of[id.index()] = Some(self.clusters.len());
        self.clusters.push(Some(Cluster { kind, nodes: vec![id], closed, nest: None }));
        self.order.push();
    }

    /// Finds a node its cluster.
    fn place(&mut self, id: NodeId) {
        let graph = self.graph;
        let node = &graph.nodes[id];
        match node.op.kind() {
            _ if self.attention.contains_key(&id) => self.place_attention(id),
            _ if graph.is_view(id) => self.start(KernelKind::Move, id, true),
            OpKind::Given | OpKind::Number | OpKind::Const | OpKind::Joined | OpKind::Indexed => {
                self.start(KernelKind::Move, id, true);
            }
            OpKind::Convolution if graph.is_depthwise(id) => {
                self.start(KernelKind::Window, id, true);
            }
            OpKind::Product | OpKind::Convolution => {
                self.start(KernelKind::Contraction, id, false);
            }
            OpKind::Pool if max_pool_window(&node.op).is_some() => self.place_max_pool(id),
            OpKind::Pool => self.start(KernelKind::Window, id, true),
            OpKind::Reduction if matches!(node.op, Op::Variance(_)) => self.place_columns(id),
            OpKind::Reduction => self.place_reduction(id),
            OpKind::Choice => self.join(id, &node.args[..1]),
            OpKind::Generated | OpKind::Elementwise => {
                if !self.joins_as_bias(id) {
                    self.join(id, &node.args);
                }
            }
            OpKind::Scan => self.start(KernelKind::Scan, id, true),
            OpKind::View => unreachable!("a view"),
        }
    }

    /// A node of attention: the nodes of its kernel are neighbours.
    fn place_attention(&mut self, id: NodeId) {
        let kernel = self.attention[&id];
        let next = self.clusters.len();
        let known = *self.attention_clusters.entry(kernel).or_insert(next);
        match self.clusters.get_mut(known) {
            Some(cluster) => {
                cluster.as_mut().expect("closed clusters stay").nodes.push(id);
                self.of[id.index()] = Some(known);
            }
            None => self.start(KernelKind::Attention, id, true),
        }
    }

    /// Whether two clusters, by a node of each, run at the same time as far as scans go.
    fn share_time(&self, a: usize, b: usize) -> bool {
        let first = |cluster: usize| self.live_nodes(cluster)[0];
        self.times.are_equal(first(a), first(b))
    }

    /// The largest elements and which ones they are: one kernel that reads the images once.
    fn place_max_pool(&mut self, id: NodeId) {
        let node = &self.graph.nodes[id];
        let window = max_pool_window(&node.op);
        let image = node.args[0];
        let same = |&other: &usize| {
            let first = self.live_nodes(other)[0];
            self.times.are_equal(first, id)
                && max_pool_window(&self.graph.nodes[first].op) == window
        };
        let known = self.pools.get(&image).and_then(|pools| pools.iter().copied().find(same));
        match known {
            Some(known) => {
                self.of[id.index()] = Some(known);
                if let Some(cluster) = &mut self.clusters[known] {
                    cluster.nodes.push(id);
                }
            }
            None => {
                self.pools.entry(image).or_default().push(self.clusters.len());
                self.start(KernelKind::Window, id, true);
            }
        }
    }

    fn place_reduction(&mut self, id: NodeId) {
        let arg = self.graph.nodes[id].args[0];
        if self.graph.sums_columns(id) {
            return self.place_columns(id);
        }
        if self.graph.elements(id) > 1 {
            return self.join(id, &[arg]);
        }
        // A sum over everything: takes in what nobody else reads.
        self.start(KernelKind::Rows, id, true);
        let own = self.of[id.index()].expect("started");
        let Some(producer) = self.of[self.source(arg).index()] else { return };
        if self.is_plain(producer)
            && self.only_read_by(producer, id)
            && self.reads_directly(id, producer)
            && self.share_time(producer, own)
            && Domain::of(self.graph, &[self.live_nodes(producer), &[id]].concat()).is_some()
        {
            self.unite(producer, own);
        }
    }

    /// Whether a cluster has a single reader outside.
    fn only_read_by(&self, cluster: usize, id: NodeId) -> bool {
        self.live_nodes(cluster).iter().all(|&node| {
            let inside =
                |reader: &NodeId| *reader == id || self.of[reader.index()] == Some(cluster);
            !self.root[node.index()] && self.readers(node).iter().all(inside)
        })
    }

    /// Whether a reduction reads a cluster at its own elements, not repeated or turned.
    fn reads_directly(&self, id: NodeId, cluster: usize) -> bool {
        let mut node = self.graph.nodes[id].args[0];
        while self.of[node.index()] != Some(cluster) {
            match self.graph.nodes[node].op {
                Op::Reshape(_) | Op::StopGradient => node = self.graph.nodes[node].args[0],
                _ => return false,
            }
        }
        true
    }

    /// A bias added to a product that nobody else reads: the tile adds it.
    fn joins_as_bias(&mut self, id: NodeId) -> bool {
        let node = &self.graph.nodes[id];
        if node.op != Op::Binary(Binary::Add) {
            return false;
        }
        for (product, bias) in [(node.args[0], node.args[1]), (node.args[1], node.args[0])] {
            let op = &self.graph.nodes[product].op;
            // A depthwise convolution has no tile.
            let is_product = matches!(op, Op::MatMul { .. } | Op::Conv { .. })
                && !self.graph.is_depthwise(product)
                && self.is_read_once(product)
                && !self.root[product.index()];
            let repeated = matches!(self.graph.nodes[bias].op, Op::Broadcast(_))
                && self.of[self.source(bias).index()].is_none();
            if let (true, true, Some(cluster)) = (is_product, repeated, self.of[product.index()]) {
                let reads = self.sources(&node.args);
                return self.try_add(cluster, id, &reads);
            }
        }
        false
    }

    /// Whether a node has one use, followed through views and cheap nodes.
    fn is_read_once(&self, node: NodeId) -> bool {
        let mut uses = 0;
        let mut open = self.uses.of(node).to_vec();
        while let Some(reader) = open.pop() {
            match self.class[reader.index()] {
                Class::Work => uses += 1,
                Class::View | Class::Cheap => open.extend(self.uses.of(reader)),
                Class::Free => {}
            }
        }
        uses == 1
    }

    /// Joins the clusters of `args` that have room.
    fn join(&mut self, id: NodeId, args: &[NodeId]) {
        let mut own: Option<usize> = None;
        let reads = self.sources(&self.graph.nodes[id].args);
        let joined = match args.len() == self.graph.nodes[id].args.len() {
            true => reads.clone(),
            false => self.sources(args),
        };
        for source in joined {
            let open = self.clusters[source]
                .as_ref()
                .is_some_and(|cluster| cluster.kind == KernelKind::Rows && !cluster.closed);
            if !open {
                continue;
            }
            match own {
                None if self.try_add(source, id, &reads) => own = Some(source),
                Some(own) if own != source => drop(self.try_merge(source, own)),
                _ => {}
            }
        }
        if own.is_none() {
            self.start(KernelKind::Rows, id, false);
        }
    }

    /// The clusters that nodes read, through views and cheap nodes; the nearest first.
    fn sources(&self, args: &[NodeId]) -> Vec<usize> {
        let mut sources = Vec::new();
        self.each_source(args, |cluster| {
            if !sources.contains(&cluster) {
                sources.push(cluster);
            }
        });
        sources
    }

    /// The same, some perhaps several times.
    fn each_source(&self, args: &[NodeId], mut found: impl FnMut(usize)) {
        self.flow.each_source(self.graph, &self.class, args, |source| {
            found(self.of[source.index()].expect("arguments come before uses"));
        });
    }

    /// The clusters that a cluster reads (itself, perhaps).
    fn sources_of(&self, cluster: usize) -> Vec<usize> {
        let mut sources = Vec::new();
        let mut seen = FxHashSet::default();
        for &node in self.live_nodes(cluster) {
            let args = &self.graph.nodes[node].args;
            self.each_source(args, |cluster| {
                if seen.insert(cluster) {
                    sources.push(cluster);
                }
            });
        }
        sources
    }

    /// The finished kernels in an order in which what they read comes first.
    pub fn kernels(self) -> Arena<FusedKernelId, FusedKernel> {
        let mut kernels = Arena::new();
        let mut begun = vec![false; self.clusters.len()];
        // What is being finished: each cluster with what it reads and has yet to be finished.
        let mut open: Vec<(usize, std::vec::IntoIter<usize>)> = Vec::new();
        for first in 0..self.clusters.len() {
            let mut next = Some(first);
            loop {
                if let Some(index) = next.take_if(|index| self.clusters[*index].is_some())
                    && !std::mem::replace(&mut begun[index], true)
                {
                    open.push((index, self.sources_of(index).into_iter()));
                }
                let Some((index, sources)) = open.last_mut() else { break };
                next = sources.next();
                if next.is_none() {
                    kernels.push(self.kernel(*index));
                    open.pop();
                }
            }
        }
        kernels
    }

    /// A cluster as a kernel.
    fn kernel(&self, index: usize) -> FusedKernel {
        let Cluster { kind, nodes, .. } = self.clusters[index].as_ref().expect("a live cluster");
        let leaves = |node: &NodeId| {
            self.root[node.index()]
                || self.readers(*node).iter().any(|reader| self.of[reader.index()] != Some(index))
        };
        let results = nodes.iter().copied().filter(leaves).collect();
        FusedKernel { kind: *kind, nodes: nodes.clone(), results }
    }
}
